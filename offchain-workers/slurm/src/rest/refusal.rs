//! What slurmctld's errors mean for a submission.

use super::{
    api::Trouble,
    reply::{code, Complaint, Said},
    SlurmRest,
};
use crate::{scheduler::SubmitError, slurm::Request};

/// Numbers by which slurmctld says that a request can never be taken, as `slurm_strerror` explains them: partition (2000 to
/// 2004), size (2005, 2006, 2008, 2014), distribution, feature, task count, memory (2023, 2025, 2029, 2041, 2044), account,
/// licence, time limit (2045, 2048, 2051), quality of service, processors, accelerators, array (2066, 2069, 2072, 2081).
const FOR_EVER: [i64; 21] = [
    2000, 2001, 2002, 2003, 2004, 2005, 2006, 2008, 2014, 2023, 2025, 2029, 2041, 2044, 2045, 2048,
    2051, 2066, 2069, 2072, 2081,
];
/// The range of slurmctld's own errors: it has read the request and created nothing.
const BY_SLURMCTLD: std::ops::Range<i64> = 2000..3000;
/// slurmrestd did not understand the body.
const NOT_UNDERSTOOD: [i64; 3] = [9000, code::PARSING, 9002];

impl SlurmRest {
    /// Submits once. Only an error that proves that nothing was created is other than `Unknown`.
    pub(super) async fn hand_over(&self, request: &Request) -> Result<u32, SubmitError> {
        match self.api.submit(request).await {
            // slurmctld may take a job and complain that it cannot start now.
            Ok(Said {
                value: Some(job),
                errors,
            }) => {
                if !errors.is_empty() {
                    tracing::info!(job, "slurmctld: {}", super::reply::text(&errors));
                }
                Ok(job)
            }
            Ok(said) => Err(self.meaning(&said).await),
            Err(Trouble::NotSent(text) | Trouble::Token(text)) => {
                Err(SubmitError::Unavailable(text))
            }
            Err(Trouble::Lost(text) | Trouble::Said(text)) => Err(SubmitError::Unknown(text)),
        }
    }

    async fn meaning(&self, said: &Said<Option<u32>>) -> SubmitError {
        let text = said.text();
        let any = |wanted: &dyn Fn(&Complaint) -> bool| said.errors.iter().any(wanted);
        if any(&|e| FOR_EVER.contains(&e.code) || NOT_UNDERSTOOD.contains(&e.code)) {
            return SubmitError::Refused(format!("{text}{}", remedy(said)));
        }
        if any(&|e| BY_SLURMCTLD.contains(&e.code)) {
            return SubmitError::Unavailable(format!("{text}{}", remedy(said)));
        }
        if said.has(code::NO_CONNECTION) {
            return SubmitError::Unavailable(format!("slurmctld was not reached: {text}"));
        }
        // Older slurmctld close the connection when they refuse a token. slurmdbd says it in words.
        if said.has(code::ZERO_BYTES) {
            if let Err(Trouble::Token(text)) = self.api.accounting_is_connected().await {
                return SubmitError::Unavailable(text);
            }
        }
        SubmitError::Unknown(if text.is_empty() {
            "slurmctld gave no job id".to_owned()
        } else {
            text
        })
    }
}

/// What to do about it.
fn remedy(said: &Said<Option<u32>>) -> &'static str {
    let hints = [
        (code::PARTITION, ": the partition does not exist (any more); name one that `sinfo` shows"),
        (code::PROCESSORS, ": the partition has fewer; ask for less or for another partition"),
        (code::NODE_COUNT, ": the partition has fewer nodes, or allows fewer; ask for less or for another partition"),
        (code::ACCOUNT, ": the account, the unix user or their association does not exist, or not in this partition; \
          see `sacctmgr show associations`"),
        (code::QOS, ": the quality of service is not one of the user's; see `sacctmgr show associations`"),
        (code::NODES, ": no node of the partition has what was asked for; ask for less or for another partition"),
        (code::POLICY, ": a limit of the account or the quality of service is reached; it may be free again later"),
        (code::TIME_LIMIT, ": ask for less time, or for a partition with a higher limit"),
    ];
    hints
        .iter()
        .find(|(number, _)| said.has(*number))
        .map_or("", |(_, hint)| hint)
}
