//! What `sbatch` says when it makes no job.

use crate::scheduler::SubmitError;

/// Texts of slurmctld that no later time changes, the field of ours that is meant, and the remedy. The first that applies.
const REFUSALS: [(&str, &str); 20] = [
    ("Invalid partition name", "partition: the cluster has no such partition; register the cluster again with the ones `sinfo` lists"),
    ("User's group not permitted to use this partition", "partition: the user may not use it; add his group to its AllowGroups"),
    ("Invalid account or account/partition", "account: the user has no association with it; run the provider's set-up of the identity pool again"),
    ("Account or user has no association", "account: the user has no association with it; run the provider's set-up of the identity pool again"),
    ("Invalid qos", "qos: the user's association does not have it; add it with `sacctmgr modify user`"),
    ("Invalid job array", "array_tasks: more than the cluster's MaxArraySize"),
    ("Invalid generic resource", "gpus: the cluster has no such accelerators"),
    ("Invalid Trackable RESource", "gpus: the cluster has no such accelerators"),
    ("Memory specification can not be satisfied", "memory_mib: no node of the partition has as much"),
    ("Requested time limit is invalid", "walltime_s: more than the partition allows"),
    ("Node count specification invalid", "nodes: the partition has fewer, or allows fewer"),
    ("More processors requested than permitted", "cpus: the partition has fewer"),
    ("CPU count per node can not be satisfied", "cpus: no node of the partition has as many"),
    ("CPU count specification invalid", "cpus: the partition has fewer"),
    ("Requested node configuration is not available", "cpus, memory_mib, nodes, gpus: the partition has no nodes with all of this"),
    ("Requested partition configuration not available", "walltime_s, nodes: more than the partition allows"),
    ("Job script size", "script: too large for the cluster; put data into files"),
    ("exceeds Slurm limit", "script: too large for the cluster; put data into files"),
    ("Pathname of a file", "stdout, stderr, work_dir: too long for SLURM"),
    ("Requested partition not available", "partition: it does not take these jobs"),
];

/// Texts after which nothing was made, but which time may change.
const NOT_NOW: [&str; 12] = [
    "Unable to contact slurm controller (connect failure)",
    "Unable to establish connection to slurm controller",
    "Communication connection failure",
    "Communications connection failure",
    "Slurm backup controller in standby mode",
    "Invalid user id",
    "violates accounting/QOS policy",
    "Access/permission denied",
    "User's resource limit",
    "unable to accept job",
    "Unable to process configuration file",
    "Could not establish a configuration source",
];

/// Whether a job may exist although `sbatch` failed. Only a text that is known to come before the job does says no.
pub(super) fn failure(complaint: &str) -> SubmitError {
    let said = || {
        let lines: Vec<&str> = complaint
            .lines()
            .map(|line| {
                line.trim_start_matches("sbatch: ")
                    .trim_start_matches("error: ")
            })
            .collect();
        lines.join("; ")
    };
    let has = |text: &str| complaint.contains(text);
    if let Some((_, meaning)) = REFUSALS.iter().find(|(text, _)| has(text)) {
        return SubmitError::Refused(format!("{meaning} (sbatch: {})", said()));
    }
    match NOT_NOW.iter().any(|text| has(text)) {
        true => SubmitError::Unavailable(format!("sbatch: {}", said())),
        false => SubmitError::Unknown(format!("sbatch: {}", said())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failure_should_be_what_is_certain_when_sbatch_complains() {
        let refused = |text: &str, field: &str| match failure(text) {
            SubmitError::Refused(reason) => assert!(reason.starts_with(field), "{reason}"),
            other => panic!("{text}: {other:?}"),
        };
        // As 22.05 prints them.
        refused("sbatch: error: invalid partition specified: nope\nsbatch: error: Batch job submission failed: Invalid partition name specified", "partition");
        refused("sbatch: error: Batch job submission failed: Invalid account or account/partition combination specified", "account");
        refused(
            "sbatch: error: Batch job submission failed: Invalid qos specification",
            "qos",
        );
        refused("sbatch: error: Memory specification can not be satisfied\nsbatch: error: Batch job submission failed: Requested node configuration is not available", "memory_mib");
        refused(
            "sbatch: error: Batch job submission failed: Invalid job array specification",
            "array_tasks",
        );
        refused(
            "sbatch: error: Invalid generic resource (gres) specification",
            "gpus",
        );
        assert!(matches!(
            failure("sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)"),
            SubmitError::Unavailable(_)
        ));
        for lost in [
            "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation",
            "sbatch: error: Batch job submission failed: Zero Bytes were transmitted or received",
            "",
            "something new",
        ] {
            assert!(matches!(failure(lost), SubmitError::Unknown(_)), "{lost}");
        }
    }
}
