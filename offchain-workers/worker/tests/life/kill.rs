//! Killed at every named step, started again: one run, exact usage, nothing left behind.

use crate::world::{Order, World};
use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tokio::sync::watch;
use ve_provider::failpoints::{dying_at, unobserved};
use virtengine_primitives::hpc::EndReason;

const DIRECTORY: &str = "VE_TEST_WORLD";
const FAILPOINT: &str = "VE_TEST_FAILPOINT";
const JOB: u64 = 77;

/// Not a test by itself: the worker that is killed. Ends when the world has a file `stop`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by the kill tests as a process of its own"]
async fn worker_process() {
    let world = World::at(Path::new(&std::env::var(DIRECTORY).unwrap()));
    let observer = match std::env::var(FAILPOINT) {
        Ok(failpoint) => dying_at(&failpoint, 1).unwrap(),
        Err(_) => unobserved(),
    };
    let (tell, stop) = watch::channel(false);
    let role = world.role(observer).await;
    let working = tokio::spawn(role.run(stop));
    while !world.root.join("stop").exists() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tell.send(true).unwrap();
    working.await.unwrap();
}

pub fn spawn(world: &World, failpoint: Option<&str>) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args([
            "--exact",
            "kill::worker_process",
            "--ignored",
            "--nocapture",
            "--test-threads=1",
        ])
        .env(DIRECTORY, &world.root)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if let Some(failpoint) = failpoint {
        command.env(FAILPOINT, failpoint);
    }
    command.spawn().unwrap()
}

/// Whether the process died within `limit`, by itself.
async fn dies(child: &mut Child, limit: Duration) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < limit {
        if let Some(status) = child.try_wait().unwrap() {
            use std::os::unix::process::ExitStatusExt;
            assert!(
                status.signal().is_some(),
                "it was to be killed, not to end: {status}"
            );
            return true;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    false
}

async fn survive(failpoint: &'static str) {
    let directory = tempfile::tempdir().unwrap();
    let world = World::create(directory.path());
    world
        .order(
            JOB,
            &Order {
                seconds: 1.6,
                ..Order::default()
            },
        )
        .await;
    world.chain.change(|state| state.disputing = true);
    let mut first = spawn(&world, Some(failpoint));
    let died = dies(&mut first, Duration::from_secs(120)).await;
    if !died {
        let _ = first.kill();
    }
    assert!(died, "{failpoint}: the place was never reached");

    let mut second = spawn(&world, None);
    let begun = Instant::now();
    // What the scheduler accounted is read before it is forgotten.
    let mut rows = Vec::new();
    loop {
        let found = world.rows(JOB).await;
        if !found.is_empty() {
            rows = found;
        }
        let state = world.chain.read();
        if state.jobs[&JOB].ended_at.is_some() && !world.home(JOB).exists() {
            break;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(180),
            "{failpoint}: {:?}",
            state.calls
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    std::fs::write(world.root.join("stop"), "").unwrap();
    assert!(second.wait().unwrap().success(), "{failpoint}");

    let end = world.end(JOB).unwrap();
    assert_eq!(end.reason, EndReason::Completed, "{failpoint}");
    for call in ["accept", "complete", "open-evidence"] {
        assert_eq!(world.done(JOB, call), 1, "{failpoint}: {call}");
    }
    // After the last places the scheduler has forgotten it before it could be looked at here.
    if !rows.is_empty() {
        assert_eq!(rows.len(), 1, "{failpoint}: one run");
        assert_eq!(rows[0].attempt, 1, "{failpoint}: one run");
        let expected = u128::from(2 * (rows[0].elapsed_ms / 1000));
        assert_eq!(world.cpu_seconds(JOB), expected, "{failpoint}: exact usage");
    }
    assert_eq!(
        world.cpu_seconds(JOB),
        2,
        "{failpoint}: a job of 1.6 s is one second on two processors"
    );
    world.check_reports(JOB).await;
    let state = world.chain.read();
    assert_eq!(
        state.disputes[&JOB].evidence,
        Some(world.bundle(JOB, "worker").await),
        "{failpoint}"
    );
    let refused = |c: &&(String, u64, Result<(), String>)| c.0 == "open-evidence" && c.2.is_err();
    assert_eq!(state.calls.iter().filter(refused).count(), 0, "{failpoint}");
    assert_eq!(
        world.result(JOB).await["words-0.txt"],
        world.words().as_bytes(),
        "{failpoint}"
    );
    assert_eq!(world.log(JOB).await, "begin 0\nend 0\n", "{failpoint}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_should_be_lost_or_doubled_when_the_worker_dies_at_any_named_step() {
    use futures::StreamExt;
    let names: Vec<&'static str> = ve_provider::failpoints::NAMES.to_vec();
    let tasks = futures::stream::iter(names)
        .map(|name| async move { (name, tokio::spawn(survive(name)).await) })
        .buffer_unordered(4);
    let failed: Vec<_> = tasks
        .filter_map(|(name, r)| async move { r.is_err().then_some(name) })
        .collect()
        .await;
    assert!(failed.is_empty(), "killed at {failed:?}");
}
