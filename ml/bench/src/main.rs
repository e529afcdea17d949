//! Measures the networks of `ml/models`; `scripts/ml-bench.sh` prepares everything that it needs.

mod answers;
mod clock;
mod faces;
mod models;
mod onnx;
mod pairs;
mod plot;
mod table;
mod times;

use anyhow::Result;
use clap::{Parser, Subcommand};
use models::Models;
use std::path::PathBuf;

/// One bit pattern everywhere, and side by side with a float runtime.
#[derive(Parser)]
struct Cli {
    /// Folder of the artefacts, their manifest and their known answers.
    #[arg(long, default_value = "ml/models", global = true)]
    models: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Print the digests of all known answers as this machine computes them.
    Answers {
        /// Only with the fastest instruction set.
        #[arg(long)]
        fastest: bool,
    },
    /// Run everything that computes known answers, and print one table.
    Table(table::Programs),
    /// Time every network with every instruction set, beside onnxruntime.
    Times(onnx::Onnx),
    /// Print where a network's time goes, operator by operator.
    Layers {
        /// Name of the model.
        model: String,
    },
    /// Compare with onnxruntime on a folder of faces.
    Faces(faces::Options),
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    let models = Models(cli.models);
    match &cli.command {
        Command::Answers { fastest } => answers::print(&models, *fastest),
        Command::Table(programs) => table::print(&models, programs),
        Command::Times(onnx) => times::print(&models, onnx),
        Command::Layers { model } => times::layers(&models, model),
        Command::Faces(options) => faces::print(&models, options),
    }
}
