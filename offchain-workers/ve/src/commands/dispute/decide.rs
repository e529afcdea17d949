//! `ve decide`.

use super::{agreement, payer_text, Me, Part, Waiting};
use crate::{
    amounts::Amounts,
    commands::money as purse,
    context::Context,
    failure::{code, Failure, Result},
    ui,
};
use serde_json::json;
use std::{io::IsTerminal, str::FromStr};
use ve_chain::{calls, money::Amount, AccountId32};
use virtengine_primitives::{
    billing::{Agreement, Dispute},
    AgreementId, AssetKind, Balance, BlockNumber,
};

/// Parts of a whole that a percentage is counted in: seven digits after the point.
const WHOLE: u128 = 1_000_000_000;

/// What the provider is to get: an amount, or a share of what is disputed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Share {
    /// Billionths of the disputed amount, rounded down in the payer's favour.
    Parts(u128),
    /// An amount.
    Amount(Amount),
}

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let Some(percent) = text.trim().strip_suffix('%') else {
            return Amount::from_str(text)
                .map(Self::Amount)
                .map_err(|e| format!("{e}, or as a share like 40%"));
        };
        let wrong = || format!("{text:?} is not a share; write it like 40% or 33.3%, at most 100%");
        let (whole, fraction) = percent
            .trim()
            .split_once('.')
            .unwrap_or((percent.trim(), "0"));
        let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(fraction) || fraction.len() > 7 {
            return Err(wrong());
        }
        let parts = format!("{whole}{fraction:0<7}")
            .parse()
            .map_err(|_| wrong())?;
        if parts > WHOLE {
            return Err(wrong());
        }
        Ok(Self::Parts(parts))
    }
}

impl Share {
    fn of(&self, disputed: Balance, amounts: &Amounts, asset: AssetKind) -> Result<Balance> {
        match self {
            // Exact: floor(disputed x parts / whole) without the product that could overflow.
            Self::Parts(parts) => Ok(disputed / WHOLE * parts + disputed % WHOLE * parts / WHOLE),
            Self::Amount(amount) => amounts.parse("--to-provider", amount, asset),
        }
    }
}

/// Decides a dispute: says what will move, asks, and sends the decision.
pub async fn run(context: &Context, id: AgreementId, share: Share, yes: bool) -> Result {
    let at = context.chain().await?.at_best().await?;
    let agreement = agreement(&at, id).await?;
    let me = Me::read(context, &at).await?;
    let dispute = at.dispute(id).await?;
    let dispute = ensure_decidable(id, &agreement, dispute, &me, at.number())?;
    let amounts = Amounts::of(&at, [agreement.asset]).await?;
    let text = |amount| amounts.text(amount, agreement.asset);
    let to_payee = share.of(dispute.amount, &amounts, agreement.asset)?;
    let to_payer = dispute.amount.checked_sub(to_payee).ok_or_else(|| {
        Failure::usage(
            format!(
                "--to-provider: {} is more than the {} that is disputed",
                text(to_payee),
                text(dispute.amount)
            ),
            "name at most what is disputed",
        )
    })?;
    if !context.json {
        ui::facts(&[
            ("job", id.to_string()),
            ("disputed", text(dispute.amount)),
            (
                "to the provider",
                format!(
                    "{} to provider {}, less the chain's {:?}",
                    text(to_payee),
                    agreement.provider,
                    agreement.take_rate
                ),
            ),
            (
                "back to the payer",
                format!("{} to {}", text(to_payer), payer_text(&agreement)),
            ),
            (
                "afterwards",
                "final: a decision cannot be taken back".into(),
            ),
        ]);
    }
    if !yes {
        confirm(context)?;
    }
    let done = context.submit(calls::billing::decide(id, to_payee)).await?;
    let resolved = done.expect("Billing", "DisputeResolved")?;
    let moved = |field: &str| resolved.integer(field).unwrap_or_default();
    let settled = done.find("Billing", "Settled").is_some();
    if context.json {
        ui::json(&json!({
            "job": id,
            "to_provider": amounts.json(moved("to_payee"), agreement.asset),
            "to_payer": amounts.json(moved("to_payer"), agreement.asset),
            "settled": settled,
            "block": done.block,
        }));
        return Ok(());
    }
    ui::note(format!(
        "decided in block {}: {} to the provider, {} back to the payer",
        done.block.number,
        text(moved("to_payee")),
        text(moved("to_payer"))
    ));
    purse::run(context, Some(id)).await
}

