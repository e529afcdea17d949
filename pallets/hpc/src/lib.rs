//! Clusters and jobs: providers register clusters, customers buy jobs on them, and deadlines end whatever nobody
//! ends.
//!
//! A customer submits a [`JobRequest`](virtengine_primitives::hpc::JobRequest) that names up to eight candidates (cluster and partition). The chain filters
//! them by eligibility, freezes the price plan of each, takes the cheapest at once and holds the customer's ceiling
//! through [`Config::Billing`]. From there on a job is in exactly one [`JobState`](virtengine_primitives::hpc::JobState) and has exactly one deadline:
//!
//! | state | who moves it on | what its deadline does |
//! |---|---|---|
//! | `Assigned` | the provider accepts or declines | next candidate, no slash |
//! | `Accepted`, `Staging`, `Queued`, never ran | the provider reports that it runs | part of the bond to the customer, next candidate |
//! | `Running`, `Queued` again | the provider completes it | part of the bond to the customer, ended; what was metered stays pending |
//! | any of the above, cancellation requested | the provider completes it | ended; what was metered stays pending, no minimum charge |
//!
//! No candidate left, or too little time for another: the job ends and all money goes back. Time alone therefore
//! ends every job, whether or not any worker runs.
//!
//! Invariants of absence: this pallet never touches a customer's money itself (billing does), never meters (usage
//! reports go to billing), and never looks at scores, free capacity or list order to rank candidates.

#![cfg_attr(not(feature = "std"), no_std)]
#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::unwrap_used,
        clippy::indexing_slicing
    )
)]

extern crate alloc;

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
mod clusters;
mod deadlines;
mod errors;
mod events;
mod jobs;
#[cfg(test)]
mod mock;
mod reads;
mod submit;
#[cfg(test)]
mod tests;
mod try_state;
mod types;
pub mod weights;

pub use pallet::*;
pub use types::*;
pub use weights::WeightInfo;

use frame_support::pallet_macros::import_section;

/// Most that a reported moment may lie ahead of the chain's clock, in milliseconds.
pub const FUTURE_TOLERANCE_MS: u64 = 60_000;

#[import_section(errors::errors)]
#[import_section(events::events)]
#[frame_support::pallet]
pub mod pallet {
    use super::*;
    use alloc::boxed::Box;
    use frame_support::{
        pallet_prelude::*,
        traits::{Consideration, ConstU64, Footprint, UnixTime},
        weights::WeightMeter,
    };
    use frame_system::pallet_prelude::*;
    use sp_runtime::{traits::BlockNumberProvider, Perbill};
    use virtengine_primitives::{
        billing::Fault,
        hpc::*,
        traits::{AccountStanding, Billing, EnvelopePolicy, IdentityScore, ProviderRegistry},
        AgreementId, Balance, BlockNumber, ClusterId, Moment, Name, PlanId, ProviderId,
        TemplateHash,
    };

    const STORAGE_VERSION: StorageVersion = StorageVersion::new(1);

    #[pallet::pallet]
    #[pallet::storage_version(STORAGE_VERSION)]
    pub struct Pallet<T>(_);

    #[pallet::config]
    pub trait Config: frame_system::Config {
        /// Weights of the calls and of the pieces of `on_poll`.
        type WeightInfo: WeightInfo;
        /// Clock of the deadlines: the height that all [`BlockNumber`]s of jobs refer to.
        type BlockNumberProvider: BlockNumberProvider<BlockNumber = BlockNumber>;
        /// Clock of the metering: unix time in milliseconds.
        type Time: UnixTime;
        /// Holds and moves the customers' money. Called at submission, reassignment, start and end of a job.
        type Billing: Billing<Self::AccountId>;
        /// Who acts for a provider, whether it may take work, and its bond.
        type Providers: ProviderRegistry<Self::AccountId>;
        /// Who can open an envelope.
        type Envelopes: EnvelopePolicy<Self::AccountId>;
        /// Whether an account may buy or offer.
        type Accounts: AccountStanding<Self::AccountId>;
        /// How well a customer has proven who it is.
        type Identity: IdentityScore<Self::AccountId>;
        /// Deposit for what is stored: of the customer per job, of the provider's owner per cluster with its
        /// templates. In the chain's own token.
        type Consideration: Consideration<Self::AccountId, Footprint>;

