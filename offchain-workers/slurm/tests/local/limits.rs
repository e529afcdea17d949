//! Limits beyond those of the conformance suite.

use std::{fs, time::Duration};

use ve_slurm::{
    conformance::{final_rows, job, wait_end, wait_file},
    EndState, Scheduler, SchedulerJobId, SubmitSpec,
};

use crate::bed::LocalBed;

const PATIENCE: Duration = Duration::from_secs(120);

async fn run(bed: &LocalBed, spec: &SubmitSpec) -> (EndState, String) {
    let client = bed.local();
    let id: SchedulerJobId = client.submit(spec).await.expect("submitted");
    let end = wait_end(&client, &id, PATIENCE)
        .await
        .map_err(|f| f.0)
        .expect("ends");
    let rows = final_rows(&client, &id)
        .await
        .map_err(|f| f.0)
        .expect("rows");
    bed.assert_quiet();
    (end, rows[0].detail.clone())
}

#[tokio::test]
async fn job_should_be_killed_when_it_has_too_many_processes() {
    let bed = LocalBed::new();
    let mut spec = job(&bed, "for i in $(seq 20); do sleep 300 & done; wait").expect("job");
    spec.max_processes = Some(8);
    let (end, detail) = run(&bed, &spec).await;
    assert_eq!(end, EndState::Failed { exit_code: 137 });
    assert!(detail.contains("8 allowed"), "{detail}");
}

#[tokio::test]
async fn job_should_fail_when_its_interpreter_does_not_exist() {
    let bed = LocalBed::new();
    let mut spec = job(&bed, "true").expect("job");
    spec.script = "#!/nonexistent/interpreter\n".into();
    let (end, _) = run(&bed, &spec).await;
    assert_eq!(end, EndState::Failed { exit_code: 127 });
    let text = fs::read_to_string(&spec.stderr).expect("stderr");
    assert!(text.contains("interpreter"), "{text}");
}

#[tokio::test]
async fn job_should_end_as_boot_failure_when_its_output_cannot_be_opened() {
    let bed = LocalBed::new();
    let mut spec = job(&bed, "true").expect("job");
    // A directory in its place: passes the checks of submission, cannot be opened for writing.
    fs::create_dir(spec.work_dir.join("taken")).expect("directory");
    spec.stdout = spec.work_dir.join("taken");
    let (end, detail) = run(&bed, &spec).await;
    assert_eq!(end, EndState::BootFailure);
    assert!(!detail.is_empty());
}

#[tokio::test]
async fn streams_should_share_a_file_when_they_have_the_same_path() {
    let bed = LocalBed::new();
    let mut spec = job(&bed, "echo one; echo two >&2; echo three").expect("job");
    spec.stderr = spec.stdout.clone();
    fs::write(&spec.stdout, "old content\n").expect("old");
    let (end, _) = run(&bed, &spec).await;
    assert_eq!(end, EndState::Completed);
    let text = fs::read_to_string(&spec.stdout).expect("output");
    assert_eq!(text, "one\ntwo\nthree\n");
}

#[tokio::test]
async fn job_should_be_asked_politely_when_it_is_cancelled_or_out_of_time() {
    let bed = LocalBed::new();
    for cancelled in [true, false] {
        let mut spec = job(
            &bed,
            "trap 'echo asked > asked; exit 3' TERM; echo up > up; while :; do sleep 0.02; done",
        )
        .expect("job");
        spec.walltime_s = if cancelled { 60 } else { 1 };
        let client = bed.local();
        let id = client.submit(&spec).await.expect("submitted");
        let up = wait_file(&spec.work_dir.join("up"), PATIENCE).await;
        up.map_err(|f| f.0).expect("up");
        if cancelled {
            client.cancel(&id).await.expect("cancelled");
        }
        let end = wait_end(&client, &id, PATIENCE).await.map_err(|f| f.0);
        let expected = if cancelled {
            EndState::Cancelled
        } else {
            EndState::TimedOut
        };
        assert_eq!(end, Ok(expected));
        assert!(spec.work_dir.join("asked").exists());
        let rows = final_rows(&client, &id)
            .await
            .map_err(|f| f.0)
            .expect("rows");
        assert!(rows[0].started.is_some(), "{rows:?}");
    }
    bed.assert_quiet();
}

#[tokio::test]
async fn signals_should_not_be_blocked_when_a_script_runs() {
    let bed = LocalBed::new();
    let spec = job(&bed, "exec grep SigBlk /proc/self/status").expect("job");
    let (end, _) = run(&bed, &spec).await;
    assert_eq!(end, EndState::Completed);
    let text = fs::read_to_string(&spec.stdout).expect("output");
    assert_eq!(
        text.split_whitespace().last(),
        Some("0000000000000000"),
        "{text}"
    );
}
