//! From one storage version to the next.

/// 1 -> 2: roles are kept by role first, as [`Holders`](crate::Holders), instead of by account first.
pub mod v2 {
    use crate::{Authority, Config, Holders, Pallet};
    use core::marker::PhantomData;
    use frame_support::{
        migrations::{MigrationId, SteppedMigration, SteppedMigrationError},
        pallet_prelude::*,
        traits::GetStorageVersion,
        weights::WeightMeter,
    };
    use virtengine_primitives::Role;

    const ID: &[u8; 15] = b"virt:  accounts";

    /// Roles as version 1 kept them.
    #[frame_support::storage_alias]
    pub(crate) type Roles<T: Config> = StorageDoubleMap<
        Pallet<T>,
        Blake2_128Concat,
        <T as frame_system::Config>::AccountId,
        Twox64Concat,
        Role,
        Authority<<T as frame_system::Config>::AccountId>,
        OptionQuery,
    >;

    /// Moves every role, as many in a block as fit: customers take their role themselves, so nothing bounds how many
    /// there are. What has been moved is gone from the old place, so that running it again does nothing, and what is
    /// left is all that a cursor could say.
    pub struct RolesByRole<T>(PhantomData<T>);

    impl<T: Config> SteppedMigration for RolesByRole<T> {
        type Cursor = ();
        type Identifier = MigrationId<15>;

        fn id() -> Self::Identifier {
            MigrationId {
                pallet_id: *ID,
                version_from: 1,
                version_to: 2,
            }
        }

        fn step(
            _: Option<Self::Cursor>,
            meter: &mut WeightMeter,
        ) -> Result<Option<Self::Cursor>, SteppedMigrationError> {
            // The next key and its value; the old entry removed, the new one written.
            let each = T::DbWeight::get().reads_writes(2, 2);
            if !meter.can_consume(each) {
                return Err(SteppedMigrationError::InsufficientWeight { required: each });
            }
            let mut left = Roles::<T>::drain();
            while meter.try_consume(each).is_ok() {
                let Some((who, role, by)) = left.next() else {
                    if Pallet::<T>::on_chain_storage_version() < 2 {
                        StorageVersion::new(2).put::<Pallet<T>>();
                    }
                    return Ok(None);
                };
                Holders::<T>::insert(role, who, by);
            }
            Ok(Some(()))
        }

        #[cfg(feature = "try-runtime")]
        fn pre_upgrade() -> Result<alloc::vec::Vec<u8>, sp_runtime::TryRuntimeError> {
            let roles = Roles::<T>::iter_keys()
                .count()
                .saturating_add(Holders::<T>::iter_keys().count());
            Ok(codec::Encode::encode(&(roles as u64)))
        }

        #[cfg(feature = "try-runtime")]
        fn post_upgrade(state: alloc::vec::Vec<u8>) -> Result<(), sp_runtime::TryRuntimeError> {
            let roles = Holders::<T>::iter_keys().count() as u64;
            frame_support::ensure!(
                codec::Encode::encode(&roles) == state,
                "accounts: the upgrade lost or made roles"
            );
            Pallet::<T>::do_try_state()
        }
    }
}
