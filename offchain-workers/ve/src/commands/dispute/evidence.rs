//! `ve evidence`: what the parties to a dispute show each other, opened and held against the chain.

use super::{agreement, payer_text, Me, Part, MAX_GROUNDS};
use crate::{
    context::Context,
    failure::{code, Failure, Result},
    ui,
};
use serde_json::{json, Value};
use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};
use ve_chain::{
    dispute::{evidence_bundle, next_head, report_of, SALT},
    AccountId32, H256,
};
use ve_envelope::{frame, Binding, SecretKey};
use ve_store::Artifacts;
use virtengine_primitives::{
    billing::{add_quantities, Agreement, Dispute, Quantities},
    blake2_256, AgreementId,
};

/// Longest sealed evidence of one report; accounting rows are a few hundred bytes each.
const MAX_EVIDENCE: u64 = 256 << 20;

/// One thing that was held against the chain.
struct Check {
    what: String,
    /// `Err` says what does not agree.
    outcome: std::result::Result<(), String>,
}

/// What was opened, and how it compares.
#[derive(Default)]
struct Opened {
    files: Vec<(String, Vec<u8>)>,
    checks: Vec<Check>,
    salts: Vec<Value>,
}

impl Opened {
    fn check(&mut self, what: impl Into<String>, outcome: std::result::Result<(), String>) {
        self.checks.push(Check {
            what: what.into(),
            outcome,
        });
    }
}

/// What is opened with.
struct Desk {
    artifacts: Artifacts,
    secret: SecretKey,
    genesis: [u8; 32],
    id: AgreementId,
    part: Part,
}

/// Opens grounds and evidence of a job, checks both against the chain, and writes them to a folder.
pub async fn run(
    context: &Context,
    id: AgreementId,
    folder: Option<PathBuf>,
    force: bool,
) -> Result {
    let at = context.chain().await?.at_finalized().await?;
    let agreement = agreement(&at, id).await?;
    let dispute = at.dispute(id).await?;
    let part = Me::read(context, &at).await?.part(&agreement);
    if part == Part::Nobody {
        return Err(Failure::new(
            code::REFUSED,
            format!(
                "job {id} concerns its payer {}, its provider {} and the arbiters; the chosen account is none of them",
                payer_text(&agreement),
                agreement.provider
            ),
            "choose one of their keys with --key",
        ));
    }
    let desk = Desk {
        artifacts: context.artifacts()?,
        secret: context.secrets(None)?.encryption,
        genesis: at.chain().genesis().0,
        id,
        part,
    };
    let mut opened = Opened::default();
    match &dispute {
        Some(dispute) => desk.grounds(dispute, &mut opened).await?,
        None => ui::note(format!(
            "job {id} is not disputed: there are no grounds to show"
        )),
    }
    // A provider's evidence is sealed to payer, arbiters and the worker that made it.
    if part != Part::Provider {
        desk.reports(&agreement, dispute.as_ref(), &mut opened)
            .await?;
    }
    let folder = folder.unwrap_or_else(|| PathBuf::from(format!("evidence-{id}")));
    let summary = summary(id, part, &opened);
    let text = serde_json::to_vec_pretty(&summary).unwrap_or_default();
    opened.files.push(("checks.json".into(), text));
    write(&folder, &opened.files, force)?;
    if context.json {
        let mut answer = summary;
        answer["folder"] = json!(folder);
        ui::json(&answer);
    } else {
        print(&folder, &opened);
    }
    let wrong: Vec<String> = opened
        .checks
        .iter()
        .filter_map(|c| Some(format!("{}: {}", c.what, c.outcome.as_ref().err()?)))
        .collect();
    if wrong.is_empty() {
        return Ok(());
    }
    Err(Failure::new(
        code::VERIFICATION,
        format!(
            "not all of it agrees with the chain:\n       {}",
            wrong.join("\n       ")
        ),
        "whoever had to show it bears that; an arbiter decides accordingly",
    ))
}

