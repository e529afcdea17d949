//! The seams: what pallets need from each other, each with its contract in words.
//!
//! Calls go one way: `hpc` calls `billing`, `billing` calls `escrow` and `providers`; nothing calls back but
//! [`OnAgreementEnded`], which answers one question and marks state. All implementations are transactional: on `Err`
//! nothing changed.

use crate::{billing::*, envelope::EnvelopeHeader, *};
use sp_runtime::{DispatchError, DispatchResult, Perbill};

/// How well an account has proven who it is: 0 (nothing) to 100. An expired score is 0.
pub trait IdentityScore<AccountId> {
    /// The score that is valid now.
    fn score(who: &AccountId) -> u8;
}
impl<AccountId> IdentityScore<AccountId> for () {
    fn score(_: &AccountId) -> u8 {
        0
    }
}

/// Whether an account may act, and in which roles.
pub trait AccountStanding<AccountId> {
    /// Fails unless the account is active. Accounts nobody has spoken about are active.
    fn ensure_active(who: &AccountId) -> DispatchResult;
    /// Whether the account is active and holds the role.
    fn has_role(who: &AccountId, role: Role) -> bool;
    /// Makes the account active and gives it the role.
    #[cfg(feature = "runtime-benchmarks")]
    fn benchmark_grant(who: &AccountId, role: Role);
}

/// Who can open an envelope.
pub trait EnvelopePolicy<AccountId> {
    /// Fails unless the header is well formed, every recipient key is registered, and each account in `required`
    /// has at least one unrevoked key among the recipients.
    fn ensure_sealed_to(header: &EnvelopeHeader, required: &[AccountId]) -> DispatchResult;
    /// The accounts that can open it: owners of the unrevoked keys among the recipients, each once. Fails unless the
    /// header is well formed and every recipient key is registered. For asking about many accounts at once.
    fn who_can_open(header: &EnvelopeHeader) -> Result<alloc::vec::Vec<AccountId>, DispatchError>;
    /// Registers a key for each account and returns a header sealed to them, padded to the most recipients.
    #[cfg(feature = "runtime-benchmarks")]
    fn benchmark_header(required: &[AccountId]) -> EnvelopeHeader;
}

/// Provider organisations: who acts for them, where they are paid, and their bond.
pub trait ProviderRegistry<AccountId> {
    /// The organisation that `who` owns.
    fn owned_by(who: &AccountId) -> Option<ProviderId>;
    /// The organisation for which `who` is a registered hot key (the owner is not one of itself).
    fn worker_of(who: &AccountId) -> Option<ProviderId>;
    /// Owner of an organisation.
    fn owner(provider: ProviderId) -> Option<AccountId>;
    /// The accounts under which an organisation may have registered the encryption keys it reads with: its owner and
    /// its hot keys, bounded by the most hot keys an organisation may have; empty for an unknown one. A payload is
    /// readable by a provider iff it is sealed to a key of at least one of them.
    fn readers(provider: ProviderId) -> alloc::vec::Vec<AccountId>;
    /// Where an organisation is paid to.
    fn payout(provider: ProviderId) -> Option<AccountId>;
    /// Whether it may take new work: registered, owner active, bond at least the minimum.
    fn is_operational(provider: ProviderId) -> bool;
    /// Counts an agreement; an organisation with live agreements cannot leave.
    fn agreement_opened(provider: ProviderId) -> DispatchResult;
    /// Uncounts an agreement. Infallible: an unknown organisation is ignored.
    fn agreement_closed(provider: ProviderId);
    /// Sets aside part of the free bond for an agreement. Fails when too little is free or one is set aside already.
    fn lock_bond(provider: ProviderId, agreement: AgreementId, amount: Balance) -> DispatchResult;
    /// Returns what was set aside to the free bond; nothing if nothing was.
    fn unlock_bond(provider: ProviderId, agreement: AgreementId);
    /// Moves `share` of what was set aside to `beneficiary` (to the treasury if that account cannot receive it) and
    /// the rest back to the free bond. Returns the amount moved. Infallible: nothing if nothing was set aside.
    fn slash_bond(
        provider: ProviderId,
        agreement: AgreementId,
        share: Perbill,
        beneficiary: &AccountId,
    ) -> Balance;
    /// Pays `amount` of the chain's token out of the free bond, for credit notes.
    fn pay_from_bond(
        provider: ProviderId,
        amount: Balance,
        beneficiary: &AccountId,
    ) -> DispatchResult;
    /// Registers an operational organisation owned by `owner` with hot key `worker` and returns it.
    #[cfg(feature = "runtime-benchmarks")]
    fn benchmark_register(owner: &AccountId, worker: &AccountId) -> ProviderId;
}

