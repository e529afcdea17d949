//! The answer to a dispute: the evidence of every report, readable by payer and arbiter, under one hash on chain.
//!
//! The evidence of a report lies at `evidence/<genesis8>/<agreement>/<sequence>` in the artifact store, sealed when the
//! report was made. Before the answer, its content key is wrapped to every key that the payer and the arbiters have now
//! and that it is not sealed to yet (they may have registered it since); those who could open it still can.
//!
//! What the chain is told is [`evidence_bundle`]: whoever can open the evidence computes it again, and by [`next_head`]
//! gets from it the head that the chain keeps of the reports.

use crate::{
    context::Context,
    local::LocalJob,
    policy::{Outside, StepError},
    reconcile::Settlement,
    view::Snapshot,
};
use serde::Deserialize;
use sp_core::{crypto::AccountId32, Encode, H256};
use ve_envelope::{open, rewrap, seal, Binding, Error, PublicKey};
use virtengine_primitives::{
    billing::{AgreementState, Component, UsageReport},
    blake2_256,
    envelope::MAX_RECIPIENTS,
    AgreementId, Moment,
};

/// Keys of arbiters that evidence is sealed to at most: a payer with many keys does not crowd them out, nor they it.
const ARBITER_KEYS: usize = MAX_RECIPIENTS as usize / 2;

/// What the chain is told about opened evidence: Blake2b-256 of the 32-byte evidence hashes of all reports, one after
/// the other in order of sequence. Of an agreement without reports, that of nothing.
pub fn evidence_bundle(hashes: &[H256]) -> H256 {
    let bytes: Vec<u8> = hashes.iter().flat_map(|hash| hash.0).collect();
    blake2_256(&bytes)
}

/// The head of the hash chain over the reports after the one whose opened evidence this is; `head` is the one before,
/// zero before the first. `None` if it is not the evidence of a report.
pub fn next_head(head: H256, evidence: &[u8]) -> Option<H256> {
    let mut bytes = head.as_bytes().to_vec();
    report_of(evidence)?.encode_to(&mut bytes);
    Some(blake2_256(&bytes))
}

/// What is read back of the accounting rows behind a report: the report itself.
#[derive(Deserialize)]
struct Rows {
    sequence: u32,
    from: Moment,
    until: Moment,
    quantities: Vec<(Component, String)>,
}

/// The report that evidence belongs to; `None` if it is not the evidence of a report.
fn report_of(plaintext: &[u8]) -> Option<UsageReport> {
    let rows: Rows = serde_json::from_slice(plaintext.get(32..)?).ok()?;
    let quantities: Option<Vec<_>> = rows
        .quantities
        .into_iter()
        .map(|(component, quantity)| Some((component, quantity.parse().ok()?)))
        .collect();
    Some(UsageReport {
        sequence: rows.sequence,
        from: rows.from,
        until: rows.until,
        quantities: quantities?.try_into().ok()?,
        evidence: blake2_256(plaintext),
    })
}

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
        for arbiter in &self.settings.arbiters {
            recipients.extend(self.keys_of(snapshot, arbiter).await?);
        }
        recipients.truncate(ARBITER_KEYS);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_bundle_should_depend_on_every_hash_and_on_their_order() {
        let (a, b) = (H256([1; 32]), H256([2; 32]));
        assert_eq!(evidence_bundle(&[]), blake2_256(b""));
        assert_eq!(
            evidence_bundle(&[a, b]),
            blake2_256(&[[1; 32], [2; 32]].concat())
        );
        assert_ne!(evidence_bundle(&[a, b]), evidence_bundle(&[b, a]));
        assert_ne!(evidence_bundle(&[a, b]), evidence_bundle(&[a]));
    }

    #[test]
    fn report_of_should_give_the_report_back_when_the_evidence_is_one() {
        let mut plaintext = vec![9u8; 32];
        plaintext.extend(
            br#"{"agreement":7,"sequence":2,"from":10,"until":20,"quantities":[["CpuSeconds","340282366920938463463374607431768211455"]],"rows":[]}"#,
        );
        let report = report_of(&plaintext).unwrap();
        assert_eq!((report.sequence, report.from, report.until), (2, 10, 20));
        assert_eq!(report.quantities[0], (Component::CpuSeconds, u128::MAX));
        assert_eq!(report.evidence, blake2_256(&plaintext));
        assert_eq!(report_of(b"short"), None);
        assert_eq!(report_of(&[0; 64]), None);
    }
}
