//! Usage, prices and invoices: the shapes, and the arithmetic that turns the one into the other.

use crate::*;

/// What is metered. Quantities are integers of the unit in the name.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
    serde::Serialize,
    serde::Deserialize,
)]
pub enum Component {
    /// Allocated processors times elapsed seconds.
    #[codec(index = 0)]
    CpuSeconds,
    /// Allocated memory in MiB times elapsed seconds.
    #[codec(index = 1)]
    MemoryMibSeconds,
    /// Allocated accelerators of the provider's numbered type times elapsed seconds.
    #[codec(index = 2)]
    GpuSeconds(u8),
    /// Allocated nodes times elapsed seconds.
    #[codec(index = 3)]
    NodeSeconds,
    /// Allocated licences of the provider's numbered kind times elapsed seconds.
    #[codec(index = 4)]
    LicenceSeconds(u8),
    /// Stored MiB times elapsed seconds.
    #[codec(index = 5)]
    StorageMibSeconds,
    /// MiB sent out of the provider's network.
    #[codec(index = 6)]
    EgressMib,
}

/// Most components in one plan, report or meter.
pub const MAX_COMPONENTS: u32 = 16;
/// Quantities by component, sorted by component, each at most once.
pub type Quantities = BoundedVec<(Component, u128), ConstU32<MAX_COMPONENTS>>;

/// Price of a component.
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
    serde::Serialize,
    serde::Deserialize,
)]
pub struct Rate {
    /// What is priced.
    pub component: Component,
    /// Smallest units of the plan's asset per 1,000,000 units of the component.
    pub price_per_million: Balance,
}

/// One version of a price plan. Immutable once published: an agreement names the plan it was made under.
#[derive(
    Clone,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
    serde::Serialize,
    serde::Deserialize,
)]
pub struct PricePlan {
    /// In what it is priced.
    pub asset: AssetKind,
    /// Prices, sorted by component, each at most once. A component without a rate is free.
    pub rates: BoundedVec<Rate, ConstU32<MAX_COMPONENTS>>,
    /// The least that a started job costs, unless its end was the provider's fault.
    pub minimum_charge: Balance,
}

/// Whether quantities are sorted by component without repetition.
pub fn is_canonical(quantities: &[(Component, u128)]) -> bool {
    quantities
        .iter()
        .zip(quantities.iter().skip(1))
        .all(|(a, b)| a.0 < b.0)
}

impl PricePlan {
    /// Whether rates are sorted by component without repetition.
    pub fn is_well_formed(&self) -> bool {
        self.rates
            .iter()
            .zip(self.rates.iter().skip(1))
            .all(|(a, b)| a.component < b.component)
    }

    /// The price of `quantities`: `floor(sum(quantity x price_per_million) / 1,000,000)`, rounded in the payer's
    /// favour. `None` if the arithmetic overflows 128 bits.
    ///
    /// Always applied to cumulative quantities, so that splitting a period into many reports gains nothing.
    pub fn price(&self, quantities: &[(Component, u128)]) -> Option<Balance> {
        let mut sum: u128 = 0;
        for (component, quantity) in quantities {
            let rate = self
                .rates
                .iter()
                .find(|r| r.component == *component)
                .map_or(0, |r| r.price_per_million);
            sum = sum.checked_add(quantity.checked_mul(rate)?)?;
        }
        sum.checked_div(1_000_000)
    }
}

/// Adds `b` to `a` component by component. `None` on overflow or when more than [`MAX_COMPONENTS`] differ.
pub fn add_quantities(a: &Quantities, b: &Quantities) -> Option<Quantities> {
    let mut sum: alloc::collections::BTreeMap<Component, u128> = a.iter().copied().collect();
    for (component, quantity) in b.iter() {
        let entry = sum.entry(*component).or_default();
        *entry = entry.checked_add(*quantity)?;
    }
    sum.into_iter()
        .collect::<alloc::vec::Vec<_>>()
        .try_into()
        .ok()
}

/// What may be billed per second of an allocation, and how long at most.
#[derive(
    Clone,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
    serde::Serialize,
    serde::Deserialize,
)]
pub struct Allocation {
    /// Units of each component per second of wall time (egress: per second as well, or absent).
    pub per_second: Quantities,
    /// Wall time in seconds; the sum of all reported periods never exceeds it.
    pub walltime: u64,
}

impl Allocation {
    /// The most that the allocation can use: `per_second x walltime`.
    pub fn most(&self) -> Option<Quantities> {
        let mut all = self.per_second.clone();
        for (_, quantity) in all.iter_mut() {
            *quantity = quantity.checked_mul(self.walltime.into())?;
        }
        Some(all)
    }
}

/// One usage report.
#[derive(
    Clone,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
    serde::Serialize,
    serde::Deserialize,
)]
pub struct UsageReport {
    /// One more than the last report's; the first is 1.
    pub sequence: u32,
    /// Start of the period, inclusive. Not before the end of the last reported period.
    pub from: Moment,
    /// End of the period, exclusive. In the same UTC month as `from`.
    pub until: Moment,
    /// What was used in the period: at most allocated x period, the period counted in whole seconds, rounded up.
    pub quantities: Quantities,
    /// Blake2b-256 of salt and the canonical accounting rows; the rows are sealed to customer and arbiter.
    pub evidence: H256,
}

