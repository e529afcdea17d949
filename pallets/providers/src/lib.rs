//! # Providers
//!
//! Organisations that sell: who owns them, who works for them, where they are paid, what backs their promises, and who
//! vouches for what they say about themselves.
//!
//! * The **owner** is a cold account: it holds the bond, and alone changes the organisation. **Hot keys** are for
//!   workers: they do worker's calls (in other pallets) and nothing here. A hot key serves one organisation and owns
//!   none, so that a stolen worker key can never reach the bond.
//! * The **bond** is held on the owner's account. Parts of it are set aside for accepted work; what is not set aside is
//!   free. The minimum bond also stands for what an organisation may store here, all of which is bounded.
//! * An **attribute** is something that the organisation says about itself. **Attestors** vouch for its value, each
//!   with an expiry of its own. A changed value loses its attestations and no others. A verified domain is the attribute
//!   "domain". What an attestor says counts only while it holds that role.
//! * An organisation changes hands in two steps; its agreements, hot keys and attributes stay with it.
//! * **An organisation with live agreements cannot leave.**
//!
//! Other pallets know this one as [`virtengine_primitives::traits::ProviderRegistry`].
//!
//! Invariant: this pallet knows neither jobs nor prices; it counts agreements and sets bond aside by their numbers.

#![cfg_attr(not(feature = "std"), no_std)]
#![cfg_attr(
    not(any(test, feature = "runtime-benchmarks")),
    deny(
        clippy::arithmetic_side_effects,
        clippy::unwrap_used,
        clippy::indexing_slicing
    )
)]

extern crate alloc;

mod attributes;
#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
mod errors;
mod events;
mod impls;
#[cfg(test)]
mod mock;
mod registry;
#[cfg(test)]
mod tests;
mod try_state;
pub mod types;
pub mod weights;

pub use pallet::*;
pub use types::{is_attribute_key, is_printable, AttributeKey, AttributeValue};
pub use weights::WeightInfo;

use frame_support::pallet_macros::import_section;

#[import_section(errors::errors)]
#[import_section(events::events)]
#[frame_support::pallet]
pub mod pallet {
    use super::*;
    use alloc::vec::Vec;
    use frame_support::{
        pallet_prelude::*,
        traits::{fungible, UnixTime},
    };
    use frame_system::pallet_prelude::*;
    use sp_core::H256;
    use sp_runtime::traits::BlockNumberProvider;
    use virtengine_primitives::{
        providers::{Attestation, Provider},
        traits::AccountStanding,
        AgreementId, Balance, BlockNumber, Moment, Name, ProviderId,
    };

    const STORAGE_VERSION: StorageVersion = StorageVersion::new(1);

    /// Provider organisations.
    #[pallet::pallet]
    #[pallet::storage_version(STORAGE_VERSION)]
    pub struct Pallet<T>(_);

    /// What the pallet needs.
    #[pallet::config]
    pub trait Config: frame_system::Config<RuntimeEvent: From<Event<Self>>> {
        /// The chain's own token, in which bonds are held.
        type Currency: fungible::Mutate<Self::AccountId>
            + fungible::Inspect<Self::AccountId, Balance = Balance>
            + fungible::hold::Mutate<Self::AccountId, Reason = Self::RuntimeHoldReason>;
        /// Reasons for holds.
        type RuntimeHoldReason: From<HoldReason>;
        /// Roles and standing of accounts.
        type Standing: AccountStanding<Self::AccountId>;
        /// Clock for attestations.
        type Time: UnixTime;
        /// Which blocks registrations are dated by.
        type BlockNumberProvider: BlockNumberProvider<BlockNumber = BlockNumber>;
        /// Whether an owner needs the role `Provider` to register or take over an organisation.
        #[pallet::constant]
        type RequireRole: Get<bool>;
        /// The least bond of an organisation that may take new work. Held at registration.
        #[pallet::constant]
        type MinimumBond: Get<Balance>;
        /// Most hot keys of an organisation.
        #[pallet::constant]
        type MaxHotKeys: Get<u32>;
        /// Most support agents of an organisation.
        #[pallet::constant]
        type MaxSupportAgents: Get<u32>;
        /// Most attributes of an organisation.
        #[pallet::constant]
        type MaxAttributes: Get<u32>;
        /// Most attestations of an attribute.
        #[pallet::constant]
        type MaxAttestations: Get<u32>;
        /// Gets what is slashed when who was wronged cannot receive it. Must be able to receive any amount.
        type Treasury: Get<Self::AccountId>;
        /// Weights of the calls.
        type WeightInfo: WeightInfo;
    }

