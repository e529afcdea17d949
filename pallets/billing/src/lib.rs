//! # Billing
//!
//! What was agreed, what was used, what it costs, and when whose money moves. Money itself is in escrow.
//!
//! ```text
//!   open ──► Open ──start──► Metering ──end──► Ended ──release_at, disputes over──► Settled ──► pruned
//!                              │ report*         │ dispute · open_evidence · decide
//! ```
//!
//! * A report moves `price(cumulative usage) - charged so far` from available to pending. Nothing is paid before the
//!   agreement has ended and its dispute window is over.
//! * A dispute freezes exactly the disputed amount. It ends by an arbiter's decision, or by time: evidence that is
//!   not opened counts against the provider, an arbiter's silence splits the amount.
//! * Every agreement has one line a month on the invoice of (payer, provider, asset, month). A line is never edited:
//!   what goes back to the payer is a credit note that names the line. An invoice keeps a Merkle mountain range over
//!   its lines, against which each can be proven.
//! * Everything that time decides is decided by whoever touches the agreement next; `settle` is for anyone, and
//!   `on_poll` does it with the weight that is left.
//!
//! Invariant of absence: this pallet knows no job, cluster or scheduler; whoever opened an agreement ends it.

#![cfg_attr(not(feature = "std"), no_std)]
#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::unwrap_used,
        clippy::indexing_slicing
    )
)]

extern crate alloc;

mod agreements;
#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
mod deadlines;
mod errors;
mod events;
mod invoices;
mod metering;
#[cfg(test)]
mod mock;
mod plans;
mod reads;
mod seam;
mod settlement;
#[cfg(test)]
mod tests;
mod try_state;
mod types;
pub mod weights;

pub use pallet::*;
pub use types::{Book, LineRef, OpenLine, Outcome, PlanRecord, StoredLine, MAX_LINES, PRUNE_BATCH};
pub use weights::WeightInfo;

use frame_support::pallet_macros::import_section;

/// What the benchmarks need of the runtime.
#[cfg(feature = "runtime-benchmarks")]
pub trait BenchmarkHelper {
    /// Makes `Config::Time` answer `now`, in unix milliseconds.
    fn set_time(now: virtengine_primitives::Moment);
}

/// The pallet.
#[import_section(errors::errors)]
#[import_section(events::events)]
#[frame_support::pallet]
#[allow(missing_docs)] // The macros of FRAME generate public items without documentation.
pub mod pallet {
    use super::*;
    use frame_support::{
        pallet_prelude::*,
        traits::{fungibles, Consideration, Footprint, UnixTime},
        weights::WeightMeter,
    };
    use frame_system::pallet_prelude::*;
    use sp_core::H256;
    use sp_runtime::{traits::BlockNumberProvider, Perbill};
    use virtengine_primitives::{
        billing::{
            Agreement, Allocation, Dispute, Fault, Invoice, InvoiceKey, InvoiceLine, Month,
            PricePlan, UsageReport,
        },
        traits::{AccountStanding, Escrow, OnAgreementEnded, ProviderRegistry},
        AgreementId, AssetKind, Balance, BlockNumber, Moment, PlanId, ProviderId,
    };

    const STORAGE_VERSION: StorageVersion = StorageVersion::new(1);

    #[pallet::pallet]
    #[pallet::storage_version(STORAGE_VERSION)]
    pub struct Pallet<T>(_);

    #[pallet::config]
    pub trait Config: frame_system::Config {
        /// The runtime's hold reasons.
        type RuntimeHoldReason: From<HoldReason>;

        /// Where the money of agreements is.
        type Escrow: Escrow<Self::AccountId>;

        /// Free balances of the chain's token and its assets, for credit notes on what has been paid already.
        type Assets: fungibles::Mutate<Self::AccountId, AssetId = AssetKind, Balance = Balance>;

        /// Provider organisations: who acts for them and where they are paid.
        type Providers: ProviderRegistry<Self::AccountId>;

        /// Who may act, and who is an arbiter.
        type Standing: AccountStanding<Self::AccountId>;

        /// Told when an agreement is settled.
        type OnSettled: OnAgreementEnded;

        /// Unix time; billing periods are moments.
        type Time: UnixTime;

