//! `ve-score`: scores a folder of identity evidence and explains how the score came about.
//!
//! Exit codes: 0 done; 1 known answers differ; 2 the command line is wrong; 3 the folder of evidence cannot be used; 4 the
//! models cannot be used; 5 pictures cannot be written. A low score is not an error.

use clap::{Parser, Subcommand};
use std::{
    fmt::Display,
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};
use ve_ml_cli::{
    evidence::Folder,
    explain::{right, table, Explanation},
    look,
    models::Manifest,
};
use ve_ml_documents::{Documents, Reader};
use ve_ml_engine::{Execution, Kernels};
use ve_ml_pipeline::{
    models::{Detector, Embedder, NotTheNetwork},
    Pipeline,
};
use ve_ml_score::assess;

const DIFFERENT: u8 = 1;
const EVIDENCE: u8 = 3;
const MODELS: u8 = 4;
const PICTURES: u8 = 5;

/// Scores a folder of identity evidence and explains how the score came about.
#[derive(Parser)]
#[command(name = "ve-score", version)]
struct Arguments {
    /// Folder of the models and their manifest.
    #[arg(long, global = true, default_value = "ml/models")]
    models: PathBuf,
    /// Threads for the networks; no bit of the result depends on it.
    #[arg(long, global = true, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=64))]
    threads: u8,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Score a folder: request.toml, document.jpg, back.jpg, selfie.jpg, frames/, capture.toml.
    Score {
        /// The folder.
        folder: PathBuf,
        /// Print JSON.
        #[arg(long)]
        json: bool,
        /// Show features that were not measured, too.
        #[arg(long)]
        all: bool,
        /// Write pictures of what each stage saw into this folder.
        #[arg(long, value_name = "FOLDER")]
        pictures: Option<PathBuf>,
    },
    /// Run the known answers: whether this machine may verify.
    Check,
    /// Print the manifest: where each artefact comes from, and whether it may be used in production.
    Manifest {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let how = Execution {
        kernels: Kernels::best(),
        threads: arguments.threads.into(),
    };
    let done = match &arguments.command {
        Command::Score {
            folder,
            json,
            all,
            pictures,
        } => score(
            &arguments.models,
            folder,
            how,
            (*json, *all),
            pictures.as_deref(),
        ),
        Command::Check => check(&arguments.models, how),
        Command::Manifest { json } => manifest(&arguments.models, *json),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { code, message }) => {
            eprintln!("{message}");
            ExitCode::from(code)
        }
    }
}

struct Failure {
    code: u8,
    message: String,
}

fn failure<E: Display>(code: u8) -> impl Fn(E) -> Failure {
    move |error| Failure {
        code,
        message: error.to_string(),
    }
}

/// Prints a text. When nobody reads it any more the program ends quietly.
fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    if writeln!(out, "{text}").and_then(|()| out.flush()).is_err() {
        std::process::exit(0);
    }
}

fn score(
    models: &Path,
    folder: &Path,
    how: Execution,
    (json, all): (bool, bool),
    pictures: Option<&Path>,
) -> Result<(), Failure> {
    let folder = Folder::read(folder).map_err(failure(EVIDENCE))?;
    let unusable = failure(MODELS);
    let manifest = Manifest::read(models).map_err(&unusable)?;
    let weights = manifest.weights().map_err(&unusable)?;
    let [detector, embedder, reader] =
        ["yunet", "sface", "mrz"].map(|name| manifest.network(name).map_err(&unusable));
    let (detector, embedder, reader) = (detector?, embedder?, reader?);
    let reader = Reader::new(&reader).map_err(failure(MODELS))?;
    let unknown = failure::<NotTheNetwork>(MODELS);
    let pipeline = Pipeline {
        detector: Detector::parse(&detector).map_err(&unknown)?,
        embedder: Embedder::parse(&embedder).map_err(&unknown)?,
        how,
    };
    let expected = folder.expected();
    let mut documents = Documents::new(&reader, how, expected.now_ms);
    let outcome = pipeline.run(&folder.evidence(), &expected, &mut documents);
    let assessment = assess(&weights, &outcome.features, folder.scopes());
    let explanation = Explanation {
        outcome: &outcome,
        assessment: &assessment,
    };
    if json {
        print(&format!("{:#}", explanation.json()));
    } else {
        print(&explanation.text(all));
    }
    if let Some(into) = pictures {
        let written = look::write(
            &folder,
            &look::Eyes {
                detector: &pipeline.detector,
                reader: &reader,
                how,
            },
            into,
        );
        let written = written.map_err(|e| Failure {
            code: PICTURES,
            message: format!(
                "{}: {e}; name a folder that can be written to",
                into.display()
            ),
        })?;
        for name in written {
            eprintln!("wrote {}", into.join(name).display());
        }
    }
    Ok(())
}

fn check(models: &Path, how: Execution) -> Result<(), Failure> {
    let manifest = Manifest::read(models).map_err(failure(MODELS))?;
    let (mut rows, mut same) = (table(&["model", "sample", "answer", "known"]), 0);
    let right_answers = manifest.check(how, |answer| {
        let is_same = answer.expected == answer.found;
        same += usize::from(is_same);
        let word = if is_same { "the same" } else { "another" };
        rows.add_row([
            answer.name.clone().into(),
            right(answer.number),
            short(&answer.found).into(),
            word.into(),
        ]);
    });
    let right_answers = right_answers.map_err(failure(MODELS))?;
    print(&rows.trim_fmt());
    print(&format!(
        "\n{same} of {} answers are the known ones",
        rows.row_count()
    ));
    if right_answers {
        Ok(())
    } else {
        Err(Failure {
            code: DIFFERENT,
            message: "this machine computes something else and may not verify: report its processor and this version".into(),
        })
    }
}

/// Enough of a digest to compare by eye.
fn short(digest: &str) -> String {
    digest.chars().take(24).collect()
}

fn manifest(models: &Path, json: bool) -> Result<(), Failure> {
    let manifest = Manifest::read(models).map_err(failure(MODELS))?;
    let mut rows = table(&[
        "artefact",
        "bytes",
        "sha256",
        "from",
        "licence",
        "trained on",
        "production",
    ]);
    let mut entries = Vec::new();
    for entry in manifest.model.iter().chain(&manifest.scorer) {
        let bytes = manifest
            .pinned(&entry.artefact)
            .map_err(failure(MODELS))?
            .len();
        let allowed = entry.may_be_activated();
        rows.add_row([
            entry.artefact.file.clone().into(),
            right(bytes),
            short(&entry.artefact.sha256).into(),
            entry.origin().into(),
            entry.licence().into(),
            entry.training_data().into(),
            if allowed { "allowed" } else { "blocked" }.into(),
        ]);
        entries.push(serde_json::json!({
            "name": entry.name,
            "purpose": entry.purpose,
            "file": entry.artefact.file,
            "bytes": bytes,
            "sha256": entry.artefact.sha256,
            "from": entry.origin(),
            "licence": entry.licence(),
            "training_data": entry.training_data(),
            "production": allowed,
        }));
    }
    print(&if json {
        format!("{:#}", serde_json::Value::from(entries))
    } else {
        rows.trim_fmt()
    });
    Ok(())
}
