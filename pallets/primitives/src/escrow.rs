//! The ledger that money hangs on.

use crate::*;

/// Ledger of one agreement. All amounts in smallest units of `asset`.
///
/// Invariant: `available + pending + credited + paid + refunded == deposited`, and what is held on the payer's
/// account for escrow is the sum of `available + pending + credited` over its ledgers.
#[derive(
    Clone,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
    serde::Serialize,
    serde::Deserialize,
)]
pub struct Ledger<AccountId> {
    /// Whose money it is until it is paid; on whose account it is held.
    pub payer: AccountId,
    /// In what.
    pub asset: AssetKind,
    /// All that ever came in.
    pub deposited: Balance,
    /// Not yet earned.
    pub available: Balance,
    /// Earned, not yet final.
    pub pending: Balance,
    /// Final, but its recipient could not be paid; still held, claimable by anyone in the recipient's favour.
    pub credited: Balance,
    /// Paid out.
    pub paid: Balance,
    /// Given back.
    pub refunded: Balance,
    /// No deposit or settlement is accepted any more.
    pub closed: bool,
}

impl<AccountId> Ledger<AccountId> {
    /// What is still held on the payer's account; `None` if it does not fit 128 bits, which cannot happen.
    pub fn held(&self) -> Option<Balance> {
        self.available
            .checked_add(self.pending)?
            .checked_add(self.credited)
    }

    /// The ledger's own invariant.
    pub fn is_balanced(&self) -> bool {
        self.held()
            .and_then(|h| h.checked_add(self.paid)?.checked_add(self.refunded))
            == Some(self.deposited)
    }
}