        /// Height of the chain whose blocks deadlines count.
        type BlockNumberProvider: BlockNumberProvider<BlockNumber = BlockNumber>;

        /// What a payer sets aside for a dispute; given back when it ends, however it ends.
        type DisputeDeposit: Consideration<Self::AccountId, Footprint>;

        /// What a provider's owner sets aside for an invoice, if it can; given back when it is pruned.
        type InvoiceDeposit: Consideration<Self::AccountId, Footprint>;

        /// Where the chain's share of what is released goes. Endowed at genesis, so that it can always be paid.
        type TakePot: Get<Self::AccountId>;

        /// The chain's share of what is released; pinned by each agreement when it is opened.
        type TakeRate: Get<Perbill>;

        /// The payee's share of a disputed amount that no arbiter decided on in time.
        type DefaultSplit: Get<Perbill>;

        /// Blocks between the end of an agreement and the release of its money; pinned when it is opened.
        type DisputeWindow: Get<BlockNumber>;

        /// Blocks in which a provider opens its evidence after a dispute.
        type EvidenceWindow: Get<BlockNumber>;

        /// Blocks in which an arbiter decides after the evidence window.
        type DecisionWindow: Get<BlockNumber>;

        /// By how much a report or a start may be ahead of the chain's clock, in milliseconds.
        type ReportTolerance: Get<Moment>;

        /// How long after its month an invoice still takes usage of that month, in milliseconds.
        type InvoiceGrace: Get<Moment>;

        /// Months after its own that an invoice is kept. At least 1.
        type InvoiceRetention: Get<Month>;

        /// Blocks that an agreement is kept after it was settled.
        type PruneAfter: Get<BlockNumber>;

        /// Most reports of one `report_many`.
        #[pallet::constant]
        type MaxBatch: Get<u32>;

        /// Weights of the calls.
        type WeightInfo: WeightInfo;

        /// Control over time, for benchmarks.
        #[cfg(feature = "runtime-benchmarks")]
        type BenchmarkHelper: BenchmarkHelper;
    }

    /// Why money is held by this pallet.
    #[pallet::composite_enum]
    pub enum HoldReason {
        /// For an open dispute.
        DisputeDeposit,
        /// For an invoice that the chain keeps.
        InvoiceDeposit,
    }

    /// Number that the next plan will get.
    #[pallet::storage]
    pub type NextPlan<T: Config> = StorageValue<_, PlanId, ValueQuery>;

    /// Price plans. Added by `publish_plan`; removed when retired and no longer needed. Bounded by what owners of
    /// bonded organisations publish.
    #[pallet::storage]
    pub type Plans<T: Config> = StorageMap<_, Twox64Concat, PlanId, PlanRecord, OptionQuery>;

    /// Agreements. Added by `open`, removed by `prune_agreement`; each was paid for by whoever opened it.
    #[pallet::storage]
    pub type Agreements<T: Config> =
        StorageMap<_, Twox64Concat, AgreementId, Agreement<T::AccountId>, OptionQuery>;

    /// What the money of an agreement did and where its lines are. Lives as long as the agreement.
    #[pallet::storage]
    pub type Books<T: Config> = StorageMap<_, Twox64Concat, AgreementId, Book, ValueQuery>;

    /// The line that an agreement's reports are added to: from its first report of a month to the sealing.
    #[pallet::storage]
    pub type OpenLines<T: Config> = StorageMap<_, Twox64Concat, AgreementId, OpenLine, OptionQuery>;

    /// Invoices by payer, month, provider and asset. Added with their first line, removed by `prune_invoice`.
    #[pallet::storage]
    pub type Invoices<T: Config> = StorageNMap<
        _,
        (
            NMapKey<Blake2_128Concat, T::AccountId>,
            NMapKey<Twox64Concat, Month>,
            NMapKey<Twox64Concat, ProviderId>,
            NMapKey<Twox64Concat, AssetKind>,
        ),
        Invoice,
        OptionQuery,
    >;

    /// Lines of invoices. Only ever appended (the counters beside a line excepted) until `prune_invoice`.
    #[pallet::storage]
    pub type Lines<T: Config> = StorageDoubleMap<
        _,
        Blake2_128Concat,
        InvoiceKey<T::AccountId>,
        Twox64Concat,
        u32,
        StoredLine,
        OptionQuery,
    >;

