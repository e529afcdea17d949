//! Inputs: fetched, checked, opened into the job's private directory, as the job's user. Nothing of them is held in memory
//! but the segment on its way.
//!
//! A transfer that was interrupted goes on with the segment behind those that are surely on disk. Each was authenticated, and
//! so is what follows: the counter in its nonce says where it belongs, the final flag that nothing is missing. The hash
//! over the whole body only says whose fault it is if a segment does not open; so then the whole body is fetched again.

use crate::{
    context::{now_ms, Place, Step},
    files::Put,
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
        let place = self.leased_place(local).await?;
        if !prepared.inputs.is_empty() {
            let inputs = format!("{}/{INPUT_DIR}", Place::WORK);
            place
                .with_files(move |files| files.lay_out(&[&inputs], &[]))
                .await?;
        }
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
        let bad =
            |why: String| StepError::bad_input(format!("input {index} ({}): {why}", input.name));
        let why = match self.context.artifacts.length(&input.hash.0).await? {
            Some(length) if length != input.length => {
                let promised = input.length;
                return Err(bad(format!(
                    "it has {length} bytes, the job says {promised}"
                )));
            }
            Some(_) => {
                let gone_on = self.transfer(index, input, place, &target, false).await?;
                let whole = match gone_on {
                    Transfer::Bad { from: 1.., .. } => {
                        self.transfer(index, input, place, &target, true).await?
                    }
                    whole => whole,
                };
                match whole {
                    Transfer::Done => return Ok(()),
                    Transfer::Bad { why, .. } => return Err(bad(why)),
                    Transfer::Missing => MISSING,
                    Transfer::Damaged => {
                        "what was uploaded does not match its hash; upload it again"
                    }
                }
            }
            None => MISSING,
        };
        Err(self.wait_for(local, index, input, why).await?)
    }

    /// Fetches and opens what is not there yet of an input, or with `afresh` all of it.
    async fn transfer(
        &self,
        index: usize,
        input: &Input,
        place: &Place,
        target: &str,
        afresh: bool,
    ) -> Result<Transfer, StepError> {
        let context = self.context;
        let (target, length) = (target.to_owned(), input.plain_length);
        let mark = hex::encode(&input.hash.0[..8]);
        let (file, from) = place
            .with_files(move |files| files.put(&target, length, &mark, afresh))
            .await?;
        let customer: &[u8; 32] = self.job.customer.as_ref();
        let number = u64::try_from(index).unwrap_or(u64::MAX);
        let binding = Binding::input(context.chain.genesis().0, customer, number);
        let (opener, offset) = BodyOpener::resume(&input.key, &binding, from).ok_or_else(|| {
            StepError::unanswered(Outside::Disk)("an input was cut within a segment")
        })?;
        let reader = context.artifacts.reader_from(&input.hash.0, offset);
        let Some(mut reader) = reader.await? else {
            return Ok(Transfer::Missing);
        };
        let (send, mut chunks) = tokio::sync::mpsc::channel::<bytes::Bytes>(4);
        let mut opening = tokio::task::spawn_blocking(move || {
            let mut opened = Opened {
                opener,
                file,
                out: Vec::new(),
                written: from,
                length,
            };
            while let Some(chunk) = chunks.blocking_recv() {
                opened.take(&chunk)?;
            }
            opened.finish()
        });
        let mut refused = None;
        let read = loop {
            match reader.next().await {
                Ok(None) => break Ok(()),
                Ok(Some(chunk)) if refused.is_none() => {
                    if send.send(chunk).await.is_err() {
                        // A whole body is read on all the same: what was said of it counts only if it is what its name says.
                        match ended(&mut opening, from).await? {
                            Transfer::Bad { why, from: 0 } => refused = Some(why),
                            other => return Ok(other),
                        }
                    }
                }
                Ok(Some(_)) => {}
                Err(error) => break Err(error),
            }
        };
        drop(send);
        // Whatever came of the reading: the file is let go of before anybody goes on with it.
        let opened = match refused {
            Some(why) => Ok(Transfer::Bad { why, from }),
            None => ended(&mut opening, from).await,
        };
        match read {
            Ok(()) => opened,
            Err(ve_store::Error::Damaged(_)) => Ok(Transfer::Damaged),
            Err(error) => Err(StepError::unanswered(Outside::Artifacts)(error)),
        }
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

const MISSING: &str = "it was never uploaded; upload it before you submit";

/// How a transfer ended.
enum Transfer {
    /// The input is there.
    Done,
    /// The body is not in the artifact store.
    Missing,
    /// The body is not what its name says.
    Damaged,
    /// The body, read from that byte of plaintext on, is not what it says.
    Bad { why: String, from: u64 },
}

/// What came of the opening of a transfer that began at a byte of plaintext.
async fn ended(
    opening: &mut tokio::task::JoinHandle<Result<(), NotOpened>>,
    from: u64,
) -> Result<Transfer, StepError> {
    let opened = opening.await;
    match opened.map_err(StepError::unanswered(Outside::Disk))? {
        Ok(()) => Ok(Transfer::Done),
        Err(NotOpened::Bad(why)) => Ok(Transfer::Bad { why, from }),
        Err(NotOpened::Disk(error)) => Err(StepError::files(error)),
    }
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
