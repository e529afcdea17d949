//! The disk of the worker's database is full.

#[path = "../../../../tests/support/small_disk.rs"]
mod small_disk;

use crate::world::{Order, World};
use crate::LIMIT;
use small_disk::SmallDisk;
use std::{
    cell::Cell,
    time::{Duration, Instant},
};
use virtengine_primitives::hpc::EndReason;

#[derive(Clone, Copy)]
enum Phase {
    Running,
    Full,
    SaidSo(Instant, usize),
    RoomAgain,
}

#[tokio::test(flavor = "multi_thread")]
async fn worker_should_stop_going_on_and_say_so_when_its_database_has_no_room_and_lose_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(&directory.path().join("small"), 1) else {
        return;
    };
    let world = World {
        store: disk.path().join("worker.db"),
        ..World::create(directory.path())
    };
    let order = Order {
        seconds: 2.5,
        ..Order::default()
    };
    world.order(1, &order).await;
    let phase = Cell::new(Phase::Running);
    world
        .run_until(LIMIT, |state| {
            let next = match phase.get() {
                Phase::Running if !state.reports.is_empty() => {
                    disk.fill();
                    Phase::Full
                }
                Phase::Full => match world.health.check(Duration::ZERO) {
                    Err(reason) if reason.contains("free space on that disk") => {
                        Phase::SaidSo(Instant::now(), state.calls.len())
                    }
                    _ => Phase::Full,
                },
                // Longer than the job runs: its end is not told, because what it would follow from cannot be kept.
                Phase::SaidSo(at, calls) if at.elapsed() > Duration::from_secs(4) => {
                    assert_eq!(state.calls.len(), calls, "{:?}", state.calls);
                    assert!(state.jobs[&1].ended_at.is_none());
                    disk.make_room();
                    Phase::RoomAgain
                }
                other => other,
            };
            phase.set(next);
            matches!(next, Phase::RoomAgain) && state.jobs[&1].ended_at.is_some()
        })
        .await;
    assert_eq!(world.health.check(Duration::from_secs(60)), Ok(()));
    assert_eq!(world.end(1).unwrap().reason, EndReason::Completed);
    let rows = world.rows(1).await;
    assert_eq!(rows.len(), 1);
    let expected = u128::from(2 * (rows[0].elapsed_ms / 1000));
    assert_eq!(world.cpu_seconds(1), expected, "exact usage");
    world.check_reports(1).await;
    assert!(world.result(1).await.contains_key("words-0.txt"));
}
