//! Killed at every named step, started again: one run, exact usage, nothing left behind.

use crate::{
    cluster::{By, Cluster, Share},
    world::{Order, World},
};
use futures::future::join_all;
use std::{
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        atomic::{AtomicU64, Ordering},
        Arc, Mutex,
    },
    time::{Duration, Instant},
};
use tokio::sync::watch;
use ve_provider::{
    failpoints::{dying_at, unobserved, NAMES, WITH_POOL},
    Role,
};
use virtengine_primitives::hpc::EndReason;

const DIRECTORY: &str = "VE_TEST_WORLD";
const FAILPOINT: &str = "VE_TEST_FAILPOINT";
/// Worlds that share a cluster have jobs of different numbers.
static NEXT: AtomicU64 = AtomicU64::new(77);

/// Not a test by itself: the worker that is killed. Ends when the world has a file `stop` and no record of a job is left.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by the kill tests as a process of its own"]
async fn worker_process() {
    let world = World::at(Path::new(&std::env::var(DIRECTORY).unwrap()));
    let observer = match std::env::var(FAILPOINT) {
        Ok(failpoint) => dying_at(&failpoint, 1).unwrap(),
        Err(_) => unobserved(),
    };
    let (tell, stop) = watch::channel(false);
    let context = world.context(observer).await;
    let records = context.records.clone();
    let working = tokio::spawn(Role::new(context).run(stop));
    let is_done = || {
        let jobs = world.chain.read().jobs;
        world.root.join("stop").exists() && jobs.keys().all(|job| records.get(*job).is_none())
    };
    while !is_done() {
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

/// Where one job at a time is run: a share of a cluster; `None`: the local scheduler.
type Slot = Option<(Arc<Cluster>, Share)>;

async fn survive(failpoint: &'static str, slot: Slot) {
    let directory = tempfile::tempdir().unwrap();
    let (world, seconds) = match &slot {
        None => (World::create(directory.path()), 1.6),
        // SLURM counts whole seconds.
        Some((_, share)) => (World::create_on(directory.path(), share), 2.2),
    };
    let job = NEXT.fetch_add(1, Ordering::Relaxed);
    let order = Order {
        seconds,
        ..Order::default()
    };
    world.order(job, &order).await;
    world.chain.change(|state| state.disputing = true);
    let mut first = spawn(&world, Some(failpoint));
    let died = dies(&mut first, Duration::from_secs(120)).await;
    if !died {
        let _ = first.kill();
    }
    assert!(died, "{failpoint}: the place was never reached");

    let mut second = spawn(&world, None);
    let begun = Instant::now();
    let (mut rows, mut shim) = (Vec::new(), String::new());
    let shim_log = world
        .root
        .join("scheduler")
        .join(world.handle(job))
        .join("shim.log");
    while world.chain.read().jobs[&job].ended_at.is_none() || world.home(job).exists() {
        // The local scheduler forgets: what it accounted is read before.
        if slot.is_none() {
            let found = world.rows(job).await;
            if !found.is_empty() {
                shim = std::fs::read_to_string(&shim_log).unwrap_or(shim);
                rows = found;
            }
        }
        let waited = begun.elapsed();
        if waited > Duration::from_secs(180) {
            let _ = second.kill();
            panic!("{failpoint}: {:?}", world.chain.read().calls);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    std::fs::write(world.root.join("stop"), "").unwrap();
    assert!(second.wait().unwrap().success(), "{failpoint}");

    let end = world.end(job).unwrap();
    assert_eq!(end.reason, EndReason::Completed, "{failpoint}");
    for call in ["accept", "complete", "open-evidence"] {
        assert_eq!(world.done(job, call), 1, "{failpoint}: {call}");
    }
    match &slot {
        None => {
            // After the last places it was forgotten before it could be looked at here.
            if !rows.is_empty() {
                assert_eq!(rows.len(), 1, "{failpoint}: one run");
                let told = (&rows, shim);
                assert_eq!(rows[0].attempt, 1, "{failpoint}: one run: {told:?}");
                let expected = u128::from(2 * (rows[0].elapsed_ms / 1000));
                assert_eq!(world.cpu_seconds(job), expected, "{failpoint}: exact usage");
            }
            assert_eq!(
                world.cpu_seconds(job),
                2,
                "{failpoint}: a job of 1.6 s is one second on two processors"
            );
        }
        Some((cluster, share)) => {
            let rows = cluster.accounted(Some(&world.handle(job)));
            let [(state, elapsed, cpus)] = &rows[..] else {
                panic!("{failpoint}, {:?}: one run: {rows:?}", share.by)
            };
            assert_eq!((state.as_str(), *cpus), ("COMPLETED", 2), "{failpoint}");
            assert!(*elapsed >= 2, "{failpoint}: {rows:?}");
            let billed = world.cpu_seconds(job);
            assert_eq!(
                billed,
                u128::from(elapsed * cpus),
                "{failpoint}: exact usage"
            );
            assert_eq!(world.leased().await, 0, "{failpoint}");
        }
    }
    world.check_reports(job).await;
    let state = world.chain.read();
    assert_eq!(
        state.disputes[&job].evidence,
        Some(world.bundle(job, "worker").await),
        "{failpoint}"
    );
    let refused = |c: &&(String, u64, Result<(), String>)| c.0 == "open-evidence" && c.2.is_err();
    assert_eq!(state.calls.iter().filter(refused).count(), 0, "{failpoint}");
    assert_eq!(
        world.result(job).await["words-0.txt"],
        world.words().as_bytes(),
        "{failpoint}"
    );
    assert_eq!(world.log(job).await, "begin 0\nend 0\n", "{failpoint}");
}

/// Runs one job for each name, those of one slot one after the other. Returns which failed; in a slot of a failure nothing
/// more is run.
async fn survive_all(names: Vec<&'static str>, slots: Vec<Slot>) -> Vec<&'static str> {
    let names = Mutex::new(names.into_iter());
    let one = async |slot: Slot| loop {
        let next = names.lock().unwrap().next();
        let name = next?;
        if tokio::spawn(survive(name, slot.clone())).await.is_err() {
            return Some(name);
        }
    };
    let failed = join_all(slots.into_iter().map(one)).await;
    assert!(
        names.lock().unwrap().next().is_none(),
        "not all: {failed:?}"
    );
    failed.into_iter().flatten().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_should_be_lost_or_doubled_when_the_worker_dies_at_any_named_step() {
    let failed = survive_all(NAMES.to_vec(), vec![None; 4]).await;
    assert!(failed.is_empty(), "killed at {failed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_should_be_lost_or_doubled_on_slurm_when_the_worker_dies_at_any_named_step() {
    /// Worlds at once that speak to it in one way.
    const AT_ONCE: usize = 9;
    let Some(cluster) = Cluster::start(2 * AT_ONCE).map(Arc::new) else {
        return;
    };
    let names = [NAMES, WITH_POOL].concat();
    let slots = |from: usize, by| {
        let slot = |n| Some((cluster.clone(), cluster.share(n, by)));
        (from..from + AT_ONCE).map(slot).collect()
    };
    let (commands, rest) = tokio::join!(
        survive_all(names.clone(), slots(0, By::Commands)),
        survive_all(names.clone(), slots(AT_ONCE, By::Rest)),
    );
    assert!(
        commands.is_empty() && rest.is_empty(),
        "killed at {commands:?} by commands, {rest:?} by REST"
    );
    // Nor did any of them run under another name.
    assert_eq!(cluster.accounted(None).len(), 2 * names.len());
}
