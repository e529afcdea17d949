//! Inputs: fetched, checked, opened into the job's private directory, as the job's user. Nothing of them is held in memory
//! but the segment on its way.

use crate::{
    context::{now_ms, Place, Step},
    files::{JobFiles, Put},
    library::Input,
    local::LocalJob,
    policy::{Outside, StepError},
};
use std::io::Write;
use ve_envelope::{Binding, BodyOpener};
use ve_templates::INPUT_DIR;

impl Step<'_> {
    /// Fetches what is not there yet. An input appears under its name only when all of it was checked, so after a
    /// crash those that are there are not fetched again.
    pub(crate) async fn stage(&self, local: &mut LocalJob) -> Result<(), StepError> {
        let context = self.context;
        let prepared = self.prepared().await?;
        let customer = &self.job.customer;
        let place = context.place(self.cluster, local, customer).await?;
        place.with_files(make_directories).await?;
        for (index, input) in prepared.inputs.iter().enumerate() {
            let target = format!("{}/{}", Place::WORK, input.file);
            let seen = target.clone();
            let there = place.with_files(move |files| files.length(&seen)).await?;
            if there != Some(input.plain_length) {
                self.fetch(local, index, input, &place, target).await?;
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
        place: &Place,
        target: String,
    ) -> Result<(), StepError> {
        let context = self.context;
        let bad =
            |why: String| StepError::bad_input(format!("input {index} ({}): {why}", input.name));
        let Some(mut reader) = context.artifacts.reader(&input.hash.0).await? else {
            let why = "it was never uploaded; upload it before you submit";
            return Err(self.wait_for(local, index, input, why).await?);
        };
        if reader.length() != input.length {
            let found = reader.length();
            return Err(bad(format!(
                "it has {found} bytes, the job says {}",
                input.length
            )));
        }
        let customer: &[u8; 32] = self.job.customer.as_ref();
        let number = u64::try_from(index).unwrap_or(u64::MAX);
        let binding = Binding::input(context.chain.genesis().0, customer, number);
        let opener = BodyOpener::new(&input.key, &binding);
        let (files, length) = (place.files.clone(), input.plain_length);
        let (send, mut chunks) = tokio::sync::mpsc::channel::<bytes::Bytes>(4);
        let opening = tokio::task::spawn_blocking(move || {
            let mut opened = Opened::begin(opener, files.put(&target, length, false)?, length);
            while let Some(chunk) = chunks.blocking_recv() {
                opened.take(&chunk)?;
            }
            opened.finish()
        });
        let damaged = loop {
            match reader.next().await {
                Ok(None) => break false,
                // When the opening has given up, the rest is read all the same: what it says counts only for a body
                // that is what its name says.
                Ok(Some(chunk)) => drop(send.send(chunk).await),
                Err(ve_store::Error::Damaged(_)) => break true,
                Err(error) => return Err(StepError::unanswered(Outside::Artifacts)(error)),
            }
        };
        drop(send);
        let opened = opening
            .await
            .map_err(StepError::unanswered(Outside::Disk))?;
        if damaged {
            let why = "what was uploaded does not match its hash; upload it again";
            return Err(self.wait_for(local, index, input, why).await?);
        }
        opened.map_err(|error| match error {
            NotOpened::Bad(why) => bad(why),
            NotOpened::Disk(error) => StepError::unanswered(Outside::Disk)(error),
        })
    }

    /// An input that is not there as it should be may still come: for a while that is nobody's fault.
    async fn wait_for(
        &self,
        local: &mut LocalJob,
        index: usize,
        input: &Input,
        why: &str,
    ) -> Result<StepError, StepError> {
        let since = *local.missing_since.get_or_insert_with(now_ms);
        self.context.records.put(local).await?;
        let waited = now_ms().saturating_sub(since);
        let why = format!("input {index} ({}): {why}", input.name);
        Ok(
            if u128::from(waited) < self.context.settings.input_grace.as_millis() {
                StepError::Unanswered {
                    outside: Outside::Artifacts,
                    reason: why,
                }
            } else {
                StepError::bad_input(why)
            },
        )
    }
}

/// The directories of a job.
pub(super) fn make_directories(files: &dyn JobFiles) -> std::io::Result<()> {
    let inputs = format!("{}/{INPUT_DIR}", Place::WORK);
    files.prepare(&[Place::WORK, &inputs, Place::LOGS])
}

/// Why an input was not opened.
enum NotOpened {
    /// Its content is not what it says.
    Bad(String),
    /// It could not be written.
    Disk(std::io::Error),
}

impl From<std::io::Error> for NotOpened {
    fn from(error: std::io::Error) -> Self {
        Self::Disk(error)
    }
}

impl From<ve_envelope::Error> for NotOpened {
    fn from(error: ve_envelope::Error) -> Self {
        Self::Bad(error.to_string())
    }
}

/// An input on its way to the disk.
struct Opened {
    opener: BodyOpener,
    file: Box<dyn Put>,
    out: Vec<u8>,
    written: u64,
    length: u64,
}

impl Opened {
    fn begin(opener: BodyOpener, file: Box<dyn Put>, length: u64) -> Self {
        Self {
            opener,
            file,
            out: Vec::new(),
            written: 0,
            length,
        }
    }

    fn take(&mut self, chunk: &[u8]) -> Result<(), NotOpened> {
        self.opener.update(chunk, &mut self.out)?;
        self.write()
    }

    fn write(&mut self) -> Result<(), NotOpened> {
        self.written = self.written.saturating_add(self.out.len() as u64);
        if self.written > self.length {
            return Err(NotOpened::Bad(format!(
                "it is longer than the {} bytes it says",
                self.length
            )));
        }
        self.file.write_all(&self.out)?;
        self.out.clear();
        Ok(())
    }

    fn finish(self) -> Result<(), NotOpened> {
        let Self {
            opener,
            mut file,
            mut out,
            written,
            length,
        } = self;
        opener.finish(&mut out)?;
        let written = written.saturating_add(out.len() as u64);
        if written != length {
            return Err(NotOpened::Bad(format!(
                "it has {written} bytes when opened, it says {length}"
            )));
        }
        file.write_all(&out)?;
        Ok(file.commit()?)
    }
}