    /// Who set something aside for an invoice, and the receipt. Lives as long as the invoice and its lines; absent
    /// if the owner had too little when the invoice began.
    #[pallet::storage]
    pub type InvoiceDeposits<T: Config> = StorageMap<
        _,
        Blake2_128Concat,
        InvoiceKey<T::AccountId>,
        (T::AccountId, T::InvoiceDeposit),
        OptionQuery,
    >;

    /// Invoices that were removed, some of whose lines have not been yet: each call removes a bounded number.
    #[pallet::storage]
    pub type Pruning<T: Config> =
        StorageMap<_, Blake2_128Concat, InvoiceKey<T::AccountId>, (), OptionQuery>;

    /// Open disputes, at most one per agreement.
    #[pallet::storage]
    pub type Disputes<T: Config> = StorageMap<_, Twox64Concat, AgreementId, Dispute, OptionQuery>;

    /// What the payer set aside for an open dispute. Lives as long as the dispute.
    #[pallet::storage]
    pub type DisputeDeposits<T: Config> =
        StorageMap<_, Twox64Concat, AgreementId, T::DisputeDeposit, OptionQuery>;

    /// Agreements that something falls due for, by the block at which it does. Every call judges deadlines itself;
    /// this only sees to it that they are judged although nobody calls.
    #[pallet::storage]
    pub type Deadlines<T: Config> =
        StorageDoubleMap<_, Twox64Concat, BlockNumber, Twox64Concat, AgreementId, (), OptionQuery>;

    /// The first bucket of `Deadlines` that has not been emptied.
    #[pallet::storage]
    pub type Cursor<T: Config> = StorageValue<_, BlockNumber, OptionQuery>;

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        fn on_poll(_: BlockNumberFor<T>, meter: &mut WeightMeter) {
            Self::drain_deadlines(meter)
        }

        fn integrity_test() {
            assert!(
                T::InvoiceRetention::get() >= 1,
                "an invoice must outlive its month"
            );
            assert!(
                T::InvoiceGrace::get() < virtengine_primitives::calendar::DAY_MS.saturating_mul(28),
                "a line could be written on an invoice that was pruned"
            );
            assert!(
                T::MaxBatch::get() >= 1,
                "a batch must have room for one report"
            );
        }

