//! Invoices.

use crate::{
    amounts::Amounts,
    cli::Invoice as Command,
    context::{read_text, Context},
    failure::{code, Failure, Result},
    keystore::account_text,
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
            asset,
            output,
        } => show(context, month, &Which { provider, asset }, output).await,
        Command::Verify {
            month,
            line,
            file,
            provider,
            asset,
        } => check(context, month, line, file, &Which { provider, asset }).await,
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
        let invoices = at.invoices(&account, month).await?;
        let amounts = Amounts::of(&at, invoices.iter().map(|(key, _)| key.asset)).await?;
        for (key, invoice) in invoices {
            let state = invoice
                .closed_at
                .map_or("open".to_string(), |b| format!("closed at block {b}"));
            let amount = |a: Balance| ui::right(amounts.text(a, key.asset));
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
                "total": amounts.json(invoice.total, key.asset),
                "credited": amounts.json(invoice.credited, key.asset),
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

/// Which invoice of a month is meant, where there are several.
struct Which {
    provider: Option<u32>,
    asset: Option<AssetKind>,
}

impl Which {
    fn is(&self, key: &InvoiceKey<AccountId32>) -> bool {
        self.provider.is_none_or(|p| p == key.provider) && self.asset.is_none_or(|a| a == key.asset)
    }

    fn text(&self) -> String {
        let provider = self.provider.map(|p| format!(" of provider {p}"));
        let asset = self.asset.map(|a| format!(" in {}", money::asset_name(a)));
        provider.into_iter().chain(asset).collect()
    }
}

/// The one invoice of a payer and month that is meant.
async fn find(
    at: &At,
    payer: &AccountId32,
    month: Month,
    which: &Which,
) -> Result<InvoiceKey<AccountId32>> {
    let mut found: Vec<(InvoiceKey<AccountId32>, Invoice)> = at.invoices(payer, month).await?;
    found.retain(|(key, _)| which.is(key));
    match found.len() {
        1 => Ok(found.remove(0).0),
        0 => Err(Failure::missing(
            format!(
                "invoice: there is none for {}{}",
                month_name(month),
                which.text()
            ),
            "see `ve invoice list`; a line is written when a job ends",
        )),
        _ => {
            let all: Vec<String> = found
                .iter()
                .map(|(k, _)| format!("provider {} in {}", k.provider, money::asset_name(k.asset)))
                .collect();
            Err(Failure::usage(
                format!(
                    "invoice: there are several for {}: {}",
                    month_name(month),
                    all.join(", ")
                ),
                "choose one with --provider and --asset",
            ))
        }
    }
}

async fn document(at: &At, key: &InvoiceKey<AccountId32>) -> Result<InvoiceDocument> {
    fetch(at, key)
        .await?
        .ok_or_else(|| Failure::missing("invoice: it is gone", "see `ve invoice list`"))
}

async fn show(context: &Context, month: Month, which: &Which, output: Option<PathBuf>) -> Result {
    let at = context.chain().await?.at_finalized().await?;
    let key = find(&at, &context.account()?, month, which).await?;
    let document = document(&at, &key).await?;
    let text = to_json(&document);
    if let Some(path) = output {
        std::fs::write(&path, &text).map_err(|e| Failure::file("writing", &path, &e))?;
        if context.json {
            ui::json(&json!({ "file": path, "root": document.root }));
        } else {
            ui::note(format!("written to {}", path.display()));
        }
        return Ok(());
    }
    if context.json {
        // The canonical bytes, not a second rendering of them.
        crate::ui::write(&text);
        return Ok(());
    }
    let amounts = Amounts::of(&at, [key.asset]).await?;
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
            ui::right(format!(
                "{sign}{}",
                text_amount(&line.amount, key.asset, &amounts)
            )),
        ]);
    }
    ui::print(&table);
    ui::facts(&[
        ("total", text_amount(&document.total, key.asset, &amounts)),
        (
            "credited",
            text_amount(&document.credited, key.asset, &amounts),
        ),
        ("root of the lines", document.root.clone()),
        ("at block", format!("{} {:?}", at.number(), at.hash())),
    ]);
    Ok(())
}

fn short(utc: &str) -> String {
    utc.get(..19).unwrap_or(utc).replace('T', " ")
}

fn text_amount(units: &str, asset: AssetKind, amounts: &Amounts) -> String {
    units
        .parse::<Balance>()
        .map_or_else(|_| units.to_string(), |u| amounts.text(u, asset))
}

async fn check(
    context: &Context,
    month: Month,
    lines: Vec<u32>,
    file: Option<PathBuf>,
    which: &Which,
) -> Result {
    let chain = context.chain().await?;
    let at = chain.at_finalized().await?;
    let (document, source) = match &file {
        Some(path) => (read_document(path, month)?, path.display().to_string()),
        None => (
            document(&at, &find(&at, &context.account()?, month, which).await?).await?,
            "as the chain renders it".into(),
        ),
    };
    let key = document.key().map_err(|e| verification(&source, &e))?;
    if !which.is(&key) {
        return Err(Failure::usage(
            format!(
                "--file: {source} is the invoice of provider {} in {}, not{}",
                key.provider,
                money::asset_name(key.asset),
                which.text()
            ),
            "leave --provider and --asset out, or correct them",
        ));
    }
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
        ui::json(&json!({
            "file": source,
            "payer": account_text(&key.payer),
            "provider": key.provider,
            "asset": money::asset_name(key.asset),
            "month": document.month,
            "holds": outcome.holds(),
            "complete": only.is_none() || outcome.lines.len() == count as usize,
            "verification": outcome,
        }));
    } else {
        let amounts = Amounts::of(&at, [key.asset]).await?;
        report(&document, &outcome, key.asset, count, &amounts);
    }
    // Genuine, but whose? A person who is asked to pay wants to know.
    let own = context.account().ok();
    if own.is_some_and(|own| own != key.payer) {
        ui::note(format!(
            "this is the invoice of {}, not of the chosen key",
            account_text(&key.payer)
        ));
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

fn report(
    document: &InvoiceDocument,
    outcome: &Verification,
    asset: AssetKind,
    count: u32,
    amounts: &Amounts,
) {
    crate::out!(
        "verified against the finalised block {} {:?}",
        outcome.block.number,
        outcome.block.hash
    );
    crate::out!("root of its {count} lines on the chain: {:?}", outcome.root);
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
            ui::right(amounts.text(line.amount, asset)),
        ]);
    }
    if !outcome.lines.is_empty() {
        ui::print(&table);
    }
    if outcome.holds() {
        crate::out!(
            "the lines sum up to the total, {}",
            text_amount(&document.total, asset, amounts)
        );
        let checked = outcome.lines.len();
        match (count as usize).saturating_sub(checked) {
            0 => crate::out!("✓ the invoice holds"),
            left => crate::out!(
                "✓ what was looked at holds; {left} of the {count} lines were not looked at (leave --line out to see all)"
            ),
        }
    }
}
