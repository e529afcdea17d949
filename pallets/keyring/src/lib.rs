//! # Keyring
//!
//! Public X25519 encryption keys of accounts, and the rule by which the chain decides whether an envelope can be
//! opened by those who must be able to.
//!
//! * An account has several keys: one per device, per member of a team, per worker. The private halves never leave
//!   their devices; signing keys cannot decrypt, so these are keys of their own.
//! * A key is named by its hash ([`KeyId`]) and belongs to one account. The same key cannot be registered twice.
//! * A **revoked** key still opens what was sealed to it but satisfies no policy any more. After [`Config::Retention`]
//!   anybody may have it forgotten, which returns the deposit to its owner.
//! * The chain keeps headers only; ciphertext lies in an artifact store.
//!
//! Other pallets know this one as [`virtengine_primitives::traits::EnvelopePolicy`].
//!
//! Invariant: this pallet never sees a plaintext, a ciphertext or a private key.

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
#[cfg(test)]
mod mock;
#[cfg(test)]
mod tests;
mod try_state;
pub mod types;
pub mod weights;

pub use pallet::*;
pub use types::{footprint, is_sound, Registration};
pub use virtengine_primitives::envelope::{EncryptionKey, KeyId};
pub use weights::WeightInfo;

#[frame_support::pallet]
pub mod pallet {
    use super::*;
    use alloc::vec::Vec;
    use frame_support::{
        pallet_prelude::*,
        traits::{Consideration, Footprint},
    };
    use frame_system::pallet_prelude::*;
    use sp_runtime::traits::BlockNumberProvider;
    use virtengine_primitives::{traits::AccountStanding, BlockNumber, Name};

    const STORAGE_VERSION: StorageVersion = StorageVersion::new(1);

    /// Public encryption keys of accounts.
    #[pallet::pallet]
    #[pallet::storage_version(STORAGE_VERSION)]
    pub struct Pallet<T>(_);

    /// What the pallet needs.
    #[pallet::config]
    pub trait Config: frame_system::Config<RuntimeEvent: From<Event<Self>>> {
        /// Whether an account may act. Suspended accounts may still revoke.
        type Standing: AccountStanding<Self::AccountId>;
        /// What is held of an account for each of its keys until it is forgotten. [`footprint`] is what it is for.
        type Consideration: Consideration<Self::AccountId, Footprint>;
        /// By which blocks the retention is counted.
        type BlockNumberProvider: BlockNumberProvider<BlockNumber = BlockNumber>;
        /// Most keys of one account that are not revoked.
        #[pallet::constant]
        type MaxKeys: Get<u32>;
        /// Blocks for which a revoked key is kept, so that what was sealed to it can still be attributed.
        #[pallet::constant]
        type Retention: Get<BlockNumber>;
        /// Weights of the calls.
        type WeightInfo: WeightInfo;
    }

    /// Why this pallet holds money.
    #[pallet::composite_enum]
    pub enum HoldReason {
        /// For the storage of an encryption key.
        #[codec(index = 0)]
        KeyDeposit,
    }

    /// Registered keys by name. Written by `register_key`, `rotate_key` and `revoke_key`, cleared by `forget_key`.
    /// Each entry is paid for by a deposit. The name is a hash of the key, so it is not hashed again.
    #[pallet::storage]
    pub type Keys<T: Config> =
        StorageMap<_, Identity, KeyId, Registration<T::AccountId, T::Consideration>, OptionQuery>;

    /// Keys of an account that are not revoked, at most [`Config::MaxKeys`]. Written by `register_key` and
    /// `rotate_key`, cleared by `revoke_key` and `rotate_key`.
    #[pallet::storage]
    pub type KeysOf<T: Config> =
        StorageDoubleMap<_, Blake2_128Concat, T::AccountId, Identity, KeyId, (), OptionQuery>;

    /// Number of entries of an account in [`KeysOf`].
    #[pallet::storage]
    pub type KeyCount<T: Config> = StorageMap<_, Blake2_128Concat, T::AccountId, u32, ValueQuery>;