    /// Why this pallet holds money.
    #[pallet::composite_enum]
    pub enum HoldReason {
        /// An organisation's bond.
        #[codec(index = 0)]
        Bond,
    }

    /// The number that the next organisation gets. Numbers are never used again.
    #[pallet::storage]
    pub type NextProviderId<T: Config> = StorageValue<_, ProviderId, ValueQuery>;

    /// Organisations. Written by `register`, cleared by `leave`; each is backed by a bond.
    #[pallet::storage]
    pub type Organisations<T: Config> =
        StorageMap<_, Twox64Concat, ProviderId, Provider<T::AccountId>, OptionQuery>;

    /// The organisation that an account owns. One entry per organisation.
    #[pallet::storage]
    pub type OwnerOf<T: Config> =
        StorageMap<_, Blake2_128Concat, T::AccountId, ProviderId, OptionQuery>;

    /// Hot keys of an organisation, in the order in which they were added.
    #[pallet::storage]
    pub type HotKeys<T: Config> = StorageMap<
        _,
        Twox64Concat,
        ProviderId,
        BoundedVec<T::AccountId, T::MaxHotKeys>,
        ValueQuery,
    >;

    /// The organisation that a hot key serves. One entry per entry in [`HotKeys`].
    #[pallet::storage]
    pub type WorkerOf<T: Config> =
        StorageMap<_, Blake2_128Concat, T::AccountId, ProviderId, OptionQuery>;

    /// Support agents of an organisation, in the order in which they were added.
    #[pallet::storage]
    pub type SupportAgents<T: Config> = StorageMap<
        _,
        Twox64Concat,
        ProviderId,
        BoundedVec<T::AccountId, T::MaxSupportAgents>,
        ValueQuery,
    >;

    /// To whom an organisation has been offered. At most one entry per organisation; cleared when it is accepted or
    /// cancelled, and when the organisation leaves.
    #[pallet::storage]
    pub type Offers<T: Config> = StorageMap<_, Twox64Concat, ProviderId, T::AccountId, OptionQuery>;

    /// Parts of the bond that are set aside for accepted work. Written and cleared through
    /// [`virtengine_primitives::traits::ProviderRegistry`]; bounded by the bond and by the agreements.
    #[pallet::storage]
    pub type BondLocks<T: Config> = StorageDoubleMap<
        _,
        Twox64Concat,
        ProviderId,
        Twox64Concat,
        AgreementId,
        Balance,
        OptionQuery,
    >;

    /// What an organisation says about itself, at most [`Config::MaxAttributes`].
    #[pallet::storage]
    pub type Attributes<T: Config> = StorageDoubleMap<
        _,
        Twox64Concat,
        ProviderId,
        Blake2_128Concat,
        AttributeKey,
        AttributeValue,
        OptionQuery,
    >;

    /// Number of entries of an organisation in [`Attributes`].
    #[pallet::storage]
    pub type AttributeCount<T: Config> = StorageMap<_, Twox64Concat, ProviderId, u32, ValueQuery>;

