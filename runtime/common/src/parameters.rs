//! What a chain fixes at genesis and never changes: slot duration, length of an epoch, dispute window.
//!
//! Why storage and not constants: the development chain and the main network run the same code with different clocks.
//! Why no setter: BABE asserts in every block that the slot follows from the timestamp, so a changed slot duration
//! would stop the chain; and agreements pin the dispute window they were opened with.

pub use pallet::*;

#[frame_support::pallet]
pub mod pallet {
    use crate::{AssetId, AssetKind, BlockNumber, Moment};
    use alloc::vec::Vec;
    use core::marker::PhantomData;
    use frame_support::{pallet_prelude::*, traits::ConstU64};
    use sp_runtime::{FixedU128, TryRuntimeError};

    /// Slot duration where genesis names none, in milliseconds.
    pub const DEFAULT_SLOT_DURATION: Moment = 6_000;
    /// Length of an epoch where genesis names none, in slots: four hours of six-second slots.
    pub const DEFAULT_EPOCH_LENGTH: u64 = 2_400;
    /// Dispute window where genesis names none, in blocks: three days of six-second blocks.
    pub const DEFAULT_DISPUTE_WINDOW: BlockNumber = 43_200;
    /// Shortest epoch: fewer slots leave no time to announce the next authorities.
    pub const MINIMUM_EPOCH_LENGTH: u64 = 5;

    const STORAGE_VERSION: StorageVersion = StorageVersion::new(1);

    /// Values that a chain fixes at genesis.
    #[pallet::pallet]
    #[pallet::storage_version(STORAGE_VERSION)]
    pub struct Pallet<T>(_);

    /// Nothing to configure; the rates that genesis sets belong to the asset rate pallet.
    #[pallet::config]
    pub trait Config:
        frame_system::Config + pallet_asset_rate::Config<AssetKind = AssetKind>
    {
    }

    /// Length of a slot in milliseconds: even and not zero. Written at genesis, never again.
    #[pallet::storage]
    pub type SlotDuration<T> = StorageValue<_, Moment, ValueQuery, ConstU64<DEFAULT_SLOT_DURATION>>;

    /// Length of an epoch in slots. Written at genesis, never again.
    #[pallet::storage]
    pub type EpochLength<T> = StorageValue<_, u64, ValueQuery, ConstU64<DEFAULT_EPOCH_LENGTH>>;

    /// How long a settled amount can be disputed, in blocks. Written at genesis, never again.
    #[pallet::storage]
    pub type DisputeWindow<T> =
        StorageValue<_, BlockNumber, ValueQuery, ConstU32<DEFAULT_DISPUTE_WINDOW>>;

    /// What genesis fixes.
    #[pallet::genesis_config]
    pub struct GenesisConfig<T: Config> {
        /// Length of a slot in milliseconds: even and not zero.
        pub slot_duration: Moment,
        /// Length of an epoch in slots, at least [`MINIMUM_EPOCH_LENGTH`].
        pub epoch_length: u64,
        /// How long a settled amount can be disputed, in blocks, not zero.
        pub dispute_window: BlockNumber,
        /// Units of the native token that one unit of an asset is worth: what fees in that asset cost at first.
        /// Governance changes them later through the asset rate pallet.
        pub asset_rates: Vec<(AssetId, FixedU128)>,
        /// No value.
        #[serde(skip)]
        pub _config: PhantomData<T>,
    }

    impl<T: Config> Default for GenesisConfig<T> {
        fn default() -> Self {
            Self {
                slot_duration: DEFAULT_SLOT_DURATION,
                epoch_length: DEFAULT_EPOCH_LENGTH,
                dispute_window: DEFAULT_DISPUTE_WINDOW,
                asset_rates: Vec::new(),
                _config: PhantomData,
            }
        }
    }

    #[pallet::genesis_build]
    impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
        fn build(&self) {
            SlotDuration::<T>::put(self.slot_duration);
            EpochLength::<T>::put(self.epoch_length);
            DisputeWindow::<T>::put(self.dispute_window);
            if let Err(error) = Pallet::<T>::do_try_state() {
                // Genesis is built once, off chain, by whoever writes the chain spec: they must see this.
                panic!("genesis of the parameters pallet: {error:?}");
            }
            for (asset, rate) in &self.asset_rates {
                pallet_asset_rate::ConversionRateToNative::<T>::insert(
                    AssetKind::Asset(*asset),
                    rate,
                );
            }
        }
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<frame_system::pallet_prelude::BlockNumberFor<T>> for Pallet<T> {
        #[cfg(feature = "try-runtime")]
        fn try_state(
            _: frame_system::pallet_prelude::BlockNumberFor<T>,
        ) -> Result<(), TryRuntimeError> {
            Self::do_try_state()
        }
    }

    impl<T: Config> Pallet<T> {
        /// Checks what must always hold:
        ///
        /// * the slot duration is even and not zero (half of it is the least time between two blocks);
        /// * an epoch has at least [`MINIMUM_EPOCH_LENGTH`] slots;
        /// * the dispute window is not zero.
        pub fn do_try_state() -> Result<(), TryRuntimeError> {
            let slot = SlotDuration::<T>::get();
            ensure!(
                slot != 0 && slot.is_multiple_of(2),
                "slot_duration must be an even number of milliseconds and not 0"
            );
            ensure!(
                EpochLength::<T>::get() >= MINIMUM_EPOCH_LENGTH,
                "epoch_length must be at least 5 slots"
            );
            ensure!(
                DisputeWindow::<T>::get() != 0,
                "dispute_window must be at least 1 block"
            );
            Ok(())
        }
    }

    /// Slot duration in milliseconds, as a type.
    pub struct SlotDurationOf<T>(PhantomData<T>);
    impl<T: Config> Get<Moment> for SlotDurationOf<T> {
        fn get() -> Moment {
            SlotDuration::<T>::get()
        }
    }

    /// Half a slot in milliseconds: the least time between two timestamps.
    pub struct MinimumPeriodOf<T>(PhantomData<T>);
    impl<T: Config> Get<Moment> for MinimumPeriodOf<T> {
        fn get() -> Moment {
            SlotDuration::<T>::get() / 2
        }
    }

    /// Slots of an epoch, as a type.
    pub struct EpochLengthOf<T>(PhantomData<T>);
    impl<T: Config> Get<u64> for EpochLengthOf<T> {
        fn get() -> u64 {
            EpochLength::<T>::get()
        }
    }

    /// Dispute window in blocks, as a type.
    pub struct DisputeWindowOf<T>(PhantomData<T>);
    impl<T: Config> Get<BlockNumber> for DisputeWindowOf<T> {
        fn get() -> BlockNumber {
            DisputeWindow::<T>::get()
        }
    }
}
