//! What a job wrote: its log while it runs, its result when it has ended.

use crate::{
    commands::jobs,
    context::Context,
    failure::{code, Failure, Result},
    names, preview, ui, units,
    untar::{self, Refusal},
};
use serde_json::{json, Value};
use std::{
    io::{Read, Write},
    path::{Path, PathBuf},
    time::Duration,
};
use ve_chain::{AccountId32, ChainError};
use ve_envelope::{frame, Binding, Opener, SecretKey};
use ve_store::Artifacts;
use ve_templates::ResultSummary;
use virtengine_primitives::{
    hpc::{Job, JobState},
    AgreementId,
};

/// Largest result that is fetched: a provider cannot fill every disk.
const MOST: u64 = 64 << 30;
/// Largest piece of a log.
const LOG_PIECE: u64 = 16 << 20;
/// Largest summary of a result.
const SUMMARY: u64 = 16 << 20;

/// Fails unless the key in use is the job's customer: nothing else was sealed to it.
fn ensure_own(context: &Context, id: AgreementId, job: &Job<AccountId32>) -> Result {
    if context.account()? == job.customer {
        return Ok(());
    }
    Err(Failure::new(
        code::REFUSED,
        format!(
            "job {id} belongs to {}",
            crate::keystore::account_text(&job.customer)
        ),
        "choose that account's key with --key",
    ))
}

/// `ve logs`.
pub async fn logs(context: &Context, id: AgreementId, follow: bool) -> Result {
    let chain = context.chain().await?;
    let job = jobs::find(&chain.at_best().await?, id).await?;
    ensure_own(context, id, &job)?;
    let secret = context.secrets(None)?.encryption;
    let artifacts = context.artifacts()?;
    let genesis = chain.genesis().0;
    let mut chunk = 0u64;
    loop {
        // The state first: what was logged before the end is there once the end is known.
        let ended = match chain.at_best().await {
            Ok(at) => match at.job(id).await {
                Ok(job) => job.is_none_or(|j| matches!(j.state, JobState::Ended(_))),
                Err(e) if e.is_transient() || matches!(e, ChainError::Rpc { .. }) => false,
                Err(e) => return Err(e.into()),
            },
            Err(e) if e.is_transient() && follow => false,
            Err(e) => return Err(e.into()),
        };
        while let Some(text) = piece(&artifacts, &genesis, id, chunk, &secret).await? {
            let mut out = std::io::stdout().lock();
            let written = out.write_all(&text).and_then(|()| out.flush());
            if written.is_err() {
                // Whoever read it has read enough.
                return Ok(());
            }
            chunk += 1;
        }
        if !follow || ended {
            break;
        }
        tokio::time::sleep(Duration::from_millis(700)).await;
    }
    if chunk == 0 {
        ui::note(format!(
            "job {id} has written nothing{}",
            if follow {
                ""
            } else {
                " yet; `ve logs -f` goes on looking"
            }
        ));
    }
    Ok(())
}

async fn piece(
    artifacts: &Artifacts,
    genesis: &[u8; 32],
    id: AgreementId,
    chunk: u64,
    secret: &SecretKey,
) -> Result<Option<Vec<u8>>> {
    let path = Artifacts::log_path(genesis, id, chunk);
    let Some(bytes) = artifacts.get(&path, LOG_PIECE).await? else {
        return Ok(None);
    };
    let (header, body) = frame::from_bytes(&bytes)?;
    Ok(Some(ve_envelope::open(
        &header,
        body,
        secret,
        &Binding::log(*genesis, id, chunk),
    )?))
}

/// The plaintext of an envelope whose body comes out of a reader, in constant memory. Not to be acted upon before it was
/// read to its end without an error: only then it is known to be whole and unaltered.
struct Plain<R> {
    body: R,
    /// `None` once it was read to its end.
    opener: Option<Opener>,
    out: Vec<u8>,
    read: usize,
}

impl<R: Read> Plain<R> {
    fn new(body: R, opener: Opener) -> Self {
        Self {
            body,
            opener: Some(opener),
            out: Vec::new(),
            read: 0,
        }
    }
}

impl<R: Read> Read for Plain<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        while self.read == self.out.len() {
            self.out.clear();
            self.read = 0;
            let Some(opener) = &mut self.opener else {
                return Ok(0);
            };
            let mut sealed = [0; 64 << 10];
            let opened = match self.body.read(&mut sealed)? {
                0 => match self.opener.take() {
                    Some(opener) => opener.finish(&mut self.out),
                    None => Ok(()),
                },
                n => opener.update(sealed.get(..n).unwrap_or_default(), &mut self.out),
            };
            opened.map_err(std::io::Error::other)?;
        }
        let n = self.out.get(self.read..).unwrap_or_default().read(buffer)?;
        self.read += n;
        Ok(n)
    }
}