        /// Blocks after an assignment within which the provider must accept.
        #[pallet::constant]
        type AcceptTimeout: Get<BlockNumber>;
        /// Blocks after a cancellation request within which the provider must end the job.
        #[pallet::constant]
        type CancelTimeout: Get<BlockNumber>;
        /// Least `start_within` of a request, so that no provider is lured into accepting what it cannot start.
        #[pallet::constant]
        type MinStartWithin: Get<BlockNumber>;
        /// Most blocks between the submission of a job and its `end_by`.
        #[pallet::constant]
        type MaxJobLife: Get<BlockNumber>;
        /// Milliseconds that a block takes; turns a wall time into blocks when a request is checked.
        #[pallet::constant]
        type BlockDuration: Get<Moment>;
        /// Most templates on the allow-list of one cluster; at most [`virtengine_primitives::apis::PAGE`].
        #[pallet::constant]
        type MaxTemplates: Get<u32>;
        /// Bond that a provider sets aside when it accepts a job, in the chain's own token.
        #[pallet::constant]
        type AcceptanceBond: Get<Balance>;
        /// Share of that bond that goes to the customer when the provider does not do what it accepted.
        #[pallet::constant]
        type SlashShare: Get<Perbill>;
    }

    /// Why this pallet holds the chain's own token on an account, through [`Config::Consideration`].
    #[pallet::composite_enum]
    pub enum HoldReason {
        /// Deposit for a job or a cluster in the state.
        #[codec(index = 0)]
        StorageDeposit,
    }

    /// Number of the next cluster. Written by `register_cluster` only; numbers are never used again.
    #[pallet::storage]
    pub type NextCluster<T> = StorageValue<_, ClusterId, ValueQuery, ConstU32<1>>;

    /// Registered clusters. Written by their provider's owner, and by every assignment and end for the count of open
    /// jobs. Cleared by `deregister_cluster`. Bounded by the deposit of each.
    #[pallet::storage]
    pub type Clusters<T> = StorageMap<_, Twox64Concat, ClusterId, Cluster>;

    /// The deposit of each cluster and the number of its templates. Lives exactly as long as the cluster.
    #[pallet::storage]
    pub type ClusterDeposits<T: Config> =
        StorageMap<_, Twox64Concat, ClusterId, ClusterDeposit<T::AccountId, T::Consideration>>;

    /// Templates that a cluster runs, with the name its provider gives them. At most `MaxTemplates` per cluster;
    /// cleared with the cluster.
    #[pallet::storage]
    pub type AllowedTemplates<T> =
        StorageDoubleMap<_, Twox64Concat, ClusterId, Identity, TemplateHash, Name>;

    /// Number of the next job, which is also the number of its agreement.
    #[pallet::storage]
    pub type NextJob<T> = StorageValue<_, AgreementId, ValueQuery, ConstU64<1>>;

    /// Jobs, from `submit` until `prune`. Bounded by the deposit of each.
    #[pallet::storage]
    pub type Jobs<T: Config> = StorageMap<_, Twox64Concat, AgreementId, Job<T::AccountId>>;

    /// The deposit of each job, taken from its customer. Lives exactly as long as the job.
    #[pallet::storage]
    pub type JobDeposits<T: Config> = StorageMap<_, Twox64Concat, AgreementId, T::Consideration>;

    /// Jobs by customer, in order of number. Lives exactly as long as the job.
    #[pallet::storage]
    pub type JobsOf<T: Config> =
        StorageDoubleMap<_, Blake2_128Concat, T::AccountId, Identity, OrderedId, ()>;

    /// Jobs that are assigned to a cluster and have not ended, in order of number: what the cluster's worker looks
    /// after.
    #[pallet::storage]
    pub type OpenJobs<T> = StorageDoubleMap<_, Twox64Concat, ClusterId, Identity, OrderedId, ()>;

    /// Jobs by the block of their deadline. Every job that has not ended has exactly one entry, at `job.deadline`.
    #[pallet::storage]
    pub type Deadlines<T> =
        StorageDoubleMap<_, Twox64Concat, BlockNumber, Twox64Concat, AgreementId, ()>;

    /// First block whose deadlines may not all have been acted upon. Written by `on_poll`; set by the first job.
    #[pallet::storage]
    pub type DeadlineCursor<T> = StorageValue<_, BlockNumber>;

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        fn on_poll(_: BlockNumberFor<T>, meter: &mut WeightMeter) {
            Self::drain_deadlines(meter);
        }

