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
    io::Write,
    path::{Path, PathBuf},
    time::Duration,
};
use ve_chain::{AccountId32, ChainError};
use ve_envelope::{frame, Binding, Opener, SecretKey};
use ve_store::Artifacts;
use ve_templates::ResultSummary;
use virtengine_primitives::{
    envelope::EnvelopeHeader,
    hpc::{Job, JobState},
    AgreementId,
};

/// Largest result that is unpacked here.
const MOST: u64 = 4 << 30;
/// Largest piece of a log.
const LOG_PIECE: u64 = 16 << 20;

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

/// Fetches and opens a body in pieces, with a bar.
async fn open(
    artifacts: &Artifacts,
    header: &EnvelopeHeader,
    secret: &SecretKey,
    binding: &Binding,
) -> Result<Vec<u8>> {
    let bar = ui::bytes_bar("fetching and opening", header.length);
    let mut opener = Opener::new(header, secret, binding)?;
    let mut reader = artifacts.reader(&header.hash.0).await?;
    let mut plain = Vec::new();
    while let Some(piece) = reader.next().await? {
        bar.inc(piece.len() as u64);
        opener.update(&piece, &mut plain)?;
    }
    opener.finish(&mut plain)?;
    bar.finish_and_clear();
    Ok(plain)
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
                "the result has {}, more than the {} that are unpacked here",
                units::bytes(header.length),
                units::bytes(MOST)
            ),
            "let the job write less, or in several jobs",
        ));
    }
    let secret = context.secrets(None)?.encryption;
    let plain = open(
        &context.artifacts()?,
        &header,
        &secret,
        &Binding::result(chain.genesis().0, id),
    )
    .await?;
    let folder = output.unwrap_or_else(|| PathBuf::from(format!("job-{id}")));
    let written = untar::unpack(&plain, &folder, force).map_err(refused)?;
    let summary = untar::content(&plain, "result.json")
        .and_then(|b| serde_json::from_slice::<ResultSummary>(b).ok());
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
        Refusal::Bad(what) => Failure::new(
            code::VERIFICATION,
            format!("the result is not unpacked: {what}"),
            "its provider packed something that a result must not have; dispute the job with `ve dispute`",
        ),
        Refusal::Exists(path) => Failure::usage(
            format!("{} is there already", path.display()),
            "choose another folder with -o, or write over it with --force",
        ),
    }
}