/// Where a result lies until it is unpacked: in the folder if it is there, otherwise beside it. What was fetched before an
/// interruption is not fetched again; the hash in the name keeps any other file from being taken for it. The folder that it
/// lies in is made.
fn sealed_path(folder: &Path, hash: &[u8; 32]) -> Result<PathBuf> {
    let (start, _) = hash.split_at(8);
    let ending = format!(".{}.sealed", hex::encode(start));
    if folder.is_dir() {
        return Ok(folder.join(ending));
    }
    let mut name = folder.file_name().unwrap_or_default().to_os_string();
    name.push(ending);
    if let Some(parent) = folder.parent() {
        std::fs::create_dir_all(parent).map_err(|e| Failure::file("making", parent, &e))?;
    }
    Ok(folder.with_file_name(name))
}

/// What the summary of an unpacked result says; `None`, and a note why, if it is none. It lists what was left behind, which
/// the job has in its hands.
fn summary(path: &Path) -> Option<ResultSummary> {
    let mut bytes = Vec::new();
    let read = std::fs::File::open(path).and_then(|f| f.take(SUMMARY + 1).read_to_end(&mut bytes));
    let summary = match read {
        Ok(length) if length as u64 > SUMMARY => {
            Err(format!("it has more than {}", units::bytes(SUMMARY)))
        }
        Ok(_) => serde_json::from_slice(&bytes).map_err(|e| e.to_string()),
        Err(e) => Err(e.to_string()),
    };
    summary
        .map_err(|why| {
            let why = ui::clean(why.as_bytes());
            ui::note(format!("{} is not shown: {why}", path.display()));
        })
        .ok()
}

/// `ve get`.
pub async fn get(
    context: &Context,
    id: AgreementId,
    output: Option<PathBuf>,
    show: bool,
    force: bool,
) -> Result {
    let chain = context.chain().await?;
    let job = jobs::find(&chain.at_best().await?, id).await?;
    ensure_own(context, id, &job)?;
    let JobState::Ended(reason) = job.state else {
        return Err(Failure::missing(
            format!("job {id} has not ended, it is {}", names::state(&job.state)),
            format!("wait for it with `ve wait {id}`; what it says meanwhile: `ve logs {id}`"),
        ));
    };
    let Some(header) = job.end.as_ref().and_then(|e| e.result.clone()) else {
        return Err(Failure::missing(
            format!("job {id} left no result ({})", names::explained(&reason)),
            format!("what it said: `ve logs {id}`"),
        ));
    };
    if header.length > MOST {
        return Err(Failure::local(
            format!(
                "the result has {}, more than the {} that are fetched",
                units::bytes(header.length),
                units::bytes(MOST)
            ),
            "let the job write less, or in several jobs",
        ));
    }
    let secret = context.secrets(None)?.encryption;
    let binding = Binding::result(chain.genesis().0, id);
    let opener = || Opener::new(&header, &secret, &binding);
    let openers = (opener()?, opener()?);
    let folder = output.unwrap_or_else(|| PathBuf::from(format!("job-{id}")));
    let sealed = sealed_path(&folder, &header.hash.0)?;
    let bar = ui::bytes_bar("fetching", header.length);
    context
        .artifacts()?
        .get_blob_to_file(&header.hash.0, &sealed, |n| bar.inc(n))
        .await?;
    bar.finish_and_clear();
    let reading = |e: std::io::Error| Failure::file("reading", &sealed, &e);
    let body = || std::fs::File::open(&sealed).map_err(reading);
    let first = Plain::new(body()?, openers.0);
    let again = Plain::new(body()?, openers.1);
    let written = untar::unpack(first, again, &folder, force).map_err(refused)?;
    std::fs::remove_file(&sealed).map_err(|e| Failure::file("removing", &sealed, &e))?;
    let summary = written
        .iter()
        .any(|w| w.path == Path::new("result.json"))
        .then(|| summary(&folder.join("result.json")))
        .flatten();
    if context.json {
        let files: Vec<Value> = written
            .iter()
            .map(|w| json!({ "path": w.path, "bytes": w.length }))
            .collect();
        ui::json(
            &json!({ "job": id, "state": names::reason(&reason), "folder": folder, "files": files, "summary": summary }),
        );
        return Ok(());
    }
    let mut table = ui::table(&["file", "size"]);
    for file in &written {
        table.add_row(vec![
            folder.join(&file.path).display().to_string().into(),
            ui::right(units::bytes(file.length)),
        ]);
    }
    ui::print(&table);
    if let Some(summary) = &summary {
        if summary.partial {
            ui::note("the job did not run to its end: files may be missing or cut off");
        }
        for omitted in &summary.omitted {
            ui::note(format!(
                "left behind: {} ({}): {}",
                ui::clean(omitted.path.as_bytes()),
                units::bytes(omitted.length),
                ui::clean(omitted.reason.as_bytes())
            ));
        }
    }
    if show || ui::colours() {
        written
            .iter()
            .map(|w| folder.join(&w.path))
            .filter(|p| is_picture(p))
            .for_each(|p| picture(&p));
    }
    Ok(())
}

