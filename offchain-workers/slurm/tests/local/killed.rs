//! Processes killed at every step.

use std::{
    fs,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{kill, Signal},
    unistd::Pid,
};
use ve_slurm::{
    conformance::{final_rows, wait_end, wait_file},
    local::Step,
    EndState, LocalScheduler, Lookup, Scheduler, SchedulerJobId, Status, SubmitSpec,
};

use crate::bed::{shim_command, LocalBed};

const PATIENCE: Duration = Duration::from_secs(120);

fn id(spec: &SubmitSpec) -> SchedulerJobId {
    SchedulerJobId(spec.handle.clone())
}

/// The end of a job that may go back into the queue, where `wait_end` would complain.
async fn end_at_last(client: &LocalScheduler, spec: &SubmitSpec) -> Option<EndState> {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        if let Status::Ended(state) = client.status(&id(spec)).await {
            return Some(state);
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    None
}

fn hidden(bed: &LocalBed, prefix: &str) -> usize {
    fs::read_dir(bed.state())
        .expect("state")
        .flatten()
        .filter(|e| e.file_name().to_string_lossy().starts_with(prefix))
        .count()
}

#[tokio::test]
async fn job_should_run_once_when_the_submitter_is_killed_at_any_step() {
    let bed = LocalBed::new();
    for step in [
        Step::Prepared,
        Step::Persisted,
        Step::Launching,
        Step::Launched,
    ] {
        let spec = bed.counted("sleep 0.2");
        assert!(
            bed.in_other_process("submit", &spec, &step.name()),
            "{step:?} was not reached"
        );
        let client = bed.local();
        let found = client.find(&spec.handle).await;
        if step == Step::Prepared {
            assert_eq!(found, Lookup::Absent);
            assert_eq!(hidden(&bed, ".new-"), 1);
        } else {
            assert_eq!(found, Lookup::Found(vec![id(&spec)]), "{step:?}");
        }
        assert_eq!(client.submit(&spec).await, Ok(id(&spec)));
        let end = wait_end(&client, &id(&spec), PATIENCE)
            .await
            .map_err(|f| f.0);
        assert_eq!(end, Ok(EndState::Completed), "{step:?}");
        assert_eq!(bed.runs(&spec), 1, "{step:?}");
        assert_eq!(client.attempts(&id(&spec)).await.map(|r| r.len()), Ok(1));
        assert_eq!(hidden(&bed, ".new-"), 0, "{step:?}");
    }
    bed.assert_quiet();
}

#[tokio::test]
async fn job_should_start_without_being_submitted_again_when_the_submitter_was_killed() {
    let bed = LocalBed::new();
    let spec = bed.counted("true");
    assert!(bed.in_other_process("submit", &spec, &Step::Persisted.name()));
    assert_eq!(bed.runs(&spec), 0);
    let client = bed.local();
    client.tick().await;
    let end = wait_end(&client, &id(&spec), PATIENCE)
        .await
        .map_err(|f| f.0);
    assert_eq!(end, Ok(EndState::Completed));
    assert_eq!(bed.runs(&spec), 1);
    bed.assert_quiet();
}

#[tokio::test]
async fn cancellation_should_hold_when_the_canceller_is_killed() {
    let bed = LocalBed::new();
    let spec = bed.counted("sleep 300");
    let client = bed.local();
    client.submit(&spec).await.expect("submitted");
    wait_file(&spec.work_dir.join("runs"), PATIENCE)
        .await
        .map_err(|f| f.0)
        .expect("runs");
    assert!(bed.in_other_process("cancel", &spec, &Step::CancelPersisted.name()));
    let end = wait_end(&client, &id(&spec), PATIENCE)
        .await
        .map_err(|f| f.0);
    assert_eq!(end, Ok(EndState::Cancelled));
    bed.assert_quiet();
}

#[tokio::test]
async fn job_should_be_forgotten_when_the_forgetter_is_killed() {
    let bed = LocalBed::new();
    let spec = bed.counted("true");
    let client = bed.local();
    client.submit(&spec).await.expect("submitted");
    wait_end(&client, &id(&spec), PATIENCE)
        .await
        .map_err(|f| f.0)
        .expect("ends");
    assert!(bed.in_other_process("forget", &spec, &Step::Detached.name()));
    assert_eq!(client.find(&spec.handle).await, Lookup::Absent);
    assert_eq!(hidden(&bed, ".gone-"), 1);
    // The next submission cleans up.
    let other = bed.counted("true");
    client.submit(&other).await.expect("submitted");
    assert_eq!(hidden(&bed, ".gone-"), 0);
    wait_end(&client, &id(&other), PATIENCE)
        .await
        .map_err(|f| f.0)
        .expect("ends");
    bed.assert_quiet();
}

#[tokio::test]
async fn job_should_end_as_node_failure_or_not_at_all_when_the_shim_is_killed_at_any_step() {
    let bed = LocalBed::new();
    for step in Step::SHIM {
        let spec = bed.counted("sleep 0.1");
        let dying = bed.with_shims_that(&format!("die={}", step.name()));
        dying.submit(&spec).await.expect("submitted");
        drop(dying);
        let client = bed.local();
        let end = wait_end(&client, &id(&spec), PATIENCE)
            .await
            .map_err(|f| f.0);
        let rows = final_rows(&client, &id(&spec))
            .await
            .map_err(|f| f.0)
            .expect("rows");
        assert_eq!(rows.len(), 1, "{step:?}: {rows:?}");
        match step {
            // Nothing was on record yet, so it could be started, or it was on record already how it ended.
            Step::Locked | Step::TaskRecorded | Step::AttemptRecorded => {
                assert_eq!(end, Ok(EndState::Completed), "{step:?}");
                assert_eq!(bed.runs(&spec), 1, "{step:?}");
            }
            _ => {
                assert_eq!(end, Ok(EndState::NodeFailure), "{step:?}");
                assert!(bed.runs(&spec) <= 1, "{step:?}");
            }
        }
    }
    bed.assert_quiet();
}

#[tokio::test]
async fn job_should_have_a_second_attempt_when_the_shim_is_killed_and_requeueing_is_allowed() {
    let bed = LocalBed::new();
    for step in [Step::Started, Step::TaskSpawned, Step::TaskExited] {
        let mut spec = bed.counted("echo $VE_ATTEMPT; sleep 0.1");
        spec.requeue = true;
        let dying = bed.with_shims_that(&format!("die={}", step.name()));
        dying.submit(&spec).await.expect("submitted");
        drop(dying);
        let client = bed.local();
        let end = end_at_last(&client, &spec).await;
        assert_eq!(end, Some(EndState::Completed), "{step:?}");
        let rows = final_rows(&client, &id(&spec))
            .await
            .map_err(|f| f.0)
            .expect("rows");
        let last = rows.last().expect("a row");
        assert_eq!((last.attempt, &last.state), (2, &Some(EndState::Completed)));
        if step == Step::Started {
            assert_eq!(rows.len(), 1, "no task was begun: {rows:?}");
        } else {
            assert_eq!(rows.len(), 2, "{rows:?}");
            assert_eq!(rows[0].state, Some(EndState::NodeFailure));
            assert!(rows[1].submitted >= rows[0].ended.expect("ended"));
        }
    }
    bed.assert_quiet();
}

#[tokio::test]
async fn processes_should_be_dead_when_the_shim_of_a_running_job_is_killed() {
    let bed = LocalBed::new();
    let spec = bed.counted(
        "trap '' TERM INT; beat() { while :; do date +%s%N > $1; sleep 0.02; done; }; export -f beat\n\
         beat one & setsid bash -c 'beat two' & env -i PATH=$PATH bash -c 'exec sleep 300' & sleep 300",
    );
    let client = bed.local();
    client.submit(&spec).await.expect("submitted");
    for name in ["one", "two"] {
        wait_file(&spec.work_dir.join(name), PATIENCE)
            .await
            .map_err(|f| f.0)
            .expect("beats");
    }
    bed.signal_shim(&spec, 1, Signal::SIGKILL);
    let end = wait_end(&client, &id(&spec), PATIENCE)
        .await
        .map_err(|f| f.0);
    assert_eq!(end, Ok(EndState::NodeFailure));
    bed.assert_quiet();
    let read = || fs::read_to_string(spec.work_dir.join("two")).expect("beat");
    let before = read();
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert_eq!(read(), before);
    assert_eq!(bed.runs(&spec), 1);
    // What it looked like is what it stays.
    assert_eq!(
        bed.local().status(&id(&spec)).await,
        Status::Ended(EndState::NodeFailure)
    );
}

#[tokio::test]
async fn job_should_end_as_node_failure_when_the_machine_was_restarted() {
    let bed = LocalBed::new();
    let mut spec = bed.counted("sleep 300");
    spec.array_tasks = 3;
    spec.cpus = 4;
    spec.stdout = spec.work_dir.join("out-%a");
    spec.stderr = spec.stdout.clone();
    let client = bed.local();
    client.submit(&spec).await.expect("submitted");
    wait_file(&spec.work_dir.join("runs"), PATIENCE)
        .await
        .map_err(|f| f.0)
        .expect("runs");
    bed.signal_shim(&spec, 1, Signal::SIGKILL);
    // A machine that restarts takes all processes with it and has another boot id.
    let task: serde_json::Value =
        serde_json::from_slice(&fs::read(bed.job_dir(&spec).join("a1/t0.pid.json")).expect("pid"))
            .expect("json");
    let session = task["pid"].as_i64().expect("pid");
    for entry in fs::read_dir("/proc").expect("proc").flatten() {
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let Some((_, rest)) = stat.rsplit_once(')') else {
            continue;
        };
        if rest.split_whitespace().nth(3) == Some(&session.to_string()) {
            if let Some(pid) = entry.file_name().to_str().and_then(|n| n.parse().ok()) {
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
        }
    }
    let started = bed.job_dir(&spec).join("a1/started.json");
    let text = fs::read_to_string(&started).expect("started");
    let mut value: serde_json::Value = serde_json::from_str(&text).expect("json");
    value["boot_id"] = "another boot".into();
    fs::write(&started, value.to_string()).expect("written");
    let end = wait_end(&client, &id(&spec), PATIENCE)
        .await
        .map_err(|f| f.0);
    assert_eq!(end, Ok(EndState::NodeFailure));
    let rows = final_rows(&client, &id(&spec))
        .await
        .map_err(|f| f.0)
        .expect("rows");
    assert_eq!(rows.len(), 3, "{rows:?}");
    assert!(rows[0].started.is_some() && rows[0].detail.contains("restarted"));
    assert!(rows[1].started.is_none() && rows[2].started.is_none());
    assert_eq!(bed.runs(&spec), 1);
    bed.assert_quiet();
}

#[tokio::test]
async fn job_should_get_what_is_left_of_its_time_when_it_is_started_again() {
    let bed = LocalBed::new();
    let mut spec = bed.counted("sleep 300");
    spec.requeue = true;
    spec.walltime_s = 3;
    let client = bed.local();
    client.submit(&spec).await.expect("submitted");
    wait_file(&spec.work_dir.join("runs"), PATIENCE)
        .await
        .map_err(|f| f.0)
        .expect("runs");
    tokio::time::sleep(Duration::from_millis(2200)).await;
    bed.signal_shim(&spec, 1, Signal::SIGKILL);
    let end = end_at_last(&client, &spec).await;
    assert_eq!(end, Some(EndState::TimedOut));
    let rows = final_rows(&client, &id(&spec))
        .await
        .map_err(|f| f.0)
        .expect("rows");
    assert_eq!(rows.len(), 2, "{rows:?}");
    // The last sign of life may be a second old.
    let both = rows[0].elapsed_ms + rows[1].elapsed_ms;
    assert!(rows[0].elapsed_ms >= 1_000, "{rows:?}");
    assert!((3_000..4_500).contains(&both), "{rows:?}");
    bed.assert_quiet();
}

#[tokio::test]
async fn job_should_move_to_another_attempt_when_the_machine_goes_down_politely() {
    let bed = LocalBed::new();
    for requeue in [false, true] {
        let mut spec = bed.counted("[ $VE_ATTEMPT = 2 ] && exit 0; trap 'echo bye > bye; exit 0' TERM; echo up > up; while :; do sleep 0.02; done");
        spec.requeue = requeue;
        let client = bed.local();
        client.submit(&spec).await.expect("submitted");
        wait_file(&spec.work_dir.join("up"), PATIENCE)
            .await
            .map_err(|f| f.0)
            .expect("runs");
        bed.signal_shim(&spec, 1, Signal::SIGTERM);
        let end = end_at_last(&client, &spec).await;
        assert!(
            spec.work_dir.join("bye").exists(),
            "it was not asked politely"
        );
        let rows = final_rows(&client, &id(&spec))
            .await
            .map_err(|f| f.0)
            .expect("rows");
        assert_eq!(rows[0].state, Some(EndState::NodeFailure), "{rows:?}");
        if requeue {
            assert_eq!(end, Some(EndState::Completed), "{rows:?}");
            assert_eq!((rows.len(), bed.runs(&spec)), (2, 2));
        } else {
            assert_eq!(end, Some(EndState::NodeFailure), "{rows:?}");
            assert_eq!((rows.len(), bed.runs(&spec)), (1, 1));
        }
    }
    bed.assert_quiet();
}

/// Starts a shim as a client would that decided to and then died.
fn start_shim(bed: &LocalBed, spec: &SubmitSpec, order: &str, attempt: &str) -> Child {
    let shim = shim_command(order);
    Command::new(shim.program)
        .args(shim.args)
        .arg(bed.job_dir(spec))
        .args(["start", attempt])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("shim")
}

#[tokio::test]
async fn job_should_run_once_when_many_shims_are_started_for_it() {
    let bed = LocalBed::new();
    let spec = bed.counted("sleep 0.3");
    assert!(bed.in_other_process("submit", &spec, &Step::Persisted.name()));
    // Slow ones, so that all are between the decision and the record at the same time.
    let shims: Vec<_> = (0..4)
        .map(|_| start_shim(&bed, &spec, "slow", "1"))
        .collect();
    for mut shim in shims {
        assert!(shim.wait().expect("ended").success());
    }
    let client = bed.local();
    let end = wait_end(&client, &id(&spec), PATIENCE)
        .await
        .map_err(|f| f.0);
    assert_eq!(end, Ok(EndState::Completed));
    bed.assert_quiet();
    assert_eq!(bed.runs(&spec), 1);
    assert_eq!(client.attempts(&id(&spec)).await.map(|r| r.len()), Ok(1));
}

#[tokio::test]
async fn shim_should_start_nothing_when_its_attempt_is_not_due() {
    let bed = LocalBed::new();
    let run = |spec: &SubmitSpec, attempt: &str| {
        let ended = start_shim(&bed, spec, "live", attempt).wait();
        assert!(ended.expect("ended").success());
    };
    // Before the first attempt.
    // The script itself dies with its shim; anything else would wait for the next client.
    let mut spec = bed.counted("exec sleep 300");
    spec.requeue = true;
    assert!(bed.in_other_process("submit", &spec, &Step::Persisted.name()));
    run(&spec, "2");
    bed.assert_quiet();
    // After an attempt that nobody has declared lost yet.
    run(&spec, "1");
    wait_file(&spec.work_dir.join("runs"), PATIENCE)
        .await
        .map_err(|f| f.0)
        .expect("runs");
    bed.signal_shim(&spec, 1, Signal::SIGKILL);
    bed.assert_quiet();
    run(&spec, "1");
    run(&spec, "2");
    bed.assert_quiet();
    assert_eq!(bed.runs(&spec), 1);
    // After a cancellation that nobody has looked at yet.
    let lost = spec;
    let spec = bed.counted("sleep 300");
    assert!(bed.in_other_process("submit", &spec, &Step::Persisted.name()));
    assert!(bed.in_other_process("cancel", &spec, &Step::CancelPersisted.name()));
    run(&spec, "1");
    bed.assert_quiet();
    assert_eq!(bed.runs(&spec), 0);
    let client = bed.local();
    // Due for another attempt as soon as a client looks at it.
    client.cancel(&id(&lost)).await.expect("cancelled");
    assert_eq!(
        client.status(&id(&spec)).await,
        Status::Ended(EndState::Cancelled)
    );
    // After the end.
    run(&spec, "1");
    bed.assert_quiet();
    assert_eq!(bed.runs(&spec), 0);
}
