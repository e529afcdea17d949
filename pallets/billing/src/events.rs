//! What this pallet tells the world.

use frame_support::pallet_macros::*;

/// The events.
#[pallet_section]
mod events {
    #[pallet::event]
    #[pallet::generate_deposit(pub(super) fn deposit_event)]
    pub enum Event<T: Config> {
        /// A provider published a price plan.
        PlanPublished {
            /// Its number.
            plan: PlanId,
            /// Whose it is.
            provider: ProviderId,
            /// The terms.
            terms: PricePlan,
        },
        /// A plan takes no new agreements.
        PlanRetired {
            /// Its number.
            plan: PlanId,
            /// Whose it is.
            provider: ProviderId,
            /// Agreements and candidates that still need it; at 0 it is gone.
            users: u32,
        },
        /// An agreement was opened and its ceiling put in escrow.
        Opened {
            /// Its number.
            agreement: AgreementId,
            /// Who pays.
            payer: T::AccountId,
            /// Who is paid.
            provider: ProviderId,
            /// The plan, frozen from now on.
            plan: PlanId,
            /// In what.
            asset: AssetKind,
            /// The most it can cost.
            ceiling: Balance,
            /// What may be used.
            allocation: Allocation,
            /// Blocks between its end and the release.
            dispute_window: BlockNumber,
            /// The chain's share.
            take_rate: Perbill,
            /// When, in unix milliseconds.
            at: Moment,
        },
        /// An agreement that had not started moved to another provider.
        Reassigned {
            /// Its number.
            agreement: AgreementId,
            /// Who is paid now.
            provider: ProviderId,
            /// The plan that applies now.
            plan: PlanId,
        },
        /// The first second that may be billed has begun.
        Started {
            /// The agreement.
            agreement: AgreementId,
            /// Since when, in unix milliseconds.
            at: Moment,
        },
        /// Usage was reported and its price moved from available to pending.
        Reported {
            /// The agreement.
            agreement: AgreementId,
            /// In what.
            asset: AssetKind,
            /// The report.
            report: UsageReport,
            /// What this report moved.
            moved: Balance,
            /// What all reports moved.
            charged: Balance,
            /// Head of the hash chain over all reports.
            head: H256,
        },
        /// One report of a batch was refused; the others are not affected.
        ReportRejected {
            /// The agreement.
            agreement: AgreementId,
            /// Sequence that the report claimed.
            sequence: u32,
            /// Why.
            error: DispatchError,
        },
        /// A line was appended to an invoice, for good.
        LineSealed {
            /// The invoice.
            invoice: InvoiceKey<T::AccountId>,
            /// The line's index.
            index: u32,
            /// The line.
            line: InvoiceLine,
            /// Sum of the invoice's usage lines.
            total: Balance,
            /// Sum of its credit notes.
            credited: Balance,
            /// Root of its lines.
            root: H256,
        },
        /// An agreement ended; what was not charged is on its way back to the payer.
        Ended {
            /// The agreement.
            agreement: AgreementId,
            /// Who answers for it.
            fault: Fault,
            /// In what.
            asset: AssetKind,
            /// What stays pending.
            charged: Balance,
            /// What went back to the payer.
            refunded: Balance,
            /// First block at which what is pending is released.
            release_at: BlockNumber,
        },
        /// Pending money became final.
        Released {
            /// The agreement.
            agreement: AgreementId,
            /// In what.
            asset: AssetKind,
            /// The provider's payout account.
            payee: T::AccountId,
            /// The payee's part. What could not arrive is a credit in escrow.
            to_payee: Balance,
            /// The chain's part. What could not arrive is a credit in escrow.
            to_pot: Balance,
            /// All that has been released on this agreement.
            released: Balance,
        },
        /// The payer disputes part of what is pending.
        Disputed {
            /// The agreement.
            agreement: AgreementId,
            /// In what.
            asset: AssetKind,
            /// The amount, the grounds and the deadlines.
            dispute: Dispute,
        },
        /// The provider opened its evidence to payer and arbiter.
        EvidenceOpened {
            /// The agreement.
            agreement: AgreementId,
            /// Blake2b-256 of the salted accounting rows.
            evidence: H256,
            /// The arbiter decides before this block.
            decide_by: BlockNumber,
        },
        /// A dispute is over.
        DisputeResolved {
            /// The agreement.
            agreement: AgreementId,
            /// In what.
            asset: AssetKind,
            /// Part of the disputed amount that was released.
            to_payee: Balance,
            /// Part of it that went back to the payer.
            to_payer: Balance,
            /// How.
            outcome: Outcome,
        },
        /// All money of an agreement has been moved.
        Settled {
            /// The agreement.
            agreement: AgreementId,
            /// In what.
            asset: AssetKind,
            /// What it cost in the end.
            charged: Balance,
            /// First block at which it may be pruned.
            prune_at: BlockNumber,
        },
        /// Money that had been paid was given back, by a credit note on an open invoice.
        CreditNoteIssued {
            /// Invoice of the corrected line.
            invoice: InvoiceKey<T::AccountId>,
            /// The corrected line.
            line: u32,
            /// What was given back in all.
            amount: Balance,
            /// The part that the provider, or its bond, paid.
            from_provider: Balance,
            /// The part that the chain returned of its share.
            from_pot: Balance,
            /// Whether an arbiter took it from the bond.
            from_bond: bool,
        },
        /// An invoice takes no more lines.
        InvoiceClosed {
            /// The invoice.
            invoice: InvoiceKey<T::AccountId>,
            /// Sum of its usage lines.
            total: Balance,
            /// Sum of its credit notes.
            credited: Balance,
            /// Number of its lines.
            lines: u32,
            /// Root of its lines.
            root: H256,
        },
        /// An agreement was removed from the chain's state.
        AgreementPruned {
            /// Its number.
            agreement: AgreementId,
        },
        /// An invoice and its lines were removed from the chain's state.
        InvoicePruned {
            /// The invoice.
            invoice: InvoiceKey<T::AccountId>,
        },
    }
}
