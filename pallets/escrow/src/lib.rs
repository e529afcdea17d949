//! # Escrow
//!
//! A ledger of money per agreement. The money is the payer's until it is paid: it stays on the payer's own account
//! under the hold [`HoldReason::Agreement`], whatever part of the ledger it is counted in, and leaves the hold only
//! by being paid out or given back.
//!
//! ```text
//!            open                to_pending               release
//!  free ───────────► available ─────────────► pending ───────────────► recipient
//!   ▲                  │    ▲                   │ │                        ▲
//!   │     refund       │    └───────────────────┘ │ cannot be paid         │ claim
//!   └──────────────────┘      revert_pending      └──────► credited ───────┘
//! ```
//!
//! A payment never fails because of who is paid: what cannot arrive (an account below the existential deposit, a
//! frozen asset, a blocked account) becomes a credit that anyone may claim for the recipient later.
//!
//! Invariant of absence: this pallet knows neither time nor metrics nor who may decide; its callers do, through
//! [`virtengine_primitives::traits::Escrow`].

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

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
mod impls;
#[cfg(test)]
mod mock;
#[cfg(test)]
mod tests;
mod try_state;
mod types;
pub mod weights;

pub use pallet::*;
pub use types::{Credit, Standing};
pub use weights::WeightInfo;

/// The pallet.
#[frame_support::pallet]
#[allow(missing_docs)] // The macros of FRAME generate public items without documentation.
pub mod pallet {
    use super::*;
    use frame_support::{pallet_prelude::*, traits::fungibles};
    use frame_system::pallet_prelude::*;
    use virtengine_primitives::{escrow::Ledger, AgreementId, AssetKind, Balance};

    const STORAGE_VERSION: StorageVersion = StorageVersion::new(1);

    #[pallet::pallet]
    #[pallet::storage_version(STORAGE_VERSION)]
    pub struct Pallet<T>(_);

    #[pallet::config]
    pub trait Config: frame_system::Config {
        /// The runtime's hold reasons.
        type RuntimeHoldReason: From<HoldReason>;

        /// The chain's token and its assets as one: balances that can be held on their owner's account and be paid
        /// to others from there. A failure must leave no partial effect that a rolled back storage layer would keep.
        type Assets: fungibles::hold::Mutate<
            Self::AccountId,
            AssetId = AssetKind,
            Balance = Balance,
            Reason = Self::RuntimeHoldReason,
        >;

        /// Weights of the calls.
        type WeightInfo: WeightInfo;

        /// The same money as `Assets`, with the means to make some.
        #[cfg(feature = "runtime-benchmarks")]
        type BenchmarkAssets: fungibles::Create<Self::AccountId, AssetId = AssetKind, Balance = Balance>
            + fungibles::Mutate<Self::AccountId, AssetId = AssetKind, Balance = Balance>;
    }

    /// Why money is held.
    #[pallet::composite_enum]
    pub enum HoldReason {
        /// It backs an agreement: not yet earned, not yet final, or owed to a recipient who could not be paid.
        Agreement,
    }

    /// The ledger of each agreement.
    ///
    /// Written by every movement of money. Added by `open`, removed by `forget` once it is closed and nothing is
    /// owed; bounded by the number of agreements, each of which was paid a deposit for by its caller.
    #[pallet::storage]
    pub type Ledgers<T: Config> =
        StorageMap<_, Twox64Concat, AgreementId, Ledger<T::AccountId>, OptionQuery>;

    /// What is owed to a recipient who could not be paid, by agreement.
    ///
    /// Added when a payment could not arrive, removed by the first payment that does. Bounded by the recipients of
    /// an agreement: the payee at each release, the pot of the take rate, and the payer.
    #[pallet::storage]
    pub type Credits<T: Config> = StorageDoubleMap<
        _,
        Twox64Concat,
        AgreementId,
        Blake2_128Concat,
        T::AccountId,
        Credit,
        OptionQuery,
    >;

