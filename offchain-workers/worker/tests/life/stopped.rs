//! A job whose agents are stopped, as its own processes can do it.

use crate::{
    agent::Users,
    chain::OTHER_CLUSTER,
    world::{Order, World},
    LIMIT,
};
use async_trait::async_trait;
use std::{fs, sync::Arc, time::Duration};
use ve_slurm::{
    Attempt, ForgetError, Health, LocalScheduler, Lookup, QueryError, Scheduler, SchedulerJobId,
    Status, SubmitError, SubmitSpec,
};
use virtengine_primitives::hpc::{EndReason, JobState};

const HELD: u64 = 1;
const NEXT: u64 = 10;

/// Jobs of members on this machine, though they run as whoever runs the test: only their files belong to the member.
struct Anybodys(LocalScheduler);

#[async_trait]
impl Scheduler for Anybodys {
    async fn health(&self) -> Health {
        self.0.health().await
    }
    async fn submit(&self, spec: &SubmitSpec) -> Result<SchedulerJobId, SubmitError> {
        let spec = SubmitSpec {
            identity: None,
            ..spec.clone()
        };
        self.0.submit(&spec).await
    }
    async fn find(&self, handle: &str) -> Lookup {
        self.0.find(handle).await
    }
    async fn status(&self, id: &SchedulerJobId) -> Status {
        self.0.status(id).await
    }
    async fn cancel(&self, id: &SchedulerJobId) -> Result<(), QueryError> {
        self.0.cancel(id).await
    }
    async fn attempts(&self, id: &SchedulerJobId) -> Result<Vec<Attempt>, QueryError> {
        self.0.attempts(id).await
    }
    async fn forget(&self, id: &SchedulerJobId) -> Result<(), ForgetError> {
        self.0.forget(id).await
    }
}

/// Processor seconds of a job by the scheduler's own accounting, once it has ended there.
async fn ran(world: &World, job: u64) -> u128 {
    loop {
        let rows = world.rows(job).await;
        if let [Attempt {
            ended: Some(_),
            allocated,
            elapsed_ms,
            ..
        }] = rows[..]
        {
            return u128::from(allocated.cpus) * u128::from(elapsed_ms / 1000);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Lets a job's deadline come near until it has ended: the chain's clock is faster here than a worker's patience.
async fn ends_near_its_deadline(world: &World, job: u64) {
    world
        .run_until(LIMIT, |state| {
            world.chain.change(|state| {
                let soon = state.block() + 25;
                state.jobs.get_mut(&job).unwrap().deadline = soon;
            });
            state.jobs[&job].ended_at.is_some()
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn job_should_end_without_its_files_in_time_and_hold_up_nobody_when_its_agents_are_stopped() {
    let Some(users) = Users::make('h') else {
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let mut world = World::create(directory.path());
    let (pool, stop) = users.pool(Arc::new(Anybodys(world.scheduler())));
    let home = pool.pool.home(&pool.pool.members().next().unwrap());
    world.pool = Some(pool);
    let held = Order {
        seconds: 4.2,
        ..Order::default()
    };
    world.order(HELD, &held).await;
    world
        .run_until(LIMIT, |state| state.jobs[&HELD].started_at.is_some())
        .await;
    fs::write(&stop, "").unwrap();
    let others = 2..6;
    for id in others.clone() {
        world.order(id, &Order::default()).await;
        world.chain.change(|state| {
            state.jobs.get_mut(&id).unwrap().assignment.cluster = OTHER_CLUSTER;
        });
    }
    world
        .run_until(LIMIT, |state| {
            others.clone().all(|id| state.jobs[&id].ended_at.is_some())
        })
        .await;
    for id in others {
        assert!(world.result(id).await.contains_key("words-0.txt"), "{id}");
    }
    // The customer's next job runs as the same member.
    world.order(NEXT, &Order::default()).await;
    world
        .run_until(LIMIT, |state| state.jobs[&NEXT].state != JobState::Assigned)
        .await;
    ends_near_its_deadline(&world, NEXT).await;
    let reason = world.end(NEXT).unwrap().reason;
    assert_eq!(reason, EndReason::Obstructed(HELD));
    assert_eq!(world.cpu_seconds(NEXT), 0);
    assert!(world.result(NEXT).await.contains_key("result.json"));

    // While there is time, somebody who does not answer is waited for, and the worker is well.
    assert!(world.chain.read().jobs[&HELD].ended_at.is_none());
    assert_eq!(world.health.check(Duration::from_secs(60)), Ok(()));

    // The scheduler forgets: what it accounted is read before.
    let expected = tokio::time::timeout(LIMIT, ran(&world, HELD))
        .await
        .unwrap();
    ends_near_its_deadline(&world, HELD).await;
    assert_eq!(world.end(HELD).unwrap().reason, EndReason::Completed);
    let billed = world.cpu_seconds(HELD);
    assert_eq!(billed, expected, "what ran is paid");
    let result = world.result(HELD).await;
    assert_eq!(result.len(), 1);
    let summary: ve_templates::ResultSummary =
        serde_json::from_slice(&result["result.json"]).unwrap();
    let [omitted] = &summary.omitted[..] else {
        panic!("{summary:?}")
    };
    assert!(
        omitted.reason.contains("before the job's deadline"),
        "{omitted:?}"
    );

    // Let go on, the agents clear all away for the next customer.
    fs::remove_file(&stop).unwrap();
    world
        .run_until(LIMIT, move |_| {
            fs::read_dir(&home).unwrap().next().is_none()
        })
        .await;
}
