//! What the parties to a dispute show each other, and how each checks it against the chain.
//!
//! * **Evidence** of a usage report: 32 bytes of salt, then JSON that repeats the report and lists the accounting rows
//!   behind it. Its Blake2b-256 is in the report, and the reports make a hash chain whose head the agreement keeps
//!   ([`next_head`]): whoever can open all evidence of an agreement knows that it is all there and unchanged.
//! * **The answer** to a dispute is one hash on chain over all of them ([`evidence_bundle`]).
//! * **Grounds** are whatever the payer writes. On chain is the Blake2b-256 of their sealed body, which is also the hash
//!   in their envelope's header: nobody can guess short grounds from it, and recipients can be added later.

use crate::{At, ChainError};
use serde::Deserialize;
use sp_core::{Encode, H256};
use virtengine_primitives::{
    billing::{Component, UsageReport},
    blake2_256,
    envelope::EncryptionKey,
    AccountState, AgreementId, Moment, Role,
};

/// Bytes of salt before the JSON of a report's evidence.
pub const SALT: usize = 32;

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
    report_of(evidence)?.1.encode_to(&mut bytes);
    Some(blake2_256(&bytes))
}

/// What is read back of the accounting rows behind a report: the report itself.
#[derive(Deserialize)]
struct Rows {
    agreement: AgreementId,
    sequence: u32,
    from: Moment,
    until: Moment,
    quantities: Vec<(Component, String)>,
}

/// The agreement and the report that evidence belongs to; `None` if it is not the evidence of a report.
pub fn report_of(plaintext: &[u8]) -> Option<(AgreementId, UsageReport)> {
    let rows: Rows = serde_json::from_slice(plaintext.get(SALT..)?).ok()?;
    let quantities: Option<Vec<_>> = rows
        .quantities
        .into_iter()
        .map(|(component, quantity)| Some((component, quantity.parse().ok()?)))
        .collect();
    let report = UsageReport {
        sequence: rows.sequence,
        from: rows.from,
        until: rows.until,
        quantities: quantities?.try_into().ok()?,
        evidence: blake2_256(plaintext),
    };
    Some((rows.agreement, report))
}

/// Keys for an envelope that has not room for all: everybody's first before anybody's second, so that whoever has many
/// crowds nobody out. Repetitions count once.
pub fn in_turn<K: PartialEq + Clone>(of_each: &[Vec<K>], most: usize) -> Vec<K> {
    let longest = of_each.iter().map(Vec::len).max().unwrap_or(0);
    let mut all = Vec::new();
    for key in (0..longest).flat_map(|turn| of_each.iter().filter_map(move |keys| keys.get(turn))) {
        if all.len() < most && !all.contains(key) {
            all.push(key.clone());
        }
    }
    all
}

impl At {
    /// Encryption keys of the arbiters who could decide now, a list for each who has any; of at most `most` arbiters.
    pub async fn arbiter_keys(&self, most: usize) -> Result<Vec<Vec<EncryptionKey>>, ChainError> {
        let mut found = Vec::new();
        let mut after = None;
        loop {
            let page = self.with_role(Role::Arbiter, after.as_ref()).await?;
            let Some((last, _)) = page.last() else {
                return Ok(found);
            };
            after = Some(last.clone());
            for (who, _) in page.iter().filter(|(_, s)| *s == AccountState::Active) {
                if found.len() >= most {
                    return Ok(found);
                }
                let keys = self.keys(who).await?;
                if !keys.is_empty() {
                    found.push(keys.into_iter().map(|(_, key)| key).collect());
                }
            }
        }
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
        let mut plaintext = vec![9u8; SALT];
        plaintext.extend(
            br#"{"agreement":7,"sequence":2,"from":10,"until":20,"quantities":[["CpuSeconds","340282366920938463463374607431768211455"]],"rows":[]}"#,
        );
        let (agreement, report) = report_of(&plaintext).unwrap();
        assert_eq!(agreement, 7);
        assert_eq!((report.sequence, report.from, report.until), (2, 10, 20));
        assert_eq!(report.quantities[0], (Component::CpuSeconds, u128::MAX));
        assert_eq!(report.evidence, blake2_256(&plaintext));
        assert_eq!(report_of(b"short"), None);
        assert_eq!(report_of(&[0; 64]), None);
    }

    #[test]
    fn in_turn_should_take_everybodys_first_key_when_there_is_not_room_for_all() {
        let all = [vec![1, 2, 3, 4], vec![], vec![5], vec![1, 6]];
        assert_eq!(in_turn(&all, 4), [1, 5, 2, 6]);
        assert_eq!(in_turn(&all, 99), [1, 5, 2, 6, 3, 4]);
        assert!(in_turn(&all, 0).is_empty());
        assert!(in_turn::<u8>(&[], 4).is_empty());
    }
}