        #[cfg(feature = "try-runtime")]
        fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
            Self::do_try_state()
        }
    }

    #[pallet::call]
    impl<T: Config> Pallet<T> {
        /// Publish a price plan of your organisation.
        ///
        /// ## Dispatch Origin
        /// The owner of a provider organisation, in good standing.
        ///
        /// ## Details
        /// A plan never changes. To change a price, publish another plan and retire this one; agreements keep the
        /// plan under which they were made.
        ///
        /// ## Parameters
        /// - `plan`: the asset, the price of each component per million units, and the least that a started job
        ///   costs.
        ///
        /// ## Errors
        /// - [`Error::NotAuthorized`]: you own no organisation.
        /// - [`Error::PlanMalformed`]: rates are not sorted, or one is twice there.
        /// - [`Error::UnknownAsset`]: the asset does not exist.
        ///
        /// ## Events
        /// - [`Event::PlanPublished`]
        #[pallet::call_index(0)]
        #[pallet::weight(T::WeightInfo::publish_plan())]
        pub fn publish_plan(origin: OriginFor<T>, plan: PricePlan) -> DispatchResult {
            let who = ensure_signed(origin)?;
            Self::do_publish_plan(&who, plan).map(|_| ())
        }

        /// Retire a price plan of your organisation: no new agreement can be made under it.
        ///
        /// ## Dispatch Origin
        /// The owner of the provider organisation, in good standing.
        ///
        /// ## Details
        /// Agreements made under it, and jobs that may still be assigned under it, keep it.
        ///
        /// ## Parameters
        /// - `plan`: its number.
        ///
        /// ## Errors
        /// - [`Error::NotFound`]: no such plan.
        /// - [`Error::NotAuthorized`]: it is not your organisation's.
        /// - [`Error::PlanRetired`]: it is retired already.
        ///
        /// ## Events
        /// - [`Event::PlanRetired`]
        #[pallet::call_index(1)]
        #[pallet::weight(T::WeightInfo::retire_plan())]
        pub fn retire_plan(origin: OriginFor<T>, plan: PlanId) -> DispatchResult {
            let who = ensure_signed(origin)?;
            Self::do_retire_plan(&who, plan)
        }

        /// Report usage of an agreement.
        ///
        /// ## Dispatch Origin
        /// A hot key of the agreement's provider, in good standing.
        ///
        /// ## Details
        /// Moves `price(all usage so far) - what has moved` from available to pending, never beyond the ceiling.
        /// Quantities are bounded by what was allocated: in this period (counted in seconds, rounded up) and in all
        /// periods together (summed in milliseconds, then rounded up), so that rounding cannot be farmed.
        ///
        /// ## Parameters
        /// - `agreement`: its number.
        /// - `report`: the next sequence, the period, quantities by component, and the hash of the evidence.
        ///
        /// ## Errors
        /// - [`Error::NotFound`], [`Error::NotAuthorized`], [`Error::NotMetering`]
        /// - [`Error::DeadlinePassed`]: what it pays for is over, whether that has been acted upon or not.
        /// - [`Error::SequenceMismatch`]: not the last sequence plus one.
        /// - [`Error::PeriodOverlaps`], [`Error::PeriodCrossesMonth`], [`Error::InFuture`],
        ///   [`Error::WalltimeExceeded`]: the period is not acceptable.
        /// - [`Error::QuantitiesMalformed`], [`Error::ComponentNotAllocated`], [`Error::UsageExceedsAllocation`]: the
        ///   quantities are not.
        ///
        /// ## Events
        /// - [`Event::Reported`], and [`Event::LineSealed`] if a month ended.
        #[pallet::call_index(2)]
        #[pallet::weight(Pallet::<T>::report_weight(1))]
        pub fn report(
            origin: OriginFor<T>,
            agreement: AgreementId,
            report: UsageReport,
        ) -> DispatchResult {
            let who = ensure_signed(origin)?;
            let provider = Self::reporter(&who)?;
            Self::do_report(agreement, &report, Some(provider))
        }

        /// Report usage of several agreements of one provider at once.
        ///
        /// ## Dispatch Origin
        /// A hot key of the provider, in good standing.
        ///
        /// ## Details
        /// Each report succeeds or fails on its own, as if it were the only one.
        ///
        /// ## Parameters
        /// - `reports`: agreements and reports; several of one agreement in order of sequence.
        ///
        /// ## Errors
        /// - [`Error::NotAuthorized`]: you are no provider's hot key.
        ///
        /// ## Events
        /// - Those of `report` for each that was taken, [`Event::ReportRejected`] for each that was not.
        #[pallet::call_index(3)]
        #[pallet::weight(Pallet::<T>::report_weight(reports.len() as u64))]
        pub fn report_many(
            origin: OriginFor<T>,
            reports: BoundedVec<(AgreementId, UsageReport), T::MaxBatch>,
        ) -> DispatchResult {
            let who = ensure_signed(origin)?;
            let provider = Self::reporter(&who)?;
            for (agreement, report) in reports {
                if let Err(error) = Self::do_report(agreement, &report, Some(provider)) {
                    let sequence = report.sequence;
                    Self::deposit_event(Event::ReportRejected {
                        agreement,
                        sequence,
                        error,
                    });
                }
            }
            Ok(())
        }

        /// Do whatever is due for an agreement: write the line of a month that is over, apply the deadlines of a
        /// dispute, release what is final.
        ///
        /// ## Dispatch Origin
        /// Any signed account.
        ///
        /// ## Details
        /// The chain does this by itself when it has time. Calling it again does nothing again: nothing ever moves
        /// twice.
        ///
        /// ## Parameters
        /// - `agreement`: its number.
        ///
        /// ## Errors
        /// - [`Error::NotFound`]: no such agreement.
        ///
        /// ## Events
        /// - [`Event::LineSealed`], [`Event::DisputeResolved`], [`Event::Released`], [`Event::Settled`]: as due.
        #[pallet::call_index(4)]
        #[pallet::weight(Pallet::<T>::settle_weight())]
        pub fn settle(origin: OriginFor<T>, agreement: AgreementId) -> DispatchResult {
            ensure_signed(origin)?;
            Self::do_settle(agreement)
        }

        /// Dispute part of what an ended agreement is going to cost you.
        ///
        /// ## Dispatch Origin
        /// The payer. A suspended payer can still do this: it defends money of its own.
        ///
        /// ## Details
        /// Freezes exactly the amount; the rest is released as if there were no dispute. The provider must open its
        /// evidence in time or loses; then an arbiter decides, or, if none does in time, the amount is split. A
        /// deposit is held until the dispute is over, and always given back.
        ///
        /// ## Parameters
        /// - `agreement`: its number.
        /// - `amount`: how much of what is pending, in the smallest unit of the agreement's asset.
        /// - `grounds`: Blake2b-256 of the grounds, which are sealed to provider and arbiter off chain.
        ///
        /// ## Errors
        /// - [`Error::NotFound`], [`Error::NotAuthorized`]: not your agreement.
        /// - [`Error::NotEnded`], [`Error::DeadlinePassed`]: too early or too late.
        /// - [`Error::DisputeOpen`]: one dispute at a time.
        /// - [`Error::InvalidAmount`]: nothing, or more than is pending.
        ///
        /// ## Events
        /// - [`Event::Disputed`]
        #[pallet::call_index(5)]
        #[pallet::weight(T::WeightInfo::dispute())]
        pub fn dispute(
            origin: OriginFor<T>,
            agreement: AgreementId,
            amount: Balance,
            grounds: H256,
        ) -> DispatchResult {
            let who = ensure_signed(origin)?;
            Self::do_dispute(&who, agreement, amount, grounds)
        }

        /// Open the evidence for a disputed agreement to payer and arbiter.
        ///
        /// ## Dispatch Origin
        /// The owner or a hot key of the agreement's provider. A suspended one can still do this: it defends money
        /// of its own.
        ///
        /// ## Parameters
        /// - `agreement`: its number.
        /// - `evidence`: Blake2b-256 of the salted accounting rows that were opened.
        ///
        /// ## Errors
        /// - [`Error::NotFound`], [`Error::NotAuthorized`], [`Error::NoDispute`]
        /// - [`Error::DeadlinePassed`]: the evidence window is over.
        /// - [`Error::EvidenceOpened`]: it has been opened before.
        ///
        /// ## Events
        /// - [`Event::EvidenceOpened`]
        #[pallet::call_index(6)]
        #[pallet::weight(T::WeightInfo::open_evidence())]
        pub fn open_evidence(
            origin: OriginFor<T>,
            agreement: AgreementId,
            evidence: H256,
        ) -> DispatchResult {
            let who = ensure_signed(origin)?;
            Self::do_open_evidence(&who, agreement, evidence)
        }

        /// Decide a dispute.
        ///
        /// ## Dispatch Origin
        /// An arbiter who is neither the payer nor the provider.
        ///
        /// ## Details
        /// The payee's part is released at once, the rest goes back to the payer at once, with credit notes for the
        /// lines that it was on.
        ///
        /// ## Parameters
        /// - `agreement`: its number.
        /// - `to_payee`: how much of the disputed amount the payee gets, the chain's share included.
        ///
        /// ## Errors
        /// - [`Error::NotFound`], [`Error::NotAuthorized`], [`Error::NoDispute`]
        /// - [`Error::ConflictOfInterest`]: you are a party.
        /// - [`Error::EvidenceNotOpened`]: the provider has not opened its evidence yet.
        /// - [`Error::DeadlinePassed`]: time has decided; call `settle`.
        /// - [`Error::InvalidAmount`]: more than is disputed.
        ///
        /// ## Events
        /// - [`Event::DisputeResolved`], [`Event::Released`], [`Event::LineSealed`], [`Event::Settled`]: as due.
        #[pallet::call_index(7)]
        #[pallet::weight(T::WeightInfo::decide().saturating_add(T::OnSettled::weight()))]
        pub fn decide(
            origin: OriginFor<T>,
            agreement: AgreementId,
            to_payee: Balance,
        ) -> DispatchResult {
            let who = ensure_signed(origin)?;
            Self::do_decide(&who, agreement, to_payee)
        }

        /// Give money back that has been paid for a line of an invoice.
        ///
        /// ## Dispatch Origin
        /// The owner of the provider, who pays from its own account; or an arbiter who is not the payer, who takes
        /// it from the provider's bond.
        ///
        /// ## Details
        /// Appends a credit note to the invoice of the current month. The chain returns its share of the amount from
        /// its pot, the provider or its bond the rest. All credit notes of a line together never exceed it.
        ///
        /// ## Parameters
        /// - `invoice`: the invoice of the line.
        /// - `line`: index of the line, a usage line.
        /// - `amount`: how much to give back, in the smallest unit of the invoice's asset.
        ///
        /// ## Errors
        /// - [`Error::NotFound`], [`Error::NotUsage`]: no such usage line.
        /// - [`Error::NotAuthorized`], [`Error::ConflictOfInterest`]
        /// - [`Error::NotSettled`]: the money has not been paid yet.
        /// - [`Error::InvalidAmount`]: nothing, or more than the line still stands for.
        /// - [`Error::NativeOnly`]: a bond cannot pay in this asset.
        ///
        /// ## Events
        /// - [`Event::CreditNoteIssued`] and [`Event::LineSealed`] for the note.
        #[pallet::call_index(8)]
        #[pallet::weight(T::WeightInfo::credit_note())]
        pub fn credit_note(
            origin: OriginFor<T>,
            invoice: InvoiceKey<T::AccountId>,
            line: u32,
            amount: Balance,
        ) -> DispatchResult {
            let who = ensure_signed(origin)?;
            Self::do_credit_note(&who, invoice, line, amount)
        }

        /// Close an invoice whose month is over for as long as the grace time.
        ///
        /// ## Dispatch Origin
        /// Any signed account.
        ///
        /// ## Details
        /// From that moment on usage goes on a later invoice whether anybody has called this or not; closing records
        /// it and starts nothing else.
        ///
        /// ## Parameters
        /// - `invoice`: the invoice.
        ///
        /// ## Errors
        /// - [`Error::NotFound`], [`Error::AlreadyClosed`], [`Error::TooEarly`]
        ///
        /// ## Events
        /// - [`Event::InvoiceClosed`]
        #[pallet::call_index(9)]
        #[pallet::weight(T::WeightInfo::close_invoice())]
        pub fn close_invoice(
            origin: OriginFor<T>,
            invoice: InvoiceKey<T::AccountId>,
        ) -> DispatchResult {
            ensure_signed(origin)?;
            Self::do_close_invoice(invoice)
        }

        /// Remove a settled agreement from the chain's state after its retention time. Events and workers keep it.
        ///
        /// ## Dispatch Origin
        /// Any signed account.
        ///
        /// ## Parameters
        /// - `agreement`: its number.
        ///
        /// ## Errors
        /// - [`Error::NotFound`], [`Error::NotSettled`], [`Error::TooEarly`]
        /// - [`Error::CreditsRemain`]: somebody is still owed money; claim it for them first.
        ///
        /// ## Events
        /// - [`Event::AgreementPruned`]
        #[pallet::call_index(10)]
        #[pallet::weight(T::WeightInfo::prune_agreement())]
        pub fn prune_agreement(origin: OriginFor<T>, agreement: AgreementId) -> DispatchResult {
            ensure_signed(origin)?;
            Self::do_prune_agreement(agreement)
        }

        /// Remove an invoice from the chain's state after its retention time. Events and workers keep it.
        ///
        /// ## Dispatch Origin
        /// Any signed account.
        ///
        /// ## Details
        /// Removes up to 100 lines; call again while lines remain.
        ///
        /// ## Parameters
        /// - `invoice`: the invoice.
        ///
        /// ## Errors
        /// - [`Error::NotFound`], [`Error::NotClosed`], [`Error::TooEarly`]
        ///
        /// ## Events
        /// - [`Event::InvoicePruned`] once the last line is gone.
        #[pallet::call_index(11)]
        #[pallet::weight(T::WeightInfo::prune_invoice(PRUNE_BATCH))]
        pub fn prune_invoice(
            origin: OriginFor<T>,
            invoice: InvoiceKey<T::AccountId>,
        ) -> DispatchResultWithPostInfo {
            ensure_signed(origin)?;
            let removed = Self::do_prune_invoice(invoice)?;
            Ok(Some(T::WeightInfo::prune_invoice(removed)).into())
        }
    }
}
