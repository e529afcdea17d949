//! What this pallet tells the world.

use frame_support::pallet_macros::*;

/// The events.
#[pallet_section]
mod events {
    /// Everything an indexer needs to rebuild clusters and jobs after they were pruned.
    #[pallet::event]
    #[pallet::generate_deposit(pub(super) fn deposit_event)]
    pub enum Event<T: Config> {
        /// A provider registered a cluster.
        ClusterRegistered {
            /// Its number.
            cluster: ClusterId,
            /// Whose it is.
            provider: ProviderId,
            /// What was registered.
            spec: ClusterSpec,
        },
        /// A provider changed what it registered. Jobs that were submitted before keep their plan.
        ClusterUpdated {
            /// Which cluster.
            cluster: ClusterId,
            /// What holds for new jobs.
            spec: ClusterSpec,
        },
        /// A cluster takes jobs or stopped taking them.
        ClusterStateSet {
            /// Which cluster.
            cluster: ClusterId,
            /// Whether it takes jobs.
            state: ClusterState,
        },
        /// A cluster is gone; its deposit went back.
        ClusterDeregistered {
            /// Which cluster.
            cluster: ClusterId,
        },
        /// A cluster runs a template from now on.
        TemplateAllowed {
            /// Which cluster.
            cluster: ClusterId,
            /// Which template.
            template: TemplateHash,
            /// What its provider calls it.
            name: Name,
        },
        /// A cluster takes no new job of a template.
        TemplateDisallowed {
            /// Which cluster.
            cluster: ClusterId,
            /// Which template.
            template: TemplateHash,
        },
        /// A job was submitted; the request's ceiling is held. Followed by `JobAssigned`.
        JobSubmitted {
            /// Its number, also that of its agreement.
            job: AgreementId,
            /// Who bought it.
            customer: T::AccountId,
            /// What was asked.
            request: Box<JobRequest>,
            /// The other candidates with their frozen plans, the next to be tried last.
            remaining: BoundedVec<Candidate, ConstU32<MAX_CANDIDATES>>,
        },
        /// A job was given to a cluster, first time or again.
        JobAssigned {
            /// Which job.
            job: AgreementId,
            /// To which provider.
            provider: ProviderId,
            /// To which of its clusters.
            cluster: ClusterId,
            /// And partition.
            partition: u8,
            /// The plan that prices it there.
            plan: PlanId,
            /// The most it can cost there.
            cost: Balance,
            /// Accepted before this block, or the next candidate is tried.
            deadline: BlockNumber,
            /// Running before this block, or the provider is slashed.
            start_by: BlockNumber,
        },
        /// A provider accepted a job and is bonded.
        JobAccepted {
            /// Which job.
            job: AgreementId,
            /// Which provider.
            provider: ProviderId,
            /// When; periods cannot start earlier.
            at: Moment,
            /// Running before this block, or the provider is slashed.
            deadline: BlockNumber,
        },
        /// A provider turned a job down.
        JobDeclined {
            /// Which job.
            job: AgreementId,
            /// Which provider.
            provider: ProviderId,
            /// Why.
            reason: DeclineReason,
        },
        /// A provider did not accept in time.
        JobNotAccepted {
            /// Which job.
            job: AgreementId,
            /// Which provider.
            provider: ProviderId,
        },
        /// A provider accepted a job and did not have it running in time.
        JobNotStarted {
            /// Which job.
            job: AgreementId,
            /// Which provider.
            provider: ProviderId,
        },
        /// A job moved on.
        JobProgressed {
            /// Which job.
            job: AgreementId,
            /// Its new state.
            state: JobState,
            /// Since when, as the provider says it; for states other than running, the chain's clock.
            at: Moment,
            /// The block at which the chain acts if nobody does.
            deadline: BlockNumber,
        },
        /// A customer asked for the end of a job that was accepted.
        CancelRequested {
            /// Which job.
            job: AgreementId,
            /// Ended by the provider before this block, or by the chain.
            cancel_by: BlockNumber,
        },
        /// A job ended.
        JobEnded {
            /// Which job.
            job: AgreementId,
            /// Why.
            reason: EndReason,
            /// Who answers for it: decides what is paid.
            fault: Fault,
            /// What the provider reported; `None` if the chain or the customer ended it.
            end: Option<JobEnd>,
            /// At which block.
            at: BlockNumber,
        },
        /// Part of an acceptance bond went to the customer.
        BondSlashed {
            /// For which job.
            job: AgreementId,
            /// Whose bond.
            provider: ProviderId,
            /// To whom.
            beneficiary: T::AccountId,
            /// How much of the chain's own token.
            amount: Balance,
        },
        /// One item of a batch was refused; the others stand.
        ItemFailed {
            /// Which job.
            job: AgreementId,
            /// Why.
            error: DispatchError,
        },
        /// All money of a job has been moved.
        JobSettled {
            /// Which job.
            job: AgreementId,
        },
        /// A job was removed from the state; its deposit went back to the customer.
        JobPruned {
            /// Which job.
            job: AgreementId,
        },
    }
}
