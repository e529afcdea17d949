//! Sealed bodies, logs and evidence in the artifact store.

use crate::policy::{Outside, StepError};
use std::path::Path;
use ve_envelope::{frame, EnvelopeHeader};
use ve_store::{ArtifactReader, Error};
use virtengine_primitives::AgreementId;

/// Longest stored evidence that is read back; accounting rows are a few hundred bytes each.
const MAX_EVIDENCE: u64 = 256 << 20;

/// The artifact store, as the role uses it.
#[derive(Clone)]
pub struct Artifacts(pub ve_store::Artifacts);

impl Artifacts {
    /// A sealed body; `None` if it is not there.
    pub(crate) async fn body(&self, header: &EnvelopeHeader) -> Result<Option<Vec<u8>>, StepError> {
        match self.0.get_blob(&header.hash.0, header.length).await {
            Ok(body) => Ok(Some(body)),
            Err(Error::NotFound(_)) => Ok(None),
            Err(error) => Err(StepError::unanswered(Outside::Artifacts)(error)),
        }
    }

    /// Opens a blob for reading; `None` if it is not there.
    pub(crate) async fn reader(
        &self,
        hash: &[u8; 32],
    ) -> Result<Option<ArtifactReader>, StepError> {
        match self.0.reader(hash).await {
            Ok(reader) => Ok(Some(reader)),
            Err(Error::NotFound(_)) => Ok(None),
            Err(error) => Err(StepError::unanswered(Outside::Artifacts)(error)),
        }
    }

    /// Stores the body that lies in a file.
    pub(crate) async fn put_blob_file(
        &self,
        header: &EnvelopeHeader,
        file: &Path,
    ) -> Result<(), StepError> {
        let file = tokio::fs::File::open(file)
            .await
            .map_err(StepError::unanswered(Outside::Disk))?;
        let stored = self
            .0
            .put_blob_from(file)
            .await
            .map_err(StepError::unanswered(Outside::Artifacts))?;
        if stored.hash != header.hash.0 {
            let reason = "a file changed while it was stored".to_owned();
            return Err(StepError::Unanswered {
                outside: Outside::Disk,
                reason,
            });
        }
        Ok(())
    }

    /// Stores a piece of a job's log.
    pub(crate) async fn put_log(
        &self,
        genesis: &[u8; 32],
        job: AgreementId,
        chunk: u64,
        header: &EnvelopeHeader,
        body: &[u8],
    ) -> Result<(), StepError> {
        let path = ve_store::Artifacts::log_path(genesis, job, chunk);
        let stored = self.0.put(&path, frame::to_bytes(header, body)).await;
        stored.map_err(StepError::unanswered(Outside::Artifacts))
    }

    /// Stores the evidence of a usage report.
    pub(crate) async fn put_evidence(
        &self,
        genesis: &[u8; 32],
        agreement: AgreementId,
        sequence: u32,
        header: &EnvelopeHeader,
        body: &[u8],
    ) -> Result<(), StepError> {
        let path = ve_store::Artifacts::evidence_path(genesis, agreement, sequence.into());
        let stored = self.0.put(&path, frame::to_bytes(header, body)).await;
        stored.map_err(StepError::unanswered(Outside::Artifacts))
    }

    /// The sealed evidence of a usage report; `None` if it is not there.
    pub(crate) async fn evidence(
        &self,
        genesis: &[u8; 32],
        agreement: AgreementId,
        sequence: u32,
    ) -> Result<Option<(EnvelopeHeader, Vec<u8>)>, StepError> {
        let path = ve_store::Artifacts::evidence_path(genesis, agreement, sequence.into());
        let stored = self.0.get(&path, MAX_EVIDENCE).await;
        let Some(bytes) = stored.map_err(StepError::unanswered(Outside::Artifacts))? else {
            return Ok(None);
        };
        let (header, body) =
            frame::from_bytes(&bytes).map_err(StepError::unanswered(Outside::Artifacts))?;
        Ok(Some((header, body.to_vec())))
    }
}
