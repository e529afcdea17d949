//! What must hold between any two calls. Always compiled, so that tests of any level can ask.

use crate::*;
use frame_support::ensure;
use sp_runtime::TryRuntimeError;
use virtengine_primitives::{AccountState, Role};

impl<T: Config> Pallet<T> {
    /// All invariants.
    pub fn do_try_state() -> Result<(), TryRuntimeError> {
        Self::try_state_states()?;
        Self::try_state_roles()?;
        Self::try_state_genesis()
    }

    /// * Only states other than active are stored.
    fn try_state_states() -> Result<(), TryRuntimeError> {
        ensure!(
            States::<T>::iter_values().all(|state| state != AccountState::Active),
            "accounts: an active state is stored"
        );
        Ok(())
    }

    /// * A terminated account holds no role.
    /// * A role that its holder took itself keeps the account alive.
    fn try_state_roles() -> Result<(), TryRuntimeError> {
        for (role, who, by) in Holders::<T>::iter() {
            ensure!(
                States::<T>::get(&who) != AccountState::Terminated,
                "accounts: a terminated account holds a role"
            );
            ensure!(
                !Self::is_referenced(&who, role, &by)
                    || frame_system::Pallet::<T>::consumers(&who) > 0,
                "accounts: a customer without consumer reference"
            );
        }
        Ok(())
    }

    /// * The count of active Genesis accounts is right.
    /// * If anybody holds the role Genesis, somebody can use it.
    fn try_state_genesis() -> Result<(), TryRuntimeError> {
        let (mut active, mut held) = (0u32, 0u32);
        for (role, who, _) in Holders::<T>::iter() {
            if role == Role::Genesis {
                held = held.saturating_add(1);
                if States::<T>::get(&who) == AccountState::Active {
                    active = active.saturating_add(1);
                }
            }
        }
        ensure!(
            active == ActiveGenesis::<T>::get(),
            "accounts: wrong count of Genesis accounts"
        );
        ensure!(
            held == 0 || active > 0,
            "accounts: no Genesis account is active"
        );
        Ok(())
    }
}
