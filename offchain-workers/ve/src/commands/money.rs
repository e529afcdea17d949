//! Where money is.

use crate::{
    amounts::{native_json, Amounts},
    context::Context,
    failure::{Failure, Result},
    ui,
};
use serde_json::{json, Value};
use ve_chain::{money, AccountId32, At};
use virtengine_primitives::{escrow::Ledger, AgreementId};

/// A ledger for programs: `held`, `pending`, `claimable`, `paid`, `refunded`, `deposited`.
pub fn ledger_json(ledger: &Ledger<AccountId32>, amounts: &Amounts) -> Value {
    let amount = |units| amounts.json(units, ledger.asset);
    json!({
        "deposited": amount(ledger.deposited),
        "held": amount(ledger.available),
        "pending": amount(ledger.pending),
        "claimable": amount(ledger.credited),
        "paid": amount(ledger.paid),
        "refunded": amount(ledger.refunded),
        "closed": ledger.closed,
    })
}

/// `ve money`.
pub async fn run(context: &Context, job: Option<AgreementId>) -> Result {
    let at = context.chain().await?.at_best().await?;
    match job {
        Some(job) => one(context, &at, job).await,
        None => all(context, &at).await,
    }
}

/// The ledger of an agreement.
pub async fn ledger(at: &At, job: AgreementId) -> Result<Ledger<AccountId32>> {
    at.ledger(job).await?.ok_or_else(|| {
        Failure::missing(
            format!("job: the chain keeps no money for job {job}"),
            "it was never submitted, or it was settled and pruned: see `ve invoice list`",
        )
    })
}

const HEADS: [&str; 6] = ["job", "deposited", "held", "pending", "paid", "refunded"];

fn row(job: AgreementId, l: &Ledger<AccountId32>, amounts: &Amounts) -> Vec<comfy_table::Cell> {
    let amount = |units| ui::right(amounts.text(units, l.asset));
    // What could not be paid out is still held.
    let held = l.available.saturating_add(l.credited);
    vec![
        ui::right(job),
        amount(l.deposited),
        amount(held),
        amount(l.pending),
        amount(l.paid),
        amount(l.refunded),
    ]
}

async fn one(context: &Context, at: &At, job: AgreementId) -> Result {
    let ledger = ledger(at, job).await?;
    let amounts = Amounts::of(at, [ledger.asset]).await?;
    if context.json {
        let mut value = ledger_json(&ledger, &amounts);
        value["job"] = json!(job);
        ui::json(&value);
        return Ok(());
    }
    let mut table = ui::table(&HEADS);
    table.add_row(row(job, &ledger, &amounts));
    ui::print(&table);
    if ledger.credited > 0 {
        ui::note(format!(
            "{} of it is final but could not be paid out; anyone may call escrow.claim",
            amounts.text(ledger.credited, ledger.asset)
        ));
    }
    Ok(())
}

async fn all(context: &Context, at: &At) -> Result {
    let account = context.account()?;
    let balances = at.balances(&account).await?;
    let mut jobs = Vec::new();
    for (id, _) in at.all_jobs_of(&account).await? {
        if let Some(ledger) = at.ledger(id).await? {
            jobs.push((id, ledger));
        }
    }
    let amounts = Amounts::of(at, jobs.iter().map(|(_, l)| l.asset)).await?;
    if context.json {
        let jobs: Vec<Value> = jobs
            .iter()
            .map(|(id, l)| {
                let mut value = ledger_json(l, &amounts);
                value["job"] = json!(id);
                value
            })
            .collect();
        ui::json(&json!({
            "free": native_json(balances.free),
            "held": native_json(balances.held),
            "jobs": jobs,
        }));
        return Ok(());
    }
    ui::facts(&[
        ("free", money::format(balances.free)),
        ("held", money::format(balances.held)),
    ]);
    if !jobs.is_empty() {
        let mut table = ui::table(&HEADS);
        jobs.iter().for_each(|(id, l)| {
            table.add_row(row(*id, l, &amounts));
        });
        ui::print(&table);
    }
    Ok(())
}
