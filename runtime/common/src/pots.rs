//! Accounts without a key: where the chain keeps money that belongs to nobody in particular.
//!
//! Every pot is endowed at genesis, so that no payment into one fails for an existential deposit. Escrow needs no pot:
//! what it keeps is held on the payer's own account.

use crate::AccountId;
use alloc::vec::Vec;
use frame_support::PalletId;
use sp_runtime::traits::AccountIdConversion;

/// Fees, and what slashing leaves over.
pub const TREASURY: PalletId = PalletId(*b"ve/trsry");
/// The share of every settled amount that the chain takes.
pub const TAKE: PalletId = PalletId(*b"ve/take_");

/// Account of the treasury.
pub fn treasury() -> AccountId {
    TREASURY.into_account_truncating()
}

/// Account of the take pot.
pub fn take() -> AccountId {
    TAKE.into_account_truncating()
}

/// All pots, for genesis.
pub fn all() -> Vec<AccountId> {
    alloc::vec![treasury(), take()]
}

frame_support::parameter_types! {
    /// [`treasury`] as a type.
    pub TreasuryAccount: AccountId = treasury();
    /// [`take`] as a type.
    pub TakeAccount: AccountId = take();
}
