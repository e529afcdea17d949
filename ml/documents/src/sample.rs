//! What the known answers (`ml/models/pipeline-answers.txt`) of documents are digests of.

use crate::{Documents, Reader};
use ve_ml_pipeline::{
    sample::{run, NOW_MS},
    Evidence, Outcome, Pipeline,
};

/// What there is to say about the front and the back of a document; the known answers are the stages' digests.
pub fn documented(pipeline: &Pipeline, reader: &Reader, front: &[u8], back: &[u8]) -> Outcome {
    let evidence = Evidence {
        document: Some(front),
        back: Some(back),
        ..Evidence::default()
    };
    let mut documents = Documents::new(reader, pipeline.how, NOW_MS);
    run(pipeline, &evidence, &mut documents)
}
