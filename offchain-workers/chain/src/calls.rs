//! Typed calls, one module per pallet. Arguments in the order of the runtime's call.

/// Native transfers.
pub mod balances {
    use crate::{AccountId32, Call};
    use codec::Compact;
    use virtengine_primitives::Balance;

    /// Moves `amount` smallest units to `to`; the sender stays alive.
    pub fn transfer_keep_alive(to: &AccountId32, amount: Balance) -> Call {
        Call::new("Balances", "transfer_keep_alive")
            .with(super::address(to))
            .with(Compact(amount))
    }
}

/// Several calls in one transaction.
pub mod utility {
    use crate::Call;

    /// All take effect or none.
    pub fn batch_all(calls: Vec<Call>) -> Call {
        Call::new("Utility", "batch_all").with_calls(calls)
    }

    /// Those that fail are skipped and announced by `Utility.ItemFailed`.
    pub fn force_batch(calls: Vec<Call>) -> Call {
        Call::new("Utility", "force_batch").with_calls(calls)
    }
}

/// Development chains only.
pub mod sudo {
    use crate::Call;

    /// Dispatches the call as root; signed by the sudo key.
    pub fn sudo(call: Call) -> Call {
        Call::new("Sudo", "sudo").with_call(call)
    }
}

/// `MultiAddress::Id`.
fn address(account: &crate::AccountId32) -> impl codec::Encode {
    (0u8, account.clone())
}
