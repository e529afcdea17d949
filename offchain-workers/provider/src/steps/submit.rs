//! The hand-over to the scheduler: exactly once.

use crate::{
    context::{now_ms, Place, Step},
    files::JobFiles,
    local::{LocalJob, Submission},
    metering::affordable_seconds,
    policy::{Outside, StepError},
};
use std::{collections::BTreeMap, io};
use ve_slurm::{SubmitError, SubmitSpec, Warning, WarningSignal};
use ve_templates::{
    Outputs, RenderedJob, Signal, CHECKPOINT_DIR, CONTROL_DIR, INPUT_DIR, OUTPUT_DIR,
};

impl Step<'_> {
    /// Renders the script, records the intent, submits.
    pub(crate) async fn submit(&self, local: &mut LocalJob) -> Result<(), StepError> {
        let context = self.context;
        let spec = self.specification(local).await?;
        let scheduler = self.cluster.scheduler(local.identity.as_deref())?;
        let scheduler = scheduler.ok_or_else(|| StepError::Unanswered {
            outside: Outside::Scheduler,
            reason: "nobody to run as".into(),
        })?;
        local.submission = Submission::Intended;
        context.records.put(local).await?;
        self.context.passed("submit-intended");
        // Whoever looked before may have looked before a submission that was on its way: the scheduler itself looks again.
        let id = match scheduler.submit(&spec).await {
            Ok(id) => id,
            Err(SubmitError::Refused(why)) => {
                // Nothing exists, so nothing has to be looked for.
                local.submission = Submission::None;
                return Err(StepError::ours(format!(
                    "the cluster refused the job: {why}"
                )));
            }
            Err(error @ (SubmitError::Unavailable(_) | SubmitError::Unknown(_))) => {
                return Err(StepError::unanswered(Outside::Scheduler)(error));
            }
        };
        self.context.passed("submitted");
        tracing::info!(job = self.id, scheduler_job = %id, "handed to the scheduler");
        self.record_submission(local, id).await
    }

    /// Records what was found in the scheduler.
    pub(crate) async fn mark_submitted(&self, local: &mut LocalJob) -> Result<(), StepError> {
        match self.context.find(self.cluster, local).await? {
            Some(id) => self.record_submission(local, id).await,
            None => Ok(()),
        }
    }

    async fn record_submission(
        &self,
        local: &mut LocalJob,
        id: ve_slurm::SchedulerJobId,
    ) -> Result<(), StepError> {
        local.staged = true;
        local.submission = Submission::Done;
        local.scheduler_job = Some(id);
        self.context.records.put(local).await?;
        self.context.passed("submit-recorded");
        if let Some(seen) = local.seen_at {
            let waited = now_ms().saturating_sub(seen);
            let seconds = std::time::Duration::from_millis(waited).as_secs_f64();
            self.context.metrics.hand_over_seconds.observe(seconds);
        }
        Ok(())
    }

    /// What the scheduler is told, with the job's directory laid out.
    async fn specification(&self, local: &mut LocalJob) -> Result<SubmitSpec, StepError> {
        let context = self.context;
        let request = &self.job.request;
        let resources = &request.resources;
        let prepared = self.prepared().await?;
        let place = self.leased_place(local).await?;
        let mut rendered = prepared.rendered;
        let script = std::mem::take(&mut rendered.script);
        let warning = rendered.warning.map(warning);
        let (requeue, max_file_bytes) = (rendered.requeue, rendered.max_file_bytes);
        local.outputs = Some(prepared.outputs);
        place
            .with_files(move |files| lay_out(files, rendered))
            .await?;
        let partition = match self.cluster.partitions {
            true => self.partition_name().await?,
            false => None,
        };
        let environment = BTreeMap::from([
            ("PATH".to_owned(), context.settings.job_path.clone()),
            (
                "HOME".to_owned(),
                place.work().to_string_lossy().into_owned(),
            ),
            ("LANG".to_owned(), "C.UTF-8".to_owned()),
        ]);
        let log = match resources.array_tasks {
            1 => place.log(0),
            _ => place.home.join(Place::LOGS).join("%a.log"),
        };
        Ok(SubmitSpec {
            handle: context.handle(self.id),
            partition,
            work_dir: place.work(),
            script,
            identity: place.identity,
            cpus: resources.cpus,
            memory_mib: resources.memory_mib,
            nodes: resources.nodes,
            gpus: resources.gpus,
            gpu_type: (resources.gpus > 0)
                .then(|| self.cluster.gpu_types.get(&resources.gpu_type).cloned())
                .flatten(),
            walltime_s: self.time_limit().await?,
            array_tasks: resources.array_tasks,
            warning,
            requeue,
            max_file_bytes,
            max_processes: None,
            environment,
            stdout: log.clone(),
            stderr: log,
        })
    }

    async fn partition_name(&self) -> Result<Option<String>, StepError> {
        let cluster = self.snapshot.cluster(self.cluster.id).await;
        let cluster = cluster.map_err(StepError::unanswered(Outside::Chain))?;
        let partition = cluster
            .and_then(|c| {
                c.spec
                    .partitions
                    .into_iter()
                    .nth(usize::from(self.job.assignment.partition))
            })
            .ok_or_else(|| StepError::ours("the partition is not registered any more"))?;
        let name = String::from_utf8(partition.name.into_inner());
        name.map(Some)
            .map_err(|_| StepError::ours("the partition's name is not UTF-8"))
    }

    /// min(what was asked, what the rest of the ceiling pays for): beyond it nothing is owed, so nothing runs.
    async fn time_limit(&self) -> Result<u64, StepError> {
        let unanswered = || StepError::unanswered::<ve_chain::ChainError>(Outside::Chain);
        let agreement = self
            .snapshot
            .agreement(self.id)
            .await
            .map_err(unanswered())?;
        let plan = self
            .snapshot
            .plan(self.job.assignment.plan)
            .await
            .map_err(unanswered())?;
        let (Some(agreement), Some((_, plan))) = (agreement, plan) else {
            let reason = "the job's agreement or plan is not in the state".into();
            return Err(StepError::Unanswered {
                outside: Outside::Chain,
                reason,
            });
        };
        let left = self
            .job
            .request
            .walltime
            .saturating_sub(agreement.metered_ms.div_ceil(1000));
        let seconds = affordable_seconds(
            &plan,
            &agreement.allocation.per_second,
            &agreement.cumulative,
            agreement.ceiling,
            left,
        );
        match seconds {
            0 => Err(StepError::ours(
                "the ceiling pays for no second; submit it with a higher one",
            )),
            seconds => Ok(seconds),
        }
    }

    /// Which of its files are the job's outputs, as they were when it was submitted: the payload may be gone by now,
    /// and the library may have another template of that name.
    pub(crate) async fn output_rules(&self, local: &LocalJob) -> Result<Outputs, StepError> {
        match &local.outputs {
            Some(rules) => Ok(rules.clone()),
            None => Ok(self.prepared().await?.outputs),
        }
    }
}

/// Makes the job's directories and what was rendered in them; over what is there, so it can be repeated.
fn lay_out(files: &dyn JobFiles, mut rendered: RenderedJob) -> io::Result<()> {
    let in_work = |path: &str| format!("{}/{path}", Place::WORK);
    let fixed = [INPUT_DIR, OUTPUT_DIR, CHECKPOINT_DIR, CONTROL_DIR].map(in_work);
    let folders = fixed.iter().map(String::as_str).chain([Place::LOGS]);
    for file in &mut rendered.files {
        file.path = in_work(&file.path);
    }
    files.lay_out(&folders.collect::<Vec<_>>(), &rendered.files)
}

fn warning(warning: ve_templates::Warning) -> Warning {
    let signal = match warning.signal {
        Signal::Usr1 => WarningSignal::Usr1,
        Signal::Usr2 => WarningSignal::Usr2,
        Signal::Int => WarningSignal::Int,
        Signal::Term => WarningSignal::Term,
    };
    Warning {
        signal,
        seconds_before: warning.seconds_before,
    }
}
