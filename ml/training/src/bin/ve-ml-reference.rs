//! What `ml/bench` needs of candle, which cannot be in its workspace: answers by the exact reference and by the float
//! forward, and aligned faces.

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};
use ve_ml_engine::{sample::picture, Net, Shape};
use ve_ml_training::{
    exact,
    faces::{detect, pictures, Picture},
    float::Float,
    manifest::{sha256, Manifest, Model},
};

/// The model that finds faces, and the square in which they are searched.
const DETECTOR: &str = "yunet";
const SEARCH: usize = 640;
/// Least confidence of a face that is used.
const CERTAIN: f64 = 0.8;

/// Networks in candle.
#[derive(Parser)]
struct Cli {
    /// The manifest of the models.
    #[arg(long)]
    manifest: PathBuf,
    /// Folder into which the source packages were unpacked.
    #[arg(long)]
    sources: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the integer networks on the pictures of the known answers, with integers carried in floats.
    Exact,
    /// Run the public float networks.
    Float {
        /// Numbers of the pictures.
        #[arg(long, num_args = 1..)]
        pictures: Vec<u32>,
    },
    /// Find the most certain face of every photograph below a folder, and write them to
    /// standard output: the number of the person (four bytes, little-endian), 112 x 112 pixels of RGB. Every folder at any
    /// depth that holds photographs is a person.
    Faces {
        /// The folder.
        folder: PathBuf,
    },
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    let manifest = Manifest::read(&cli.manifest)?;
    match &cli.command {
        Command::Exact => manifest
            .model
            .iter()
            .try_for_each(|model| answer_exactly(&cli, &manifest, model)),
        Command::Float { pictures } => {
            let public = manifest
                .model
                .iter()
                .filter(|m| cli.sources.join(&m.source.file).is_file());
            public
                .into_iter()
                .try_for_each(|model| answer_in_float(&cli, model, pictures))
        }
        Command::Faces { folder } => faces(&cli, &manifest, folder),
    }
}

fn answer_exactly(cli: &Cli, manifest: &Manifest, model: &Model) -> Result<()> {
    let artefact = manifest.pinned(&model.artefact)?;
    let net = Net::parse(&artefact)?;
    let shape = net.shape(0).context("a network has an input")?;
    let known = cli.manifest.with_file_name("known-answers.txt");
    let known =
        fs::read_to_string(&known).with_context(|| format!("reading {}", known.display()))?;
    for line in known.lines() {
        let words: Vec<_> = line.split_whitespace().collect();
        let [name, number, _] = words[..] else {
            continue;
        };
        if name != model.name {
            continue;
        }
        let values = exact::trace(&net, &picture(number.parse()?, shape))?;
        let outputs = net
            .graph()
            .outputs
            .iter()
            .flat_map(|v| &values[*v as usize]);
        let bytes: Vec<u8> = outputs.flat_map(|a| a.to_le_bytes()).collect();
        println!("answer candle-exact {name} {number} {}", sha256(&bytes));
    }
    Ok(())
}

fn answer_in_float(cli: &Cli, model: &Model, pictures: &[u32]) -> Result<()> {
    let network = model.network(&cli.sources)?;
    let float = Float::new(&network)?;
    let [height, width, channels] = network.input;
    for number in pictures {
        let pixels = picture(
            *number,
            Shape {
                height,
                width,
                channels,
            },
        );
        let outputs = float.run(&pixels, |_, _| Ok(()))?.concat();
        let bytes: Vec<u8> = outputs
            .iter()
            .flat_map(|v| (*v as f32).to_le_bytes())
            .collect();
        println!(
            "answer candle-float {} {number} {}",
            model.name,
            sha256(&bytes)
        );
    }
    Ok(())
}

fn faces(cli: &Cli, manifest: &Manifest, folder: &Path) -> Result<()> {
    let network = manifest
        .model(DETECTOR)?
        .network_at(&cli.sources, [SEARCH; 2])?;
    let float = Float::new(&network)?;
    let mut persons = Vec::new();
    folders(folder, &mut persons)?;
    persons.sort();
    let mut out = io::stdout().lock();
    for (number, (_, files)) in persons.iter().enumerate() {
        for file in files {
            let picture = Picture::open(file)?;
            let Some(face) = detect(&float, &network, &picture, CERTAIN)?
                .into_iter()
                .next()
            else {
                eprintln!("no face found in {}", file.display());
                continue;
            };
            out.write_all(&(number as u32).to_le_bytes())?;
            out.write_all(&picture.aligned(&face).rgb)?;
        }
    }
    out.flush()?;
    Ok(())
}

/// Folders that hold photographs, with these.
fn folders(folder: &Path, found: &mut Vec<(PathBuf, Vec<PathBuf>)>) -> Result<()> {
    let files = pictures(folder)?;
    if !files.is_empty() {
        found.push((folder.into(), files));
    }
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            folders(&path, found)?;
        }
    }
    Ok(())
}