    #[pallet::event]
    #[pallet::generate_deposit(pub(super) fn deposit_event)]
    pub enum Event<T: Config> {
        /// A ledger was opened and the payer's money held.
        Opened {
            /// The agreement.
            agreement: AgreementId,
            /// Who pays.
            payer: T::AccountId,
            /// In what.
            asset: AssetKind,
            /// How much is held.
            amount: Balance,
        },
        /// Money was earned, not yet finally: available to pending.
        Earned {
            /// The agreement.
            agreement: AgreementId,
            /// In what.
            asset: AssetKind,
            /// How much moved.
            amount: Balance,
            /// The ledger afterwards.
            standing: Standing,
        },
        /// Money was found not to be earned: pending to available.
        Reverted {
            /// The agreement.
            agreement: AgreementId,
            /// In what.
            asset: AssetKind,
            /// How much moved.
            amount: Balance,
            /// The ledger afterwards.
            standing: Standing,
        },
        /// Earned money was paid to its recipient.
        Released {
            /// The agreement.
            agreement: AgreementId,
            /// In what.
            asset: AssetKind,
            /// Who was paid.
            to: T::AccountId,
            /// How much moved.
            amount: Balance,
            /// The ledger afterwards.
            standing: Standing,
        },
        /// Money was given back to the payer.
        Refunded {
            /// The agreement.
            agreement: AgreementId,
            /// In what.
            asset: AssetKind,
            /// The payer.
            to: T::AccountId,
            /// How much moved.
            amount: Balance,
            /// The ledger afterwards.
            standing: Standing,
        },
        /// A payment could not arrive; the recipient is owed it and anyone may `claim` it for them.
        Credited {
            /// The agreement.
            agreement: AgreementId,
            /// In what.
            asset: AssetKind,
            /// Who is owed.
            to: T::AccountId,
            /// How much was added to what they are owed.
            amount: Balance,
            /// The ledger afterwards.
            standing: Standing,
        },
        /// All that a recipient was owed has been paid.
        Claimed {
            /// The agreement.
            agreement: AgreementId,
            /// In what.
            asset: AssetKind,
            /// Who was paid.
            to: T::AccountId,
            /// What was paid: payments and refunds that had not arrived.
            credit: Credit,
            /// The ledger afterwards.
            standing: Standing,
        },
        /// No money moves on this ledger any more, but for what is owed.
        Closed {
            /// The agreement.
            agreement: AgreementId,
            /// The ledger at its end.
            standing: Standing,
        },
        /// The ledger was removed.
        Forgotten {
            /// The agreement.
            agreement: AgreementId,
        },
    }

    #[pallet::error]
    pub enum Error<T> {
        /// There is no ledger of this agreement; check its number.
        NotFound,
        /// The agreement has a ledger already; take a new number.
        AlreadyExists,
        /// Less is available than was asked to be moved; move at most what is available.
        InsufficientAvailable,
        /// Less is pending than was asked to be moved; move at most what is pending.
        InsufficientPending,
        /// Something is still available or pending; settle the agreement first.
        NotEmpty,
        /// The ledger is closed; nothing can be earned or reverted on it any more.
        Closed,
        /// The recipient is owed nothing on this agreement; look up who is owed in the `Credited` events.
        NoCredit,
        /// The recipient still cannot receive it; let the account exist in this asset, or wait until it is thawed.
        NotPayable,
        /// An amount does not fit 128 bits.
        Overflow,
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
        /// Pay a recipient what they are owed on an agreement and could not be paid when it fell due.
        ///
        /// ## Dispatch Origin
        /// Any signed account; the money goes to the recipient, whoever calls.
        ///
        /// ## Details
        /// A payment that cannot arrive (the recipient's account would stay below the existential deposit, or the
        /// asset is frozen) is kept for the recipient. This pays all of it at once.
        ///
        /// ## Parameters
        /// - `agreement`: the agreement on which it is owed.
        /// - `recipient`: to whom it is owed.
        ///
        /// ## Errors
        /// - [`Error::NotFound`]: the agreement has no ledger.
        /// - [`Error::NoCredit`]: the recipient is owed nothing.
        /// - [`Error::NotPayable`]: the recipient still cannot receive it.
        ///
        /// ## Events
        /// - [`Event::Claimed`]
        #[pallet::call_index(0)]
        #[pallet::weight(T::WeightInfo::claim())]
        pub fn claim(
            origin: OriginFor<T>,
            agreement: AgreementId,
            recipient: T::AccountId,
        ) -> DispatchResult {
            ensure_signed(origin)?;
            Self::do_claim(agreement, &recipient)
        }
    }
}