impl Desk {
    /// Opens one envelope of the artifact store: `None` if it is not there. Being no recipient is a failure of the
    /// command, everything else that is wrong with it a finding.
    async fn open(
        &self,
        path: &str,
        most: u64,
        binding: &Binding,
    ) -> Result<std::result::Result<(H256, Vec<u8>), String>> {
        let Some(bytes) = self.artifacts.get(path, most).await? else {
            return Ok(Err("it is not in the artifact store".into()));
        };
        let opened = frame::from_bytes(&bytes).and_then(|(header, body)| {
            let plain = ve_envelope::open(&header, body, &self.secret, binding)?;
            Ok((header.hash, plain))
        });
        match opened {
            Ok(opened) => Ok(Ok(opened)),
            Err(e @ ve_envelope::Error::NotARecipient(_)) => Err(Failure::new(
                code::REFUSED,
                format!("{path}: {e}"),
                self.not_sealed_to_us(),
            )),
            Err(e) => Ok(Err(e.to_string())),
        }
    }

    fn not_sealed_to_us(&self) -> &'static str {
        match self.part {
            Part::Provider => "use the owner's or a worker's key that was registered when the dispute was opened (--key)",
            Part::Arbiter => "an arbiter must have been one, with a registered encryption key, when it was sealed: grounds when the dispute was opened, evidence when the provider answered; let another arbiter decide",
            Part::Payer | Part::Nobody => "use the key that was registered when it was sealed (--key)",
        }
    }

    async fn grounds(&self, dispute: &Dispute, opened: &mut Opened) -> Result {
        let path = Artifacts::grounds_path(&self.genesis, self.id, &dispute.grounds.0);
        let binding = Binding::grounds(self.genesis, self.id);
        let outcome = match self.open(&path, MAX_GROUNDS, &binding).await? {
            Err(e) => Err(e),
            // The body was held against the hash in its header; the header's is held against the chain's.
            Ok((hash, _)) if hash != dispute.grounds => Err(format!(
                "their hash is {hash:?}, on the chain is {:?}",
                dispute.grounds
            )),
            Ok((_, plain)) => {
                opened.files.push(("grounds".into(), plain));
                Ok(())
            }
        };
        opened.check("the payer's grounds are those of the dispute", outcome);
        Ok(())
    }

    async fn reports(
        &self,
        agreement: &Agreement<AccountId32>,
        dispute: Option<&Dispute>,
        opened: &mut Opened,
    ) -> Result {
        let mut hashes = Vec::new();
        let mut head = Some(H256::zero());
        let mut used = Some(Quantities::default());
        for sequence in 1..=agreement.sequence {
            let path = Artifacts::evidence_path(&self.genesis, self.id, sequence.into());
            let binding = Binding::evidence(self.genesis, self.id, sequence.into());
            let plain = match self.open(&path, MAX_EVIDENCE, &binding).await? {
                Ok((_, plain)) => plain,
                Err(e) => {
                    opened.check(
                        format!("evidence of report {sequence} can be opened"),
                        Err(e),
                    );
                    (head, used) = (None, None);
                    continue;
                }
            };
            let report = report_of(&plain);
            let fits = matches!(&report, Some((id, r)) if *id == self.id && r.sequence == sequence);
            opened.check(
                format!("evidence of report {sequence} is about that report"),
                fits.then_some(())
                    .ok_or("it is about something else".to_string()),
            );
            hashes.push(blake2_256(&plain));
            head = head.and_then(|head| next_head(head, &plain));
            used = used
                .zip(report)
                .and_then(|(sum, (_, r))| add_quantities(&sum, &r.quantities));
            let (salt, rows) = plain.split_at(SALT.min(plain.len()));
            opened.salts.push(json!({ "report": sequence, "salt": hex::encode(salt), "hash": format!("{:?}", blake2_256(&plain)) }));
            opened
                .files
                .push((format!("report-{sequence}.json"), rows.to_vec()));
        }
        let agree = |same: bool, what: &str| same.then_some(()).ok_or(what.to_string());
        opened.check(
            format!(
                "together they are the {} reports that were billed, unchanged",
                agreement.sequence
            ),
            agree(
                head == Some(agreement.head),
                "their hash chain ends elsewhere than the chain's",
            ),
        );
        opened.check(
            "their quantities add up to what was billed",
            agree(used.as_ref() == Some(&agreement.cumulative), "they do not"),
        );
        match dispute.map(|d| d.evidence) {
            Some(Some(answer)) => {
                let same = hashes.len() == agreement.sequence as usize
                    && evidence_bundle(&hashes) == answer;
                let wrong = "the provider answered the dispute with another hash";
                opened.check(
                    "they are what the provider answered the dispute with",
                    agree(same, wrong),
                );
            }
            Some(None) => ui::note("the provider has not answered the dispute yet"),
            None => {}
        }
        Ok(())
    }
}

