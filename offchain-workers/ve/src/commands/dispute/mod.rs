//! Disputes: opening one, seeing them, opening what the parties show each other, deciding.

mod decide;
mod evidence;
mod list;
mod open;

pub use decide::{run as decide, Share};
pub use evidence::run as evidence;
pub use list::run as list;
pub use open::run as open;

use crate::{
    context::Context,
    failure::{Failure, Result},
    keystore::account_text,
};
use ve_chain::{AccountId32, At};
use virtengine_primitives::{
    billing::{Agreement, Dispute},
    AccountState, AgreementId, BlockNumber, ProviderId, Role,
};

/// Longest grounds, sealed: a letter with its enclosures.
const MAX_GROUNDS: u64 = 16 << 20;

/// What the key in use is to a dispute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Payer,
    Provider,
    Arbiter,
    Nobody,
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Part::Payer => "payer",
            Part::Provider => "provider",
            Part::Arbiter => "arbiter",
            Part::Nobody => "nobody",
        }
    }
}

/// The key in use as the chain knows it.
struct Me {
    account: AccountId32,
    provider: Option<ProviderId>,
    arbiter: bool,
}

impl Me {
    async fn read(context: &Context, at: &At) -> Result<Self> {
        let account = context.account()?;
        let (state, roles) = at.account(&account).await?;
        Ok(Self {
            provider: at.provider_of(&account).await?,
            arbiter: state == AccountState::Active && roles.contains(&Role::Arbiter),
            account,
        })
    }

    /// A party first: no arbiter decides on its own agreement.
    fn part(&self, agreement: &Agreement<AccountId32>) -> Part {
        if self.account == agreement.payer {
            Part::Payer
        } else if self.provider == Some(agreement.provider) {
            Part::Provider
        } else if self.arbiter {
            Part::Arbiter
        } else {
            Part::Nobody
        }
    }
}

/// What a dispute waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waiting {
    /// The provider's evidence, before this block.
    Evidence(BlockNumber),
    /// A decision, before this block.
    Decision(BlockNumber),
    /// Time has decided: no evidence came, so everything goes back.
    EvidenceMissing,
    /// Time has decided: no decision came, so the default split applies.
    DecisionMissing,
}

impl Waiting {
    fn of(dispute: &Dispute, now: BlockNumber) -> Self {
        match dispute.evidence {
            None if now < dispute.evidence_by => Self::Evidence(dispute.evidence_by),
            None => Self::EvidenceMissing,
            Some(_) if now < dispute.decide_by => Self::Decision(dispute.decide_by),
            Some(_) => Self::DecisionMissing,
        }
    }
}

/// The agreement of a job, which lives as long as money hangs on it.
async fn agreement(at: &At, id: AgreementId) -> Result<Agreement<AccountId32>> {
    at.agreement(id).await?.ok_or_else(|| {
        Failure::missing(
            format!("job: the chain keeps no agreement for job {id}"),
            "it was never submitted, or it was settled and pruned: see `ve invoice list`",
        )
    })
}

fn payer_text(agreement: &Agreement<AccountId32>) -> String {
    account_text(&agreement.payer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ve_chain::H256;

    #[test]
    fn dispute_should_wait_for_what_is_next_when_its_deadlines_pass() {
        let mut dispute = Dispute {
            amount: 1,
            grounds: H256::zero(),
            evidence_by: 10,
            evidence: None,
            decide_by: 20,
        };
        assert_eq!(Waiting::of(&dispute, 9), Waiting::Evidence(10));
        assert_eq!(Waiting::of(&dispute, 10), Waiting::EvidenceMissing);
        dispute.evidence = Some(H256::zero());
        assert_eq!(Waiting::of(&dispute, 19), Waiting::Decision(20));
        assert_eq!(Waiting::of(&dispute, 20), Waiting::DecisionMissing);
    }
}
