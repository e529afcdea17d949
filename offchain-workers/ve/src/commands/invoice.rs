//! Invoices.

use crate::{
    cli::Invoice as Command,
    context::{read_text, Context},
    failure::{code, Failure, Result},
    ui,
};
use serde_json::json;
use std::path::{Path, PathBuf};
use ve_chain::{
    invoice::{
        fetch, gather, month_name, parse_document, to_json, verify, InvoiceDocument, Pricing,
        Verification,
    },
    money, AccountId32, At,
};
use virtengine_primitives::{
    billing::{Invoice, InvoiceKey, Month},
    calendar, AssetKind, Balance,
};

/// `ve invoice`.
pub async fn run(context: &Context, command: Command) -> Result {
    match command {
        Command::List { months } => list(context, months).await,
        Command::Show {
            month,
            provider,
            output,
        } => show(context, month, provider, output).await,
        Command::Verify {
            month,
            line,
            file,
            provider,
        } => check(context, month, line, file, provider).await,
    }
}

async fn list(context: &Context, months: u32) -> Result {
    let account = context.account()?;
    let at = context.chain().await?.at_finalized().await?;
    let this = calendar::month_of(at.timestamp().await?);
    let (mut all, mut table) = (
        Vec::new(),
        ui::table(&[
            "month", "provider", "lines", "total", "credited", "to pay", "state",
        ]),
    );
    for month in (this.saturating_sub(months)..=this).rev() {
        for (key, invoice) in at.invoices(&account, month).await? {
            let state = invoice
                .closed_at
                .map_or("open".to_string(), |b| format!("closed at block {b}"));
            let amount = |a: Balance| ui::right(money::format_in(a, key.asset));
            table.add_row(vec![
                month_name(month).into(),
                ui::right(key.provider),
                ui::right(invoice.lines.count),
                amount(invoice.total),
                amount(invoice.credited),
                amount(invoice.total.saturating_sub(invoice.credited)),
                state.into(),
            ]);
            all.push(json!({
                "month": month_name(month),
                "provider": key.provider,
                "asset": money::asset_name(key.asset),
                "lines": invoice.lines.count,
                "total": ui::amount_json(invoice.total, key.asset),
                "credited": ui::amount_json(invoice.credited, key.asset),
                "closed_at_block": invoice.closed_at,
                "root": format!("{:?}", invoice.lines.root()),
            }));
        }
    }
    if context.json {
        ui::json(&json!(all));
    } else if all.is_empty() {
        ui::note("no invoice yet; a line is written when a job ends");
    } else {
        ui::print(&table);
    }
    Ok(())
}

/// The one invoice of a payer, month and (if several) provider.
async fn find(
    at: &At,
    payer: &AccountId32,
    month: Month,
    provider: Option<u32>,
) -> Result<InvoiceKey<AccountId32>> {
    let mut found: Vec<(InvoiceKey<AccountId32>, Invoice)> = at.invoices(payer, month).await?;
    found.retain(|(key, _)| provider.is_none_or(|p| p == key.provider));
    match found.len() {
        1 => Ok(found.remove(0).0),
        0 => Err(Failure::missing(
            format!(
                "invoice: there is none for {}{}",
                month_name(month),
                provider.map_or(String::new(), |p| format!(" of provider {p}"))
            ),
            "see `ve invoice list`; a line is written when a job ends",
        )),
        _ => {
            let all: Vec<String> = found
                .iter()
                .map(|(k, _)| format!("{} ({})", k.provider, money::asset_name(k.asset)))
                .collect();
            Err(Failure::usage(
                format!(
                    "invoice: there are several for {}, of providers {}",
                    month_name(month),
                    all.join(", ")
                ),
                "choose one with --provider",
            ))
        }
    }
}

async fn document(at: &At, key: &InvoiceKey<AccountId32>) -> Result<InvoiceDocument> {
    fetch(at, key)
        .await?
        .ok_or_else(|| Failure::missing("invoice: it is gone", "see `ve invoice list`"))
}

async fn show(
    context: &Context,
    month: Month,
    provider: Option<u32>,
    output: Option<PathBuf>,
) -> Result {
    let at = context.chain().await?.at_finalized().await?;
    let key = find(&at, &context.account()?, month, provider).await?;
    let document = document(&at, &key).await?;
    let text = to_json(&document);
    if let Some(path) = output {
        std::fs::write(&path, &text).map_err(|e| Failure::file("writing", &path, &e))?;
        ui::note(format!("written to {}", path.display()));
        return Ok(());
    }
    if context.json {
        // The canonical bytes, not a second rendering of them.
        crate::ui::write(&text);
        return Ok(());
    }
    ui::facts(&[
        ("invoice", document.month.clone()),
        ("payer", document.payer.clone()),
        ("provider", document.provider.to_string()),
        (
            "state",
            document
                .closed_at_block
                .map_or("open".into(), |b| format!("closed at block {b}")),
        ),
    ]);
    let mut table = ui::table(&[
        "line",
        "job",
        "what",
        "from",
        "until",
        "quantities",
        "amount",
    ]);
    for line in &document.lines {
        let what = match &line.corrects {
            None => "usage".to_string(),
            Some(c) => format!("credit for line {} of {}", c.line, c.month),
        };
        let quantities: Vec<String> = line
            .quantities
            .iter()
            .map(|q| format!("{} {}", q.quantity, q.component))
            .collect();
        let sign = if line.corrects.is_some() { "-" } else { "" };
        table.add_row(vec![
            ui::right(line.line),
            ui::right(line.agreement),
            what.into(),
            short(&line.from).into(),
            short(&line.until).into(),
            quantities.join("\n").into(),
            ui::right(format!("{sign}{}", text_amount(&line.amount, key.asset))),
        ]);
    }
    ui::print(&table);
    ui::facts(&[
        ("total", text_amount(&document.total, key.asset)),
        ("credited", text_amount(&document.credited, key.asset)),
        ("root of the lines", document.root.clone()),
        ("at block", format!("{} {:?}", at.number(), at.hash())),
    ]);
    Ok(())
}

