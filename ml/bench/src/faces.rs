//! The embedding beside onnxruntime, on the same crops in the same run: error rates, decisions, time.

use crate::{
    models::{input, Models},
    onnx::{Onnx, Settings},
    pairs::{count, equal_error_rate, errors_at, needed, EqualErrorRate, Pair},
    plot,
    times::{self, measure},
};
use anyhow::{ensure, Context, Result};
use std::{
    collections::BTreeSet,
    fs,
    path::PathBuf,
    process::{Command, Stdio},
};
use ve_ml_engine::{cosine_ppm, Execution, Kernels, Shape};

/// The model that embeds faces.
const EMBEDDING: &str = "sface";
/// Rates of false matches that are worth a look, when there are pairs enough.
const FALSE_MATCHES: [f64; 5] = [1e-1, 1e-2, 1e-3, 1e-4, 1e-5];

/// What is compared, and with what.
#[derive(clap::Args)]
pub struct Options {
    #[command(flatten)]
    onnx: Onnx,
    /// `ve-ml-reference`, which finds and aligns the faces.
    #[arg(long)]
    reference: PathBuf,
    /// Folder of photographs, a sub-folder for each person.
    #[arg(long)]
    faces: PathBuf,
    /// Least cosine of one person's faces, in millionths. OpenCV's samples use 0.363 for this network.
    #[arg(long, default_value_t = 363_000)]
    threshold: i32,
    /// Seed of the resampling.
    #[arg(long, default_value_t = 4)]
    seed: u64,
    /// Where to draw the distributions, as SVG.
    #[arg(long)]
    plot: PathBuf,
}

/// An aligned face.
struct Face {
    person: u32,
    pixels: Vec<u8>,
}

/// Prints everything and draws the plot.
pub fn print(models: &Models, options: &Options) -> Result<()> {
    let model = models.one(EMBEDDING)?;
    let net = model.net()?;
    let shape = input(&net)?;
    let faces = crops(models, options, shape)?;
    let how = Execution {
        kernels: Kernels::best(),
        threads: 1,
    };
    let source = model
        .source
        .as_ref()
        .context("the model comes from a public file")?;
    let start = || options.onnx.start(&[], source, shape, Settings::default());
    let pixels: Vec<_> = faces.iter().map(|face| face.pixels.as_slice()).collect();
    let measured = measure(&net, how, &mut start()?, &pixels)?;

    let (mut engine, mut float) = (Vec::new(), Vec::new());
    let (mut agree, mut differences) = (0, Vec::new());
    for (i, a) in faces.iter().enumerate() {
        for (j, b) in faces.iter().enumerate().skip(i + 1) {
            let ppm = cosine_ppm(&measured.engine[i], &measured.engine[j]);
            let (ours, theirs) = (
                f64::from(ppm) / 1e6,
                cosine(&measured.float[i], &measured.float[j]),
            );
            let persons = [a.person, b.person];
            engine.push(Pair {
                persons,
                score: ours,
            });
            float.push(Pair {
                persons,
                score: theirs,
            });
            differences.push((ours - theirs).abs());
            agree += usize::from(
                (ppm >= options.threshold) == (theirs >= f64::from(options.threshold) / 1e6),
            );
        }
    }
    let [genuine, impostor] = count(&engine);
    ensure!(
        genuine > 0 && impostor > 0,
        "two persons are needed, and two faces of one of them"
    );
    let persons = faces
        .iter()
        .map(|f| f.person)
        .collect::<BTreeSet<_>>()
        .len();
    println!(
        "{} faces of {persons} persons: {genuine} genuine and {impostor} impostor pairs",
        faces.len()
    );
    println!(
        "{:<44} {:>16} {:>16}",
        "", "engine (integer)", "onnxruntime (f32)"
    );

    let [ours, theirs] = [&engine, &float].map(|p| equal_error_rate(p.clone(), options.seed));
    let percent = |e: &EqualErrorRate| format!("{:.2} %", 100.0 * e.rate);
    let bounds = |e: &EqualErrorRate| {
        format!(
            "{:.2}-{:.2} %",
            100.0 * e.interval[0],
            100.0 * e.interval[1]
        )
    };
    row("equal error rate", percent(&ours), percent(&theirs));
    let what = format!(
        "  95 % of {} draws of persons, seed {}",
        ours.resamples, options.seed
    );
    row(&what, bounds(&ours), bounds(&theirs));
    if ours.rate == 0.0 || theirs.rate == 0.0 {
        // The rule of three: no error among n is likely up to a rate of 3/n.
        let [missed, matched] = [genuine, impostor].map(|n| 300.0 / n as f64);
        println!("no errors: so few pairs do not show rates below {missed:.1} % (non-matches) and {matched:.1} % (matches)");
    }
    for rate in FALSE_MATCHES {
        match (errors_at(&engine, rate), errors_at(&float, rate)) {
            (Some(a), Some(b)) => {
                let show = |e: &crate::pairs::Errors| {
                    format!("{}/{genuine} at {:.3}", e.rejected, e.threshold)
                };
                row(
                    &format!("false non-matches at FMR {rate:e}"),
                    show(&a),
                    show(&b),
                );
            }
            _ => {
                println!(
                    "FMR {rate:e}: not printed, {} impostor pairs are needed",
                    needed(rate)
                );
                break;
            }
        }
    }
    let mean = differences.iter().sum::<f64>() / differences.len() as f64;
    let most = differences.iter().fold(0.0f64, |a, b| a.max(*b));
    println!(
        "decisions at cosine {:.3}: {agree} of {} agree ({:.3} %)",
        f64::from(options.threshold) / 1e6,
        differences.len(),
        100.0 * agree as f64 / differences.len() as f64
    );
    println!("cosine of a pair: differs by {mean:.4} in the mean, {most:.4} at most");

    println!();
    times::header(how);
    times::show(&format!("{EMBEDDING}, the faces above"), measured.times);
    let svg = plot::draw(&engine, &float, f64::from(options.threshold) / 1e6);
    fs::write(&options.plot, svg).with_context(|| format!("writing {}", options.plot.display()))?;
    println!("\nthe distributions: {}", options.plot.display());
    Ok(())
}

/// The faces, found and aligned once for both sides.
fn crops(models: &Models, options: &Options, shape: Shape) -> Result<Vec<Face>> {
    let mut command = Command::new(&options.reference);
    command
        .arg("--manifest")
        .arg(models.0.join("manifest.toml"));
    command
        .arg("--sources")
        .arg(&options.onnx.sources)
        .arg("faces")
        .arg(&options.faces);
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .context("starting ve-ml-reference")?;
    ensure!(
        output.status.success(),
        "finding faces failed: {}",
        output.status
    );
    let frames = output.stdout.chunks_exact(4 + shape.elements() as usize);
    ensure!(frames.remainder().is_empty(), "the last face is cut off");
    Ok(frames
        .filter_map(|frame| {
            let (person, pixels) = frame.split_first_chunk()?;
            Some(Face {
                person: u32::from_le_bytes(*person),
                pixels: pixels.into(),
            })
        })
        .collect())
}

fn cosine(a: &[f64], b: &[f64]) -> f64 {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

fn row(what: &str, ours: String, theirs: String) {
    println!("{what:<44} {ours:>16} {theirs:>16}");
}
