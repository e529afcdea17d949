//! Invoices as canonical JSON, and their verification against the chain.
//!
//! The document says everything that a person or a program needs to check it: who, to whom, which month, every line
//! with its quantities, every price plan that priced one, the totals, and the root of the Merkle mountain range that
//! the chain keeps over the lines. It is byte-identical wherever and whenever it is rendered, as long as the invoice on
//! the chain is the same: keys in alphabetical order, two spaces, amounts as decimal strings of smallest units, one
//! line feed at the end. It names no block; a *verification* does.
//!
//! People count lines from 1, the chain from 0: line 1 of a document is index 0 of the range.

mod document;
mod verify;

pub use document::{
    component_name, fetch, fetch_plans, month_name, parse_component, parse_document, parse_month,
    parse_utc, render, to_json, utc, CorrectedLine, InvoiceDocument, LineDocument, PlanDocument,
    QuantityDocument, RateDocument,
};
pub use verify::{gather, verify, Evidence, Finding, Pricing, Verification, VerifiedLine};