/// The dispute, if the key in use may decide it now.
fn ensure_decidable(
    id: AgreementId,
    agreement: &Agreement<AccountId32>,
    dispute: Option<Dispute>,
    me: &Me,
    now: BlockNumber,
) -> Result<Dispute> {
    let refuse = |what: String, remedy: String| Err(Failure::new(code::REFUSED, what, remedy));
    let party = match me.part(agreement) {
        Part::Arbiter => None,
        Part::Payer => Some("its payer"),
        Part::Provider => Some("its provider"),
        Part::Nobody => {
            return refuse(
                "key: the chosen account is no arbiter, and only arbiters decide disputes".into(),
                "choose an arbiter's key with --key; an administrator appoints one with `ve role give ACCOUNT arbiter`".into(),
            )
        }
    };
    if let Some(party) = party {
        return refuse(
            format!(
                "job {id}: the chosen account is {party}, and nobody decides on its own agreement"
            ),
            "let an arbiter decide who is neither".into(),
        );
    }
    let Some(dispute) = dispute else {
        return Err(Failure::missing(
            format!("job {id} is not disputed"),
            "see `ve disputes`",
        ));
    };
    match Waiting::of(&dispute, now) {
        Waiting::Decision(_) => Ok(dispute),
        Waiting::Evidence(by) => refuse(
            format!("job {id}: the provider has not opened its evidence yet"),
            format!("wait: it has until block {by} (now {now}), and loses without"),
        ),
        Waiting::EvidenceMissing => refuse(
            format!("job {id}: the provider opened no evidence in time, so everything goes back"),
            format!("move it with `ve settle {id}`"),
        ),
        Waiting::DecisionMissing => refuse(
            format!(
                "job {id}: the time to decide ended at block {}, so the amount is split",
                dispute.decide_by
            ),
            format!("move it with `ve settle {id}`"),
        ),
    }
}

/// Asks a person; a program has to say `--yes`.
fn confirm(context: &Context) -> Result {
    if context.json || !std::io::stdin().is_terminal() {
        return Err(Failure::usage(
            "--yes: a decision is final, and nobody can be asked whether it is meant",
            "give --yes if it is",
        ));
    }
    eprint!("Decide so? Write yes: ");
    let mut answer = String::new();
    let read = std::io::stdin().read_line(&mut answer);
    read.map_err(|e| Failure::local(format!("reading the answer: {e}"), "give --yes"))?;
    if answer.trim().eq_ignore_ascii_case("yes") {
        return Ok(());
    }
    Err(Failure::usage("nothing was decided", "write yes to decide"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str, disputed: Balance) -> Balance {
        let share: Share = text.parse().unwrap();
        share
            .of(disputed, &Amounts::default(), AssetKind::Native)
            .unwrap()
    }

    #[test]
    fn share_should_be_exact_and_rounded_down_when_it_is_a_percentage() {
        assert_eq!(of("0%", 1_001), 0);
        assert_eq!(of("100%", u128::MAX), u128::MAX);
        assert_eq!(of("40%", 1_001), 400);
        assert_eq!(of("33.3333333%", 3_000_000_000), 999_999_999);
        assert_eq!(of("0.0000001 %", 1_999_999_999), 1);
        assert_eq!(of("1VE", 5), 1_000_000_000_000);
        assert_eq!(of("7units", 5), 7);
    }

    #[test]
    fn share_should_be_refused_when_it_is_none() {
        for text in [
            "",
            "%",
            "-1%",
            "100.1%",
            "101%",
            "1e1%",
            "0.00000001%",
            "1.%",
            "half",
        ] {
            assert!(text.parse::<Share>().is_err(), "{text}");
        }
    }
}
