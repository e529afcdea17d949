//! Shapes that only this pallet stores.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{traits::ConstU32, BoundedVec};
use scale_info::TypeInfo;
use sp_runtime::Perbill;
use virtengine_primitives::{
    billing::{InvoiceLine, Month, PricePlan},
    Balance, ProviderId,
};

/// Most usage lines of one agreement. The last place is kept for the end; before that, an agreement that lasts
/// longer goes on filling its open line instead of sealing one a month.
pub const MAX_LINES: u32 = 13;

/// Most lines that one call of `prune_invoice` removes.
pub const PRUNE_BATCH: u32 = 100;

/// A published price plan.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct PlanRecord {
    /// Whose it is.
    pub provider: ProviderId,
    /// The terms; immutable.
    pub plan: PricePlan,
    /// Whether new agreements are refused.
    pub retired: bool,
    /// Who may still need it; removed at zero once it is retired.
    pub users: u32,
}

/// The line that an agreement's reports are being added to.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct OpenLine {
    /// UTC month of its last period.
    pub month: Month,
    /// The line so far.
    pub line: InvoiceLine,
}

/// Where a sealed line of an agreement is, and what is still charged for it.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub struct LineRef {
    /// Month of the invoice that it is on.
    pub month: Month,
    /// Index in that invoice.
    pub index: u32,
    /// Its amount less what went back to the payer out of escrow.
    pub standing: Balance,
}

/// What an agreement's money did, beside what its escrow ledger says.
#[derive(
    Clone,
    Debug,
    Default,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub struct Book {
    /// Released so far, to the payee and the pot together.
    pub released: Balance,
    /// The pot's part of it: `floor(take rate x released)`.
    pub taken: Balance,
    /// Its sealed usage lines, oldest first.
    pub lines: BoundedVec<LineRef, ConstU32<MAX_LINES>>,
}

/// A line as it is kept until its invoice is pruned.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct StoredLine {
    /// The line; its encoding is the leaf of the invoice's Merkle mountain range.
    pub line: InvoiceLine,
    /// Share of the line that went to the pot, for credit notes after the agreement is gone.
    pub take_rate: Perbill,
    /// Taken back out of escrow, before it was ever paid.
    pub reverted: Balance,
    /// Taken back by credit notes after it was paid.
    pub forgiven: Balance,
}

/// How a dispute came to its end.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub enum Outcome {
    /// An arbiter decided.
    #[codec(index = 0)]
    Decided,
    /// The provider did not open its evidence in time.
    #[codec(index = 1)]
    EvidenceMissing,
    /// No arbiter decided in time.
    #[codec(index = 2)]
    DefaultSplit,
}