/// Where the metering of an agreement stands.
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
    serde::Serialize,
    serde::Deserialize,
)]
pub enum AgreementState {
    /// Money is held, nothing has started.
    #[codec(index = 0)]
    Open,
    /// Started; usage may be reported.
    #[codec(index = 1)]
    Metering,
    /// Ended: nothing more can be reported. What is pending is released at `release_at` unless disputed.
    #[codec(index = 2)]
    Ended {
        /// First block at which anyone may release.
        release_at: BlockNumber,
    },
    /// All money has been moved; kept for reading until pruned.
    #[codec(index = 3)]
    Settled {
        /// First block at which anyone may prune.
        prune_at: BlockNumber,
    },
}

/// Who answers for the end of an agreement; decides what is paid.
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
    serde::Serialize,
    serde::Deserialize,
)]
pub enum Fault {
    /// Nobody, or the payer: metered usage is paid, at least the plan's minimum if it started.
    #[codec(index = 0)]
    Payer,
    /// The provider reported no end in time: metered usage is paid, no minimum.
    #[codec(index = 1)]
    Silence,
    /// The provider: nothing is paid, what is pending goes back.
    #[codec(index = 2)]
    Provider,
}

/// An agreement as `billing` keeps it.
#[derive(
    Clone,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
    serde::Serialize,
    serde::Deserialize,
)]
pub struct Agreement<AccountId> {
    /// Who pays.
    pub payer: AccountId,
    /// Who is paid.
    pub provider: ProviderId,
    /// In what.
    pub asset: AssetKind,
    /// The plan, frozen at submission.
    pub plan: PlanId,
    /// The most that will ever be charged; deposited in full.
    pub ceiling: Balance,
    /// What may be used.
    pub allocation: Allocation,
    /// When it was opened.
    pub opened_at: Moment,
    /// When the first second that may be billed began.
    pub started_at: Option<Moment>,
    /// Where it stands.
    pub state: AgreementState,
    /// Sequence of the last report; 0 before the first.
    pub sequence: u32,
    /// End of the last reported period.
    pub metered_until: Moment,
    /// Sum of all reported periods, in milliseconds.
    pub metered_ms: u64,
    /// Cumulative usage over all reports.
    pub cumulative: Quantities,
    /// Moved from available to pending so far: `min(ceiling, price(cumulative))`, and the minimum at the end.
    pub charged: Balance,
    /// Head of the hash chain over all reports: `blake2(head ++ SCALE(report))`, starting from zero.
    pub head: H256,
    /// Blocks between the end and the release, pinned at submission.
    pub dispute_window: BlockNumber,
    /// Share of what is released that goes to the chain, pinned at submission, in parts per billion.
    pub take_rate: sp_runtime::Perbill,
}

/// What a line of an invoice says.
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
    serde::Serialize,
    serde::Deserialize,
)]
pub enum LineKind {
    /// Usage of an agreement in a month.
    #[codec(index = 0)]
    Usage,
    /// Takes back (part of) a usage line; the amount counts negative.
    #[codec(index = 1)]
    CreditNote {
        /// Index of the corrected line in the invoice of `month`.
        line: u32,
        /// Month of the invoice that the corrected line is on.
        month: Month,
    },
}

/// UTC months since January of year 0: `year x 12 + (month - 1)`. 2026-11 is 24,322.
pub type Month = u32;

/// One line of an invoice. Never edited; corrections append.
#[derive(
    Clone,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
    serde::Serialize,
    serde::Deserialize,
)]
pub struct InvoiceLine {
    /// What was bought.
    pub agreement: AgreementId,
    /// What the line says.
    pub kind: LineKind,
    /// The price plan that priced it.
    pub plan: PlanId,
    /// First report on the line; 0 if none.
    pub first_sequence: u32,
    /// Last report on the line; 0 if none.
    pub last_sequence: u32,
    /// Start of the first period on the line.
    pub from: Moment,
    /// End of the last period on the line.
    pub until: Moment,
    /// Usage on the line.
    pub quantities: Quantities,
    /// Amount in smallest units of the invoice's asset; for a credit note, what is given back.
    pub amount: Balance,
    /// Head of the agreement's report chain when the line was written.
    pub head: H256,
}

/// Which invoice.
#[derive(
    Clone,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
    serde::Serialize,
    serde::Deserialize,
)]
pub struct InvoiceKey<AccountId> {
    /// Who pays.
    pub payer: AccountId,
    /// Who is paid.
    pub provider: ProviderId,
    /// In what.
    pub asset: AssetKind,
    /// UTC month.
    pub month: Month,
}

/// An invoice as the chain keeps it: totals and the frontier of a Merkle mountain range over its lines.
#[derive(
    Clone,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
    serde::Serialize,
    serde::Deserialize,
    Default,
)]
pub struct Invoice {
    /// Sum of usage lines.
    pub total: Balance,
    /// Sum of credit notes.
    pub credited: Balance,
    /// The lines' Merkle mountain range. Its leaves are `mmr::leaf(SCALE(InvoiceLine))`.
    pub lines: mmr::Frontier,
    /// Block at which it was closed; later usage goes on the next month's.
    pub closed_at: Option<BlockNumber>,
}

/// Where a dispute stands. One at a time per agreement.
#[derive(
    Clone,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
    serde::Serialize,
    serde::Deserialize,
)]
pub struct Dispute {
    /// The part of pending that is frozen.
    pub amount: Balance,
    /// Blake2b-256 of the payer's grounds, sealed off chain.
    pub grounds: H256,
    /// The provider opens its evidence before this block, or loses.
    pub evidence_by: BlockNumber,
    /// Blake2b-256 of the salted accounting rows that the provider opened to payer and arbiter.
    pub evidence: Option<H256>,
    /// The arbiter decides before this block, or the default split applies.
    pub decide_by: BlockNumber,
}