fn summary(id: AgreementId, part: Part, opened: &Opened) -> Value {
    let checks: Vec<Value> = opened
        .checks
        .iter()
        .map(|c| json!({ "what": c.what, "agrees": c.outcome.is_ok(), "why": c.outcome.as_ref().err() }))
        .collect();
    let files: Vec<&String> = opened.files.iter().map(|(name, _)| name).collect();
    json!({
        "job": id,
        "you_are": part.name(),
        "agrees": opened.checks.iter().all(|c| c.outcome.is_ok()),
        "checks": checks,
        "files": files,
        // Blake2b-256 of a report's salt and file is the hash in the report.
        "reports": opened.salts,
    })
}

fn print(folder: &Path, opened: &Opened) {
    for check in &opened.checks {
        crate::out!(
            "{} {}",
            if check.outcome.is_ok() { "✓" } else { "✗" },
            check.what
        );
    }
    for (name, bytes) in &opened.files {
        crate::out!(
            "{}  {}",
            folder.join(name).display(),
            crate::units::bytes(bytes.len() as u64)
        );
    }
}

/// Writes plain files under names of our own; follows no link, and overwrites only when told to.
fn write(folder: &Path, files: &[(String, Vec<u8>)], force: bool) -> Result {
    fs::create_dir_all(folder).map_err(|e| Failure::file("creating", folder, &e))?;
    let taken = |path: &PathBuf| fs::symlink_metadata(path).is_ok();
    let paths: Vec<PathBuf> = files.iter().map(|(name, _)| folder.join(name)).collect();
    if let Some(path) = paths.iter().find(|path| !force && taken(path)) {
        return Err(Failure::usage(
            format!("{} is there already", path.display()),
            "choose another folder with -o, or write over it with --force",
        ));
    }
    for (path, (_, bytes)) in paths.iter().zip(files) {
        let failed = |e| Failure::file("writing", path, &e);
        if taken(path) {
            fs::remove_file(path).map_err(failed)?;
        }
        fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(path)
            .and_then(|mut file| file.write_all(bytes))
            .map_err(failed)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_should_be_written_over_when_forced_and_links_replaced_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let outside = dir.path().join("outside");
        fs::write(&outside, "mine").unwrap();
        let folder = dir.path().join("out");
        let files = [("grounds".to_string(), b"theirs".to_vec())];
        write(&folder, &files, false).unwrap();
        assert_eq!(write(&folder, &files, false).unwrap_err().code, code::USAGE);
        fs::remove_file(folder.join("grounds")).unwrap();
        std::os::unix::fs::symlink(&outside, folder.join("grounds")).unwrap();
        write(&folder, &files, true).unwrap();
        assert_eq!(fs::read(&outside).unwrap(), b"mine");
        assert_eq!(fs::read(folder.join("grounds")).unwrap(), b"theirs");
    }
}
