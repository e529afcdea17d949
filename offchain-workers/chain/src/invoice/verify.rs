//! Does a document say what the chain says?

use super::document::{
    component_name, month_name, parse_h256, parse_number, utc, InvoiceDocument, LineDocument,
};
use crate::{error::ChainError, At, Head};
use codec::Encode;
use serde::Serialize;
use sp_core::{crypto::AccountId32, H256};
use std::collections::{btree_map::Entry, BTreeMap};
use virtengine_primitives::{
    billing::{Agreement, Invoice, InvoiceKey, InvoiceLine, LineKind, PricePlan},
    mmr, AgreementId, Balance, PlanId,
};

/// What the chain knows about an invoice, at one block.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// The block.
    pub block: Head,
    /// The chain.
    pub genesis: H256,
    /// The invoice, with its frontier.
    pub invoice: Invoice,
    /// Lines with their proofs, by index.
    pub lines: BTreeMap<u32, (InvoiceLine, mmr::Proof)>,
    /// Plans that the lines name.
    pub plans: BTreeMap<PlanId, PricePlan>,
    /// Agreements of the lines that have not been pruned.
    pub agreements: BTreeMap<AgreementId, Agreement<AccountId32>>,
}

/// One thing in which the document and the chain (or the document and itself) differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Number of the line, from 1; `None` for the invoice as a whole.
    pub line: Option<u32>,
    /// The field.
    pub field: String,
    /// What the document says.
    pub document: String,
    /// What it should say.
    pub expected: String,
}

/// How a line's amount follows from its quantities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pricing {
    /// Quantities times prices, to within one unit (prices apply to cumulative usage, so the rounding of one line may
    /// fall into the next).
    Usage,
    /// The plan's minimum charge made up the difference.
    Minimum,
    /// The agreement's ceiling cut it.
    Ceiling,
    /// The plan was retired and has been removed from the chain: the proven leaf alone speaks for the amount.
    PlanGone,
    /// A credit note: what is given back was decided, not computed.
    Decided,
}

/// A line that holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VerifiedLine {
    /// Number, from 1.
    pub line: u32,
    /// Its leaf hash.
    pub leaf: H256,
    /// How its amount follows.
    pub pricing: Pricing,
    /// The amount, smallest units.
    #[serde(serialize_with = "as_string")]
    pub amount: Balance,
}

fn as_string<S: serde::Serializer>(amount: &Balance, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_str(&amount.to_string())
}

/// The outcome of a verification. The document holds iff `findings` is empty.
#[derive(Clone, Debug, Serialize)]
pub struct Verification {
    /// The finalised block that it was verified against.
    pub block: Head,
    /// Root of the lines at that block.
    pub root: H256,
    /// Lines that were asked for and hold.
    pub lines: Vec<VerifiedLine>,
    /// Everything that does not.
    pub findings: Vec<Finding>,
}

impl Verification {
    /// Whether the document says what the chain says.
    pub fn holds(&self) -> bool {
        self.findings.is_empty()
    }
}

/// Reads what is needed to verify `indices` (from 0; all lines if `None`) of an invoice. `None`: there is no such
/// invoice on the chain.
pub async fn gather(
    at: &At,
    key: &InvoiceKey<AccountId32>,
    indices: Option<&[u32]>,
) -> Result<Option<Evidence>, ChainError> {
    let Some(invoice) = at.invoice(key).await? else {
        return Ok(None);
    };
    let mut evidence = Evidence {
        block: at.head(),
        genesis: at.chain().genesis(),
        invoice,
        lines: BTreeMap::new(),
        plans: BTreeMap::new(),
        agreements: BTreeMap::new(),
    };
    let all: Vec<u32> = (0..evidence.invoice.lines.count).collect();
    for index in indices.unwrap_or(&all) {
        let Some((line, proof)) = at.prove_line(key, *index).await? else {
            continue;
        };
        if let Entry::Vacant(unknown) = evidence.plans.entry(line.plan) {
            if let Some((_, plan)) = at.plan(line.plan).await? {
                unknown.insert(plan);
            }
        }
        if let Entry::Vacant(unknown) = evidence.agreements.entry(line.agreement) {
            if let Some(agreement) = at.agreement(line.agreement).await? {
                unknown.insert(agreement);
            }
        }
        evidence.lines.insert(*index, (line, proof));
    }
    Ok(Some(evidence))
}

struct Check<'a> {
    evidence: &'a Evidence,
    findings: Vec<Finding>,
    lines: Vec<VerifiedLine>,
}

