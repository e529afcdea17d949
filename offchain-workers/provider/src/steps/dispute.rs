//! The answer to a dispute: the evidence of every report, readable by payer and arbiter, under one hash on chain.
//!
//! The evidence of a report lies at `evidence/<genesis8>/<agreement>/<sequence>` in the artifact store, sealed when the
//! report was made to the payer and to the arbiters, whom the chain lists. Before the answer, its content key is wrapped
//! to every key that they have now and that it is not sealed to yet (they may have registered it since, or become
//! arbiters); those who could open it still can.
//!
//! What the chain is told is [`evidence_bundle`]: whoever can open the evidence computes it again, and by [`next_head`]
//! gets from it the head that the chain keeps of the reports.

use crate::{
    context::{usable, Context},
    local::LocalJob,
    policy::{Outside, StepError},
    reconcile::Settlement,
    view::Snapshot,
};
use sp_core::{crypto::AccountId32, H256};
use ve_chain::dispute::{evidence_bundle, in_turn, next_head};
use ve_envelope::{open, rewrap, seal, Binding, Error, PublicKey};
use virtengine_primitives::{
    billing::AgreementState, blake2_256, envelope::MAX_RECIPIENTS, AgreementId,
};

/// Keys of arbiters that evidence is sealed to at most: a payer with many keys does not crowd them out, nor they it.
pub(crate) const ARBITER_KEYS: usize = MAX_RECIPIENTS as usize / 2;

impl Context {
    /// Where the money of an ended job stands.
    pub(crate) async fn settlement(
        &self,
        snapshot: &dyn Snapshot,
        id: AgreementId,
    ) -> Result<Settlement, StepError> {
        let agreement = snapshot.agreement(id).await;
        let agreement = agreement.map_err(StepError::unanswered(Outside::Chain))?;
        if agreement.is_none_or(|a| matches!(a.state, AgreementState::Settled { .. })) {
            return Ok(Settlement::Settled);
        }
        let dispute = snapshot.dispute(id).await;
        let dispute = dispute.map_err(StepError::unanswered(Outside::Chain))?;
        Ok(match dispute {
            Some(dispute) if dispute.evidence.is_none() => Settlement::Disputed {
                evidence_by: dispute.evidence_by,
            },
            _ => Settlement::Pending,
        })
    }

    /// To whom evidence is sealed: the payer, the arbiters and ourselves (to open it again in a dispute).
    pub(crate) async fn evidence_recipients(
        &self,
        snapshot: &dyn Snapshot,
        payer: &AccountId32,
    ) -> Result<Vec<PublicKey>, StepError> {
        let mut recipients = vec![self.secret.public()];
        let arbiters = snapshot.arbiter_keys(ARBITER_KEYS).await;
        let arbiters = arbiters.map_err(StepError::unanswered(Outside::Chain))?;
        let arbiters: Vec<_> = arbiters.into_iter().map(usable).collect();
        recipients.extend(in_turn(&arbiters, ARBITER_KEYS));
        recipients.extend(self.keys_of(snapshot, payer).await?);
        recipients.truncate(MAX_RECIPIENTS as usize);
        Ok(recipients)
    }

    /// Makes the evidence of every report readable by payer and arbiters, and records the hash to tell the chain.
    /// Nothing is sent here.
    pub(crate) async fn disclose(
        &self,
        mut local: LocalJob,
        snapshot: &dyn Snapshot,
    ) -> Result<(), StepError> {
        let id = local.agreement;
        let agreement = snapshot.agreement(id).await;
        let agreement = agreement.map_err(StepError::unanswered(Outside::Chain))?;
        let Some(agreement) = agreement else {
            return Ok(());
        };
        let recipients = self.evidence_recipients(snapshot, &agreement.payer).await?;
        let mut hashes = Vec::new();
        let mut head = Some(H256::zero());
        for sequence in 1..=agreement.sequence {
            let plaintext = self.disclose_one(id, sequence, &recipients).await?;
            hashes.push(blake2_256(&plaintext));
            head = head.and_then(|head| next_head(head, &plaintext));
        }
        if head != Some(agreement.head) {
            // Better than silence, which loses for certain; the arbiter judges what it is worth.
            tracing::warn!(
                job = id,
                "disputed, and the stored evidence is not that of the reports on chain; restore the artifact store"
            );
        }
        self.passed("dispute-evidence-readable");
        local.opening = Some(evidence_bundle(&hashes));
        self.records.put(&local).await?;
        self.passed("dispute-persisted");
        Ok(())
    }

    /// The evidence of one report, opened, after it was wrapped to whoever of `recipients` cannot open it yet.
    async fn disclose_one(
        &self,
        id: AgreementId,
        sequence: u32,
        recipients: &[PublicKey],
    ) -> Result<Vec<u8>, StepError> {
        let genesis = self.chain.genesis();
        let unusable = |why: String| StepError::Unanswered {
            outside: Outside::Artifacts,
            reason: format!(
                "evidence of report {sequence}, which a dispute needs: {why}; restore it"
            ),
        };
        let stored = self.artifacts.evidence(&genesis.0, id, sequence).await?;
        let Some((header, body)) = stored else {
            return Err(unusable("it is not there".into()));
        };
        let binding = Binding::evidence(genesis.0, id, sequence.into());
        let plaintext = open(&header, &body, &self.secret, &binding);
        let plaintext = plaintext.map_err(|e| unusable(e.to_string()))?;
        let has = |key: &PublicKey| header.recipients.iter().any(|r| r.key == key.key_id());
        let missing: Vec<PublicKey> = recipients.iter().filter(|k| !has(k)).cloned().collect();
        if !missing.is_empty() {
            let (header, body) = match rewrap(&header, &self.secret, &missing, &binding) {
                Ok(header) => (header, body),
                // No room beside keys of long ago: to the present ones alone.
                Err(Error::TooManyRecipients(_)) => {
                    seal(&plaintext, recipients, &binding).map_err(|e| unusable(e.to_string()))?
                }
                Err(error) => return Err(unusable(error.to_string())),
            };
            self.artifacts
                .put_evidence(&genesis.0, id, sequence, &header, &body)
                .await?;
        }
        Ok(plaintext)
    }
}
