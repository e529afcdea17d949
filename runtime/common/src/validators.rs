//! Who validates: a list that genesis sets and root changes, until the chain selects validators by stake.
//!
//! A validator that equivocates is disabled for the session (as long as no more than a third are) and taken off the
//! list, so that the session after the next runs without it. Nothing is slashed: there is no stake yet. Root may put it
//! back.

pub use pallet::*;

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
pub mod weights;

use alloc::vec::Vec;
use frame_support::{pallet_prelude::Weight, traits::Get};
use pallet_session::historical;
use sp_runtime::{traits::Convert, Perbill, TryRuntimeError};
use sp_staking::{
    offence::{OffenceDetails, OffenceSeverity, OnOffenceHandler},
    SessionIndex,
};
pub use weights::WeightInfo;

/// For how many past sessions it can be proven who validated, and so for how long an equivocation can be reported.
pub const PROVABLE_SESSIONS: SessionIndex = 28;

#[frame_support::pallet]
pub mod pallet {
    use super::WeightInfo;
    use alloc::{collections::btree_set::BTreeSet, vec::Vec};
    use frame_support::pallet_prelude::*;
    use frame_system::pallet_prelude::*;
    use sp_staking::SessionIndex;

    const STORAGE_VERSION: StorageVersion = StorageVersion::new(1);

    /// The list of validators.
    #[pallet::pallet]
    #[pallet::storage_version(STORAGE_VERSION)]
    pub struct Pallet<T>(_);

    /// What the pallet needs. A validator is named by its account.
    #[pallet::config]
    pub trait Config:
        frame_system::Config<RuntimeEvent: From<Event<Self>>>
        + pallet_session::Config<ValidatorId = <Self as frame_system::Config>::AccountId>
    {
        /// Who may change the list.
        type UpdateOrigin: EnsureOrigin<Self::RuntimeOrigin>;
        /// Most validators.
        #[pallet::constant]
        type MaxValidators: Get<u32>;
        /// Weights of the calls.
        type WeightInfo: WeightInfo;
    }

    /// The validators of the session after the next, without duplicates, never empty. Written by genesis,
    /// `set_validators` and equivocations.
    #[pallet::storage]
    pub type Validators<T: Config> =
        StorageValue<_, BoundedVec<T::AccountId, <T as Config>::MaxValidators>, ValueQuery>;

    /// The first validators.
    #[pallet::genesis_config]
    #[derive(frame_support::DefaultNoBound)]
    pub struct GenesisConfig<T: Config> {
        /// Accounts that validate from the first block. Each needs keys in the genesis of the session pallet.
        pub validators: Vec<T::AccountId>,
    }

    #[pallet::genesis_build]
    impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
        fn build(&self) {
            // Genesis is built once, off chain, by whoever writes the chain spec: they must see what is wrong with it.
            let distinct: BTreeSet<_> = self.validators.iter().collect();
            assert!(
                distinct.len() == self.validators.len(),
                "genesis of the validators pallet: an account is named twice"
            );
            match BoundedVec::try_from(self.validators.clone()) {
                Ok(validators) => Validators::<T>::put(validators),
                Err(_) => panic!("genesis of the validators pallet: more than MaxValidators"),
            }
        }
    }

    /// What happened to the list.
    #[pallet::event]
    #[pallet::generate_deposit(pub(super) fn deposit_event)]
    pub enum Event<T: Config> {
        /// The list was replaced. It validates from the session after the next.
        ValidatorsSet {
            /// The new list.
            validators: Vec<T::AccountId>,
        },
        /// A validator equivocated and was taken off the list.
        OffenderRemoved {
            /// The validator.
            validator: T::AccountId,
            /// The session in which it equivocated.
            session: SessionIndex,
        },
        /// The last validator equivocated. It stays: a chain without validators cannot even be repaired.
        LastValidatorOffended {
            /// The validator.
            validator: T::AccountId,
            /// The session in which it equivocated.
            session: SessionIndex,
        },
    }

    /// Why a list was refused.
    #[pallet::error]
    pub enum Error<T> {
        /// The list is empty. Name at least one validator.
        Empty,
        /// The list is longer than `MaxValidators`. Shorten it.
        TooMany,
        /// An account is named twice. Name each once.
        Duplicate,
        /// An account has no session keys. It must call `session.set_keys` first.
        NoSessionKeys,
    }

    #[pallet::call]
    impl<T: Config> Pallet<T> {
        /// Replace the list of validators.
        ///
        /// ## Dispatch Origin
        /// Root.
        ///
        /// ## Details
        /// The new list validates from the session after the next. Validators that leave need do nothing.
        ///
        /// ## Parameters
        /// - `validators`: the whole new list. Each must have session keys.
        ///
        /// ## Errors
        /// - `Empty`, `TooMany`, `Duplicate`, `NoSessionKeys`: see there.
        ///
        /// ## Events
        /// - `ValidatorsSet`.
        #[pallet::call_index(0)]
        #[pallet::weight(<T as Config>::WeightInfo::set_validators(validators.len() as u32))]
        pub fn set_validators(
            origin: OriginFor<T>,
            validators: Vec<T::AccountId>,
        ) -> DispatchResult {
            T::UpdateOrigin::ensure_origin(origin)?;
            Self::do_set_validators(validators)
        }
    }

    impl<T: Config> Pallet<T> {
        fn do_set_validators(validators: Vec<T::AccountId>) -> DispatchResult {
            ensure!(!validators.is_empty(), Error::<T>::Empty);
            let bounded: BoundedVec<_, _> = validators
                .clone()
                .try_into()
                .map_err(|_| Error::<T>::TooMany)?;
            let mut seen = BTreeSet::new();
            for validator in &validators {
                ensure!(seen.insert(validator), Error::<T>::Duplicate);
                ensure!(
                    pallet_session::NextKeys::<T>::contains_key(validator),
                    Error::<T>::NoSessionKeys
                );
            }
            Validators::<T>::put(bounded);
            Self::deposit_event(Event::ValidatorsSet { validators });
            Ok(())
        }
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        #[cfg(feature = "try-runtime")]
        fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
            Self::do_try_state()
        }
    }
}