/// Verifies a document: each line in `only` (numbers from 1; all if `None`) by the Merkle proof of its leaf against
/// the root that the chain keeps, by quantities times prices, and field by field; and the totals.
///
/// Nothing that the document says about itself is believed: root, totals and prices come from the chain.
pub fn verify(
    document: &InvoiceDocument,
    only: Option<&[u32]>,
    evidence: &Evidence,
) -> Verification {
    let mut check = Check {
        evidence,
        findings: Vec::new(),
        lines: Vec::new(),
    };
    check.invoice(document);
    check.plans(document);
    let all: Vec<u32> = (1..=evidence
        .invoice
        .lines
        .count
        .max(document.lines.len() as u32))
        .collect();
    for number in only.unwrap_or(&all) {
        check.line(document, *number);
    }
    check.sums(document);
    Verification {
        block: evidence.block,
        root: evidence.invoice.lines.root(),
        lines: check.lines,
        findings: check.findings,
    }
}

impl Check<'_> {
    fn differ(
        &mut self,
        line: Option<u32>,
        field: &str,
        document: impl ToString,
        expected: impl ToString,
    ) {
        self.findings.push(Finding {
            line,
            field: field.into(),
            document: document.to_string(),
            expected: expected.to_string(),
        });
    }

    fn invoice(&mut self, document: &InvoiceDocument) {
        let chain = &self.evidence.invoice;
        let same_hash = |field: &str, text: &str, hash: H256| parse_h256(field, text) == Ok(hash);
        if !same_hash("genesis", &document.genesis, self.evidence.genesis) {
            let expected = format!("{:?}", self.evidence.genesis);
            self.differ(None, "genesis", &document.genesis, expected);
        }
        if !same_hash("root", &document.root, chain.lines.root()) {
            self.differ(
                None,
                "root",
                &document.root,
                format!("{:?}", chain.lines.root()),
            );
        }
        for (field, text, amount) in [
            ("total", &document.total, chain.total),
            ("credited", &document.credited, chain.credited),
        ] {
            if parse_number::<Balance>(field, text) != Ok(amount) {
                self.differ(None, field, text, amount);
            }
        }
        if document.count != chain.lines.count {
            self.differ(None, "count", document.count, chain.lines.count);
        }
        if document.closed_at_block != chain.closed_at {
            let text = |b: Option<u32>| b.map_or("null".to_string(), |b| b.to_string());
            let (found, expected) = (text(document.closed_at_block), text(chain.closed_at));
            self.differ(None, "closed_at_block", found, expected);
        }
    }

    fn plans(&mut self, document: &InvoiceDocument) {
        for plan in &document.plans {
            if !document.lines.iter().any(|l| l.plan == plan.plan) {
                self.differ(None, "plans", plan.plan, "only plans that a line names");
            }
            let Some(chain) = self.evidence.plans.get(&plan.plan) else {
                continue;
            };
            let field = format!("plans[{}]", plan.plan);
            match plan.plan(chain.asset) {
                Ok(found) if found == *chain => {}
                Ok(found) => {
                    if found.minimum_charge != chain.minimum_charge {
                        let field = format!("{field}.minimum_charge");
                        self.differ(None, &field, found.minimum_charge, chain.minimum_charge);
                    }
                    if found.rates != chain.rates {
                        let text = |p: &PricePlan| {
                            let rate = |r: &virtengine_primitives::billing::Rate| {
                                format!("{} {}", component_name(r.component), r.price_per_million)
                            };
                            p.rates.iter().map(rate).collect::<Vec<_>>().join(", ")
                        };
                        self.differ(None, &format!("{field}.rates"), text(&found), text(chain));
                    }
                }
                Err(e) => self.differ(None, &field, e, "the plan on the chain"),
            }
        }
    }

    fn line(&mut self, document: &InvoiceDocument, number: u32) {
        // Lines are counted from 1: there is no line 0.
        let index = number.checked_sub(1).unwrap_or(u32::MAX);
        let line = document.lines.get(index as usize);
        let chain = self.evidence.lines.get(&index);
        let (line, (on_chain, proof)) = match (line, chain) {
            (Some(line), Some(chain)) => (line, chain),
            (None, Some(_)) => return self.differ(Some(number), "line", "missing", "a line"),
            (Some(_), None) => {
                return self.differ(Some(number), "line", "a line", "no such line on the chain")
            }
            (None, None) => {
                let count = self.evidence.invoice.lines.count;
                let expected = format!("a number from 1 to {count}");
                return self.differ(Some(number), "line", "no such line", expected);
            }
        };
        let root = self.evidence.invoice.lines.root();
        let honest = proof.index == index && proof.count == self.evidence.invoice.lines.count;
        if !honest || !mmr::verify(root, mmr::leaf(&on_chain.encode()), proof) {
            let expected = format!("a proof against {root:?}");
            return self.differ(
                Some(number),
                "proof",
                "none from this node that holds",
                expected,
            );
        }
        let before = self.findings.len();
        if line.line != number {
            self.differ(Some(number), "line", line.line, number);
        }
        match line.line() {
            Err(e) => {
                let (field, reason) = e.split_once(": ").unwrap_or(("line", &e));
                self.differ(Some(number), field, reason, expected_text(on_chain, field));
            }
            Ok(found) => {
                let leaf = mmr::leaf(&found.encode());
                // The proof decides; the comparison only says where the difference is.
                if !mmr::verify(root, leaf, proof) {
                    self.fields(number, &found, on_chain);
                    if self.findings.len() == before {
                        self.differ(Some(number), "leaf", format!("{leaf:?}"), "the proven leaf");
                    }
                } else if let Some(pricing) = self.priced(number, &found) {
                    self.lines.push(VerifiedLine {
                        line: number,
                        leaf,
                        pricing,
                        amount: found.amount,
                    });
                }
            }
        }
    }

    fn fields(&mut self, number: u32, found: &InvoiceLine, chain: &InvoiceLine) {
        for field in [
            "agreement",
            "amount",
            "kind",
            "plan",
            "first_report",
            "last_report",
            "from",
            "until",
            "head",
        ] {
            let (a, b) = (expected_text(found, field), expected_text(chain, field));
            if a != b {
                self.differ(Some(number), field, a, b);
            }
        }
        let mut components: Vec<_> = found
            .quantities
            .iter()
            .chain(chain.quantities.iter())
            .map(|q| q.0)
            .collect();
        components.sort_unstable();
        components.dedup();
        for component in components {
            let of = |line: &InvoiceLine| {
                let quantity = line.quantities.iter().find(|q| q.0 == component);
                quantity.map_or("nothing".to_string(), |q| q.1.to_string())
            };
            let (a, b) = (of(found), of(chain));
            if a != b {
                let field = format!("quantities.{}", component_name(component));
                self.differ(Some(number), &field, a, b);
            }
        }
    }

    /// How the amount follows from the quantities; `None` (and a finding) if it does not.
    fn priced(&mut self, number: u32, line: &InvoiceLine) -> Option<Pricing> {
        if line.kind != LineKind::Usage {
            return Some(Pricing::Decided);
        }
        let Some(plan) = self.evidence.plans.get(&line.plan) else {
            return Some(Pricing::PlanGone);
        };
        let price = plan.price(&line.quantities)?;
        if line.amount.abs_diff(price) <= 1 {
            return Some(Pricing::Usage);
        }
        let agreement = self.evidence.agreements.get(&line.agreement);
        if line.amount > price && line.amount <= plan.minimum_charge {
            return Some(Pricing::Minimum);
        }
        if line.amount < price && agreement.is_none_or(|a| a.charged >= a.ceiling) {
            return Some(Pricing::Ceiling);
        }
        let expected = format!("{price} by plan {}", line.plan);
        self.differ(Some(number), "amount", line.amount, expected);
        None
    }

    fn sums(&mut self, document: &InvoiceDocument) {
        let sum = |credit: bool| {
            document
                .lines
                .iter()
                .filter(|l| (l.kind == "credit-note") == credit)
                .try_fold(0u128, |sum, l: &LineDocument| {
                    sum.checked_add(parse_number("amount", &l.amount).ok()?)
                })
        };
        let chain = &self.evidence.invoice;
        for (field, found, expected) in [
            ("sum of the lines", sum(false), chain.total),
            ("sum of the credit notes", sum(true), chain.credited),
        ] {
            if found != Some(expected) {
                let found = found.map_or("not a sum".to_string(), |s| s.to_string());
                self.differ(None, field, found, expected);
            }
        }
    }
}

fn expected_text(line: &InvoiceLine, field: &str) -> String {
    match field {
        "agreement" => line.agreement.to_string(),
        "amount" => line.amount.to_string(),
        "kind" | "corrects" | "corrects.line" | "corrects.month" => match line.kind {
            LineKind::Usage => "usage".into(),
            LineKind::CreditNote { line, month } => {
                format!(
                    "credit-note for line {} of {}",
                    line.saturating_add(1),
                    month_name(month)
                )
            }
        },
        "plan" => line.plan.to_string(),
        "first_report" => line.first_sequence.to_string(),
        "last_report" => line.last_sequence.to_string(),
        "from" => utc(line.from),
        "until" => utc(line.until),
        "head" => format!("{:?}", line.head),
        _ => "what the chain says".into(),
    }
}

#[cfg(test)]
mod tests;
