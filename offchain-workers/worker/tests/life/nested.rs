//! A job that submits others, of which nobody knows but the cluster, and ends itself.

use crate::{
    cluster::{By, Cluster, Share},
    kill::spawn,
    world::{Order, World},
    LIMIT,
};
use virtengine_primitives::hpc::EndReason;

async fn leaves_nothing(job: u64, cluster: &Cluster, share: Share) {
    let directory = tempfile::tempdir().unwrap();
    let world = World::create_on(directory.path(), &share);
    cluster.limit(&share, 5);
    let order = Order {
        nested: Some(share.conf.to_str().unwrap().to_owned()),
        ..Order::default()
    };
    world.order(job, &order).await;
    world
        .run_until(LIMIT, |state| state.jobs[&job].ended_at.is_some())
        .await;
    // It has cancelled itself, which is not the provider's doing.
    assert_eq!(world.end(job).unwrap().reason, EndReason::Failed);
    let taken = &world.result(job).await["taken.txt"];
    assert_eq!(String::from_utf8_lossy(taken), "4\n", "it is one of five");
    // Only what was ordered is paid.
    let own = cluster.accounted(Some(&world.handle(job)));
    let [(state, elapsed, cpus)] = &own[..] else {
        panic!("{own:?}")
    };
    assert!(state.starts_with("CANCELLED") && *elapsed > 0, "{own:?}");
    assert_eq!(world.cpu_seconds(job), u128::from(elapsed * cpus));

    std::fs::write(world.root.join("stop"), "").unwrap();
    assert!(spawn(&world, None).wait().unwrap().success());
    assert_eq!(world.leased().await, 0);
    assert_eq!(cluster.going_on(&share), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_job_submits_on_slurm_should_end_before_its_member_is_anothers() {
    let Some(cluster) = Cluster::start(2) else {
        return;
    };
    tokio::join!(
        leaves_nothing(5, &cluster, cluster.share(0, By::Commands)),
        leaves_nothing(6, &cluster, cluster.share(1, By::Rest)),
    );
}