/// The ledger of money per agreement. Knows neither time nor metrics; its callers decide when and how much.
pub trait Escrow<AccountId> {
    /// Opens the agreement's ledger and holds `amount` of `asset` on the payer's account.
    fn open(
        agreement: AgreementId,
        payer: &AccountId,
        asset: AssetKind,
        amount: Balance,
    ) -> DispatchResult;
    /// Available -> pending. Fails when less is available.
    fn to_pending(agreement: AgreementId, amount: Balance) -> DispatchResult;
    /// Pending -> available (a provider's fault, a dispute won by the payer). Fails when less is pending.
    fn revert_pending(agreement: AgreementId, amount: Balance) -> DispatchResult;
    /// Pending -> `to`. A recipient that cannot be paid (below the existential deposit, frozen asset) accrues a
    /// claimable credit instead: this never fails because of the recipient. Returns what was really paid now.
    fn release(
        agreement: AgreementId,
        to: &AccountId,
        amount: Balance,
    ) -> Result<Balance, DispatchError>;
    /// Available -> payer's free balance. What cannot be given back now (a frozen asset) becomes a claimable credit of
    /// the payer. Returns what was given back now.
    fn refund(agreement: AgreementId, amount: Balance) -> Result<Balance, DispatchError>;
    /// Marks the ledger closed. Fails while something is available or pending. It is removed by `forget`.
    fn close(agreement: AgreementId) -> DispatchResult;
    /// Removes a closed ledger without open credits; `false` if credits remain.
    fn forget(agreement: AgreementId) -> bool;
    /// `(available, pending)`.
    fn balances(agreement: AgreementId) -> Option<(Balance, Balance)>;
    /// What benchmarks pay in: the asset that costs most to move. Exists once somebody was endowed.
    #[cfg(feature = "runtime-benchmarks")]
    fn benchmark_asset() -> AssetKind;
    /// Endows `who` so that it can pay `amount` of the native token, and of `benchmark_asset` too.
    #[cfg(feature = "runtime-benchmarks")]
    fn benchmark_endow(who: &AccountId, amount: Balance);
}

/// What `hpc` (later `marketplace`) needs of billing.
pub trait Billing<AccountId> {
    /// The asset and cost of `allocation` under a plan: `max(minimum, price(most))`. `None` for an unknown or retired
    /// plan, one of another provider, or overflow.
    fn quote(
        plan: PlanId,
        provider: ProviderId,
        allocation: &Allocation,
    ) -> Option<(AssetKind, Balance)>;
    /// Counts / uncounts a user of a plan, so that it is not removed while an agreement may need it.
    fn pin_plan(plan: PlanId) -> DispatchResult;
    /// See `pin_plan`. Infallible.
    fn unpin_plan(plan: PlanId);
    /// Opens an agreement: pins dispute window and take rate, opens escrow with `ceiling`, counts at the provider and
    /// pins the plan.
    fn open(
        agreement: AgreementId,
        payer: &AccountId,
        provider: ProviderId,
        plan: PlanId,
        ceiling: Balance,
        allocation: Allocation,
    ) -> DispatchResult;
    /// Moves an agreement that has not started to another provider and plan; the money stays where it is. The count at
    /// the provider and the agreement's own pin of the plan move with it (both may be the same as before). The
    /// allocation, the dispute window and the take rate stay as they were pinned.
    fn reassign(agreement: AgreementId, provider: ProviderId, plan: PlanId) -> DispatchResult;
    /// Starts metering at `at` (not in the future by more than the tolerance). Starting again after a requeue is a
    /// no-op: `started_at` keeps its first value.
    fn start(agreement: AgreementId, at: Moment) -> DispatchResult;
    /// Takes one report. `reporter` was checked by the caller to act for the agreement's provider.
    fn report(agreement: AgreementId, report: &UsageReport) -> DispatchResult;
    /// Ends an agreement in any state but ended: applies the minimum charge by fault, seals the open line, refunds
    /// what was not charged, starts the dispute window. Infallible by contract (money is already held); an
    /// inconsistency is logged as a defensive failure and leaves the state as it was.
    fn end(agreement: AgreementId, fault: Fault);
    /// Weight of `end` for an end that is the provider's fault, beyond that of any other: what was written on the
    /// invoices of past months is taken back line by line.
    fn take_back_weight() -> sp_runtime::Weight {
        sp_runtime::Weight::zero()
    }
    /// Whether an agreement is settled and pruned, so that what hangs on it may be pruned too.
    fn is_gone(agreement: AgreementId) -> bool;
    /// What benchmarks pay in: the asset that costs most to move.
    #[cfg(feature = "runtime-benchmarks")]
    fn benchmark_asset() -> AssetKind;
    /// Publishes a plan of `provider` in `benchmark_asset` with every component priced.
    #[cfg(feature = "runtime-benchmarks")]
    fn benchmark_plan(provider: ProviderId) -> PlanId;
    /// Endows `who` so that it can pay `amount` of the native token, and an agreement with a ceiling of `amount` too.
    #[cfg(feature = "runtime-benchmarks")]
    fn benchmark_endow(who: &AccountId, amount: Balance);
}

/// What billing asks and tells whoever opened an agreement. Marks state, moves no money, cannot fail.
pub trait OnAgreementEnded {
    /// All money of the agreement has been moved.
    fn on_settled(agreement: AgreementId);
    /// Whether usage may still be reported: not from the deadline of what the agreement pays for on, although nobody
    /// may have acted on that deadline yet.
    fn takes_usage(_agreement: AgreementId) -> bool {
        true
    }
    /// Weight of either.
    fn weight() -> sp_runtime::Weight {
        sp_runtime::Weight::zero()
    }
}
impl OnAgreementEnded for () {
    fn on_settled(_: AgreementId) {}
}