    /// Revoked keys of an account with the block from which they can be forgotten, for wallets to find. Written by
    /// `revoke_key` and `rotate_key`, cleared by `forget_key`. Each entry is paid for by the key's deposit.
    #[pallet::storage]
    pub type RevokedOf<T: Config> = StorageDoubleMap<
        _,
        Blake2_128Concat,
        T::AccountId,
        Identity,
        KeyId,
        BlockNumber,
        OptionQuery,
    >;

    /// What happened.
    #[pallet::event]
    #[pallet::generate_deposit(pub(super) fn deposit_event)]
    pub enum Event<T: Config> {
        /// A key was registered; envelopes may be sealed to it.
        KeyRegistered {
            /// Whose it is.
            who: T::AccountId,
            /// Its name.
            key: KeyId,
            /// The X25519 public key.
            public: [u8; 32],
            /// What its owner calls it.
            label: Name,
        },
        /// A key was revoked: it satisfies no policy any more.
        KeyRevoked {
            /// Whose it is.
            who: T::AccountId,
            /// Its name.
            key: KeyId,
            /// First block at which it can be forgotten.
            forgettable_at: BlockNumber,
        },
        /// A revoked key was removed and its deposit returned.
        KeyForgotten {
            /// Whose it was.
            who: T::AccountId,
            /// Its name.
            key: KeyId,
        },
    }

    /// Why a call or an envelope was refused, and what to do.
    #[pallet::error]
    pub enum Error<T> {
        /// No key of this name is registered; check the name, or register the key.
        NotFound,
        /// The key belongs to another account; sign with the account that registered it.
        NotOwner,
        /// This key is registered already; make a new one.
        AlreadyRegistered,
        /// The account has as many keys as it may; revoke one that is no longer used.
        TooManyKeys,
        /// The public key is of low order or not in canonical form; make a new one with a proper library.
        UnsoundKey,
        /// The label is not UTF-8 or has control characters; choose another one.
        InvalidLabel,
        /// The key is revoked already; there is nothing to do.
        AlreadyRevoked,
        /// The key is in use; revoke it first and wait for the retention.
        NotRevoked,
        /// The key was revoked too recently; wait until the block that the revocation named.
        RetentionNotOver,
        /// The envelope's header is malformed (version, order of recipients, wrapped keys); seal it with a current
        /// library.
        MalformedEnvelope,
        /// The envelope names a recipient key that is not registered; look up the recipients' keys and seal again.
        UnknownRecipient,
        /// Somebody who must be able to open the envelope has no unrevoked key among its recipients; look up their
        /// keys and seal again.
        RecipientMissing,
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        fn integrity_test() {
            assert!(
                T::MaxKeys::get() > 0,
                "MaxKeys must be positive: nobody could register a key"
            );
        }

