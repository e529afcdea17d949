//! Sealed bodies, logs and evidence in the artifact store.

use crate::policy::{Outside, StepError};
use std::path::Path;
use ve_envelope::{frame, EnvelopeHeader};
use ve_store::{Artifact, ArtifactReader, Error};
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

    /// Length in bytes of a blob; `None` if it is not there.
    pub(crate) async fn length(&self, hash: &[u8; 32]) -> Result<Option<u64>, StepError> {
        let length = self.0.head_blob(hash).await;
        length.map_err(StepError::unanswered(Outside::Artifacts))
    }

    /// Opens a blob for reading from a byte on; `None` if it is not there.
    pub(crate) async fn reader_from(
        &self,
        hash: &[u8; 32],
        offset: u64,
    ) -> Result<Option<ArtifactReader>, StepError> {
        match self.0.reader_from(hash, offset).await {
            Ok(reader) => Ok(Some(reader)),
            Err(Error::NotFound(_)) => Ok(None),
            Err(error) => Err(StepError::unanswered(Outside::Artifacts)(error)),
        }
    }

    /// Stores the body that lies in a file; `false` if the file is not that body any more.
    pub(crate) async fn put_blob_file(
        &self,
        header: &EnvelopeHeader,
        file: &Path,
    ) -> Result<bool, StepError> {
        let file = match tokio::fs::File::open(file).await {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(StepError::unanswered(Outside::Disk)(error)),
        };
        let known = Artifact {
            hash: header.hash.0,
            length: header.length,
        };
        match self.0.put_known_blob(&known, file).await {
            Ok(()) => Ok(true),
            Err(Error::Damaged(_)) => Ok(false),
            Err(error) => Err(StepError::unanswered(Outside::Artifacts)(error)),
        }
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
