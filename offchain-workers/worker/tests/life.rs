//! The provider role with everything real but the chain: scheduler, database, artifacts, envelopes, templates.

#[path = "life/acceptance.rs"]
mod acceptance;
#[path = "life/agent.rs"]
mod agent;
#[path = "life/chain.rs"]
mod chain;
#[path = "life/cluster.rs"]
mod cluster;
#[path = "life/disk.rs"]
mod disk;
#[path = "life/kill.rs"]
mod kill;
#[path = "life/large.rs"]
mod large;
#[path = "life/nested.rs"]
mod nested;
#[path = "life/stopped.rs"]
mod stopped;
#[path = "life/world.rs"]
mod world;

use std::time::Duration;
use virtengine_primitives::hpc::{EndReason, TaskCounts};
use world::{Order, World};

const LIMIT: Duration = Duration::from_secs(180);

fn world() -> (tempfile::TempDir, World) {
    let directory = tempfile::tempdir().unwrap();
    let world = World::create(directory.path());
    (directory, world)
}

#[tokio::test(flavor = "multi_thread")]
async fn job_should_be_run_metered_and_handed_over_when_it_is_assigned() {
    let (_directory, world) = world();
    world
        .order(
            42,
            &Order {
                seconds: 2.3,
                ..Order::default()
            },
        )
        .await;
    world
        .run_until(LIMIT, |state| state.jobs[&42].ended_at.is_some())
        .await;

    let end = world.end(42).unwrap();
    assert_eq!((end.reason, end.exit_code), (EndReason::Completed, 0));
    assert_eq!(
        end.tasks,
        TaskCounts {
            done: 1,
            failed: 0,
            cancelled: 0
        }
    );
    let rows = world.rows(42).await;
    assert_eq!(rows.len(), 1);
    assert_eq!(
        world.cpu_seconds(42),
        u128::from(2 * (rows[0].elapsed_ms / 1000))
    );
    assert!(world.done(42, "report") >= 2, "it reported while it ran");
    world.check_reports(42).await;
    let result = world.result(42).await;
    assert_eq!(result["words-0.txt"], world.words().as_bytes());
    assert!(
        !result.contains_key("words-link.txt"),
        "links are not followed"
    );
    let summary: ve_templates::ResultSummary =
        serde_json::from_slice(&result["result.json"]).unwrap();
    assert_eq!(
        (summary.job, summary.reason.as_str(), summary.partial),
        (42, "Completed", false)
    );
    assert!(summary.omitted.iter().any(|o| o.path == "words-link.txt"));
    assert_eq!(world.log(42).await, "begin 0\nend 0\n");

    // What it knew of the customer is gone after the retention, and never was in the database.
    assert!(world.home(42).exists());
    let gone = world.home(42);
    world.run_until(LIMIT, move |_| !gone.exists()).await;
    for file in ["worker.db", "worker.db-wal"] {
        let bytes = std::fs::read(world.root.join(file)).unwrap_or_default();
        assert!(!bytes.windows(6).any(|w| w == b"CANARY"), "{file}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn job_should_end_as_failed_and_be_paid_when_its_script_fails() {
    let (_directory, world) = world();
    world
        .order(
            1,
            &Order {
                seconds: 1.2,
                status: 3,
                ..Order::default()
            },
        )
        .await;
    world
        .run_until(LIMIT, |state| state.jobs[&1].ended_at.is_some())
        .await;
    let end = world.end(1).unwrap();
    assert_eq!(
        (end.reason, end.exit_code, end.tasks.failed),
        (EndReason::Failed, 3, 1)
    );
    assert_eq!(world.cpu_seconds(1), 2);
    assert!(
        world.result(1).await.contains_key("words-0.txt"),
        "outputs are collected on every end"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn job_should_be_stopped_and_paid_up_to_the_stop_when_it_is_cancelled() {
    let (_directory, world) = world();
    world
        .order(
            1,
            &Order {
                seconds: 50.0,
                ..Order::default()
            },
        )
        .await;
    world
        .run_until(LIMIT, |state| !state.reports.is_empty())
        .await;
    world.chain.change(|state| {
        let by = state.block() + 1_000;
        state.jobs.get_mut(&1).unwrap().cancel_by = Some(by);
    });
    world
        .run_until(LIMIT, |state| state.jobs[&1].ended_at.is_some())
        .await;
    let end = world.end(1).unwrap();
    assert_eq!((end.reason, end.tasks.cancelled), (EndReason::Cancelled, 1));
    let rows = world.rows(1).await;
    assert_eq!(
        world.cpu_seconds(1),
        u128::from(2 * (rows[0].elapsed_ms / 1000))
    );
    assert!(world.result(1).await.contains_key("words-0.txt"));
}

#[tokio::test(flavor = "multi_thread")]
async fn job_should_end_as_timed_out_when_it_runs_into_its_limit() {
    let (_directory, world) = world();
    world
        .order(
            1,
            &Order {
                seconds: 50.0,
                walltime: 2,
                ..Order::default()
            },
        )
        .await;
    world
        .run_until(LIMIT, |state| state.jobs[&1].ended_at.is_some())
        .await;
    assert_eq!(world.end(1).unwrap().reason, EndReason::TimedOut);
    assert_eq!(world.cpu_seconds(1), 4, "never more than the wall time");
}

#[tokio::test(flavor = "multi_thread")]
async fn job_should_end_as_bad_input_when_an_input_is_missing_or_does_not_open() {
    let (_directory, world) = world();
    world
        .order(
            1,
            &Order {
                uploaded: false,
                ..Order::default()
            },
        )
        .await;
    world
        .order(
            2,
            &Order {
                good_key: false,
                ..Order::default()
            },
        )
        .await;
    let damaged = Order {
        damaged: true,
        ..Order::default()
    };
    world.order(3, &damaged).await;
    world
        .run_until(LIMIT, |state| {
            state.jobs.values().all(|j| j.ended_at.is_some())
        })
        .await;
    for id in [1, 2, 3] {
        let end = world.end(id).unwrap();
        assert_eq!((end.reason, end.tasks.cancelled), (EndReason::BadInput, 1));
        let result = world.result(id).await;
        let summary = String::from_utf8(result["result.json"].clone()).unwrap();
        assert!(summary.contains("words.txt"), "{summary}");
        assert!(world.rows(id).await.is_empty());
        assert_eq!(world.cpu_seconds(id), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn job_should_be_declined_when_its_parameters_are_outside_the_schema() {
    let (_directory, world) = world();
    world
        .order(
            1,
            &Order {
                seconds: 1_000.0,
                ..Order::default()
            },
        )
        .await;
    world
        .run_until(LIMIT, |state| state.jobs[&1].ended_at.is_some())
        .await;
    assert_eq!((world.done(1, "decline"), world.done(1, "accept")), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn job_should_be_declined_when_its_customer_has_no_room_left_and_run_when_there_is_again() {
    let (_directory, mut world) = world();
    // An input of 23,000 bytes and outputs of at most 100,000: one job fits.
    world.customer_quota = Some(200_000);
    for id in [1, 2] {
        world.order(id, &Order::default()).await;
    }
    let ended = |state: &chain::State, id| state.jobs[&id].ended_at.is_some();
    world
        .run_until(LIMIT, |state| ended(state, 1) && ended(state, 2))
        .await;
    let of = |call| [1, 2].map(|id| world.done(id, call)).iter().sum::<usize>();
    assert_eq!((of("accept"), of("decline")), (1, 1));
    // Removed after the retention, it takes no room.
    let homes = [1, 2].map(|id| world.home(id));
    world
        .run_until(LIMIT, move |_| homes.iter().all(|home| !home.exists()))
        .await;
    world.order(3, &Order::default()).await;
    world.run_until(LIMIT, |state| ended(state, 3)).await;
    assert_eq!(world.end(3).unwrap().reason, EndReason::Completed);
}

#[tokio::test(flavor = "multi_thread")]
async fn job_should_be_ended_when_its_customer_registers_a_key_that_nothing_can_be_sealed_to() {
    let (_directory, world) = world();
    world.chain.change(|state| {
        let customer = state.keys[0].0.clone();
        // The point at infinity: every agreement with it is zero.
        state.keys.insert(0, (customer, [0; 32]));
    });
    world.order(1, &Order::default()).await;
    world
        .run_until(LIMIT, |state| state.jobs[&1].ended_at.is_some())
        .await;
    assert_eq!(world.end(1).unwrap().reason, EndReason::Completed);
    assert!(world.result(1).await.contains_key("words-0.txt"));
}

#[tokio::test(flavor = "multi_thread")]
async fn array_should_be_metered_by_task_and_counted() {
    let (_directory, world) = world();
    world
        .order(
            1,
            &Order {
                seconds: 1.3,
                tasks: 3,
                ..Order::default()
            },
        )
        .await;
    world
        .run_until(LIMIT, |state| state.jobs[&1].ended_at.is_some())
        .await;
    let end = world.end(1).unwrap();
    assert_eq!((end.reason, end.tasks.done), (EndReason::Completed, 3));
    let rows = world.rows(1).await;
    let all: u64 = rows.iter().map(|r| r.elapsed_ms).sum();
    assert_eq!(world.cpu_seconds(1), u128::from(2 * (all / 1000)));
    assert_eq!(
        world.log(1).await,
        "begin 0\nend 0\nbegin 1\nend 1\nbegin 2\nend 2\n"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_should_be_lost_when_the_chain_is_silent_for_a_while() {
    let (_directory, world) = world();
    world
        .order(
            1,
            &Order {
                seconds: 2.5,
                ..Order::default()
            },
        )
        .await;
    world
        .run_until(LIMIT, |state| state.jobs[&1].started_at.is_some())
        .await;
    // Silent until after the job has ended by itself.
    world
        .chain
        .change(|state| state.silent_until = ve_provider::now_ms() + 4_000);
    world
        .run_until(LIMIT, |state| state.jobs[&1].ended_at.is_some())
        .await;
    assert_eq!(world.end(1).unwrap().reason, EndReason::Completed);
    let rows = world.rows(1).await;
    assert_eq!(rows.len(), 1);
    assert_eq!(
        world.cpu_seconds(1),
        u128::from(2 * (rows[0].elapsed_ms / 1000))
    );
    world.check_reports(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn job_should_be_stopped_and_removed_when_it_was_given_to_another_cluster() {
    let (_directory, world) = world();
    world
        .order(
            1,
            &Order {
                seconds: 50.0,
                ..Order::default()
            },
        )
        .await;
    world
        .run_until(LIMIT, |state| state.jobs[&1].started_at.is_some())
        .await;
    world
        .chain
        .change(|state| state.jobs.get_mut(&1).unwrap().assignment.cluster = 99);
    let home = world.home(1);
    assert!(home.exists());
    world.run_until(LIMIT, move |_| !home.exists()).await;
    assert!(
        world.rows(1).await.is_empty(),
        "forgotten by the scheduler as well"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn dispute_should_be_answered_with_readable_evidence_when_it_is_opened_after_the_end() {
    let (_directory, world) = world();
    world
        .order(
            1,
            &Order {
                seconds: 2.3,
                ..Order::default()
            },
        )
        .await;
    world
        .run_until(LIMIT, |state| state.jobs[&1].ended_at.is_some())
        .await;
    assert!(world.done(1, "report") >= 2);
    // Nobody but customer and worker can open it yet: the arbiter had no key when the reports were made.
    world.arbiter_appears();
    world.chain.change(|state| state.dispute(1, 200, 10_000));
    world
        .run_until(LIMIT, |state| state.disputes[&1].evidence.is_some())
        .await;
    let told = world.chain.read().disputes[&1].evidence;
    for who in ["arbiter", "customer", "worker"] {
        assert_eq!(told, Some(world.bundle(1, who).await), "{who}");
    }

    // Kept beyond the retention for as long as it is not decided, and answered only once.
    let retained = ve_provider::now_ms() + 4_000;
    world
        .run_until(LIMIT, |_| ve_provider::now_ms() > retained)
        .await;
    assert!(world.home(1).exists(), "there is an open dispute");
    let calls = |state: &chain::State| {
        let of = |c: &&(String, u64, Result<(), String>)| c.0 == "open-evidence";
        state.calls.iter().filter(of).count()
    };
    assert_eq!(calls(&world.chain.read()), 1);

    // Decided, and disputed again before it was settled: answered again.
    world.chain.change(|state| state.dispute(1, 200, 10_000));
    world
        .run_until(LIMIT, |state| state.disputes[&1].evidence.is_some())
        .await;
    assert_eq!(world.chain.read().disputes[&1].evidence, told);

    let home = world.home(1);
    world.chain.change(|state| state.disputes.clear());
    world.run_until(LIMIT, move |_| !home.exists()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dispute_should_be_answered_later_when_its_evidence_cannot_be_read_at_first() {
    let (_directory, world) = world();
    world.order(1, &Order::default()).await;
    world
        .run_until(LIMIT, |state| state.jobs[&1].ended_at.is_some())
        .await;
    let path = ve_store::Artifacts::evidence_path(&chain::GENESIS, 1, 1);
    let file = world.root.join("artifacts").join(path);
    let aside = world.root.join("aside");
    std::fs::rename(&file, &aside).unwrap();
    world.chain.change(|state| state.dispute(1, 200, 10_000));
    let until = ve_provider::now_ms() + 2_500;
    world
        .run_until(LIMIT, |_| ve_provider::now_ms() > until)
        .await;
    assert_eq!(world.chain.read().disputes[&1].evidence, None);
    assert!(world.home(1).exists(), "nothing is removed for want of it");
    std::fs::rename(&aside, &file).unwrap();
    world
        .run_until(LIMIT, |state| state.disputes[&1].evidence.is_some())
        .await;
    let told = world.chain.read().disputes[&1].evidence;
    assert_eq!(told, Some(world.bundle(1, "customer").await));
}
