//! A job is begun when its acceptance is in a block, and what was begun is undone when that block is.

use crate::{
    chain::OTHER_CLUSTER,
    world,
    world::{Order, World},
    LIMIT,
};
use ve_slurm::EndState;
use virtengine_primitives::hpc::{EndReason, JobState};

/// Blocks of a fifth of a second: nothing becomes final while a test looks.
const NEVER: u32 = 10_000;

async fn has_rows(world: &World, id: u64) -> bool {
    !world.rows(id).await.is_empty()
}

/// Runs the role until the job has begun, or has ended, in the scheduler.
async fn run_until_rows(world: &World, accept: impl Fn(&[ve_slurm::Attempt]) -> bool) {
    let handle = tokio::runtime::Handle::current();
    world
        .run_until(LIMIT, |_| {
            tokio::task::block_in_place(|| accept(&handle.block_on(world.rows(1))))
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn job_should_run_and_nothing_should_be_charged_when_its_acceptance_is_not_final() {
    let (_directory, world) = world();
    world.chain.change(|state| state.finality = NEVER);
    world.order(1, &Order::default()).await;
    run_until_rows(&world, |rows| !rows.is_empty()).await;
    // Started again meanwhile: neither the acceptance nor the run is repeated.
    run_until_rows(&world, |rows| rows.iter().any(|row| row.state.is_some())).await;
    let state = world.chain.read();
    assert!(state.jobs[&1].accepted_at.is_some());
    assert!(state.reports.is_empty() && state.jobs[&1].end.is_none());

    // Final at last: metered, collected and ended, after one run.
    world.chain.change(|state| state.finality = 3);
    world
        .run_until(LIMIT, |state| state.jobs[&1].ended_at.is_some())
        .await;
    assert_eq!(world.end(1).unwrap().reason, EndReason::Completed);
    let rows = world.rows(1).await;
    assert_eq!((rows.len(), rows[0].attempt), (1, 1));
    assert_eq!(world.cpu_seconds(1), 2);
    assert_eq!(
        world.done(1, "accept"),
        1,
        "seen in the best chain, not sent again"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn job_should_be_accepted_again_and_run_once_when_its_acceptance_was_undone() {
    let (_directory, world) = world();
    world.chain.change(|state| state.finality = 20);
    world
        .order(
            1,
            &Order {
                seconds: 6.0,
                ..Order::default()
            },
        )
        .await;
    run_until_rows(&world, |rows| !rows.is_empty()).await;
    world.chain.change(|state| state.undo_acceptance(1));
    world
        .run_until(LIMIT, |state| state.jobs[&1].ended_at.is_some())
        .await;
    assert_eq!(world.end(1).unwrap().reason, EndReason::Completed);
    assert_eq!(world.done(1, "accept"), 2);
    let rows = world.rows(1).await;
    assert_eq!((rows.len(), rows[0].attempt), (1, 1), "one run");
    world.check_reports(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn job_should_be_stopped_when_its_acceptance_was_undone_and_is_refused_from_then_on() {
    let (_directory, world) = world();
    world.chain.change(|state| state.finality = 20);
    let long = Order {
        seconds: 50.0,
        ..Order::default()
    };
    world.order(1, &long).await;
    run_until_rows(&world, |rows| !rows.is_empty()).await;
    world.chain.change(|state| {
        state.undo_acceptance(1);
        state.refusing = true;
        let deadline = state.block() + 20;
        state.jobs.get_mut(&1).unwrap().deadline = deadline;
    });
    run_until_rows(&world, |rows| {
        rows.iter()
            .any(|row| row.state == Some(EndState::Cancelled))
    })
    .await;
    let state = world.chain.read();
    assert_eq!(state.jobs[&1].state, JobState::Assigned);
    assert!(
        state.block() >= state.jobs[&1].deadline,
        "not before it was too late"
    );
    assert!(state.reports.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn job_should_be_cleared_away_before_it_is_taken_up_when_it_moves_between_our_clusters() {
    let (_directory, world) = world();
    world
        .order(
            1,
            &Order {
                seconds: 4.0,
                ..Order::default()
            },
        )
        .await;
    world
        .run_until(LIMIT, |state| state.jobs[&1].started_at.is_some())
        .await;
    world.chain.change(|state| {
        state.undo_acceptance(1);
        state.jobs.get_mut(&1).unwrap().assignment.cluster = OTHER_CLUSTER;
    });
    world
        .run_until(LIMIT, |state| state.jobs[&1].ended_at.is_some())
        .await;
    assert_eq!(world.end(1).unwrap().reason, EndReason::Completed);
    assert!(!has_rows(&world, 1).await, "the first cluster forgot it");
    assert!(!world.home(1).exists());
    assert!(world.result(1).await.contains_key("words-0.txt"));
}
