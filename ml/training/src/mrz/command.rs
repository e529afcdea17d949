//! What `ve-ml-training mrz` does.

use super::{
    measure::{grey, measure, passport, FIRST},
    network::network,
    scene::Fonts,
    train::{cells, Training},
};
use crate::{
    faces::{pictures, Picture},
    float::Float,
    manifest::{sha256, Scales},
    quantise::Ranges,
};
use anyhow::{Context, Result};
use clap::Subcommand;
use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
};
use ve_ml_engine::Execution;
use ve_ml_mrz::{
    image::{Grey, CELL},
    text::{repair, Checks, Lines, Symbol},
    Reader,
};

/// Seed of the pictures with which ranges are calibrated.
const CALIBRATION_SEED: u64 = 2;

/// The reader of machine-readable zones.
#[derive(Subcommand)]
pub enum Mrz {
    /// Train, or go on training.
    Train {
        /// Rounds in all; a round is eight pictures.
        #[arg(long)]
        rounds: u64,
        /// The training's state: continued if it exists.
        #[arg(long)]
        state: PathBuf,
        /// Where to write the checkpoint.
        #[arg(long)]
        checkpoint: PathBuf,
    },
    /// Measure the magnitudes inside the network on synthetic cells.
    Calibrate {
        /// The checkpoint.
        #[arg(long)]
        checkpoint: PathBuf,
        /// Where to write the scales.
        #[arg(long)]
        out: PathBuf,
    },
    /// Count exact readings of synthetic passports of every severity.
    Measure {
        /// The artefact.
        #[arg(long, default_value = "ml/models/mrz.veml")]
        artefact: PathBuf,
        /// Pictures of each severity.
        #[arg(long, default_value_t = 200)]
        pictures: u64,
        /// Seed of the pictures.
        #[arg(long, default_value_t = FIRST)]
        seed: u64,
        /// Only this severity.
        #[arg(long)]
        severity: Option<String>,
        /// Print every reading that is not exact.
        #[arg(long)]
        verbose: bool,
    },
    /// Read the pictures of a folder and count those with valid check digits.
    Documents {
        /// The artefact.
        #[arg(long, default_value = "ml/models/mrz.veml")]
        artefact: PathBuf,
        /// Folder of JPEG and PNG files.
        #[arg(long)]
        folder: PathBuf,
        /// Where to write each zone as it was laid flat.
        #[arg(long)]
        strips: Option<PathBuf>,
    },
    /// Write synthetic passports as PNG files, and what is in them as text files.
    Pictures {
        /// Severity.
        #[arg(long)]
        severity: String,
        /// How many.
        #[arg(long)]
        pictures: u64,
        /// Folder.
        #[arg(long)]
        out: PathBuf,
    },
    /// Check what another reader read: standard input has a file name and the lines of text found in it, separated by tabs,
    /// in each line.
    Check {
        /// Folder of text files with the right lines, named as the pictures.
        #[arg(long)]
        truth: Option<PathBuf>,
    },
}

/// Runs a command.
pub fn run(command: &Mrz) -> Result<()> {
    match command {
        Mrz::Train {
            rounds,
            state,
            checkpoint,
        } => Training::open(state)?.run(*rounds, state, checkpoint),
        Mrz::Calibrate { checkpoint, out } => calibrate(checkpoint, out),
        Mrz::Measure {
            artefact,
            pictures,
            seed,
            severity,
            verbose,
        } => measure_all(artefact, *pictures, *seed, severity.as_deref(), *verbose),
        Mrz::Documents {
            artefact,
            folder,
            strips,
        } => documents(artefact, folder, strips.as_deref()),
        Mrz::Pictures {
            severity,
            pictures,
            out,
        } => write_pictures(severity, *pictures, out),
        Mrz::Check { truth } => check(truth.as_deref()),
    }
}

fn read(file: &Path) -> Result<Vec<u8>> {
    fs::read(file).with_context(|| format!("reading {}", file.display()))
}

fn calibrate(checkpoint: &Path, out: &Path) -> Result<()> {
    let network = network(&read(checkpoint)?)?;
    let float = Float::new(&network)?;
    let cells = cells(&Fonts::new()?, CALIBRATION_SEED, 0..24)?;
    let mut largest = Ranges::new();
    for pixels in cells.pixels.chunks_exact(CELL * CELL) {
        float.calibrate(pixels, &mut largest)?;
    }
    let text = toml::to_string(&Scales { largest })?;
    fs::write(out, &text).with_context(|| format!("writing {}", out.display()))?;
    println!(
        "{} cells; sha256 {}",
        cells.classes.len(),
        sha256(text.as_bytes())
    );
    Ok(())
}

