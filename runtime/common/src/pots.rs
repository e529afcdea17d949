//! Accounts without a key: where the chain keeps money that belongs to nobody in particular.
//!
//! Every pot is endowed at genesis, so that no payment into one fails for an existential deposit.

use crate::AccountId;
use alloc::vec::Vec;
use frame_support::PalletId;
use sp_runtime::traits::AccountIdConversion;

/// Fees, and what slashing leaves over.
pub const TREASURY: PalletId = PalletId(*b"ve/trsry");
/// The share of every settled amount that the chain takes.
pub const TAKE: PalletId = PalletId(*b"ve/take_");
/// Credits that could not be paid out to their owner yet.
pub const ESCROW: PalletId = PalletId(*b"ve/escrw");

/// Account of the treasury.
pub fn treasury() -> AccountId {
    TREASURY.into_account_truncating()
}

/// Account of the take pot.
pub fn take() -> AccountId {
    TAKE.into_account_truncating()
}

/// Account of the escrow pot.
pub fn escrow() -> AccountId {
    ESCROW.into_account_truncating()
}

/// All pots, for genesis.
pub fn all() -> Vec<AccountId> {
    alloc::vec![treasury(), take(), escrow()]
}

frame_support::parameter_types! {
    /// [`treasury`] as a type.
    pub TreasuryAccount: AccountId = treasury();
    /// [`take`] as a type.
    pub TakeAccount: AccountId = take();
    /// [`escrow`] as a type.
    pub EscrowAccount: AccountId = escrow();
}
