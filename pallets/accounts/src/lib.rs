//! # Accounts
//!
//! Who may act, and in which roles.
//!
//! * Every account is **active** until somebody says otherwise; only what differs is stored.
//! * **Genesis** accounts nominate administrators; **administrators** nominate moderators, providers, support agents,
//!   validators, arbiters and attestors; the role of a **customer** is taken and given up by oneself. Governance
//!   ([`Config::AdminOrigin`]) may do all of this, and alone hands out the role Genesis.
//! * Whoever may nominate for a role may revoke it. Everybody may resign from a role.
//! * Moderators and administrators suspend, administrators reactivate and terminate: always strictly downwards in
//!   rank (Genesis, administrator, moderator, everybody else). Genesis outranks administrators and may do what they
//!   do to those beneath.
//! * A suspended account keeps its roles but cannot use them; a terminated account has none and stays so for ever.
//! * Once there is an active Genesis account there is always one: the last can neither be revoked, suspended,
//!   terminated nor resign. Its holder cannot lock the chain out of its own rules.
//!
//! Other pallets know this one as [`virtengine_primitives::traits::AccountStanding`].
//!
//! Invariant: this pallet holds no money and knows no other pallet.

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

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
mod impls;
pub mod migrations;
#[cfg(test)]
mod mock;
#[cfg(test)]
mod tests;
mod try_state;
pub mod types;
pub mod weights;

pub use pallet::*;
pub use types::{Authority, Rank, Reason};
pub use weights::WeightInfo;

#[frame_support::pallet]
pub mod pallet {
    use super::*;
    use alloc::vec::Vec;
    use frame_support::{pallet_prelude::*, traits::EnsureOrigin, DefaultNoBound};
    use frame_system::pallet_prelude::*;
    use virtengine_primitives::{apis::PAGE, AccountState, Role};

    const STORAGE_VERSION: StorageVersion = StorageVersion::new(2);

    /// Roles and standing of accounts.
    #[pallet::pallet]
    #[pallet::storage_version(STORAGE_VERSION)]
    pub struct Pallet<T>(_);

    /// What the pallet needs.
    #[pallet::config]
    pub trait Config: frame_system::Config<RuntimeEvent: From<Event<Self>>> {
        /// Governance: may do everything that this pallet knows, and alone may hand out the role Genesis.
        type AdminOrigin: EnsureOrigin<Self::RuntimeOrigin>;
        /// Weights of the calls.
        type WeightInfo: WeightInfo;
    }

    /// States other than active. Written by `suspend` and `terminate`, cleared by `reactivate`; a terminated account
    /// stays here for ever. Bounded by the decisions of moderators and administrators.
    #[pallet::storage]
    pub type States<T: Config> =
        StorageMap<_, Blake2_128Concat, T::AccountId, AccountState, ValueQuery>;

    /// Who holds each role, and on whose word. By role first: whoever must seal something to the arbiters finds them
    /// without reading anybody else, and the roles of an account are as few reads as there are roles. Written by
    /// `nominate`, `register` and the chain spec; cleared by `revoke`, `resign`, `unregister` and `terminate`. Entries
    /// that anybody may make (customers) each hold a consumer reference, so that the account cannot be reaped beneath
    /// them.
    #[pallet::storage]
    pub type Holders<T: Config> = StorageDoubleMap<
        _,
        Twox64Concat,
        Role,
        Blake2_128Concat,
        T::AccountId,
        Authority<T::AccountId>,
        OptionQuery,
    >;

    /// Number of active accounts with the role Genesis. Once positive it stays positive.
    #[pallet::storage]
    pub type ActiveGenesis<T: Config> = StorageValue<_, u32, ValueQuery>;

    /// Roles of the first block.
    #[pallet::genesis_config]
    #[derive(DefaultNoBound)]
    pub struct GenesisConfig<T: Config> {
        /// Accounts that get the role Genesis.
        pub genesis_accounts: Vec<T::AccountId>,
        /// Any further roles, for presets.
        pub roles: Vec<(T::AccountId, Role)>,
    }