fn measure_all(
    artefact: &Path,
    pictures: u64,
    seed: u64,
    only: Option<&str>,
    verbose: bool,
) -> Result<()> {
    let artefact = read(artefact)?;
    let reader = Reader::new(&artefact)?;
    let fonts = Fonts::new()?;
    println!("severity  pictures  exact  valid  of these wrong  repaired  no zone  wrong symbols");
    for name in ["clean", "mild", "medium", "hard"] {
        if only.is_some_and(|o| o != name) {
            continue;
        }
        let m = measure(
            &reader,
            name,
            seed,
            pictures,
            &fonts,
            |number, lines, reading| {
                let read = reading.map(|r| (r.outcome.lines().to_string(), r.lead));
                if verbose && read.as_ref().map(|(l, _)| l) != Some(&lines.to_string()) {
                    println!(
                        "{name} {number}\n{lines}{}",
                        read.map_or("nothing\n".into(), |(l, lead)| format!("{l}lead {lead}\n"))
                    );
                }
            },
        )?;
        println!(
            "{name:<8}  {:>8}  {:>5}  {:>5}  {:>14}  {:>8}  {:>7}  {:>13}",
            m.pictures, m.exact, m.valid, m.wrong, m.repaired, m.missed, m.symbols
        );
    }
    Ok(())
}

fn documents(artefact: &Path, folder: &Path, strips: Option<&Path>) -> Result<()> {
    let artefact = read(artefact)?;
    let reader = Reader::new(&artefact)?;
    let (mut valid, files) = (0, pictures(folder)?);
    for file in &files {
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        let begin = std::time::Instant::now();
        let Some(reading) = reader.read(&grey(&Picture::open(file)?)?, Execution::default()) else {
            println!("{name}: no zone\n");
            continue;
        };
        let checks = Checks::of(reading.outcome.lines());
        valid += usize::from(reading.outcome.is_valid());
        println!(
            "{name}: {:?}, {}, {} valid, lead {}, {} ms\n{}",
            reading.outcome.lines().format(),
            if reading.outcome.is_valid() {
                "all check digits valid"
            } else {
                "a check digit is broken"
            },
            checks.valid(),
            reading.lead,
            begin.elapsed().as_millis(),
            reading.outcome.lines()
        );
        if let Some(folder) = strips {
            png(&reading.strip.grey, &folder.join(format!("{name}.png")))?;
        }
    }
    println!("{valid} of {} with all check digits valid", files.len());
    Ok(())
}

fn write_pictures(severity: &str, pictures: u64, out: &Path) -> Result<()> {
    let fonts = Fonts::new()?;
    fs::create_dir_all(out)?;
    for number in 0..pictures {
        let (lines, scene) = passport(severity, FIRST, number, &fonts)?;
        png(
            &scene.picture,
            &out.join(format!("{severity}-{number:04}.png")),
        )?;
        fs::write(
            out.join(format!("{severity}-{number:04}.txt")),
            lines.to_string(),
        )?;
    }
    Ok(())
}

fn png(grey: &Grey, file: &Path) -> Result<()> {
    let writer = fs::File::create(file).with_context(|| format!("writing {}", file.display()))?;
    let mut encoder = png::Encoder::new(writer, grey.width() as u32, grey.height() as u32);
    encoder.set_color(png::ColorType::Grayscale);
    Ok(encoder.write_header()?.write_image_data(grey.pixels())?)
}

/// The same rules for every reader: lines of text that lie together and have the lengths of a zone are one; the same repair, the same check
/// digits.
fn check(truth: Option<&Path>) -> Result<()> {
    let mut input = String::new();
    std::io::stdin().read_to_string(&mut input)?;
    let (mut files, mut valid, mut exact) = (0, 0, 0);
    for line in input.lines() {
        let mut columns = line.split('\t');
        let name = columns.next().unwrap_or_default();
        let rows = columns
            .map(tidy)
            .filter(|r| matches!(r.len(), 30 | 36 | 44));
        let rows: Vec<String> = rows.collect();
        files += 1;
        // A picture that lies on its head has its lines from the foot up.
        let reversed: Vec<String> = rows.iter().rev().cloned().collect();
        let outcomes: Vec<_> = [&rows, &reversed]
            .into_iter()
            .flat_map(|rows| (2..=3).flat_map(move |n| rows.windows(n)))
            .filter_map(|rows| Lines::parse(rows.join("\n").as_bytes()).ok())
            .map(|lines| repair(&lines))
            .collect();
        let good = outcomes.iter().find(|o| o.is_valid());
        valid += usize::from(good.is_some());
        let read = good.or(outcomes.first()).map(|o| o.lines().to_string());
        if let Some(folder) = truth {
            let right = fs::read_to_string(folder.join(format!("{name}.txt")))?;
            exact += usize::from(read.as_ref() == Some(&right));
        }
        println!(
            "{name}: {}",
            if good.is_some() {
                "all check digits valid"
            } else {
                "not read"
            }
        );
    }
    println!("{valid} of {files} with all check digits valid");
    if truth.is_some() {
        println!("{exact} of {files} exact");
    }
    Ok(())
}

/// What may be written differently in a line of a zone: spaces, small letters, quotes for fillers.
fn tidy(row: &str) -> String {
    let row = row.replace(['«', '‹'], "<").to_uppercase();
    row.bytes()
        .filter(|b| Symbol::from_ascii(*b).is_some())
        .map(char::from)
        .collect()
}
