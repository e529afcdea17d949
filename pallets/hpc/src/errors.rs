//! Why this pallet refuses.

use frame_support::pallet_macros::*;

/// The errors.
#[pallet_section]
mod errors {
    #[pallet::error]
    pub enum Error<T> {
        /// The caller owns no provider organisation. Register one first.
        NotAnOwner,
        /// The caller is no hot key of a provider organisation. Its owner must add the key first.
        NotAWorker,
        /// The cluster belongs to another provider. Check the cluster's number.
        NotYourCluster,
        /// The job is assigned to another provider, or was taken away from yours. Stop working on it.
        NotYourJob,
        /// Only the customer of the job may do this. Sign with the account that submitted it.
        NotTheCustomer,
        /// There is no such cluster. Check the cluster's number.
        UnknownCluster,
        /// There is no such job, or it was pruned. Check the job's number.
        UnknownJob,
        /// The cluster has no partition of that number. Look the cluster up again.
        UnknownPartition,
        /// A name is empty or not UTF-8, or a partition's has other characters than letters, digits, `_`, `-` and
        /// `.`. Choose another name.
        BadName,
        /// A cluster needs at least one partition.
        NoPartitions,
        /// Two partitions have the same name. Rename one.
        DuplicatePartition,
        /// A partition without nodes, processors, memory or wall time. Give each at least 1.
        EmptyPartition,
        /// The partition's plan is unknown, retired or another provider's. Publish a plan first.
        BadPlan,
        /// A cluster must take at least one job at once. Use `set_cluster_state` to close it.
        NoJobsAtOnce,
        /// A score is a number from 0 to 100.
        BadScore,
        /// While jobs are open, partitions keep their name and number. Add new ones at the end, or drain first.
        PartitionInUse,
        /// The cluster has open jobs. Drain it and wait for them to end.
        OpenJobsRemain,
        /// The cluster allows this template already. Disallow it first to change its name.
        TemplateAlreadyAllowed,
        /// The cluster's allow-list is full. Disallow a template first.
        TooManyTemplates,
        /// None of the candidates runs this template. Choose another template or cluster.
        TemplateNotAllowed,
        /// None of the candidates takes scripts outside its allow-list. Use a template or another cluster.
        ScriptNotAllowed,
        /// The request names no candidate. Name at least one cluster and partition.
        NoCandidates,
        /// The request names a cluster and partition twice. Name each once.
        DuplicateCandidate,
        /// The resources contradict themselves: at least one node, a processor for each, some memory, one task.
        BadResources,
        /// The wall time is zero. Ask for at least one second.
        ZeroWalltime,
        /// The ceiling is zero. Set it to at least the quote.
        ZeroCeiling,
        /// An input has no bytes. Leave it out.
        EmptyInput,
        /// An input is named twice. Name each once.
        DuplicateInput,
        /// `start_within` is shorter than `MinStartWithin`. Give the cluster more time to start.
        StartWithinTooShort,
        /// `end_by` leaves no room for waiting and running. Set it after now + `start_within` + wall time in blocks.
        EndByTooEarly,
        /// `end_by` is further away than `MaxJobLife`. Set it earlier.
        EndByTooLate,
        /// The candidates take no new jobs. Choose another cluster.
        ClusterDraining,
        /// The candidates' providers may take no work now. Choose another cluster.
        ProviderNotOperational,
        /// The job fits none of the candidates' partitions. Ask for less or choose another partition.
        DoesNotFit,
        /// The candidates ask for a better proven identity. Raise your score or choose another cluster.
        ScoreTooLow,
        /// The candidates' plans price no such job. Ask for less or choose another partition.
        NoQuote,
        /// The candidates are priced in another asset. Pay in theirs or choose another partition.
        WrongAsset,
        /// The ceiling is below the cheapest quote. Raise it or ask for less.
        CeilingBelowQuote,
        /// The payload is not sealed to a key of the candidates' providers. Seal it to their owner or hot keys.
        PayloadNotReadable,
        /// The candidates have as many jobs as they take. Try again later or add candidates.
        NoCapacity,
        /// The job has ended. Nothing more can be done but prune it.
        AlreadyEnded,
        /// The job was accepted already. Report its progress.
        AlreadyAccepted,
        /// The job was not accepted yet. Accept it first.
        NotAccepted,
        /// The job ran already. Report how it ended.
        AlreadyStarted,
        /// The job never ran, so it cannot have ended this way. Report the start first, or another reason.
        NotStarted,
        /// A job cannot go from its state to the reported one. Look the job up again.
        WrongState,
        /// The deadline has passed; the chain decides now. Call `expire` and look the job up again.
        DeadlinePassed,
        /// The customer asked for the end of the job. End it with reason `Cancelled`.
        CancelRequestedAlready,
        /// The customer did not ask for the end of the job. Report the true reason.
        CancelNotRequested,
        /// The job started before it was accepted, as reported. Check the clock and the accounting.
        StartedBeforeAcceptance,
        /// The job started in the future, as reported. Check the worker's clock.
        StartedInFuture,
        /// Only the chain ends a job with this reason. Report the true reason.
        NotReportable,
        /// The named job cannot have been in the way: it is not a started job of the same customer on the same cluster, or it
        /// had ended before. Report the true reason.
        NotObstructed,
        /// The tasks by outcome do not sum up to the array's size. Count every task once.
        TaskCountMismatch,
        /// Completed, but with an exit status or with tasks that are not done. Report it as failed.
        EndContradictsItself,
        /// The deadline has not been reached. Try again at the job's deadline.
        NotDue,
        /// The job has not ended. It can be pruned after it is settled.
        NotEnded,
        /// Money of the job is still to be moved, or its agreement was not pruned. Settle and prune that first.
        NotSettled,
        /// No further number can be given. Nothing can be done.
        NumbersExhausted,
    }
}
