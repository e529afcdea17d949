//! The conformance suite.

use std::sync::Arc;

use crate::{bed::CliBed, cluster::Cluster, real::assert_conforms};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slurm_cli_should_behave_as_every_scheduler_when_the_cluster_is_real() {
    assert_conforms(Arc::new(CliBed::new(Cluster::given_or_own())), 7).await;
}
