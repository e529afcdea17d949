//! The document: shape, rendering, parsing.

use crate::{error::ChainError, money, At};
use serde::{Deserialize, Serialize};
use sp_core::{
    crypto::{AccountId32, Ss58Codec},
    H256,
};
use std::collections::{btree_map::Entry, BTreeMap};
use virtengine_primitives::{
    billing::{
        Component, Invoice, InvoiceKey, InvoiceLine, LineKind, Month, PricePlan, Quantities, Rate,
    },
    calendar, Moment, PlanId,
};

/// An invoice. See the module's documentation; fields stand in alphabetical order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InvoiceDocument {
    /// `native` or `asset:7`.
    pub asset: String,
    /// Block at which it was closed; `null` while the month is open.
    pub closed_at_block: Option<u32>,
    /// Number of lines.
    pub count: u32,
    /// Sum of the credit notes, smallest units.
    pub credited: String,
    /// Genesis hash of the chain.
    pub genesis: String,
    /// The lines, in the chain's order.
    pub lines: Vec<LineDocument>,
    /// UTC month, `2026-11`.
    pub month: String,
    /// Who pays, SS58.
    pub payer: String,
    /// The price plans that priced the lines, by number.
    pub plans: Vec<PlanDocument>,
    /// Number of the provider that is paid.
    pub provider: u32,
    /// Root of the Merkle mountain range over the lines.
    pub root: String,
    /// Sum of the usage lines, smallest units.
    pub total: String,
    /// Version of this shape: 1.
    pub version: u32,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LineDocument {
    /// Number of the agreement, which is the number of the job.
    pub agreement: u64,
    /// Smallest units; of a credit note, what is given back.
    pub amount: String,
    /// For a credit note, the line that it corrects; else `null`.
    pub corrects: Option<CorrectedLine>,
    /// First report on the line; 0 if none.
    pub first_report: u32,
    /// Start of the first period, UTC.
    pub from: String,
    /// Head of the agreement's report chain.
    pub head: String,
    /// `usage` or `credit-note`.
    pub kind: String,
    /// Last report on the line; 0 if none.
    pub last_report: u32,
    /// Number of the line, from 1.
    pub line: u32,
    /// Number of the price plan.
    pub plan: u32,
    /// What was used.
    pub quantities: Vec<QuantityDocument>,
    /// End of the last period, UTC.
    pub until: String,
}

/// The line that a credit note corrects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CorrectedLine {
    /// Number of the line, from 1.
    pub line: u32,
    /// Month of the invoice that it is on.
    pub month: String,
}

/// A quantity of a component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuantityDocument {
    /// As [`component_name`] writes it.
    pub component: String,
    /// Decimal.
    pub quantity: String,
}

/// A price plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanDocument {
    /// The least that a started job costs, smallest units.
    pub minimum_charge: String,
    /// Number.
    pub plan: u32,
    /// Prices.
    pub rates: Vec<RateDocument>,
}

/// A price.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateDocument {
    /// As [`component_name`] writes it.
    pub component: String,
    /// Smallest units per million units of the component.
    pub price_per_million: String,
}

/// `cpu-seconds`, `memory-mib-seconds`, `gpu-seconds:0`, `node-seconds`, `licence-seconds:0`,
/// `storage-mib-seconds`, `egress-mib`.
pub fn component_name(component: Component) -> String {
    match component {
        Component::CpuSeconds => "cpu-seconds".into(),
        Component::MemoryMibSeconds => "memory-mib-seconds".into(),
        Component::GpuSeconds(kind) => format!("gpu-seconds:{kind}"),
        Component::NodeSeconds => "node-seconds".into(),
        Component::LicenceSeconds(kind) => format!("licence-seconds:{kind}"),
        Component::StorageMibSeconds => "storage-mib-seconds".into(),
        Component::EgressMib => "egress-mib".into(),
    }
}

/// What [`component_name`] writes.
pub fn parse_component(text: &str) -> Result<Component, String> {
    let kind = |digits: &str| digits.parse::<u8>().ok();
    let parsed = match text.split_once(':') {
        None => match text {
            "cpu-seconds" => Some(Component::CpuSeconds),
            "memory-mib-seconds" => Some(Component::MemoryMibSeconds),
            "node-seconds" => Some(Component::NodeSeconds),
            "storage-mib-seconds" => Some(Component::StorageMibSeconds),
            "egress-mib" => Some(Component::EgressMib),
            _ => None,
        },
        Some(("gpu-seconds", digits)) => kind(digits).map(Component::GpuSeconds),
        Some(("licence-seconds", digits)) => kind(digits).map(Component::LicenceSeconds),
        Some(_) => None,
    };
    parsed.ok_or_else(|| {
        format!(
            "{text:?} is not a component; write cpu-seconds, memory-mib-seconds, gpu-seconds:N, node-seconds, \
             licence-seconds:N, storage-mib-seconds or egress-mib"
        )
    })
}

/// `2026-11`.
pub fn month_name(month: Month) -> String {
    format!("{:04}-{:02}", month / 12, month % 12 + 1)
}

