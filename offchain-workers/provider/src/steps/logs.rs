//! The job's log, sealed to its customer piece by piece while it runs.

use crate::{
    context::{now_ms, Place, Step},
    files::Wanted,
    local::LocalJob,
    policy::{Outside, StepError},
};
use std::io::Read;
use ve_envelope::{seal, Binding};

/// Most bytes in one piece.
const PIECE: u64 = 256 << 10;
/// Most pieces in one step, so that a chatty job does not keep others waiting.
const PIECES: usize = 16;
/// Most bytes of log that are sealed for one job; the whole log, as far as the template allows, is in the result.
const MOST: u64 = 64 << 20;

impl Step<'_> {
    /// Seals what was added to the log of a running job.
    pub(crate) async fn log(&self, local: &mut LocalJob) -> Result<(), StepError> {
        for _ in 0..PIECES {
            if !self.next_piece(local).await? {
                break;
            }
        }
        local.logged_at = Some(now_ms());
        self.context.records.put(local).await
    }

    /// Seals the rest of all logs of a job that has ended.
    pub(crate) async fn drain_logs(&self, local: &mut LocalJob) -> Result<(), StepError> {
        loop {
            while self.next_piece(local).await? {}
            if local.log.task.saturating_add(1) >= self.job.request.resources.array_tasks {
                return Ok(());
            }
            local.log.task += 1;
            local.log.offset = 0;
            local.log.until = None;
            self.context.records.put(local).await?;
        }
    }

    /// Seals one piece; `false` if there is nothing new. A piece's limits are recorded before it is stored: stored
    /// again after a crash, it has the same content.
    async fn next_piece(&self, local: &mut LocalJob) -> Result<bool, StepError> {
        let context = self.context;
        let place = self.place(local).await?;
        let (task, offset, decided) = (local.log.task, local.log.offset, local.log.until);
        if local.log.chunk.saturating_mul(PIECE) >= MOST {
            return Ok(false);
        }
        let wanted = [Wanted {
            path: format!("{}/{task}.log", Place::LOGS),
            offset,
            most: decided.map_or(PIECE, |until| until.saturating_sub(offset)),
        }];
        let bytes = place.with_files(move |files| {
            let mut bytes = Vec::new();
            let mut take = |_, content: std::io::Result<&mut dyn Read>| match content {
                Ok(content) => content.read_to_end(&mut bytes).map(drop),
                // No log yet, or the job put something else in its place: nothing that could be shown.
                Err(_) => Ok(()),
            };
            match files.read(&wanted, &mut take) {
                // The directory itself is not there.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
                read => read.map(|()| bytes),
            }
        });
        let bytes = bytes.await?;
        if bytes.is_empty() {
            return Ok(false);
        }
        let keys = context.keys_of(self.snapshot, &self.job.customer).await?;
        if keys.is_empty() {
            // Nobody could read it.
            return Ok(false);
        }
        let until = offset.saturating_add(bytes.len() as u64);
        if decided.is_none() {
            local.log.until = Some(until);
            context.records.put(local).await?;
            self.context.passed("log-intended");
        }
        let binding = Binding::log(context.chain.genesis().0, self.id, local.log.chunk);
        let (header, body) =
            seal(&bytes, &keys, &binding).map_err(StepError::unanswered(Outside::Chain))?;
        context
            .artifacts
            .put_log(
                &context.chain.genesis().0,
                self.id,
                local.log.chunk,
                &header,
                &body,
            )
            .await?;
        self.context.passed("log-stored");
        local.log.chunk += 1;
        local.log.offset = until;
        local.log.until = None;
        context.records.put(local).await?;
        Ok(true)
    }
}
