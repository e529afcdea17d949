//! What must hold between any two calls. Always compiled, so that tests of any level can ask.

use crate::*;
use frame_support::{ensure, traits::Get};
use sp_runtime::TryRuntimeError;
use virtengine_primitives::envelope::key_id;

impl<T: Config> Pallet<T> {
    /// All invariants.
    pub fn do_try_state() -> Result<(), TryRuntimeError> {
        Self::try_state_keys()?;
        Self::try_state_indices()?;
        Self::try_state_counts()
    }

    /// * A key is stored under its own name and is worth sealing to.
    /// * It is listed with its owner, as revoked if and only if it is.
    fn try_state_keys() -> Result<(), TryRuntimeError> {
        for (id, entry) in Keys::<T>::iter() {
            ensure!(
                id == key_id(&entry.key.public),
                "keyring: a key under another's name"
            );
            ensure!(is_sound(&entry.key.public), "keyring: an unsound key");
            let revoked = entry.key.revoked_at.is_some();
            ensure!(
                KeysOf::<T>::contains_key(&entry.owner, id) != revoked,
                "keyring: list of live keys"
            );
            ensure!(
                RevokedOf::<T>::contains_key(&entry.owner, id) == revoked,
                "keyring: list of revoked keys"
            );
        }
        Ok(())
    }

    /// * What is listed exists and belongs to whom it is listed with.
    fn try_state_indices() -> Result<(), TryRuntimeError> {
        let live = KeysOf::<T>::iter_keys();
        let revoked = RevokedOf::<T>::iter_keys();
        for (who, id) in live.chain(revoked) {
            ensure!(
                Self::key_owner(id) == Some(who),
                "keyring: a listed key is not there"
            );
        }
        Ok(())
    }

    /// * The counts are right, none is zero and none above the limit.
    fn try_state_counts() -> Result<(), TryRuntimeError> {
        for (who, count) in KeyCount::<T>::iter() {
            ensure!(
                count > 0 && count <= T::MaxKeys::get(),
                "keyring: count out of bounds"
            );
            let listed = KeysOf::<T>::iter_key_prefix(&who).count();
            ensure!(u32::try_from(listed) == Ok(count), "keyring: wrong count");
        }
        ensure!(
            KeysOf::<T>::iter_keys().all(|(who, _)| KeyCount::<T>::contains_key(who)),
            "keyring: keys that are not counted"
        );
        Ok(())
    }
}