        fn integrity_test() {
            assert!(T::AcceptTimeout::get() > 0, "a deadline lies after now");
            assert!(T::CancelTimeout::get() > 0, "a deadline lies after now");
            assert!(T::MinStartWithin::get() > 0, "a deadline lies after now");
            assert!(
                T::MaxJobLife::get() > T::MinStartWithin::get(),
                "no job could be submitted"
            );
            assert!(
                T::BlockDuration::get() > 0,
                "wall time is divided by the duration of a block"
            );
            assert!(
                T::MaxTemplates::get() <= virtengine_primitives::apis::PAGE,
                "templates are read in one page"
            );
        }

        #[cfg(feature = "try-runtime")]
        fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
            Self::do_try_state()
        }
    }

    #[pallet::call]
    impl<T: Config> Pallet<T> {
        /// Registers a cluster, open for jobs.
        ///
        /// ## Dispatch Origin
        /// Signed by the owner of a provider organisation, in good standing.
        ///
        /// ## Details
        /// The chain holds what the provider says; it filters candidates by it and never ranks by it. A deposit is
        /// taken from the caller until the cluster is deregistered.
        ///
        /// ## Parameters
        /// - `spec`: name, partitions with the price plan of each, limits.
        ///
        /// ## Errors
        /// `NotAnOwner`, and one per field of the specification: `BadName`, `NoPartitions`, `DuplicatePartition`,
        /// `EmptyPartition`, `BadPlan`, `NoJobsAtOnce`, `BadScore`.
        ///
        /// ## Events
        /// `ClusterRegistered`.
        #[pallet::call_index(0)]
        #[pallet::weight(T::WeightInfo::register_cluster(spec.partitions.len() as u32))]
        pub fn register_cluster(origin: OriginFor<T>, spec: ClusterSpec) -> DispatchResult {
            let owner = ensure_signed(origin)?;
            Self::do_register_cluster(owner, spec).map(|_| ())
        }

        /// Changes what a cluster registered.
        ///
        /// ## Dispatch Origin
        /// Signed by the owner of the cluster's provider, in good standing.
        ///
        /// ## Details
        /// Holds for new jobs; the price of a job that was submitted is frozen. While jobs are open, partitions keep
        /// their number and name, and new ones go last.
        ///
        /// ## Parameters
        /// - `cluster`: which cluster.
        /// - `spec`: what holds from now on.
        ///
        /// ## Errors
        /// As `register_cluster`; `UnknownCluster`, `NotYourCluster`, `PartitionInUse`.
        ///
        /// ## Events
        /// `ClusterUpdated`.
        #[pallet::call_index(1)]
        #[pallet::weight(T::WeightInfo::update_cluster(spec.partitions.len() as u32))]
        pub fn update_cluster(
            origin: OriginFor<T>,
            cluster: ClusterId,
            spec: ClusterSpec,
        ) -> DispatchResult {
            let owner = ensure_signed(origin)?;
            Self::do_update_cluster(owner, cluster, spec)
        }

        /// Opens a cluster for jobs or lets it run dry.
        ///
        /// ## Dispatch Origin
        /// Signed by the owner of the cluster's provider.
        ///
        /// ## Details
        /// A draining cluster gets no new job; what is assigned to it goes on.
        ///
        /// ## Parameters
        /// - `cluster`: which cluster.
        /// - `state`: open or draining.
        ///
        /// ## Errors
        /// `NotAnOwner`, `UnknownCluster`, `NotYourCluster`.
        ///
        /// ## Events
        /// `ClusterStateSet`.
        #[pallet::call_index(2)]
        #[pallet::weight(T::WeightInfo::set_cluster_state())]
        pub fn set_cluster_state(
            origin: OriginFor<T>,
            cluster: ClusterId,
            state: ClusterState,
        ) -> DispatchResult {
            let owner = ensure_signed(origin)?;
            Self::do_set_cluster_state(owner, cluster, state)
        }

        /// Removes a cluster without open jobs, and its allow-list.
        ///
        /// ## Dispatch Origin
        /// Signed by the owner of the cluster's provider, or by whoever paid the deposit once that provider is gone.
        ///
        /// ## Details
        /// The deposit goes back to who paid it. The number is never used again.
        ///
        /// ## Parameters
        /// - `cluster`: which cluster.
        ///
        /// ## Errors
        /// `UnknownCluster`, `NotYourCluster`, `OpenJobsRemain`.
        ///
        /// ## Events
        /// `ClusterDeregistered`.
        #[pallet::call_index(3)]
        #[pallet::weight(T::WeightInfo::deregister_cluster(T::MaxTemplates::get()))]
        pub fn deregister_cluster(
            origin: OriginFor<T>,
            cluster: ClusterId,
        ) -> DispatchResultWithPostInfo {
            let owner = ensure_signed(origin)?;
            let templates = Self::do_deregister_cluster(owner, cluster)?;
            Ok(Some(T::WeightInfo::deregister_cluster(templates)).into())
        }

        /// Puts a template on a cluster's allow-list.
        ///
        /// ## Dispatch Origin
        /// Signed by the owner of the cluster's provider, in good standing.
        ///
        /// ## Details
        /// The deposit of the cluster grows with each template. If the organisation has changed hands, all of it becomes
        /// yours, and the former owner's goes back.
        ///
        /// ## Parameters
        /// - `cluster`: which cluster.
        /// - `template`: hash of the template's canonical form.
        /// - `name`: what people call it.
        ///
        /// ## Errors
        /// `NotAnOwner`, `UnknownCluster`, `NotYourCluster`, `BadName`, `TemplateAlreadyAllowed`, `TooManyTemplates`.
        ///
        /// ## Events
        /// `TemplateAllowed`.
        #[pallet::call_index(4)]
        #[pallet::weight(T::WeightInfo::allow_template())]
        pub fn allow_template(
            origin: OriginFor<T>,
            cluster: ClusterId,
            template: TemplateHash,
            name: Name,
        ) -> DispatchResult {
            let owner = ensure_signed(origin)?;
            Self::do_allow_template(owner, cluster, template, name)
        }

        /// Takes a template off a cluster's allow-list.
        ///
        /// ## Dispatch Origin
        /// Signed by the owner of the cluster's provider.
        ///
        /// ## Details
        /// Jobs that are assigned already go on.
        ///
        /// ## Parameters
        /// - `cluster`: which cluster.
        /// - `template`: hash of the template's canonical form.
        ///
        /// ## Errors
        /// `NotAnOwner`, `UnknownCluster`, `NotYourCluster`, `TemplateNotAllowed`.
        ///
        /// ## Events
        /// `TemplateDisallowed`.
        #[pallet::call_index(5)]
        #[pallet::weight(T::WeightInfo::disallow_template())]
        pub fn disallow_template(
            origin: OriginFor<T>,
            cluster: ClusterId,
            template: TemplateHash,
        ) -> DispatchResult {
            let owner = ensure_signed(origin)?;
            Self::do_disallow_template(owner, cluster, template)
        }

        /// Buys a job: holds its ceiling and assigns it to the cheapest eligible candidate.
        ///
        /// ## Dispatch Origin
        /// Signed by the customer, in good standing.
        ///
        /// ## Details
        /// A candidate is eligible if its cluster is open and has room, its provider may take work, the partition
        /// fits resources and wall time, the template is on the allow-list (or scripts are taken), the customer's
        /// score suffices, the plan quotes in the request's asset at most the ceiling, and the payload is sealed to
        /// a key that the provider's owner or one of its hot keys registered. The plans of all eligible candidates
        /// are frozen now. The cheapest is taken, ties by hash: the order of the list means nothing.
        ///
        /// ## Parameters
        /// - `request`: candidates, workload, sealed payload and inputs, resources, ceiling, deadlines.
        ///
        /// ## Errors
        /// One per field that is wrong; if no candidate is eligible, the refusal that the best of them came to.
        ///
        /// ## Events
        /// `JobSubmitted`, `JobAssigned`.
        #[pallet::call_index(6)]
        #[pallet::weight(T::WeightInfo::submit(request.candidates.len() as u32))]
        pub fn submit(origin: OriginFor<T>, request: Box<JobRequest>) -> DispatchResult {
            let customer = ensure_signed(origin)?;
            Self::do_submit(customer, *request).map(|_| ())
        }

        /// Ends a job that nobody accepted, or asks the provider to end it.
        ///
        /// ## Dispatch Origin
        /// Signed by the customer of the job, in whatever standing.
        ///
        /// ## Details
        /// An assigned job ends at once and all money goes back. Later the provider has `CancelTimeout` blocks to
        /// end it (what it metered is paid, at least the minimum if it ran); after that anybody may, and what was
        /// metered so far is all that is paid. A job that has not run by now will not run.
        ///
        /// ## Parameters
        /// - `job`: which job.
        ///
        /// ## Errors
        /// `UnknownJob`, `NotTheCustomer`, `AlreadyEnded`, `CancelRequestedAlready`, `DeadlinePassed`.
        ///
        /// ## Events
        /// `JobEnded` or `CancelRequested`.
        #[pallet::call_index(7)]
        #[pallet::weight(T::WeightInfo::cancel())]
        pub fn cancel(origin: OriginFor<T>, job: AgreementId) -> DispatchResult {
            let who = ensure_signed(origin)?;
            Self::do_cancel(&who, job)
        }

        /// Does what is due on a job whose deadline was reached.
        ///
        /// ## Dispatch Origin
        /// Signed by anybody.
        ///
        /// ## Details
        /// The chain does the same by itself as soon as a block has room for it. Free of charge if something was
        /// due.
        ///
        /// ## Parameters
        /// - `job`: which job.
        ///
        /// ## Errors
        /// `UnknownJob`, `AlreadyEnded`, `NotDue`.
        ///
        /// ## Events
        /// `JobNotAccepted`, `JobNotStarted`, `BondSlashed`, `JobAssigned`, `JobEnded`, as the case may be.
        #[pallet::call_index(8)]
        #[pallet::weight(T::WeightInfo::expire().max(T::WeightInfo::poll_end()))]
        pub fn expire(origin: OriginFor<T>, job: AgreementId) -> DispatchResultWithPostInfo {
            ensure_signed(origin)?;
            Self::do_expire(job)?;
            Ok(Pays::No.into())
        }

        /// Removes a job that ended and whose agreement was settled and pruned.
        ///
        /// ## Dispatch Origin
        /// Signed by anybody.
        ///
        /// ## Details
        /// The deposit goes back to the customer.
        ///
        /// ## Parameters
        /// - `job`: which job.
        ///
        /// ## Errors
        /// `UnknownJob`, `NotEnded`, `NotSettled`.
        ///
        /// ## Events
        /// `JobPruned`.
        #[pallet::call_index(9)]
        #[pallet::weight(T::WeightInfo::prune())]
        pub fn prune(origin: OriginFor<T>, job: AgreementId) -> DispatchResult {
            ensure_signed(origin)?;
            Self::do_prune(job)
        }

        /// Accepts jobs: the provider binds itself to have each running in time.
        ///
        /// ## Dispatch Origin
        /// Signed by a hot key of the provider, in good standing.
        ///
        /// ## Details
        /// Sets `AcceptanceBond` aside for each. Every job stands for itself: what is refused is reported by an
        /// event and does not stop the others. Accepting again changes nothing.
        ///
        /// ## Parameters
        /// - `jobs`: which jobs.
        ///
        /// ## Errors
        /// `NotAWorker`. Per job: `UnknownJob`, `NotYourJob`, `AlreadyEnded`, `AlreadyAccepted`, `DeadlinePassed`,
        /// `ProviderNotOperational`, too little free bond.
        ///
        /// ## Events
        /// `JobAccepted` or `ItemFailed` for each.
        #[pallet::call_index(10)]
        #[pallet::weight(T::WeightInfo::accept_many(jobs.len() as u32))]
        pub fn accept_many(
            origin: OriginFor<T>,
            jobs: BoundedVec<AgreementId, ConstU32<MAX_BATCH>>,
        ) -> DispatchResult {
            let provider = Self::ensure_active_worker(origin)?;
            Self::each(jobs.into_iter().map(|job| (job, ())), |job, ()| {
                Self::do_accept(provider, job)
            });
            Ok(())
        }

        /// Turns a job down: the next candidate is tried.
        ///
        /// ## Dispatch Origin
        /// Signed by a hot key of the provider.
        ///
        /// ## Details
        /// Costs nothing before the acceptance; after it, a share of the bond goes to the customer. A job that ran
        /// cannot be turned down.
        ///
        /// ## Parameters
        /// - `job`: which job.
        /// - `reason`: why.
        ///
        /// ## Errors
        /// `NotAWorker`, `UnknownJob`, `NotYourJob`, `AlreadyEnded`, `AlreadyStarted`, `CancelRequestedAlready`,
        /// `DeadlinePassed`.
        ///
        /// ## Events
        /// `JobDeclined`, `BondSlashed` after the acceptance, then `JobAssigned` or `JobEnded`.
        #[pallet::call_index(11)]
        #[pallet::weight(T::WeightInfo::decline())]
        pub fn decline(
            origin: OriginFor<T>,
            job: AgreementId,
            reason: DeclineReason,
        ) -> DispatchResult {
            let provider = Self::ensure_worker(origin)?;
            Self::do_decline(provider, job, reason)
        }

        /// Reports the progress of jobs.
        ///
        /// ## Dispatch Origin
        /// Signed by a hot key of the provider.
        ///
        /// ## Details
        /// Accepted -> staging -> queued -> running, steps may be left out; running -> queued when the cluster's
        /// scheduler requeued it. The first start begins the metering. Every job stands for itself.
        ///
        /// ## Parameters
        /// - `items`: jobs with where they stand.
        ///
        /// ## Errors
        /// `NotAWorker`. Per job: `UnknownJob`, `NotYourJob`, `AlreadyEnded`, `DeadlinePassed`, `WrongState`,
        /// `StartedBeforeAcceptance`, `StartedInFuture`, `CancelRequestedAlready`.
        ///
        /// ## Events
        /// `JobProgressed` or `ItemFailed` for each.
        #[pallet::call_index(12)]
        #[pallet::weight(T::WeightInfo::update_many(items.len() as u32))]
        pub fn update_many(
            origin: OriginFor<T>,
            items: BoundedVec<(AgreementId, JobProgress), ConstU32<MAX_BATCH>>,
        ) -> DispatchResult {
            let provider = Self::ensure_worker(origin)?;
            Self::each(items.into_iter(), |job, progress| {
                Self::do_update(provider, job, progress)
            });
            Ok(())
        }

        /// Reports the end of a job.
        ///
        /// ## Dispatch Origin
        /// Signed by a hot key of the provider.
        ///
        /// ## Details
        /// The reason decides who answers for it: completed, failed, out of memory, timed out, cancelled and bad
        /// input are paid as metered; node failure, boot failure, preemption and the provider's own failure are not
        /// paid. Before the first run only the latter, bad input, a requested cancellation and obstruction by the
        /// customer's other jobs are possible, nothing is paid, and a failure of the provider costs a share of its
        /// bond. Obstruction is the provider's word alone, and as nothing is charged there is nothing to dispute.
        ///
        /// ## Parameters
        /// - `job`: which job.
        /// - `end`: reason, exit status, tasks by outcome, and the result sealed to the customer.
        ///
        /// ## Errors
        /// `NotAWorker`, `UnknownJob`, `NotYourJob`, `AlreadyEnded`, `NotAccepted`, `DeadlinePassed`,
        /// `NotReportable`, `CancelNotRequested`, `NotStarted`, `AlreadyStarted`, `NotObstructed`,
        /// `TaskCountMismatch`, `EndContradictsItself`, a result that the customer cannot open.
        ///
        /// ## Events
        /// `JobEnded`.
        #[pallet::call_index(13)]
        #[pallet::weight(T::WeightInfo::complete()
            .saturating_add(Pallet::<T>::reasons_weight(core::iter::once(end))))]
        pub fn complete(origin: OriginFor<T>, job: AgreementId, end: JobEnd) -> DispatchResult {
            let provider = Self::ensure_worker(origin)?;
            Self::do_complete(provider, job, end)
        }

        /// Reports the end of jobs.
        ///
        /// ## Dispatch Origin
        /// Signed by a hot key of the provider.
        ///
        /// ## Details
        /// As `complete`; every job stands for itself.
        ///
        /// ## Parameters
        /// - `items`: jobs with their ends.
        ///
        /// ## Errors
        /// `NotAWorker`. Per job: as `complete`.
        ///
        /// ## Events
        /// `JobEnded` or `ItemFailed` for each.
        #[pallet::call_index(14)]
        #[pallet::weight(T::WeightInfo::complete_many(items.len() as u32)
            .saturating_add(Pallet::<T>::reasons_weight(items.iter().map(|(_, end)| end))))]
        pub fn complete_many(
            origin: OriginFor<T>,
            items: BoundedVec<(AgreementId, JobEnd), ConstU32<MAX_BATCH>>,
        ) -> DispatchResult {
            let provider = Self::ensure_worker(origin)?;
            Self::each(items.into_iter(), |job, end| {
                Self::do_complete(provider, job, end)
            });
            Ok(())
        }
    }
}
