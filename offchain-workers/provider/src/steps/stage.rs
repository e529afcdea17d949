//! Inputs: fetched, checked, opened into the job's private directory.

use crate::{
    beneath::private_directory,
    context::{now_ms, Step},
    library::Input,
    local::LocalJob,
    policy::{Outside, StepError},
};
use std::{io::Write, path::Path};
use ve_envelope::{Binding, BodyOpener};

impl Step<'_> {
    /// Fetches what is not there yet. An input appears under its name only when all of it was checked, so after a
    /// crash those that are there are not fetched again.
    pub(crate) async fn stage(&self, local: &mut LocalJob) -> Result<(), StepError> {
        let context = self.context;
        let prepared = self.prepared().await?;
        let paths = context.paths(self.cluster, self.id);
        for directory in [&paths.home, &paths.work, &paths.logs] {
            private_directory(directory).map_err(StepError::unanswered(Outside::Disk))?;
        }
        for (index, input) in prepared.inputs.iter().enumerate() {
            let target = paths.work.join(&input.file);
            if let Some(parent) = target.parent() {
                private_directory(parent).map_err(StepError::unanswered(Outside::Disk))?;
            }
            let there = std::fs::symlink_metadata(&target)
                .is_ok_and(|data| data.is_file() && data.len() == input.plain_length);
            if !there {
                self.fetch(
                    local,
                    index,
                    input,
                    &target,
                    &paths.home.join("input.partial"),
                )
                .await?;
            }
            if index == 0 {
                self.context.passed("stage-after-first-input");
            }
        }
        local.staged = true;
        local.missing_since = None;
        context.records.put(local).await?;
        self.context.passed("staged");
        Ok(())
    }

    async fn fetch(
        &self,
        local: &mut LocalJob,
        index: usize,
        input: &Input,
        target: &Path,
        partial: &Path,
    ) -> Result<(), StepError> {
        let context = self.context;
        let bad =
            |why: String| StepError::bad_input(format!("input {index} ({}): {why}", input.name));
        let Some(mut reader) = context.artifacts.reader(&input.hash.0).await? else {
            let since = *local.missing_since.get_or_insert_with(now_ms);
            context.records.put(local).await?;
            let waited = now_ms().saturating_sub(since);
            if u128::from(waited) < context.settings.input_grace.as_millis() {
                let reason = format!("input {index} ({}) is not there yet", input.name);
                return Err(StepError::Unanswered {
                    outside: Outside::Artifacts,
                    reason,
                });
            }
            return Err(bad(
                "it was never uploaded; upload it before you submit".into()
            ));
        };
        if reader.length() != input.length {
            return Err(bad(format!(
                "it has {} bytes, the job says {}",
                reader.length(),
                input.length
            )));
        }
        let customer: &[u8; 32] = self.job.customer.as_ref();
        let number = u64::try_from(index).unwrap_or(u64::MAX);
        let binding = Binding::input(context.chain.genesis().0, customer, number);
        let mut opener = BodyOpener::new(&input.key, &binding);
        let disk = || StepError::unanswered::<std::io::Error>(Outside::Disk);
        let mut file = std::fs::File::create(partial).map_err(disk())?;
        let mut out = Vec::new();
        let mut written = 0u64;
        loop {
            // A body whose hash is not its name is not the customer's doing: the store is asked again later.
            let chunk = reader
                .next()
                .await
                .map_err(StepError::unanswered(Outside::Artifacts))?;
            let Some(chunk) = chunk else { break };
            opener
                .update(&chunk, &mut out)
                .map_err(|e| bad(e.to_string()))?;
            written = written.saturating_add(out.len() as u64);
            if written > input.plain_length {
                return Err(bad(format!(
                    "it is longer than the {} bytes it says",
                    input.plain_length
                )));
            }
            file.write_all(&out).map_err(disk())?;
            out.clear();
        }
        opener.finish(&mut out).map_err(|e| bad(e.to_string()))?;
        written = written.saturating_add(out.len() as u64);
        if written != input.plain_length {
            return Err(bad(format!(
                "it has {written} bytes when opened, it says {}",
                input.plain_length
            )));
        }
        file.write_all(&out).map_err(disk())?;
        file.sync_all().map_err(disk())?;
        std::fs::rename(partial, target).map_err(disk())
    }
}
