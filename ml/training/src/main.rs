//! Converts, calibrates and compares the networks of `ml/models`.

use anyhow::{ensure, Context, Result};
use clap::{Parser, Subcommand};
use std::path::{Path, PathBuf};
use ve_ml_engine::{Execution, Net};
use ve_ml_training::{
    compare::{compare, cosine, Embedded},
    faces::{detect, pictures, Face, Picture},
    float::Float,
    manifest::{sha256, Manifest, Output, Scales},
    mrz::{self, command::Mrz},
    network::Network,
    quantise::{quantise, Ranges},
};

/// The model that finds faces, and the one that embeds them.
const DETECTOR: &str = "yunet";
const EMBEDDING: &str = "sface";
/// Side of the square in which faces are searched for calibration and comparison.
const SEARCH: usize = 640;
/// Least confidence, and least width in pixels, of a face that is used.
const CERTAIN: f64 = 0.8;
const WIDE: f64 = 40.0;

/// From public float networks to integer artefacts.
#[derive(Parser)]
struct Cli {
    /// The manifest of the models.
    #[arg(long, default_value = "ml/models/manifest.toml")]
    manifest: PathBuf,
    /// Folder into which the source packages were unpacked.
    #[arg(long, default_value = ".")]
    sources: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Convert a model from its source file and its committed scales; fails when the result is not the pinned one.
    Convert {
        /// Name of the model in the manifest.
        model: String,
        /// Where to write the artefact.
        #[arg(long)]
        out: PathBuf,
    },
    /// Measure the magnitudes inside a network on a folder of photographs.
    Calibrate {
        /// Name of the model in the manifest.
        model: String,
        /// Folder of JPEG or PNG files; none of them may be used to measure error rates later.
        #[arg(long)]
        images: PathBuf,
        /// Where to write the scales.
        #[arg(long)]
        out: PathBuf,
    },
    /// The reader of machine-readable zones.
    #[command(subcommand)]
    Mrz(Mrz),
    /// Compare float and integer embeddings on a folder of faces, one sub-folder for each person.
    Compare {
        /// The folder.
        #[arg(long)]
        faces: PathBuf,
    },
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    let manifest = Manifest::read(&cli.manifest)?;
    match &cli.command {
        Command::Convert { model, out } => convert(&manifest, &cli.sources, model, out),
        Command::Calibrate { model, images, out } => {
            calibrate(&manifest, &cli.sources, model, images, out)
        }
        Command::Mrz(command) => mrz::command::run(command),
        Command::Compare { faces } => compare_faces(&manifest, &cli.sources, faces),
    }
}

fn convert(manifest: &Manifest, sources: &Path, name: &str, out: &Path) -> Result<()> {
    let model = manifest.model(name)?;
    let quantised = quantise(
        &model.network(sources)?,
        &manifest.ranges(model)?,
        model.limit,
    )?;
    let artefact = quantised.graph.encode();
    let net = Net::parse(&artefact).context("the engine refuses the artefact")?;
    std::fs::write(out, &artefact).with_context(|| format!("writing {}", out.display()))?;
    let (mac, peak) = (net.macs() as f64 / 1e6, net.peak_bytes() as f64 / 1e6);
    println!(
        "{name}: {} bytes, {mac:.1} million multiply-accumulates, {peak:.1} MB of activations",
        artefact.len()
    );
    let outputs: Vec<_> = quantised
        .outputs
        .into_iter()
        .map(|(name, fraction_bits)| Output {
            name,
            fraction_bits,
        })
        .collect();
    ensure!(
        outputs == model.outputs,
        "the outputs are {outputs:?}; the manifest says {:?}",
        model.outputs
    );
    let (found, pinned) = (sha256(&artefact), &model.artefact.sha256);
    ensure!(
        found == *pinned,
        "{name}: sha256 of the conversion is {found}, pinned is {pinned}"
    );
    println!("{name}: {found}, as pinned");
    Ok(())
}

