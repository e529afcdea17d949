//! Shapes of the pallet.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use virtengine_primitives::{escrow::Ledger, Balance};

/// The numbers of a ledger after a movement, so that an indexer can rebuild it from events alone.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub struct Standing {
    /// Not yet earned.
    pub available: Balance,
    /// Earned, not yet final.
    pub pending: Balance,
    /// Final, but its recipient could not be paid yet.
    pub credited: Balance,
    /// Paid out.
    pub paid: Balance,
    /// Given back.
    pub refunded: Balance,
}

impl<AccountId> From<&Ledger<AccountId>> for Standing {
    fn from(ledger: &Ledger<AccountId>) -> Self {
        Self {
            available: ledger.available,
            pending: ledger.pending,
            credited: ledger.credited,
            paid: ledger.paid,
            refunded: ledger.refunded,
        }
    }
}

/// What one recipient is owed on one agreement. The two parts are counted apart because a payer may also be a payee,
/// and money given back is not money earned.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub struct Credit {
    /// Earned, and not paid out.
    pub payment: Balance,
    /// To be given back, and not given back.
    pub refund: Balance,
}

impl Credit {
    /// All that is owed; `None` if it does not fit 128 bits.
    pub fn total(&self) -> Option<Balance> {
        self.payment.checked_add(self.refund)
    }
}
