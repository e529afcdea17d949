use super::*;

#[test]
fn reason_should_name_who_answers_for_the_end() {
    let cases = [
        (EndState::Completed, false, EndReason::Completed),
        (EndState::Failed { exit_code: 3 }, false, EndReason::Failed),
        (EndState::OutOfMemory, false, EndReason::OutOfMemory),
        (EndState::TimedOut, false, EndReason::TimedOut),
        (EndState::Cancelled, true, EndReason::Cancelled),
        (EndState::Cancelled, false, EndReason::ProviderFailure),
        (EndState::NodeFailure, true, EndReason::NodeFailure),
        (EndState::BootFailure, false, EndReason::BootFailure),
        (EndState::Preempted, false, EndReason::Preempted),
        (EndState::Completed, true, EndReason::Completed),
    ];
    for (state, requested, expected) in cases {
        for started in [true, false] {
            let reason = reason_of(&state, requested, false, started);
            assert_eq!(reason, Some(expected), "{state:?}");
        }
    }
    let unknown = EndState::Unknown("REVOKED".into());
    assert_eq!(reason_of(&unknown, false, false, true), None);
}

#[test]
fn reason_should_be_the_customers_when_a_job_was_cancelled_by_itself() {
    let cases = [
        (false, true, EndReason::Failed),
        (false, false, EndReason::BadInput),
        (true, true, EndReason::Cancelled),
        (true, false, EndReason::Cancelled),
    ];
    for (requested, started, expected) in cases {
        let reason = reason_of(&EndState::Cancelled, requested, true, started);
        assert_eq!(reason, Some(expected));
    }
    // It was over before.
    let reason = reason_of(&EndState::NodeFailure, false, true, true);
    assert_eq!(reason, Some(EndReason::NodeFailure));
}

#[test]
fn cancellation_should_be_the_owners_when_they_cancelled_every_task_that_ended_so() {
    let row = |task, attempt, state, by_owner| Attempt {
        cluster: "c".into(),
        job: "7".into(),
        task,
        attempt,
        submitted: 0,
        started: Some(0),
        ended: Some(1_000),
        allocated: ve_slurm::Allocated {
            cpus: 1,
            memory_mib: 1,
            nodes: 1,
            gpus: 0,
        },
        elapsed_ms: 1_000,
        state: Some(state),
        by_owner,
        detail: String::new(),
    };
    let own = |task| row(task, 1, EndState::Cancelled, true);
    let others = |task| row(task, 1, EndState::Cancelled, false);
    let done = |task, attempt| row(task, attempt, EndState::Completed, false);
    assert!(cancelled_by_owner(&[own(0)]));
    assert!(cancelled_by_owner(&[own(0), own(1), done(2, 1)]));
    assert!(!cancelled_by_owner(&[own(0), others(1), others(2)]));
    assert!(!cancelled_by_owner(&[others(0)]));
    // An attempt that was followed by another is no end.
    assert!(!cancelled_by_owner(&[own(0), done(0, 2), others(1)]));
    assert!(!cancelled_by_owner(&[own(0), done(0, 2)]));
    assert!(!cancelled_by_owner(&[]));
}

#[test]
fn files_should_be_waited_for_at_first_when_the_start_window_is_short() {
    let near = |started, start_within| without_files(started, start_within);
    assert_eq!(near(false, 10_000), 30);
    assert_eq!(near(false, 60), 30);
    assert_eq!(near(false, 40), 20);
    assert_eq!(near(false, 1), 0);
    assert_eq!(near(true, 1), 30);
}

#[test]
fn outputs_should_be_those_of_the_template_within_its_limits() {
    let spec = |path: &str, max_bytes| ve_templates::OutputSpec {
        path: path.into(),
        summary: String::new(),
        max_bytes,
    };
    let rules = Outputs {
        max_bytes: 25,
        files: vec![spec("*.png", 10), spec("data/*.csv", 20)],
    };
    let entry = |path: &str, length| crate::beneath::Entry {
        path: path.into(),
        length,
    };
    let walk = Walk {
        files: vec![
            entry("a.png", 10),
            entry("b.png", 11),
            entry("core", 1),
            entry("data/a.csv", 15),
            entry("data/b.csv", 1),
            entry("result.json", 1),
        ],
        skipped: vec![("link".into(), "not a regular file".into())],
    };
    let (files, omitted) = choose(&rules, walk);
    assert_eq!(
        files,
        [("a.png".to_owned(), 10), ("data/a.csv".to_owned(), 15)]
    );
    let omitted: Vec<_> = omitted.iter().map(|o| o.path.as_str()).collect();
    assert_eq!(
        omitted,
        ["link", "b.png", "core", "data/b.csv", "result.json"]
    );
}

#[test]
fn counts_should_add_up_to_all_tasks_when_some_never_ran() {
    let sum = |c: TaskCounts| c.done + c.failed + c.cancelled;
    assert_eq!(sum(counts(&[], 5)), 5);
    assert_eq!(counts(&[], 5).cancelled, 5);
}
