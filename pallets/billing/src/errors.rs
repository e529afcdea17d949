//! Why this pallet refuses.

use frame_support::pallet_macros::*;

/// The errors.
#[pallet_section]
mod errors {
    #[pallet::error]
    pub enum Error<T> {
        /// There is no such plan, agreement, invoice or line; check its number.
        NotFound,
        /// The agreement's number is taken; use a new one.
        AlreadyExists,
        /// The account may not do this for this provider or agreement; sign with one that may.
        NotAuthorized,
        /// Numbers of plans are exhausted.
        NumbersExhausted,
        /// Rates must be sorted by component, each at most once; sort them.
        PlanMalformed,
        /// There is no such asset; price in one that exists.
        UnknownAsset,
        /// The plan takes no new agreements; look up the provider's current plan.
        PlanRetired,
        /// The plan belongs to another provider; use one of the provider's own.
        PlanOfAnotherProvider,
        /// The plan is in another asset than the agreement; use one in the same asset.
        AssetMismatch,
        /// Components must be sorted, each at most once; sort them.
        QuantitiesMalformed,
        /// The price does not fit 128 bits; ask for less.
        PriceOverflow,
        /// The agreement has started or ended already.
        NotOpen,
        /// The agreement has not started, or has ended; nothing can be reported.
        NotMetering,
        /// The agreement has not ended; a dispute is for afterwards.
        NotEnded,
        /// The moment lies too far in the future; check the clock of the worker.
        InFuture,
        /// The agreement cannot have started before it was opened; check the clock of the worker.
        BeforeOpening,
        /// The report must carry the agreement's last sequence plus one; read the agreement and report again.
        SequenceMismatch,
        /// The period is empty or begins before the end of the last one; begin where the last one ended.
        PeriodOverlaps,
        /// The period crosses the end of a UTC month; report each month apart.
        PeriodCrossesMonth,
        /// All periods together would exceed the allocated wall time; the agreement has nothing left to bill.
        WalltimeExceeded,
        /// The component is not part of the allocation; report only what was allocated.
        ComponentNotAllocated,
        /// More was reported than the allocation allows in the time reported so far.
        UsageExceedsAllocation,
        /// There is an open dispute; wait for its end.
        DisputeOpen,
        /// There is no open dispute.
        NoDispute,
        /// The deadline has passed; `settle` (of a job: `expire`) applies what it decided.
        DeadlinePassed,
        /// The amount must be more than nothing and at most what is there.
        InvalidAmount,
        /// The evidence has been opened already; it cannot be changed.
        EvidenceOpened,
        /// The provider has not opened its evidence; if it does not in time, the payer gets the amount back.
        EvidenceNotOpened,
        /// An arbiter cannot decide on its own agreement; let another one.
        ConflictOfInterest,
        /// The agreement's money has not been moved yet; dispute it instead, or wait.
        NotSettled,
        /// It is too early; invoices close a week after their month, and are kept for the retention time.
        TooEarly,
        /// The invoice is closed already.
        AlreadyClosed,
        /// The invoice must be closed first.
        NotClosed,
        /// Only a usage line can be corrected.
        NotUsage,
        /// Only invoices in the chain's token can be paid from a bond; the provider can correct this one.
        NativeOnly,
        /// Somebody is still owed money on this agreement; call `claim` of escrow for them first.
        CreditsRemain,
        /// An inner inconsistency; nothing was changed. Please report it.
        Inconsistent,
    }
}