    /// Who vouches for an attribute's present value. Cleared with the attribute and whenever its value changes. Expired
    /// ones stay until room is needed.
    #[pallet::storage]
    pub type Attestations<T: Config> = StorageDoubleMap<
        _,
        Twox64Concat,
        ProviderId,
        Blake2_128Concat,
        AttributeKey,
        BoundedVec<Attestation<T::AccountId>, T::MaxAttestations>,
        ValueQuery,
    >;

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        fn integrity_test() {
            assert!(
                T::MinimumBond::get() >= <T::Currency as fungible::Inspect<_>>::minimum_balance(),
                "MinimumBond must reach the existential deposit, or it could not move to a new owner"
            );
            assert!(
                T::MaxHotKeys::get() > 1,
                "MaxHotKeys must be 2 at least: keys are replaced by overlap"
            );
            assert!(
                T::MaxAttestations::get() > 0,
                "MaxAttestations must be positive"
            );
        }

        #[cfg(feature = "try-runtime")]
        fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
            Self::do_try_state()
        }
    }

    #[pallet::call]
    impl<T: Config> Pallet<T> {
        /// Register an organisation that you own, and hold the minimum bond on your account.
        ///
        /// ## Dispatch Origin
        ///
        /// Signed by an active account that owns no organisation and is nobody's hot key. If the chain requires it
        /// ([`Config::RequireRole`]), an administrator must have given it the role Provider.
        ///
        /// ## Details
        ///
        /// Keep this account cold: it owns the bond. Workers use hot keys (`add_hot_key`).
        ///
        /// ## Parameters
        ///
        /// - `name`: what people call you (UTF-8, 1 to 64 bytes). Public; nobody checks that it is unique.
        /// - `payout`: the account that is paid for your work.
        ///
        /// ## Errors
        ///
        /// - [`Error::AlreadyOwner`], [`Error::OwnerIsHotKey`]: use another account.
        /// - [`Error::RoleRequired`]: you have not been approved.
        /// - [`Error::InvalidName`]: empty, not UTF-8 or with control characters.
        /// - The account is suspended, or cannot pay the bond.
        ///
        /// ## Events
        ///
        /// [`Event::Registered`].
        #[pallet::call_index(0)]
        #[pallet::weight(T::WeightInfo::register())]
        pub fn register(origin: OriginFor<T>, name: Name, payout: T::AccountId) -> DispatchResult {
            let who = ensure_signed(origin)?;
            Self::do_register(who, name, payout).map(|_| ())
        }

        /// Choose the account that is paid for your work.
        ///
        /// ## Dispatch Origin
        ///
        /// Signed by the owner, who must be active.
        ///
        /// ## Details
        ///
        /// Holds for every payment from now on, also for work done before.
        ///
        /// ## Parameters
        ///
        /// - `payout`: the account.
        ///
        /// ## Errors
        ///
        /// - [`Error::NotOwner`]: you own no organisation.
        ///
        /// ## Events
        ///
        /// [`Event::PayoutSet`].
        #[pallet::call_index(1)]
        #[pallet::weight(T::WeightInfo::set_payout())]
        pub fn set_payout(origin: OriginFor<T>, payout: T::AccountId) -> DispatchResult {
            let provider = Self::ensure_active_owner(origin)?;
            Self::do_set_payout(provider, payout)
        }

        /// Choose what people call your organisation.
        ///
        /// ## Dispatch Origin
        ///
        /// Signed by the owner, who must be active.
        ///
        /// ## Parameters
        ///
        /// - `name`: UTF-8, 1 to 64 bytes. Public; nobody checks that it is unique.
        ///
        /// ## Errors
        ///
        /// - [`Error::NotOwner`]: you own no organisation.
        /// - [`Error::InvalidName`]: empty, not UTF-8 or with control characters.
        ///
        /// ## Events
        ///
        /// [`Event::NameSet`].
        #[pallet::call_index(2)]
        #[pallet::weight(T::WeightInfo::set_name())]
        pub fn set_name(origin: OriginFor<T>, name: Name) -> DispatchResult {
            let provider = Self::ensure_active_owner(origin)?;
            Self::do_set_name(provider, name)
        }

        /// Let an account do the worker's calls of your organisation.
        ///
        /// ## Dispatch Origin
        ///
        /// Signed by the owner, who must be active.
        ///
        /// ## Details
        ///
        /// A hot key accepts jobs and reports usage in your name. It can touch neither your bond nor your settings. The
        /// account may remove itself again with `remove_hot_key`.
        ///
        /// ## Parameters
        ///
        /// - `who`: the worker's account. It must own no organisation, serve no other and be no arbiter.
        ///
        /// ## Errors
        ///
        /// - [`Error::NotOwner`]: you own no organisation.
        /// - [`Error::HotKeyInUse`], [`Error::HotKeyIsOwner`], [`Error::HotKeyIsArbiter`]: use another account.
        /// - [`Error::TooManyHotKeys`]: remove one first.
        ///
        /// ## Events
        ///
        /// [`Event::HotKeyAdded`].
        #[pallet::call_index(3)]
        #[pallet::weight(T::WeightInfo::add_hot_key())]
        pub fn add_hot_key(origin: OriginFor<T>, who: T::AccountId) -> DispatchResult {
            let provider = Self::ensure_active_owner(origin)?;
            Self::do_add_hot_key(provider, who)
        }

        /// Stop an account from acting for its organisation.
        ///
        /// ## Dispatch Origin
        ///
        /// Signed by the organisation's owner or by the hot key itself; suspended accounts may do this too.
        ///
        /// ## Parameters
        ///
        /// - `who`: the worker's account.
        ///
        /// ## Errors
        ///
        /// - [`Error::HotKeyNotFound`]: it is nobody's hot key.
        /// - [`Error::NotAuthorized`]: it serves another organisation.
        ///
        /// ## Events
        ///
        /// [`Event::HotKeyRemoved`].
        #[pallet::call_index(4)]
        #[pallet::weight(T::WeightInfo::remove_hot_key())]
        pub fn remove_hot_key(origin: OriginFor<T>, who: T::AccountId) -> DispatchResult {
            let signer = ensure_signed(origin)?;
            Self::do_remove_hot_key(&signer, who)
        }

        /// Add to your organisation's bond.
        ///
        /// ## Dispatch Origin
        ///
        /// Signed by the owner, who must be active.
        ///
        /// ## Parameters
        ///
        /// - `amount`: how much more is held on your account, in the smallest unit.
        ///
        /// ## Errors
        ///
        /// - [`Error::NotOwner`]: you own no organisation.
        /// - [`Error::ZeroAmount`].
        /// - The account cannot pay it.
        ///
        /// ## Events
        ///
        /// [`Event::BondAdded`].
        #[pallet::call_index(5)]
        #[pallet::weight(T::WeightInfo::bond_more())]
        pub fn bond_more(origin: OriginFor<T>, amount: Balance) -> DispatchResult {
            let provider = Self::ensure_active_owner(origin)?;
            Self::do_bond_more(provider, amount)
        }

        /// Take back a part of your organisation's bond that backs nothing.
        ///
        /// ## Dispatch Origin
        ///
        /// Signed by the owner; a suspended account may do this too.
        ///
        /// ## Details
        ///
        /// What is set aside for accepted work stays, and so does the minimum bond while you are registered.
        ///
        /// ## Parameters
        ///
        /// - `amount`: how much is released, in the smallest unit.
        ///
        /// ## Errors
        ///
        /// - [`Error::NotOwner`]: you own no organisation.
        /// - [`Error::ZeroAmount`].
        /// - [`Error::InsufficientBond`]: less than that is free.
        /// - [`Error::BelowMinimumBond`]: less than the minimum would be left.
        ///
        /// ## Events
        ///
        /// [`Event::BondWithdrawn`].
        #[pallet::call_index(6)]
        #[pallet::weight(T::WeightInfo::withdraw_bond())]
        pub fn withdraw_bond(origin: OriginFor<T>, amount: Balance) -> DispatchResult {
            let provider = Self::ensure_owner(origin)?;
            Self::do_withdraw_bond(provider, amount)
        }

        /// Offer your organisation to another account.
        ///
        /// ## Dispatch Origin
        ///
        /// Signed by the owner, who must be active.
        ///
        /// ## Details
        ///
        /// Nothing changes until the other account accepts with `accept_transfer`; it then owns the organisation **and
        /// its bond**. Agree on a price for the bond beforehand. A second offer replaces the first.
        ///
        /// ## Parameters
        ///
        /// - `to`: who may accept.
        ///
        /// ## Errors
        ///
        /// - [`Error::NotOwner`]: you own no organisation.
        /// - [`Error::AlreadyOwner`], [`Error::OwnerIsHotKey`]: that account cannot own it.
        ///
        /// ## Events
        ///
        /// [`Event::TransferOffered`].
        #[pallet::call_index(7)]
        #[pallet::weight(T::WeightInfo::offer_transfer())]
        pub fn offer_transfer(origin: OriginFor<T>, to: T::AccountId) -> DispatchResult {
            let provider = Self::ensure_active_owner(origin)?;
            Self::do_offer_transfer(provider, to)
        }

        /// Withdraw the offer of your organisation.
        ///
        /// ## Dispatch Origin
        ///
        /// Signed by the owner; a suspended account may do this too.
        ///
        /// ## Errors
        ///
        /// - [`Error::NotOwner`]: you own no organisation.
        /// - [`Error::NotOffered`]: there is no offer.
        ///
        /// ## Events
        ///
        /// [`Event::TransferCancelled`].
        #[pallet::call_index(8)]
        #[pallet::weight(T::WeightInfo::cancel_transfer())]
        pub fn cancel_transfer(origin: OriginFor<T>) -> DispatchResult {
            let provider = Self::ensure_owner(origin)?;
            Self::do_cancel_transfer(provider)
        }

        /// Take over an organisation that was offered to you.
        ///
        /// ## Dispatch Origin
        ///
        /// Signed by the account to which it was offered. It must be active, own no organisation, be nobody's hot key
        /// and, if the chain requires it, hold the role Provider.
        ///
        /// ## Details
        ///
        /// The bond moves onto your account and stays held. **You become liable for its agreements.** From now on you
        /// are paid for its work, whatever the payout account was: set another one with `set_payout`. Its hot keys stay:
        /// remove those that you do not trust.
        ///
        /// ## Parameters
        ///
        /// - `provider`: number of the organisation.
        ///
        /// ## Errors
        ///
        /// - [`Error::NotFound`], [`Error::NotOffered`].
        /// - [`Error::AlreadyOwner`], [`Error::OwnerIsHotKey`], [`Error::RoleRequired`]: your account cannot own it.
        /// - You or its owner are suspended, or your account does not exist yet.
        ///
        /// ## Events
        ///
        /// [`Event::Transferred`].
        #[pallet::call_index(9)]
        #[pallet::weight(T::WeightInfo::accept_transfer())]
        pub fn accept_transfer(origin: OriginFor<T>, provider: ProviderId) -> DispatchResult {
            let who = ensure_signed(origin)?;
            Self::do_accept_transfer(who, provider)
        }

        /// Close your organisation and get its bond back.
        ///
        /// ## Dispatch Origin
        ///
        /// Signed by the owner; a suspended account may do this too.
        ///
        /// ## Details
        ///
        /// Removes hot keys, support agents, attributes and what others vouched for. Its number is never used again.
        ///
        /// ## Errors
        ///
        /// - [`Error::NotOwner`]: you own no organisation.
        /// - [`Error::LiveAgreements`]: not everything has been settled.
        /// - [`Error::BondLocked`]: part of the bond is set aside for accepted work.
        ///
        /// ## Events
        ///
        /// [`Event::Left`].
        #[pallet::call_index(10)]
        #[pallet::weight(T::WeightInfo::leave())]
        pub fn leave(origin: OriginFor<T>) -> DispatchResult {
            let provider = Self::ensure_owner(origin)?;
            Self::do_leave(provider)
        }

        /// Say something about your organisation.
        ///
        /// ## Dispatch Origin
        ///
        /// Signed by the owner, who must be active.
        ///
        /// ## Details
        ///
        /// If the value changes, those who vouched for the old one no longer vouch; other attributes are untouched. To
        /// have a domain verified, set the attribute "domain" and ask an attestor.
        ///
        /// ## Parameters
        ///
        /// - `key`: name of the attribute, 1 to 32 of a-z, 0-9, '.', '-' and '_'.
        /// - `value`: UTF-8, 1 to 256 bytes. Public.
        ///
        /// ## Errors
        ///
        /// - [`Error::NotOwner`]: you own no organisation.
        /// - [`Error::InvalidAttributeKey`], [`Error::InvalidAttributeValue`].
        /// - [`Error::TooManyAttributes`]: clear one first.
        ///
        /// ## Events
        ///
        /// [`Event::AttributeSet`].
        #[pallet::call_index(11)]
        #[pallet::weight(T::WeightInfo::set_attribute())]
        pub fn set_attribute(
            origin: OriginFor<T>,
            key: AttributeKey,
            value: AttributeValue,
        ) -> DispatchResult {
            let provider = Self::ensure_active_owner(origin)?;
            Self::do_set_attribute(provider, key, value)
        }

        /// Remove an attribute together with what vouches for it.
        ///
        /// ## Dispatch Origin
        ///
        /// Signed by the owner; a suspended account may do this too.
        ///
        /// ## Parameters
        ///
        /// - `key`: name of the attribute.
        ///
        /// ## Errors
        ///
        /// - [`Error::NotOwner`]: you own no organisation.
        /// - [`Error::AttributeNotFound`].
        ///
        /// ## Events
        ///
        /// [`Event::AttributeCleared`].
        #[pallet::call_index(12)]
        #[pallet::weight(T::WeightInfo::clear_attribute())]
        pub fn clear_attribute(origin: OriginFor<T>, key: AttributeKey) -> DispatchResult {
            let provider = Self::ensure_owner(origin)?;
            Self::do_clear_attribute(provider, key)
        }

        /// Vouch for the value of an organisation's attribute, for a time.
        ///
        /// ## Dispatch Origin
        ///
        /// Signed by an active account with the role Attestor.
        ///
        /// ## Details
        ///
        /// Vouching again replaces your earlier word. If there is no room, expired attestations make it.
        ///
        /// ## Parameters
        ///
        /// - `provider`: number of the organisation.
        /// - `key`: name of the attribute.
        /// - `value_hash`: Blake2b-256 of the value that you checked, so that it cannot be changed under your hands.
        /// - `expires_at`: from when on it is not valid any more, in unix milliseconds.
        ///
        /// ## Errors
        ///
        /// - [`Error::NotAttestor`]: you do not hold the role.
        /// - [`Error::AttributeNotFound`]: also if there is no such organisation.
        /// - [`Error::ValueMismatch`]: it has another value by now.
        /// - [`Error::AlreadyExpired`]: the expiry has passed.
        /// - [`Error::TooManyAttestations`]: enough others vouch for it.
        ///
        /// ## Events
        ///
        /// [`Event::Attested`].
        #[pallet::call_index(13)]
        #[pallet::weight(T::WeightInfo::attest())]
        pub fn attest(
            origin: OriginFor<T>,
            provider: ProviderId,
            key: AttributeKey,
            value_hash: H256,
            expires_at: Moment,
        ) -> DispatchResult {
            let attestor = ensure_signed(origin)?;
            Self::do_attest(attestor, provider, key, value_hash, expires_at)
        }

        /// Take back your word about an organisation's attribute.
        ///
        /// ## Dispatch Origin
        ///
        /// Signed by the account that vouched, whether it still holds the role or not.
        ///
        /// ## Parameters
        ///
        /// - `provider`: number of the organisation.
        /// - `key`: name of the attribute.
        ///
        /// ## Errors
        ///
        /// - [`Error::AttestationNotFound`]: you do not vouch for it.
        ///
        /// ## Events
        ///
        /// [`Event::AttestationRevoked`].
        #[pallet::call_index(14)]
        #[pallet::weight(T::WeightInfo::revoke_attestation())]
        pub fn revoke_attestation(
            origin: OriginFor<T>,
            provider: ProviderId,
            key: AttributeKey,
        ) -> DispatchResult {
            let attestor = ensure_signed(origin)?;
            Self::do_revoke_attestation(attestor, provider, key)
        }

        /// Let an account answer tickets for your organisation.
        ///
        /// ## Dispatch Origin
        ///
        /// Signed by the owner, who must be active.
        ///
        /// ## Parameters
        ///
        /// - `who`: the account. It may answer for several organisations.
        ///
        /// ## Errors
        ///
        /// - [`Error::NotOwner`]: you own no organisation.
        /// - [`Error::AlreadySupportAgent`], [`Error::TooManySupportAgents`].
        ///
        /// ## Events
        ///
        /// [`Event::SupportAgentAdded`].
        #[pallet::call_index(15)]
        #[pallet::weight(T::WeightInfo::add_support_agent())]
        pub fn add_support_agent(origin: OriginFor<T>, who: T::AccountId) -> DispatchResult {
            let provider = Self::ensure_active_owner(origin)?;
            Self::do_add_support_agent(provider, who)
        }

        /// Stop an account from answering tickets for your organisation.
        ///
        /// ## Dispatch Origin
        ///
        /// Signed by the owner; a suspended account may do this too.
        ///
        /// ## Parameters
        ///
        /// - `who`: the account.
        ///
        /// ## Errors
        ///
        /// - [`Error::NotOwner`]: you own no organisation.
        /// - [`Error::NotSupportAgent`].
        ///
        /// ## Events
        ///
        /// [`Event::SupportAgentRemoved`].
        #[pallet::call_index(16)]
        #[pallet::weight(T::WeightInfo::remove_support_agent())]
        pub fn remove_support_agent(origin: OriginFor<T>, who: T::AccountId) -> DispatchResult {
            let provider = Self::ensure_owner(origin)?;
            Self::do_remove_support_agent(provider, who)
        }
    }

    #[pallet::view_functions]
    impl<T: Config> Pallet<T> {
        /// An organisation.
        pub fn provider(id: ProviderId) -> Option<Provider<T::AccountId>> {
            Organisations::<T>::get(id)
        }

        /// The organisation that an account owns or works for.
        pub fn provider_of(who: T::AccountId) -> Option<ProviderId> {
            OwnerOf::<T>::get(&who).or_else(|| WorkerOf::<T>::get(&who))
        }

        /// An organisation's hot keys, at most [`Config::MaxHotKeys`], in the order in which they were added.
        pub fn hot_keys(id: ProviderId) -> Vec<T::AccountId> {
            HotKeys::<T>::get(id).into_inner()
        }

        /// Who answers tickets for an organisation, at most [`Config::MaxSupportAgents`].
        pub fn support_agents(id: ProviderId) -> Vec<T::AccountId> {
            SupportAgents::<T>::get(id).into_inner()
        }

        /// What an organisation says about itself, at most [`Config::MaxAttributes`].
        pub fn attributes(id: ProviderId) -> Vec<(AttributeKey, AttributeValue)> {
            Attributes::<T>::iter_prefix(id).collect()
        }

        /// How many attestors vouch for the present value of an attribute at the moment `now` (unix milliseconds).
        /// Expired ones do not count, nor those of accounts that are no attestors any more.
        pub fn attested(id: ProviderId, key: AttributeKey, now: Moment) -> u32 {
            Self::do_attested(id, &key, now)
        }
    }
}