fn is_picture(path: &Path) -> bool {
    path.extension()
        .is_some_and(|e| e.eq_ignore_ascii_case("png"))
}

fn picture(path: &Path) {
    let columns = std::env::var("COLUMNS")
        .ok()
        .and_then(|c| c.parse::<u32>().ok())
        .unwrap_or(72)
        .clamp(20, 120);
    match std::fs::read(path)
        .map_err(|e| e.to_string())
        .and_then(|bytes| preview::png(&bytes, columns))
    {
        Ok(text) => crate::out!("{}\n{text}", path.display()),
        Err(e) => ui::note(format!("{} cannot be shown: {e}", path.display())),
    }
}

fn refused(refusal: Refusal) -> Failure {
    match refusal {
        Refusal::Io(path, e) => Failure::file("writing", &path, &e),
        Refusal::Unreadable(e) => Failure::local(
            format!("the result cannot be opened: {e}"),
            "fetch it again; if that does not help, dispute the job with `ve dispute`",
        ),
        Refusal::Bad(what) => Failure::new(
            code::VERIFICATION,
            format!("the result is not unpacked: {what}"),
            "its provider packed something that a result must not have; dispute the job with `ve dispute`",
        ),
        Refusal::TooMany => Failure::local(
            format!(
                "the result is not unpacked: it has more than {} files and folders",
                untar::MOST
            ),
            "let the job write fewer, or put them into an archive",
        ),
        Refusal::Exists(path) => Failure::usage(
            format!("{} is there already", path.display()),
            "choose another folder with -o, or write over it with --force",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ve_envelope::seal;

    #[test]
    fn result_should_be_fetched_into_any_folder_and_over_no_file_of_the_users() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let mine = ["out.sealed", "job5.sealed", ".sealed"].map(at);
        mine.iter().for_each(|p| std::fs::write(p, "mine").unwrap());
        for name in ["out", "out/", "results/job5", "a/b/../c/", ".", "", "./"] {
            let sealed = sealed_path(&at(name), &[7; 32]).unwrap();
            assert!(!sealed.exists(), "{name}");
            assert_eq!(sealed, sealed_path(&at(name), &[7; 32]).unwrap(), "{name}");
            assert_ne!(sealed, sealed_path(&at(name), &[8; 32]).unwrap(), "{name}");
            // As it is opened to be fetched.
            std::fs::write(&sealed, "sealed").unwrap();
            std::fs::remove_file(&sealed).unwrap();
        }
        for path in &mine {
            assert_eq!(std::fs::read(path).unwrap(), b"mine");
        }
        let [one, other] = ["one", "other"].map(|name| sealed_path(&at(name), &[7; 32]).unwrap());
        assert_ne!(one, other, "fetched twice at a time");
    }

    #[test]
    fn summary_should_be_read_when_it_is_not_too_long() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("result.json");
        assert!(summary(&path).is_none());
        let whole = serde_json::to_vec(
            &json!({ "version": 1, "job": 7, "reason": "failed", "exit_code": 1, "partial": true, "tasks": [], "omitted": [] }),
        );
        let mut bytes = whole.unwrap();
        for (length, read) in [(SUMMARY, true), (SUMMARY + 1, false)] {
            bytes.resize(length as usize, b' ');
            std::fs::write(&path, &bytes).unwrap();
            assert_eq!(summary(&path).is_some_and(|s| s.partial), read, "{length}");
        }
    }

    #[test]
    fn plaintext_should_be_read_whole_or_fail_when_a_bit_of_the_body_is_wrong() {
        let key = SecretKey::generate().unwrap();
        let binding = Binding::result([1; 32], 7);
        for length in [0, 1, 100_000, 3 << 20] {
            let text: Vec<u8> = (0..length).map(|n| (n / 5) as u8).collect();
            let (header, mut body) = seal(&text, &[key.public()], &binding).unwrap();
            let read = |body: &[u8]| {
                let mut out = Vec::new();
                Plain::new(body, Opener::new(&header, &key, &binding).unwrap())
                    .read_to_end(&mut out)
                    .map(|_| out)
            };
            assert!(read(&body).unwrap() == text);
            assert!(read(&body[..body.len() - 1]).is_err());
            let last = body.len() - 1;
            body[last] ^= 1;
            assert!(read(&body).is_err());
        }
    }
}