        #[cfg(feature = "try-runtime")]
        fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
            Self::do_try_state()
        }
    }

    #[pallet::call]
    impl<T: Config> Pallet<T> {
        /// Register a public encryption key, so that others can seal envelopes to you.
        ///
        /// ## Dispatch Origin
        ///
        /// Signed by any active account.
        ///
        /// ## Details
        ///
        /// A deposit is held until the key is revoked and forgotten. The private half must stay on your device: whoever
        /// loses it cannot open what was sealed to it.
        ///
        /// ## Parameters
        ///
        /// - `public`: the X25519 public key, 32 bytes.
        /// - `label`: what you call it, for example the name of the device (UTF-8, at most 64 bytes). Public.
        ///
        /// ## Errors
        ///
        /// - [`Error::UnsoundKey`]: not a key that can be sealed to.
        /// - [`Error::AlreadyRegistered`]: by you or by somebody else.
        /// - [`Error::TooManyKeys`]: revoke one first.
        /// - [`Error::InvalidLabel`]: not UTF-8, or with control characters.
        /// - The account is suspended, or cannot pay the deposit.
        ///
        /// ## Events
        ///
        /// [`Event::KeyRegistered`].
        #[pallet::call_index(0)]
        #[pallet::weight(T::WeightInfo::register_key())]
        pub fn register_key(origin: OriginFor<T>, public: [u8; 32], label: Name) -> DispatchResult {
            let who = ensure_signed(origin)?;
            T::Standing::ensure_active(&who)?;
            Self::do_register(&who, public, label)
        }

        /// Replace one of your keys by a new one, at once.
        ///
        /// ## Dispatch Origin
        ///
        /// Signed by the owner of the old key, who must be active.
        ///
        /// ## Details
        ///
        /// Revokes the old key and registers the new one; either both happen or neither. The old key keeps opening what
        /// was sealed to it.
        ///
        /// ## Parameters
        ///
        /// - `old`: name of the key to be revoked.
        /// - `public`: the new X25519 public key, 32 bytes.
        /// - `label`: what you call the new key (UTF-8, at most 64 bytes). Public.
        ///
        /// ## Errors
        ///
        /// - [`Error::NotFound`], [`Error::NotOwner`], [`Error::AlreadyRevoked`]: about the old key.
        /// - [`Error::UnsoundKey`], [`Error::AlreadyRegistered`], [`Error::InvalidLabel`]: about the new key.
        /// - The account is suspended, or cannot pay the second deposit.
        ///
        /// ## Events
        ///
        /// [`Event::KeyRevoked`], [`Event::KeyRegistered`].
        #[pallet::call_index(1)]
        #[pallet::weight(T::WeightInfo::rotate_key())]
        pub fn rotate_key(
            origin: OriginFor<T>,
            old: KeyId,
            public: [u8; 32],
            label: Name,
        ) -> DispatchResult {
            let who = ensure_signed(origin)?;
            T::Standing::ensure_active(&who)?;
            Self::do_revoke(&who, old)?;
            Self::do_register(&who, public, label)
        }

        /// Revoke one of your keys, for example of a lost device.
        ///
        /// ## Dispatch Origin
        ///
        /// Signed by the owner of the key; a suspended account may do this too.
        ///
        /// ## Details
        ///
        /// From now on no new envelope counts as sealed to you through this key. What was sealed to it before can still
        /// be opened with it by whoever has the private half. Cannot be undone.
        ///
        /// ## Parameters
        ///
        /// - `key`: name of the key.
        ///
        /// ## Errors
        ///
        /// - [`Error::NotFound`], [`Error::NotOwner`], [`Error::AlreadyRevoked`].
        ///
        /// ## Events
        ///
        /// [`Event::KeyRevoked`].
        #[pallet::call_index(2)]
        #[pallet::weight(T::WeightInfo::revoke_key())]
        pub fn revoke_key(origin: OriginFor<T>, key: KeyId) -> DispatchResult {
            let who = ensure_signed(origin)?;
            Self::do_revoke(&who, key)
        }

        /// Remove a revoked key whose retention is over. Its deposit returns to its owner.
        ///
        /// ## Dispatch Origin
        ///
        /// Signed by anybody.
        ///
        /// ## Parameters
        ///
        /// - `key`: name of the key.
        ///
        /// ## Errors
        ///
        /// - [`Error::NotFound`], [`Error::NotRevoked`], [`Error::RetentionNotOver`].
        ///
        /// ## Events
        ///
        /// [`Event::KeyForgotten`].
        #[pallet::call_index(3)]
        #[pallet::weight(T::WeightInfo::forget_key())]
        pub fn forget_key(origin: OriginFor<T>, key: KeyId) -> DispatchResult {
            ensure_signed(origin)?;
            Self::do_forget(key)
        }
    }

    #[pallet::view_functions]
    impl<T: Config> Pallet<T> {
        /// Keys of an account that are not revoked, at most [`Config::MaxKeys`], in the order of their names.
        pub fn keys(who: T::AccountId) -> Vec<(KeyId, EncryptionKey)> {
            KeysOf::<T>::iter_key_prefix(&who)
                .filter_map(|id| Keys::<T>::get(id).map(|entry| (id, entry.key)))
                .collect()
        }

        /// Owner of a key, revoked or not, until it is forgotten.
        pub fn key_owner(key: KeyId) -> Option<T::AccountId> {
            Keys::<T>::get(key).map(|entry| entry.owner)
        }
    }
}
