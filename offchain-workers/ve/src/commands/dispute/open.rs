//! `ve dispute`.

use super::{agreement, payer_text, MAX_GROUNDS};
use crate::{
    amounts::Amounts,
    commands::{money, readers},
    context::Context,
    failure::{code, Failure, Result},
    ui, units,
};
use serde_json::json;
use std::path::Path;
use ve_chain::{calls, dispute::in_turn, money::Amount, AccountId32, At};
use ve_envelope::{frame, seal, Binding, PublicKey};
use ve_store::Artifacts;
use virtengine_primitives::{
    billing::{Agreement, AgreementState},
    envelope::MAX_RECIPIENTS,
    AgreementId, ProviderId,
};

/// Keys of the arbiters and of the provider that grounds are sealed to at most; one more is the payer's own.
const ARBITER_KEYS: usize = MAX_RECIPIENTS as usize / 2;
const PROVIDER_KEYS: usize = MAX_RECIPIENTS as usize - ARBITER_KEYS - 1;

/// Freezes part of what a job was charged, with grounds that its provider and the arbiters can read.
pub async fn run(context: &Context, id: AgreementId, amount: Amount, grounds: &Path) -> Result {
    let text = read(grounds)?;
    let at = context.chain().await?.at_best().await?;
    let agreement = agreement(&at, id).await?;
    let amounts = Amounts::of(&at, [agreement.asset]).await?;
    let frozen = amounts.parse("--amount", &amount, agreement.asset)?;
    ensure_open_to(&at, context.account()?, id, &agreement).await?;
    let pending = money::ledger(&at, id).await?.pending;
    if frozen == 0 || frozen > pending {
        return Err(Failure::new(
            code::REFUSED,
            format!(
                "--amount: {} of the {} that is pending cannot be disputed",
                amounts.text(frozen, agreement.asset),
                amounts.text(pending, agreement.asset)
            ),
            "name more than nothing and at most what is pending",
        ));
    }

    let secrets = context.secrets(None)?;
    let readers = recipients(&at, agreement.provider).await?;
    if readers.arbiters.is_empty() {
        ui::note("no arbiter has registered an encryption key, so none can read your grounds; if none decides, the amount is split");
    }
    let mut to = vec![secrets.encryption.public()];
    to.extend(readers.provider.iter().chain(&readers.arbiters));
    let genesis = at.chain().genesis().0;
    let (header, body) = seal(&text, &to, &Binding::grounds(genesis, id))?;
    let path = Artifacts::grounds_path(&genesis, id, &header.hash.0);
    context
        .artifacts()?
        .put(&path, frame::to_bytes(&header, &body))
        .await?;

    let submitter = context.submitter_of(at.chain(), secrets.signer.clone());
    let call = calls::billing::dispute(id, frozen, header.hash);
    let done = context.submit_with(&submitter, call).await?;
    let dispute = at.chain().at(done.block.hash).await?.dispute(id).await?;
    if context.json {
        ui::json(&json!({
            "job": id,
            "amount": amounts.json(frozen, agreement.asset),
            "grounds": format!("{:?}", header.hash),
            "sealed_to": { "provider_keys": readers.provider.len(), "arbiter_keys": readers.arbiters.len() },
            "evidence_by_block": dispute.as_ref().map(|d| d.evidence_by),
            "decide_by_block": dispute.map(|d| d.decide_by),
        }));
        return Ok(());
    }
    ui::note(format!(
        "{} of job {id} is frozen; your grounds are sealed to its provider and {} arbiter keys, their hash on the chain is {:?}",
        amounts.text(frozen, agreement.asset),
        readers.arbiters.len(),
        header.hash
    ));
    if let Some(d) = dispute {
        ui::note(format!(
            "the provider opens its evidence before block {} or loses; then an arbiter decides before block {}: `ve disputes`, `ve evidence {id}`",
            d.evidence_by, d.decide_by
        ));
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let failed = |e| Failure::file("--grounds: reading", path, &e);
    let length = std::fs::metadata(path).map_err(failed)?.len();
    // Room for what sealing adds.
    let most = MAX_GROUNDS / 2;
    if length > most {
        return Err(Failure::usage(
            format!(
                "--grounds: {} has {}, at most {} are taken",
                path.display(),
                units::bytes(length),
                units::bytes(most)
            ),
            "make it smaller",
        ));
    }
    let text = std::fs::read(path).map_err(failed)?;
    if text.is_empty() {
        return Err(Failure::usage(
            format!("--grounds: {} is empty", path.display()),
            "say in it what was wrong",
        ));
    }
    Ok(text)
}

/// Fails unless this account may open a dispute now; what the chain would refuse is said better here, and before
/// anything is stored.
async fn ensure_open_to(
    at: &At,
    account: AccountId32,
    id: AgreementId,
    agreement: &Agreement<AccountId32>,
) -> Result {
    let refuse = |what: String, remedy: String| Err(Failure::new(code::REFUSED, what, remedy));
    if account != agreement.payer {
        return refuse(
            format!(
                "job {id} is paid by {}, who alone may dispute it",
                payer_text(agreement)
            ),
            "choose that account's key with --key".into(),
        );
    }
    match agreement.state {
        AgreementState::Ended { release_at } if at.number() < release_at => {}
        AgreementState::Ended { .. } | AgreementState::Settled { .. } => {
            return refuse(
                format!("job {id}: the time to dispute it is over"),
                "ask the provider for a credit note".into(),
            )
        }
        AgreementState::Open | AgreementState::Metering => {
            return refuse(
                format!("job {id} has not ended, and a dispute is for afterwards"),
                format!("wait for its end (`ve wait {id}`), or ask for it (`ve cancel {id}`)"),
            )
        }
    }
    if at.dispute(id).await?.is_some() {
        return refuse(
            format!("job {id} is disputed already"),
            format!("see `ve disputes`; what was shown: `ve evidence {id}`"),
        );
    }
    Ok(())
}

/// Who reads grounds besides the payer.
struct Readers {
    provider: Vec<PublicKey>,
    arbiters: Vec<PublicKey>,
}

async fn recipients(at: &At, provider: ProviderId) -> Result<Readers> {
    let arbiters = at.arbiter_keys(ARBITER_KEYS).await?;
    Ok(Readers {
        provider: readers::keys(at, provider, PROVIDER_KEYS).await?,
        arbiters: in_turn(&readers::usable(arbiters), ARBITER_KEYS),
    })
}
