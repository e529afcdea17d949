//! `ve disputes`.

use super::{payer_text, Me, Part, Waiting};
use crate::{amounts::Amounts, context::Context, failure::Result, ui, units};
use serde_json::{json, Value};
use ve_chain::{AccountId32, At};
use virtengine_primitives::{
    billing::{Agreement, Dispute},
    AgreementId, BlockNumber,
};

/// One open dispute.
struct Row {
    id: AgreementId,
    dispute: Dispute,
    agreement: Agreement<AccountId32>,
    part: Part,
    waiting: Waiting,
}

/// Open disputes that concern the key in use: those of its own jobs, and for an arbiter all that it may decide.
pub async fn run(context: &Context, all: bool) -> Result {
    let at = context.chain().await?.at_best().await?;
    let me = Me::read(context, &at).await?;
    let mut rows = Vec::new();
    for (id, dispute) in at.all_disputes().await? {
        // Resolved and pruned between two reads.
        let Some(agreement) = at.agreement(id).await? else {
            continue;
        };
        let part = me.part(&agreement);
        if all || part != Part::Nobody {
            rows.push(Row {
                id,
                waiting: Waiting::of(&dispute, at.number()),
                dispute,
                agreement,
                part,
            });
        }
    }
    let amounts = Amounts::of(&at, rows.iter().map(|r| r.agreement.asset)).await?;
    if context.json {
        let rows: Vec<Value> = rows.iter().map(|r| row_json(r, &amounts)).collect();
        ui::json(&json!({ "block": at.number(), "disputes": rows }));
        return Ok(());
    }
    if rows.is_empty() {
        ui::note(match all {
            true => "no dispute is open",
            false => "no dispute is open that concerns you; `ve disputes --all` shows everybody's",
        });
        return Ok(());
    }
    print(&at, &rows, &amounts).await
}

async fn print(at: &At, rows: &[Row], amounts: &Amounts) -> Result {
    let block_ms: u64 = at.constant("Hpc", "BlockDuration").await?;
    let before = |block: BlockNumber| {
        let left = u64::from(block.saturating_sub(at.number()));
        let seconds = left.saturating_mul(block_ms) / 1000;
        format!(
            "before block {block} (about {})",
            units::duration(seconds.max(1))
        )
    };
    let mut table = ui::table(&["job", "you are", "payer", "provider", "amount", "waits for"]);
    for r in rows {
        let waits = match r.waiting {
            Waiting::Evidence(by) => format!("the provider's evidence, {}", before(by)),
            Waiting::Decision(by) => format!("an arbiter, {}", before(by)),
            Waiting::EvidenceMissing => {
                format!(
                    "nothing: no evidence came, all goes back; `ve settle {}`",
                    r.id
                )
            }
            Waiting::DecisionMissing => {
                format!("nothing: nobody decided, it is split; `ve settle {}`", r.id)
            }
        };
        table.add_row(vec![
            ui::right(r.id),
            r.part.name().into(),
            payer_text(&r.agreement).into(),
            ui::right(r.agreement.provider),
            ui::right(amounts.text(r.dispute.amount, r.agreement.asset)),
            waits.into(),
        ]);
    }
    ui::print(&table);
    let decidable = |r: &&Row| r.part == Part::Arbiter && matches!(r.waiting, Waiting::Decision(_));
    if let Some(r) = rows.iter().find(decidable) {
        ui::note(format!(
            "read what the parties show with `ve evidence {0} -o DIR`, then `ve decide {0} --to-provider AMOUNT|PERCENT`",
            r.id
        ));
    }
    Ok(())
}

fn row_json(r: &Row, amounts: &Amounts) -> Value {
    let waits_for = match r.waiting {
        Waiting::Evidence(_) => "evidence",
        Waiting::Decision(_) => "decision",
        Waiting::EvidenceMissing | Waiting::DecisionMissing => "settlement",
    };
    json!({
        "job": r.id,
        "you_are": r.part.name(),
        "payer": payer_text(&r.agreement),
        "provider": r.agreement.provider,
        "amount": amounts.json(r.dispute.amount, r.agreement.asset),
        "grounds": format!("{:?}", r.dispute.grounds),
        "evidence": r.dispute.evidence.map(|e| format!("{e:?}")),
        "evidence_by_block": r.dispute.evidence_by,
        "decide_by_block": r.dispute.decide_by,
        "waits_for": waits_for,
    })
}
