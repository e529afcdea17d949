//! Why this pallet refuses.

use frame_support::pallet_macros::*;

/// The errors.
#[pallet_section]
mod errors {
    /// Why a call was refused, and what to do.
    #[pallet::error]
    pub enum Error<T> {
        /// No organisation has this number; check it.
        NotFound,
        /// You own no organisation; register one, or sign with the account that owns it.
        NotOwner,
        /// The account owns an organisation already; use another account, or leave with that one first.
        AlreadyOwner,
        /// The account has not been approved as a provider; ask an administrator for the role.
        RoleRequired,
        /// The account is the hot key of an organisation and must not own one; use another account.
        OwnerIsHotKey,
        /// The account owns an organisation and must not be a hot key; make a new account for the worker.
        HotKeyIsOwner,
        /// The account is a hot key already; make a new account for this worker.
        HotKeyInUse,
        /// The account is not a hot key; check the address.
        HotKeyNotFound,
        /// The organisation has as many hot keys as it may; remove one first.
        TooManyHotKeys,
        /// Only the owner and the hot key itself may do this; sign with one of them.
        NotAuthorized,
        /// The name is empty, not UTF-8 or has control characters; choose another one.
        InvalidName,
        /// The amount is zero; give a positive one.
        ZeroAmount,
        /// Not enough of the bond is free; add to it, or wait until work is settled.
        InsufficientBond,
        /// The bond would fall below the minimum; take less, or leave to get all of it back.
        BelowMinimumBond,
        /// Part of the bond is set aside for this agreement already.
        AlreadyLocked,
        /// Part of the bond is set aside for accepted work; wait until that work has ended.
        BondLocked,
        /// Agreements have not been settled; end them and wait for their dispute windows.
        LiveAgreements,
        /// The organisation has not been offered to you; ask its owner.
        NotOffered,
        /// The attribute's name must be 1 to 32 of a-z, 0-9, '.', '-' and '_'; choose another one.
        InvalidAttributeKey,
        /// The attribute's value is empty, not UTF-8 or has control characters; choose another one.
        InvalidAttributeValue,
        /// The organisation has as many attributes as it may; clear one first.
        TooManyAttributes,
        /// The organisation has no such attribute; check its name.
        AttributeNotFound,
        /// The attribute has another value than the one you vouch for; look at it again.
        ValueMismatch,
        /// The expiry has passed; give a later one.
        AlreadyExpired,
        /// The attribute has as many valid attestations as it may; wait until one expires.
        TooManyAttestations,
        /// You do not hold the role of an attestor; ask an administrator for it.
        NotAttestor,
        /// You have not vouched for this attribute; there is nothing to revoke.
        AttestationNotFound,
        /// The account answers tickets for the organisation already; there is nothing to do.
        AlreadySupportAgent,
        /// The account does not answer tickets for the organisation; check the address.
        NotSupportAgent,
        /// The organisation has as many support agents as it may; remove one first.
        TooManySupportAgents,
        /// The account decides disputes and must not work for a party; make a new account for the worker.
        HotKeyIsArbiter,
    }
}