/// What [`month_name`] writes.
pub fn parse_month(text: &str) -> Result<Month, String> {
    let wrong = || format!("{text:?} is not a month; write it like 2026-11");
    let (year, month) = text.split_once('-').ok_or_else(wrong)?;
    if year.len() != 4 || month.len() != 2 {
        return Err(wrong());
    }
    match (year.parse::<u32>(), month.parse::<u32>()) {
        (Ok(year), Ok(month @ 1..=12)) if year >= 1970 => Ok(year * 12 + month - 1),
        _ => Err(wrong()),
    }
}

/// A moment as `2026-11-23T01:02:03.456Z`.
pub fn utc(moment: Moment) -> String {
    let month = calendar::month_of(moment);
    let rest = moment.saturating_sub(calendar::start_of(month));
    let (days, ms) = (rest / calendar::DAY_MS, rest % calendar::DAY_MS);
    format!(
        "{}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        month_name(month),
        days + 1,
        ms / 3_600_000,
        ms / 60_000 % 60,
        ms / 1000 % 60,
        ms % 1000
    )
}

/// What [`utc`] writes, and nothing else.
pub fn parse_utc(text: &str) -> Result<Moment, String> {
    let wrong = || format!("{text:?} is not a time; write it like 2026-11-23T01:02:03.456Z");
    let part = |range: std::ops::Range<usize>| {
        text.get(range)
            .and_then(|s| s.parse::<u64>().ok())
            .ok_or_else(wrong)
    };
    let month = parse_month(text.get(0..7).ok_or_else(wrong)?).map_err(|_| wrong())?;
    let moment = calendar::start_of(month)
        + part(8..10)?.checked_sub(1).ok_or_else(wrong)? * calendar::DAY_MS
        + part(11..13)? * 3_600_000
        + part(14..16)? * 60_000
        + part(17..19)? * 1000
        + part(20..23)?;
    if utc(moment) == text {
        Ok(moment)
    } else {
        Err(wrong())
    }
}

fn hex(hash: H256) -> String {
    format!("0x{}", hex::encode(hash))
}

/// Renders an invoice. `lines` are all of its lines in order, `plans` at least those that they name.
///
/// Errors: the lines are not all there (they do not make the root that the invoice keeps).
pub fn render(
    genesis: H256,
    key: &InvoiceKey<AccountId32>,
    invoice: &Invoice,
    lines: &[InvoiceLine],
    plans: &BTreeMap<PlanId, PricePlan>,
) -> Result<InvoiceDocument, ChainError> {
    use codec::Encode;
    let mut frontier = virtengine_primitives::mmr::Frontier::default();
    for line in lines {
        frontier.append(virtengine_primitives::mmr::leaf(&line.encode()));
    }
    if frontier.root() != invoice.lines.root() {
        return Err(ChainError::Incompatible(format!(
            "the {} lines at hand do not make the root of the invoice's {} lines",
            lines.len(),
            invoice.lines.count
        )));
    }
    let mut named: Vec<PlanId> = lines.iter().map(|l| l.plan).collect();
    named.sort_unstable();
    named.dedup();
    Ok(InvoiceDocument {
        asset: money::asset_name(key.asset),
        closed_at_block: invoice.closed_at,
        count: invoice.lines.count,
        credited: invoice.credited.to_string(),
        genesis: hex(genesis),
        lines: lines
            .iter()
            .zip(1u32..)
            .map(|(line, number)| line_document(number, line))
            .collect(),
        month: month_name(key.month),
        payer: key.payer.to_ss58check(),
        plans: named
            .into_iter()
            .filter_map(|id| Some(plan_document(id, plans.get(&id)?)))
            .collect(),
        provider: key.provider,
        root: hex(invoice.lines.root()),
        total: invoice.total.to_string(),
        version: 1,
    })
}

fn plan_document(id: PlanId, plan: &PricePlan) -> PlanDocument {
    PlanDocument {
        minimum_charge: plan.minimum_charge.to_string(),
        plan: id,
        rates: plan
            .rates
            .iter()
            .map(|r| RateDocument {
                component: component_name(r.component),
                price_per_million: r.price_per_million.to_string(),
            })
            .collect(),
    }
}

fn line_document(number: u32, line: &InvoiceLine) -> LineDocument {
    let (kind, corrects) = match line.kind {
        LineKind::Usage => ("usage", None),
        LineKind::CreditNote { line, month } => (
            "credit-note",
            Some(CorrectedLine {
                line: line.saturating_add(1),
                month: month_name(month),
            }),
        ),
    };
    LineDocument {
        agreement: line.agreement,
        amount: line.amount.to_string(),
        corrects,
        first_report: line.first_sequence,
        from: utc(line.from),
        head: hex(line.head),
        kind: kind.into(),
        last_report: line.last_sequence,
        line: number,
        plan: line.plan,
        quantities: line
            .quantities
            .iter()
            .map(|(component, quantity)| QuantityDocument {
                component: component_name(*component),
                quantity: quantity.to_string(),
            })
            .collect(),
        until: utc(line.until),
    }
}

