//! What fails on a cluster, and what customers do to each other, seen by the commands.

use crate::{
    bed::CliBed,
    cluster::Cluster,
    real::{
        away, customers, interfered,
        run::{step, Run},
    },
    remote,
};

async fn run() -> Run<CliBed> {
    let cluster = Cluster::own(&[("VE_SLURM_MIN_JOB_AGE", "30")]);
    Run::on(CliBed::new(cluster)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slurm_cli_should_bill_what_accounting_says_when_jobs_are_interfered_with() {
    let run = run().await;
    step("remote", remote::works_over_ssh(&run.bed)).await;
    interfered::billed_by_accounting(&run).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slurm_cli_should_bill_what_accounting_says_when_daemons_go_away() {
    away::nothing_is_lost(&run().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slurm_cli_should_keep_customers_apart_when_they_share_a_cluster() {
    customers::are_kept_apart(&run().await).await;
}
