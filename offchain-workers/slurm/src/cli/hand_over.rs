//! `sbatch` for all jobs that wait to be handed over, in one session.

use std::{io, sync::Arc};

use super::{
    in_state_dir, refusal,
    runner::{Said, Trouble},
    strings, SlurmCli, ON_ITS_WAY,
};
use crate::{
    handles::Held,
    scheduler::SubmitError,
    slurm::{Request, SlurmJobId},
    types::{Lookup, SchedulerJobId},
};

/// Most bytes of batch scripts in one session, but for one that is longer by itself.
const SCRIPTS_AT_ONCE: usize = 4 << 20;

/// A submission to which no other client can come.
#[derive(Debug)]
pub(super) struct HandOver {
    pub request: Request,
    pub held: Held,
}

impl HandOver {
    /// What it became without being handed over now; `None`: it is nowhere, and not on its way.
    fn earlier(&self, found: Lookup) -> Result<Option<SchedulerJobId>, SubmitError> {
        match found {
            Lookup::Absent => {}
            Lookup::Found(ids) => {
                self.held.remove().map_err(in_state_dir)?;
                let first = ids.into_iter().next();
                let first = first.ok_or_else(|| SubmitError::Unknown("found, but what?".into()));
                return first.map(Some);
            }
            Lookup::Unknown(reason) => return Err(SubmitError::Unavailable(reason)),
        }
        match self.held.may_be_on_its_way().map_err(in_state_dir)? {
            true => Err(SubmitError::Unknown(ON_ITS_WAY.to_owned())),
            false => Ok(None),
        }
    }
}

impl SlurmCli {
    /// Hands over those that are nowhere yet. They are looked for while their handles are held, all in one look.
    pub(super) async fn hand_over_absent(
        &self,
        all: Vec<HandOver>,
    ) -> Vec<Result<SchedulerJobId, SubmitError>> {
        let handles = all.iter().map(|one| one.request.name.clone()).collect();
        let found = self.search_all(handles).await;
        let (mut absent, mut earlier) = (Vec::new(), Vec::new());
        for (one, found) in all.into_iter().zip(found) {
            let answer = one.earlier(found).transpose();
            if answer.is_none() {
                absent.push(one);
            }
            earlier.push(answer);
        }
        let mut now = self.hand_over(absent).await.into_iter();
        let untold = || Err(SubmitError::Unknown("no answer".to_owned()));
        let answer = |earlier: Option<_>| {
            earlier.unwrap_or_else(|| now.next().map_or_else(untold, |id| Ok((&id?).into())))
        };
        earlier.into_iter().map(answer).collect()
    }

    /// `sbatch` for each, one after the other. What is refused is nobody else's matter; when SLURM does not answer, those
    /// that come after are not tried.
    pub(super) async fn hand_over(
        &self,
        all: Vec<HandOver>,
    ) -> Vec<Result<SlurmJobId, SubmitError>> {
        let all: Arc<[HandOver]> = all.into();
        let mut answers = Vec::with_capacity(all.len());
        while let Some(rest) = all.get(answers.len()..).filter(|rest| !rest.is_empty()) {
            let told = match answers.last() {
                Some(Err(SubmitError::Unavailable(why) | SubmitError::Unknown(why))) => {
                    let why = format!("not tried, after one before it: {why}");
                    vec![Err(SubmitError::Unavailable(why)); rest.len()]
                }
                _ => self.hand_over_some(&all, answers.len()).await,
            };
            for (HandOver { held, .. }, answer) in rest.iter().zip(&told) {
                if !matches!(answer, Err(SubmitError::Unknown(_))) {
                    // If this fails, nobody believes in its absence for a while.
                    let _ = held.remove();
                }
            }
            answers.extend(told);
        }
        answers
    }

    /// Those that are begun at once, at least one, from a position on.
    async fn hand_over_some(
        &self,
        all: &Arc<[HandOver]>,
        from: usize,
    ) -> Vec<Result<SlurmJobId, SubmitError>> {
        let mut bytes = 0usize;
        let fits = |one: &&HandOver| {
            bytes = bytes.saturating_add(one.request.script.len());
            bytes <= SCRIPTS_AT_ONCE
        };
        let count = all.iter().skip(from).take_while(fits).count().max(1);
        let noted = all.clone();
        let begun = tokio::task::spawn_blocking(move || {
            Held::begin(noted.iter().skip(from).take(count).map(|one| &one.held))
        });
        if let Err(error) = begun.await.map_err(io::Error::other).flatten() {
            return vec![Err(in_state_dir(error))];
        }
        let some = || all.iter().skip(from).take(count);
        let commands: Vec<(Vec<String>, &str)> = some()
            .map(|one| (sbatch_words(&one.request), one.request.script.as_str()))
            .collect();
        match self.runner.run_each(&commands).await {
            Ok(told) => some()
                .zip(told)
                .map(|(one, told)| submitted(&one.request, told))
                .collect(),
            Err(trouble) => vec![Err(trouble.into()); count],
        }
    }
}

/// What came of a submission.
fn submitted(request: &Request, told: Result<Said, Trouble>) -> Result<SlurmJobId, SubmitError> {
    let said = told?;
    if !said.ok {
        return Err(refusal::failure(&said.complaint));
    }
    // `123` or `123;cluster`.
    let job = said.out.trim().split(';').next().unwrap_or_default();
    match job.parse() {
        Ok(job) => Ok(SlurmJobId {
            job,
            handle: request.name.clone(),
        }),
        Err(_) => Err(SubmitError::Unknown(format!(
            "sbatch gave {:?} instead of a job id",
            said.out
        ))),
    }
}

/// `sbatch` with the script on its standard input. Each option is one word: nothing is split, nothing is expanded.
fn sbatch_words(request: &Request) -> Vec<String> {
    let mut words = strings(&[
        "sbatch",
        "--parsable",
        "--export=NIL",
        "--propagate=NONE",
        "--open-mode=append",
        "--ignore-pbs",
        "--cpus-per-task=1",
    ]);
    words.push(format!("--job-name={}", request.name));
    words.push(format!("--comment={}", request.comment));
    let optional = [
        ("partition", &request.partition),
        ("account", &request.identity.account),
        ("qos", &request.identity.qos),
        ("gres", &request.gres_per_node),
        ("array", &request.array),
        ("signal", &request.signal),
    ];
    for (option, value) in optional {
        if let Some(value) = value {
            words.push(format!("--{option}={value}"));
        }
    }
    words.push(format!("--nodes={0}-{0}", request.nodes));
    words.push(format!("--ntasks={}", request.tasks));
    words.push(format!("--mem={}M", request.memory_per_node_mib));
    words.push(format!("--time={}", request.minutes));
    words.push(
        if request.requeue {
            "--requeue"
        } else {
            "--no-requeue"
        }
        .to_owned(),
    );
    words.push(format!("--chdir={}", request.work_dir));
    words.push(format!("--output={}", request.stdout));
    words.push(format!("--error={}", request.stderr));
    words
}

#[cfg(test)]
#[path = "hand_over_tests.rs"]
mod tests;