fn calibrate(
    manifest: &Manifest,
    sources: &Path,
    name: &str,
    images: &Path,
    out: &Path,
) -> Result<()> {
    let network = manifest.model(name)?.network(sources)?;
    let float = Float::new(&network)?;
    let mut largest = Ranges::new();
    let mut samples = 0;
    let detector = manifest.model(DETECTOR)?.network_at(sources, [SEARCH; 2])?;
    let search = Search::new(&detector)?;
    let files = pictures(images)?;
    for (i, file) in files.iter().enumerate() {
        eprintln!("[{}/{}] {}", i + 1, files.len(), file.display());
        let picture = Picture::open(file)?;
        let inputs = if name == DETECTOR {
            vec![picture.boxed(network.input[0]).0]
        } else {
            search
                .faces(&picture)?
                .iter()
                .map(|face| picture.aligned(face))
                .collect()
        };
        for input in inputs {
            // Both sides, and darker and brighter than it was taken.
            for input in [
                input.mirrored(),
                input.brightened(0.6),
                input.brightened(1.5),
                input,
            ] {
                let bytes = if name == DETECTOR {
                    input.bgr()
                } else {
                    input.rgb
                };
                float.calibrate(&bytes, &mut largest)?;
                samples += 1;
            }
        }
    }
    ensure!(
        samples > 0,
        "nothing to calibrate with in {}",
        images.display()
    );
    let text = toml::to_string(&Scales { largest })?;
    std::fs::write(out, &text).with_context(|| format!("writing {}", out.display()))?;
    println!(
        "{name}: {samples} samples of {} files; sha256 {}",
        files.len(),
        sha256(text.as_bytes())
    );
    Ok(())
}

fn compare_faces(manifest: &Manifest, sources: &Path, folder: &Path) -> Result<()> {
    let model = manifest.model(EMBEDDING)?;
    let artefact = manifest.pinned(&model.artefact)?;
    let (network, net) = (model.network(sources)?, Net::parse(&artefact)?);
    let detector = manifest.model(DETECTOR)?.network_at(sources, [SEARCH; 2])?;
    let (float, search) = (Float::new(&network)?, Search::new(&detector)?);
    let mut persons: Vec<PathBuf> = std::fs::read_dir(folder)?
        .map(|e| Ok(e?.path()))
        .collect::<Result<_>>()?;
    persons.retain(|p| p.is_dir());
    persons.sort();
    let (mut faces, mut missed) = (Vec::new(), 0);
    for (person, folder) in persons.iter().enumerate() {
        for file in pictures(folder)? {
            let picture = Picture::open(&file)?;
            let Some(face) = search.faces(&picture)?.into_iter().next() else {
                eprintln!("no face in {}", file.display());
                missed += 1;
                continue;
            };
            let pixels = picture.aligned(&face).rgb;
            let mut by_float = float.run(&pixels, |_, _| Ok(()))?;
            let mut by_integer = net.run(&pixels, Execution::default())?;
            faces.push(Embedded {
                person,
                float: by_float.remove(0),
                integer: by_integer.remove(0),
            });
        }
    }
    let agreement = faces.iter().map(|f| {
        let integer: Vec<f64> = f.integer.iter().map(|v| f64::from(*v)).collect();
        cosine(&f.float, &integer)
    });
    let least = agreement.fold(1.0, f64::min);
    let c = compare(&faces)?;
    println!(
        "faces                {} of {} persons, {missed} not found",
        faces.len(),
        persons.len()
    );
    println!(
        "pairs                {} genuine, {} impostor",
        c.genuine, c.impostor
    );
    println!(
        "equal error rate     float {:.2} %, integer {:.2} %",
        100.0 * c.float_eer,
        100.0 * c.integer_eer
    );
    println!(
        "cosine of a pair     differs by {:.4} in the mean, {:.4} at most",
        c.mean_difference, c.largest_difference
    );
    println!("float with integer   cosine {least:.4} at least");
    Ok(())
}

/// The float detector, at the size at which faces are searched.
struct Search<'n> {
    network: &'n Network,
    float: Float<'n>,
}

impl<'n> Search<'n> {
    fn new(network: &'n Network) -> Result<Self> {
        Ok(Self {
            network,
            float: Float::new(network)?,
        })
    }

    fn faces(&self, picture: &Picture) -> Result<Vec<Face>> {
        let mut faces = detect(&self.float, self.network, picture, CERTAIN)?;
        faces.retain(|f| f.frame[2] >= WIDE);
        Ok(faces)
    }
}
