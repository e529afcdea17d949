//! The embedding beside onnxruntime, on the same crops in the same run: error rates, decisions, time.

use crate::{
    clock::{quantile, timed},
    models::{input, Models},
    onnx::{Onnx, Session, Settings},
    pairs::{count, equal_error_rate, errors_at, needed, EqualErrorRate, Pair},
    plot,
};
use anyhow::{ensure, Context, Result};
use std::{
    fs,
    path::PathBuf,
    process::{Command, Stdio},
    time::Duration,
};
use ve_ml_engine::{cosine_ppm, sample::picture, Execution, Kernels, Net, Shape};

/// The model that embeds faces.
const EMBEDDING: &str = "sface";
/// Runs of each side of which the median is taken, at least.
const RUNS: usize = 200;
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

/// Both sides' embeddings, and the times of their runs.
#[derive(Default)]
struct Measured {
    engine: Vec<Vec<i16>>,
    float: Vec<Vec<f64>>,
    times: [Vec<Duration>; 2],
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
    let start = || {
        options.onnx.start(
            &[],
            source,
            shape,
            Settings {
                threads: 1,
                optimised: true,
            },
        )
    };
    let measured = measure(&net, how, &mut start()?, &faces)?;

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
        .collect::<std::collections::BTreeSet<_>>()
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

    println!(
        "\nprocessor time of a run, one thread, runs alternating; {}",
        machine()
    );
    println!(
        "{:<44} {:>16} {:>16}  ratio",
        "",
        format!("engine ({})", how.kernels.name()),
        "onnxruntime"
    );
    times(&format!("{EMBEDDING}, the faces above"), measured.times);
    for model in models.all()?.iter().filter(|m| m.name != EMBEDDING) {
        let Some(source) = &model.source else {
            continue;
        };
        let net = model.net()?;
        let shape = input(&net)?;
        let mut session = options.onnx.start(
            &[],
            source,
            shape,
            Settings {
                threads: 1,
                optimised: true,
            },
        )?;
        let pictures: Vec<_> = (2..10)
            .map(|n| Face {
                person: 0,
                pixels: picture(n, shape),
            })
            .collect();
        times(
            &format!("{}, made-up pictures", model.name),
            measure(&net, how, &mut session, &pictures)?.times,
        );
    }
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

/// Runs every picture on both sides, in turns, each side first as often as the other.
fn measure(net: &Net, how: Execution, session: &mut Session, faces: &[Face]) -> Result<Measured> {
    let mut measured = Measured::default();
    let passes = RUNS.div_ceil(faces.len().max(1));
    // The first runs fill caches and page in weights.
    for face in faces.iter().take(3) {
        net.run(&face.pixels, how)?;
        session.run(&face.pixels)?;
    }
    for pass in 0..passes {
        for (i, face) in faces.iter().enumerate() {
            let mut theirs = None;
            if (pass + i) % 2 == 0 {
                theirs = Some(session.run(&face.pixels)?);
            }
            let (ours, time) = timed(|| Ok(net.run(&face.pixels, how)?))?;
            let theirs = match theirs {
                Some(theirs) => theirs,
                None => session.run(&face.pixels)?,
            };
            measured.times[0].push(time);
            measured.times[1].push(theirs.time);
            if pass == 0 {
                measured.engine.push(ours.concat());
                measured.float.push(theirs.floats());
            }
        }
    }
    Ok(measured)
}

fn cosine(a: &[f64], b: &[f64]) -> f64 {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

fn row(what: &str, ours: String, theirs: String) {
    println!("{what:<44} {ours:>16} {theirs:>16}");
}

fn times(what: &str, mut times: [Vec<Duration>; 2]) {
    for (name, part) in [("median", 0.5), ("95 %", 0.95)] {
        let [ours, theirs] = times
            .each_mut()
            .map(|t| quantile(t, part).as_secs_f64() * 1e3);
        let (what, runs) = (format!("{what}, {name}"), times[0].len());
        println!(
            "{what:<44} {:>16} {:>16}  {:.2} ({runs} runs)",
            format!("{ours:.2} ms"),
            format!("{theirs:.2} ms"),
            ours / theirs
        );
    }
}

/// The processor, as the system names it.
fn machine() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let sets: Vec<_> = Kernels::available().map(Kernels::name).collect();
    format!(
        "{}, {}",
        name.map_or("unknown processor", |(_, name)| name),
        sets.join(" ")
    )
}