/// The document's bytes.
pub fn to_json(document: &InvoiceDocument) -> String {
    // A struct of strings and integers always serialises.
    let mut text = serde_json::to_string_pretty(document).unwrap_or_default();
    text.push('\n');
    text
}

/// Reads a document. Errors name line and column, or the field.
pub fn parse_document(text: &str) -> Result<InvoiceDocument, String> {
    let document: InvoiceDocument = serde_json::from_str(text).map_err(|e| e.to_string())?;
    if document.version != 1 {
        return Err(format!(
            "version: {} is not known, this program reads 1",
            document.version
        ));
    }
    Ok(document)
}

pub(super) fn parse_h256(field: &str, text: &str) -> Result<H256, String> {
    let wrong = || format!("{field}: {text:?} is not 0x and 64 hexadecimal digits");
    let bytes = hex::decode(text.strip_prefix("0x").ok_or_else(wrong)?).map_err(|_| wrong())?;
    <[u8; 32]>::try_from(bytes).map(H256).map_err(|_| wrong())
}

pub(super) fn parse_number<T: std::str::FromStr>(field: &str, text: &str) -> Result<T, String> {
    // One way to write a number, so that two documents that mean the same are the same.
    let canonical = text == "0" || (!text.starts_with(['0', '+']) && !text.is_empty());
    text.parse()
        .ok()
        .filter(|_| canonical)
        .ok_or_else(|| format!("{field}: {text:?} is not a number in canonical form"))
}

impl InvoiceDocument {
    /// The invoice that the document speaks of.
    pub fn key(&self) -> Result<InvoiceKey<AccountId32>, String> {
        Ok(InvoiceKey {
            payer: AccountId32::from_ss58check(&self.payer)
                .map_err(|_| format!("payer: {:?} is not an account", self.payer))?,
            provider: self.provider,
            asset: money::parse_asset(&self.asset).map_err(|e| format!("asset: {e}"))?,
            month: parse_month(&self.month).map_err(|e| format!("month: {e}"))?,
        })
    }
}

impl LineDocument {
    /// The line as the chain keeps it. Errors name the field.
    pub fn line(&self) -> Result<InvoiceLine, String> {
        let kind = match (self.kind.as_str(), &self.corrects) {
            ("usage", None) => LineKind::Usage,
            ("credit-note", Some(c)) => LineKind::CreditNote {
                line: c
                    .line
                    .checked_sub(1)
                    .ok_or("corrects.line: lines are counted from 1")?,
                month: parse_month(&c.month).map_err(|e| format!("corrects.month: {e}"))?,
            },
            (kind, _) => return Err(format!("kind: {kind:?} does not fit the line")),
        };
        let quantities = self
            .quantities
            .iter()
            .map(|q| {
                let component =
                    parse_component(&q.component).map_err(|e| format!("quantities: {e}"))?;
                Ok((component, parse_number(&q.component, &q.quantity)?))
            })
            .collect::<Result<Vec<_>, String>>()?;
        Ok(InvoiceLine {
            agreement: self.agreement,
            kind,
            plan: self.plan,
            first_sequence: self.first_report,
            last_sequence: self.last_report,
            from: parse_utc(&self.from).map_err(|e| format!("from: {e}"))?,
            until: parse_utc(&self.until).map_err(|e| format!("until: {e}"))?,
            quantities: Quantities::try_from(quantities)
                .map_err(|_| "quantities: too many components")?,
            amount: parse_number("amount", &self.amount)?,
            head: parse_h256("head", &self.head)?,
        })
    }
}

impl PlanDocument {
    /// The plan's prices; the asset is the invoice's.
    pub fn plan(&self, asset: virtengine_primitives::AssetKind) -> Result<PricePlan, String> {
        let rates = self
            .rates
            .iter()
            .map(|r| {
                Ok(Rate {
                    component: parse_component(&r.component)?,
                    price_per_million: parse_number("price_per_million", &r.price_per_million)?,
                })
            })
            .collect::<Result<Vec<_>, String>>()?;
        Ok(PricePlan {
            asset,
            rates: rates.try_into().map_err(|_| "rates: too many")?,
            minimum_charge: parse_number("minimum_charge", &self.minimum_charge)?,
        })
    }
}

/// Reads the plans that lines name.
pub async fn fetch_plans(
    at: &At,
    lines: &[InvoiceLine],
) -> Result<BTreeMap<PlanId, PricePlan>, ChainError> {
    let mut plans = BTreeMap::new();
    for id in lines.iter().map(|l| l.plan) {
        if let Entry::Vacant(unknown) = plans.entry(id) {
            if let Some((_, plan)) = at.plan(id).await? {
                unknown.insert(plan);
            }
        }
    }
    Ok(plans)
}

/// Reads and renders an invoice at a block; `None` if there is none.
pub async fn fetch(
    at: &At,
    key: &InvoiceKey<AccountId32>,
) -> Result<Option<InvoiceDocument>, ChainError> {
    let Some(invoice) = at.invoice(key).await? else {
        return Ok(None);
    };
    let lines = at.all_invoice_lines(key).await?;
    let plans = fetch_plans(at, &lines).await?;
    render(at.chain().genesis(), key, &invoice, &lines, &plans).map(Some)
}
