//! The conformance suite.

use std::sync::Arc;

use crate::{bed::RestBed, real::assert_conforms};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slurm_rest_should_behave_as_every_scheduler_when_the_cluster_is_real() {
    let bed = Arc::new(RestBed::given_or_own());
    eprintln!("{:?}", bed.rest().api_version().await);
    assert_conforms(bed, 8).await;
}
