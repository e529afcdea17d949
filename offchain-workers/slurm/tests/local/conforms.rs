//! The conformance suite.

use ve_slurm::conformance::{check, Case};

use crate::bed::LocalBed;

async fn run(case: Case) {
    let bed = LocalBed::new();
    if let Err(failure) = check(&bed, case).await {
        panic!("{}: {failure}", case.name());
    }
    bed.assert_quiet();
}

macro_rules! conforms {
    ($($name:ident => $case:ident,)+) => {
        $(
            #[tokio::test]
            async fn $name() {
                run(Case::$case).await;
            }
        )+

        #[test]
        fn suite_should_be_run_whole_when_cases_are_added() {
            let run = [$(Case::$case),+];
            for case in Case::ALL {
                assert!(run.contains(&case), "{} is not run", case.name());
            }
        }
    };
}

conforms! {
    accounting_should_say_what_a_job_had_when_it_ended => Accounting,
    exit_code_should_arrive_when_a_script_fails => FailingExitCode,
    find_should_know_a_job_when_it_exists => Find,
    answers_should_be_definite_when_a_job_never_was => UnknownJob,
    job_should_run_once_when_submitted_twice => DoubleSubmit,
    job_should_go_on_when_its_client_is_gone => ClientRestart,
    job_should_end_cancelled_when_cancelled => Cancel,
    job_should_time_out_when_it_reaches_its_limit => TimeLimit,
    job_should_end_its_own_way_when_it_heeds_its_warning => WarningHeeded,
    job_should_be_killed_when_it_ignores_its_warning => WarningIgnored,
    job_should_time_out_when_its_warning_kills_it => WarningUnhandled,
    job_should_end_out_of_memory_when_it_takes_too_much => OutOfMemory,
    output_should_stay_small_when_a_job_floods_it => OutputFlood,
    array_should_have_a_row_per_task_when_it_ended => Array,
    array_should_fail_when_one_task_fails => ArrayWithFailure,
    environment_should_be_clean_when_a_script_runs => CleanEnvironment,
    left_overs_should_be_dead_when_their_script_ended => LeftOvers,
    forget_should_remove_a_job_when_it_ended => Forget,
    requests_should_be_refused_when_they_make_no_sense => Refusals,
    answers_should_agree_when_many_jobs_are_asked_about_at_once => Statuses,
}