fn short(utc: &str) -> String {
    utc.get(..19).unwrap_or(utc).replace('T', " ")
}

fn text_amount(units: &str, asset: AssetKind) -> String {
    units
        .parse::<Balance>()
        .map_or_else(|_| units.to_string(), |u| money::format_in(u, asset))
}

async fn check(
    context: &Context,
    month: Month,
    lines: Vec<u32>,
    file: Option<PathBuf>,
    provider: Option<u32>,
) -> Result {
    let chain = context.chain().await?;
    let at = chain.at_finalized().await?;
    let (document, source) = match &file {
        Some(path) => (read_document(path, month)?, path.display().to_string()),
        None => (
            document(&at, &find(&at, &context.account()?, month, provider).await?).await?,
            "as the chain renders it".into(),
        ),
    };
    let key = document.key().map_err(|e| verification(&source, &e))?;
    let indices: Vec<u32> = lines.iter().filter_map(|l| l.checked_sub(1)).collect();
    let only = (!lines.is_empty()).then_some(lines.as_slice());
    let evidence = gather(&at, &key, only.map(|_| indices.as_slice()))
        .await?
        .ok_or_else(|| {
            verification(
                &source,
                "the chain has no invoice of this payer, provider, asset and month",
            )
        })?;
    let count = evidence.invoice.lines.count;
    let absent = |l: &&u32| **l == 0 || **l > count && **l as usize > document.lines.len();
    if let Some(line) = lines.iter().find(absent) {
        return Err(Failure::missing(
            format!("--line: there is no line {line}, neither in the document nor on the chain"),
            format!(
                "lines are counted from 1 to {count}: `ve invoice show {}`",
                document.month
            ),
        ));
    }
    let outcome = verify(&document, only, &evidence);
    if context.json {
        ui::json(&json!({ "file": source, "holds": outcome.holds(), "verification": outcome }));
    } else {
        report(&document, &outcome, key.asset);
    }
    if outcome.holds() {
        return Ok(());
    }
    let named: Vec<String> = outcome
        .findings
        .iter()
        .map(|f| match f.line {
            Some(line) => format!(
                "line {line}, {}: the document says {}, the chain {}",
                f.field, f.document, f.expected
            ),
            None => format!(
                "{}: the document says {}, the chain {}",
                f.field, f.document, f.expected
            ),
        })
        .collect();
    Err(verification(
        &source,
        &format!("\n       {}", named.join("\n       ")),
    ))
}

fn verification(source: &str, what: &str) -> Failure {
    Failure::new(
        code::VERIFICATION,
        format!("the invoice ({source}) does not hold: {what}"),
        "do not pay it; take the true one with `ve invoice show MONTH --json`",
    )
}

fn read_document(path: &Path, month: Month) -> Result<InvoiceDocument> {
    let text = read_text("--file: reading", path)?;
    let document = parse_document(&text).map_err(|e| {
        Failure::new(
            code::VERIFICATION,
            format!("--file: {}: {e}", path.display()),
            "this is no invoice that this program wrote",
        )
    })?;
    if document.month != month_name(month) {
        return Err(Failure::usage(
            format!(
                "--file: {} is the invoice of {}, not of {}",
                path.display(),
                document.month,
                month_name(month)
            ),
            "name its month",
        ));
    }
    Ok(document)
}

fn report(document: &InvoiceDocument, outcome: &Verification, asset: AssetKind) {
    crate::out!(
        "verified against the finalised block {} {:?}",
        outcome.block.number,
        outcome.block.hash
    );
    crate::out!(
        "root of its {} lines on the chain: {:?}",
        document.count,
        outcome.root
    );
    let mut table = ui::table(&[
        "line",
        "leaf",
        "Merkle proof",
        "quantities x prices",
        "amount",
    ]);
    for line in &outcome.lines {
        let pricing = match line.pricing {
            Pricing::Usage => "agrees",
            Pricing::Minimum => "the plan's minimum charge",
            Pricing::Ceiling => "cut at the job's ceiling",
            Pricing::PlanGone => "plan removed from the chain",
            Pricing::Decided => "credit note",
        };
        let leaf = hex::encode(line.leaf);
        table.add_row(vec![
            ui::right(line.line),
            format!("{}…", leaf.get(..16).unwrap_or_default()).into(),
            "holds".into(),
            pricing.into(),
            ui::right(money::format_in(line.amount, asset)),
        ]);
    }
    if !outcome.lines.is_empty() {
        ui::print(&table);
    }
    if outcome.holds() {
        crate::out!(
            "the lines sum up to the total, {}",
            text_amount(&document.total, asset)
        );
        crate::out!("✓ the invoice holds");
    }
}