    #[pallet::genesis_build]
    impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
        fn build(&self) {
            let genesis = self.genesis_accounts.iter().map(|who| (who, Role::Genesis));
            let others = self.roles.iter().map(|(who, role)| (who, *role));
            for (who, role) in genesis.chain(others) {
                if !Holders::<T>::contains_key(role, who) {
                    Pallet::<T>::insert_role(who, role, Authority::ChainSpec);
                }
            }
        }
    }

    /// What happened.
    #[pallet::event]
    #[pallet::generate_deposit(pub(super) fn deposit_event)]
    pub enum Event<T: Config> {
        /// An account got a role.
        RoleGranted {
            /// Who got it.
            who: T::AccountId,
            /// Which role.
            role: Role,
            /// On whose word.
            by: Authority<T::AccountId>,
        },
        /// An account lost a role or gave it up.
        RoleRevoked {
            /// Who lost it.
            who: T::AccountId,
            /// Which role.
            role: Role,
            /// On whose word; the account itself if it resigned.
            by: Authority<T::AccountId>,
        },
        /// An account was suspended: it may withdraw and read, and nothing else.
        Suspended {
            /// Who was suspended.
            who: T::AccountId,
            /// On whose word.
            by: Authority<T::AccountId>,
            /// Why, in words.
            reason: Reason,
        },
        /// A suspended account may act again, with the roles that it kept.
        Reactivated {
            /// Who may act again.
            who: T::AccountId,
            /// On whose word.
            by: Authority<T::AccountId>,
        },
        /// An account was suspended for ever and lost all of its roles.
        Terminated {
            /// Who was terminated.
            who: T::AccountId,
            /// On whose word.
            by: Authority<T::AccountId>,
            /// Why, in words.
            reason: Reason,
        },
    }

    /// Why a call was refused, and what to do.
    #[pallet::error]
    pub enum Error<T> {
        /// The signing account holds no role that permits this; have an account do it that does.
        NotAuthorized,
        /// The account to be acted upon has the same or a higher rank; ask somebody of a higher rank, or governance.
        RankTooLow,
        /// The account is suspended; have it reactivated first.
        AccountSuspended,
        /// The account has been terminated for ever; use another one.
        AccountTerminated,
        /// The account is not suspended; there is nothing to reactivate.
        NotSuspended,
        /// The account holds this role already; there is nothing to do.
        AlreadyHasRole,
        /// The account does not hold this role; check the role.
        RoleNotHeld,
        /// This is the last active Genesis account; give the role to another account first.
        LastGenesisAccount,
        /// The account cannot carry a role because it holds no balance or is referenced too often; fund it first.
        AccountNotFunded,
        /// The reason is empty or not UTF-8; give one in words.
        InvalidReason,
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        #[cfg(feature = "try-runtime")]
        fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
            Self::do_try_state()
        }
    }

    #[pallet::call]
    impl<T: Config> Pallet<T> {
        /// Give a role to an account.
        ///
        /// ## Dispatch Origin
        ///
        /// Signed by an account that may nominate for the role (Genesis: Administrator; Administrator: Moderator,
        /// Provider, SupportAgent, Validator, Arbiter, Attestor), or governance for every role.
        ///
        /// ## Details
        ///
        /// The role takes effect at once. The account must be active. The role Customer is not nominated for by
        /// accounts: each takes it itself with `register`.
        ///
        /// ## Parameters
        ///
        /// - `who`: the account that gets the role.
        /// - `role`: the role.
        ///
        /// ## Errors
        ///
        /// - [`Error::NotAuthorized`]: the signer may not nominate for this role.
        /// - [`Error::AccountSuspended`], [`Error::AccountTerminated`]: signer or nominee may not act.
        /// - [`Error::AlreadyHasRole`]: nothing to do.
        ///
        /// ## Events
        ///
        /// [`Event::RoleGranted`].
        #[pallet::call_index(0)]
        #[pallet::weight(T::WeightInfo::nominate())]
        pub fn nominate(origin: OriginFor<T>, who: T::AccountId, role: Role) -> DispatchResult {
            let by = Self::authority(origin)?;
            Self::do_nominate(by, who, role)
        }

        /// Take a role away from an account.
        ///
        /// ## Dispatch Origin
        ///
        /// Signed by an account that may nominate for the role (see `nominate`), or governance.
        ///
        /// ## Details
        ///
        /// Takes effect at once, also upon suspended accounts.
        ///
        /// ## Parameters
        ///
        /// - `who`: the account that loses the role.
        /// - `role`: the role.
        ///
        /// ## Errors
        ///
        /// - [`Error::NotAuthorized`]: the signer may not decide about this role.
        /// - [`Error::RoleNotHeld`]: the account does not hold it.
        /// - [`Error::LastGenesisAccount`]: nobody would be left to nominate administrators.
        ///
        /// ## Events
        ///
        /// [`Event::RoleRevoked`].
        #[pallet::call_index(1)]
        #[pallet::weight(T::WeightInfo::revoke())]
        pub fn revoke(origin: OriginFor<T>, who: T::AccountId, role: Role) -> DispatchResult {
            let by = Self::authority(origin)?;
            Self::do_revoke(by, who, role)
        }

        /// Give up one of your own roles.
        ///
        /// ## Dispatch Origin
        ///
        /// Signed by the holder; a suspended account may resign too.
        ///
        /// ## Parameters
        ///
        /// - `role`: the role that you give up.
        ///
        /// ## Errors
        ///
        /// - [`Error::RoleNotHeld`]: you do not hold it.
        /// - [`Error::LastGenesisAccount`]: nobody would be left to nominate administrators.
        ///
        /// ## Events
        ///
        /// [`Event::RoleRevoked`].
        #[pallet::call_index(2)]
        #[pallet::weight(T::WeightInfo::resign())]
        pub fn resign(origin: OriginFor<T>, role: Role) -> DispatchResult {
            let who = ensure_signed(origin)?;
            Self::do_remove_role(&who, role, Authority::Account(who.clone()))
        }

        /// Become a customer.
        ///
        /// ## Dispatch Origin
        ///
        /// Signed by any active account that holds a balance.
        ///
        /// ## Details
        ///
        /// While registered, your account keeps at least its existential deposit; `unregister` frees it.
        ///
        /// ## Errors
        ///
        /// - [`Error::AlreadyHasRole`]: you are one.
        /// - [`Error::AccountSuspended`], [`Error::AccountTerminated`]: you may not act.
        /// - [`Error::AccountNotFunded`]: the account holds no balance.
        ///
        /// ## Events
        ///
        /// [`Event::RoleGranted`].
        #[pallet::call_index(3)]
        #[pallet::weight(T::WeightInfo::register())]
        pub fn register(origin: OriginFor<T>) -> DispatchResult {
            let who = ensure_signed(origin)?;
            Self::do_register(who)
        }

        /// Stop being a customer.
        ///
        /// ## Dispatch Origin
        ///
        /// Signed by the customer; a suspended account may do this too.
        ///
        /// ## Details
        ///
        /// What you have already bought goes on.
        ///
        /// ## Errors
        ///
        /// - [`Error::RoleNotHeld`]: you are not one.
        ///
        /// ## Events
        ///
        /// [`Event::RoleRevoked`].
        #[pallet::call_index(4)]
        #[pallet::weight(T::WeightInfo::unregister())]
        pub fn unregister(origin: OriginFor<T>) -> DispatchResult {
            let who = ensure_signed(origin)?;
            Self::do_remove_role(&who, Role::Customer, Authority::Account(who.clone()))
        }

        /// Suspend an account: it may withdraw and read, and nothing else.
        ///
        /// ## Dispatch Origin
        ///
        /// Signed by a moderator, an administrator or a Genesis account of a higher rank than `who`, or governance.
        ///
        /// ## Details
        ///
        /// The account keeps its roles but cannot use them. Work that it has bought or accepted goes on and is settled.
        ///
        /// ## Parameters
        ///
        /// - `who`: the account to be suspended.
        /// - `reason`: why, in words (UTF-8, at most 256 bytes). Public.
        ///
        /// ## Errors
        ///
        /// - [`Error::NotAuthorized`]: the signer is neither of these.
        /// - [`Error::RankTooLow`]: the account has the same or a higher rank.
        /// - [`Error::AccountSuspended`], [`Error::AccountTerminated`]: signer or account is so already.
        /// - [`Error::LastGenesisAccount`]: nobody would be left to nominate administrators.
        /// - [`Error::InvalidReason`]: empty or not UTF-8.
        ///
        /// ## Events
        ///
        /// [`Event::Suspended`].
        #[pallet::call_index(5)]
        #[pallet::weight(T::WeightInfo::suspend())]
        pub fn suspend(origin: OriginFor<T>, who: T::AccountId, reason: Reason) -> DispatchResult {
            let by = Self::authority(origin)?;
            Self::do_suspend(by, who, reason)
        }

        /// Let a suspended account act again.
        ///
        /// ## Dispatch Origin
        ///
        /// Signed by an administrator or a Genesis account of a higher rank than `who`, or governance.
        ///
        /// ## Parameters
        ///
        /// - `who`: the suspended account.
        ///
        /// ## Errors
        ///
        /// - [`Error::NotAuthorized`]: the signer is neither of these.
        /// - [`Error::RankTooLow`]: the account has the same or a higher rank.
        /// - [`Error::NotSuspended`]: it may act already.
        /// - [`Error::AccountTerminated`]: it may never act again.
        ///
        /// ## Events
        ///
        /// [`Event::Reactivated`].
        #[pallet::call_index(6)]
        #[pallet::weight(T::WeightInfo::reactivate())]
        pub fn reactivate(origin: OriginFor<T>, who: T::AccountId) -> DispatchResult {
            let by = Self::authority(origin)?;
            Self::do_reactivate(by, who)
        }

        /// Suspend an account for ever and take all of its roles. This cannot be undone.
        ///
        /// ## Dispatch Origin
        ///
        /// Signed by an administrator or a Genesis account of a higher rank than `who`, or governance.
        ///
        /// ## Details
        ///
        /// The account may still withdraw what is its own. Emits one [`Event::RoleRevoked`] per role.
        ///
        /// ## Parameters
        ///
        /// - `who`: the account to be terminated.
        /// - `reason`: why, in words (UTF-8, at most 256 bytes). Public.
        ///
        /// ## Errors
        ///
        /// - [`Error::NotAuthorized`]: the signer is neither of these.
        /// - [`Error::RankTooLow`]: the account has the same or a higher rank.
        /// - [`Error::AccountTerminated`]: it is so already.
        /// - [`Error::LastGenesisAccount`]: nobody would be left to nominate administrators.
        /// - [`Error::InvalidReason`]: empty or not UTF-8.
        ///
        /// ## Events
        ///
        /// [`Event::RoleRevoked`] for each role, then [`Event::Terminated`].
        #[pallet::call_index(7)]
        #[pallet::weight(T::WeightInfo::terminate())]
        pub fn terminate(
            origin: OriginFor<T>,
            who: T::AccountId,
            reason: Reason,
        ) -> DispatchResult {
            let by = Self::authority(origin)?;
            Self::do_terminate(by, who, reason)
        }
    }

    #[pallet::view_functions]
    impl<T: Config> Pallet<T> {
        /// State of an account and the roles that it holds, in the order of [`Role`]. A suspended account's roles are
        /// listed although it cannot use them.
        pub fn account(who: T::AccountId) -> (AccountState, Vec<Role>) {
            (States::<T>::get(&who), Self::roles_of(&who).collect())
        }

        /// Who holds a role, with their states, at most [`PAGE`] after `after`, in no order that means anything. Those
        /// who are not active cannot use it.
        pub fn with_role(
            role: Role,
            after: Option<T::AccountId>,
        ) -> Vec<(T::AccountId, AccountState)> {
            let holders = match after {
                None => Holders::<T>::iter_key_prefix(role),
                Some(after) => {
                    let after = Holders::<T>::hashed_key_for(role, after);
                    Holders::<T>::iter_key_prefix_from(role, after)
                }
            };
            holders
                .take(PAGE as usize)
                .map(|who| {
                    let state = States::<T>::get(&who);
                    (who, state)
                })
                .collect()
        }
    }
}
