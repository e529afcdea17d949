//! What this pallet tells the world.

use frame_support::pallet_macros::*;

/// The events.
#[pallet_section]
mod events {
    /// What happened. All amounts are in the smallest unit of the chain's own token.
    #[pallet::event]
    #[pallet::generate_deposit(pub(super) fn deposit_event)]
    pub enum Event<T: Config> {
        /// An organisation was registered.
        Registered {
            /// Its number.
            provider: ProviderId,
            /// Who owns it and its bond.
            owner: T::AccountId,
            /// Where it is paid to.
            payout: T::AccountId,
            /// What people call it.
            name: Name,
            /// What is held on the owner's account.
            bond: Balance,
        },
        /// An organisation is paid to another account from now on.
        PayoutSet {
            /// Which one.
            provider: ProviderId,
            /// Where it is paid to.
            payout: T::AccountId,
        },
        /// An organisation goes by another name.
        NameSet {
            /// Which one.
            provider: ProviderId,
            /// What people call it.
            name: Name,
        },
        /// An account may do the worker's calls of an organisation.
        HotKeyAdded {
            /// Which one.
            provider: ProviderId,
            /// The account.
            who: T::AccountId,
        },
        /// An account may no longer act for an organisation.
        HotKeyRemoved {
            /// Which one.
            provider: ProviderId,
            /// The account.
            who: T::AccountId,
        },
        /// An account answers tickets for an organisation.
        SupportAgentAdded {
            /// Which one.
            provider: ProviderId,
            /// The account.
            who: T::AccountId,
        },
        /// An account no longer answers tickets for an organisation.
        SupportAgentRemoved {
            /// Which one.
            provider: ProviderId,
            /// The account.
            who: T::AccountId,
        },
        /// The owner added to the bond.
        BondAdded {
            /// Which organisation.
            provider: ProviderId,
            /// How much was added.
            amount: Balance,
            /// The whole bond now.
            bond: Balance,
        },
        /// The owner took a free part of the bond back.
        BondWithdrawn {
            /// Which organisation.
            provider: ProviderId,
            /// How much was released.
            amount: Balance,
            /// The whole bond now.
            bond: Balance,
        },
        /// Part of the bond was set aside for accepted work.
        BondLocked {
            /// Which organisation.
            provider: ProviderId,
            /// For which agreement.
            agreement: AgreementId,
            /// How much.
            amount: Balance,
        },
        /// What was set aside for accepted work is free again.
        BondUnlocked {
            /// Which organisation.
            provider: ProviderId,
            /// For which agreement.
            agreement: AgreementId,
            /// How much.
            amount: Balance,
        },
        /// The organisation lost part of what was set aside; the rest of it is free again.
        BondSlashed {
            /// Which organisation.
            provider: ProviderId,
            /// For which agreement.
            agreement: AgreementId,
            /// How much it lost.
            amount: Balance,
            /// How much of what was set aside is free again.
            unlocked: Balance,
            /// Who got it: who was wronged, or the treasury if that account cannot receive it.
            to: T::AccountId,
            /// The whole bond now.
            bond: Balance,
        },
        /// A credit note was paid out of the bond.
        BondPaid {
            /// Which organisation.
            provider: ProviderId,
            /// How much.
            amount: Balance,
            /// To whom.
            to: T::AccountId,
            /// The whole bond now.
            bond: Balance,
        },
        /// The owner offered the organisation to another account.
        TransferOffered {
            /// Which organisation.
            provider: ProviderId,
            /// Who may accept it.
            to: T::AccountId,
        },
        /// An offer was withdrawn.
        TransferCancelled {
            /// Which organisation.
            provider: ProviderId,
        },
        /// The organisation has another owner, who now holds its bond and is paid for its work.
        Transferred {
            /// Which organisation.
            provider: ProviderId,
            /// Who owned it.
            from: T::AccountId,
            /// Who owns it, and where it is paid to.
            to: T::AccountId,
            /// The bond that moved.
            bond: Balance,
        },
        /// The organisation is gone.
        Left {
            /// Which one.
            provider: ProviderId,
            /// Who owned it.
            owner: T::AccountId,
            /// The bond that was released.
            bond: Balance,
        },
        /// An attribute was set; nobody vouches for the new value yet.
        AttributeSet {
            /// Of which organisation.
            provider: ProviderId,
            /// Which attribute.
            key: AttributeKey,
            /// Its value.
            value: AttributeValue,
        },
        /// An attribute was removed together with what vouched for it.
        AttributeCleared {
            /// Of which organisation.
            provider: ProviderId,
            /// Which attribute.
            key: AttributeKey,
        },
        /// An attestor vouched for the value of an attribute.
        Attested {
            /// Of which organisation.
            provider: ProviderId,
            /// Which attribute.
            key: AttributeKey,
            /// Who vouched.
            attestor: T::AccountId,
            /// Blake2b-256 of the value.
            value_hash: H256,
            /// Not valid from this moment on (unix milliseconds).
            expires_at: Moment,
        },
        /// An attestor took its word back.
        AttestationRevoked {
            /// Of which organisation.
            provider: ProviderId,
            /// Which attribute.
            key: AttributeKey,
            /// Who had vouched.
            attestor: T::AccountId,
        },
    }
}