impl<T: Config> Pallet<T> {
    /// The list with those left out that have withdrawn their session keys; the whole list if all have, because a
    /// session without validators would stop the chain.
    fn next() -> Vec<T::AccountId> {
        let all = Validators::<T>::get().into_inner();
        let able: Vec<_> = all
            .iter()
            .filter(|who| pallet_session::NextKeys::<T>::contains_key(who))
            .cloned()
            .collect();
        if able.is_empty() {
            all
        } else {
            able
        }
    }

    /// Checks what must always hold:
    ///
    /// * the list is not empty;
    /// * no validator is on it twice.
    pub fn do_try_state() -> Result<(), TryRuntimeError> {
        let list = Validators::<T>::get().into_inner();
        frame_support::ensure!(!list.is_empty(), "there is no validator");
        let distinct: alloc::collections::btree_set::BTreeSet<_> = list.iter().collect();
        frame_support::ensure!(
            distinct.len() == list.len(),
            "a validator is on the list twice"
        );
        Ok(())
    }
}

// Always `Some`: with `None` the historical pallet stores no root at genesis, and no key ownership proof ever exists.
impl<T: Config> pallet_session::SessionManager<T::AccountId> for Pallet<T> {
    fn new_session(_: SessionIndex) -> Option<Vec<T::AccountId>> {
        Some(Self::next())
    }
    fn start_session(_: SessionIndex) {}
    fn end_session(_: SessionIndex) {}
}

impl<T: Config + historical::Config> historical::SessionManager<T::AccountId, ()> for Pallet<T> {
    fn new_session(_: SessionIndex) -> Option<Vec<(T::AccountId, ())>> {
        Some(Self::next().into_iter().map(|who| (who, ())).collect())
    }
    fn start_session(index: SessionIndex) {
        // Nobody else prunes the roots, and without pruning they would pile up for ever.
        let up_to = index.saturating_sub(PROVABLE_SESSIONS);
        if up_to > 0 {
            historical::Pallet::<T>::prune_up_to(up_to);
        }
    }
    fn end_session(_: SessionIndex) {}
}

/// Identifies a validator to the historical pallet: by its account alone, there is no stake to name.
pub struct AccountOnly;
impl<AccountId> Convert<AccountId, Option<()>> for AccountOnly {
    fn convert(_: AccountId) -> Option<()> {
        Some(())
    }
}

impl<T> OnOffenceHandler<T::AccountId, historical::IdentificationTuple<T>, Weight> for Pallet<T>
where
    T: Config + historical::Config<FullIdentification = ()>,
{
    fn on_offence(
        offenders: &[OffenceDetails<T::AccountId, historical::IdentificationTuple<T>>],
        fractions: &[Perbill],
        session: SessionIndex,
    ) -> Weight {
        let mut touched = 0u64;
        for (details, fraction) in offenders.iter().zip(fractions) {
            let (validator, ()) = &details.offender;
            touched = touched.saturating_add(1);
            pallet_session::Pallet::<T>::report_offence(
                validator.clone(),
                OffenceSeverity(*fraction),
            );
            let event = Validators::<T>::mutate(|list| {
                let at = list.iter().position(|who| who == validator)?;
                let validator = validator.clone();
                if list.len() > 1 {
                    list.remove(at);
                    Some(Event::OffenderRemoved { validator, session })
                } else {
                    Some(Event::LastValidatorOffended { validator, session })
                }
            });
            if let Some(event) = event {
                Self::deposit_event(event);
            }
        }
        T::DbWeight::get().reads_writes(touched.saturating_mul(4), touched.saturating_mul(2))
    }
}
