//! What a run costs beside onnxruntime.

use crate::{
    clock::{now, quantile, timed},
    models::{input, Models},
    onnx::{Onnx, Session, Settings},
};
use anyhow::Result;
use std::{fs, time::Duration};
use ve_ml_engine::{sample::picture, Execution, Kernels, Net, Op};

/// Runs of each side of which the median is taken, at least.
const RUNS: usize = 200;

/// Both sides' answers, and the times of their runs.
#[derive(Default)]
pub struct Measured {
    /// By the engine.
    pub engine: Vec<Vec<i16>>,
    /// By onnxruntime.
    pub float: Vec<Vec<f64>>,
    /// The engine's, and onnxruntime's.
    pub times: [Vec<Duration>; 2],
}

/// Prints the times of every network with every instruction set, on made-up pictures.
pub fn print(models: &Models, onnx: &Onnx) -> Result<()> {
    for kernels in Kernels::available() {
        let how = Execution {
            kernels,
            threads: 1,
        };
        header(how);
        for model in models.all()? {
            let Some(source) = &model.source else {
                continue;
            };
            let net = model.net()?;
            let shape = input(&net)?;
            let mut session = onnx.start(&[], source, shape, Settings::default())?;
            let pictures: Vec<_> = (2..10).map(|number| picture(number, shape)).collect();
            let pictures: Vec<_> = pictures.iter().map(Vec::as_slice).collect();
            show(
                &model.name,
                measure(&net, how, &mut session, &pictures)?.times,
            );
        }
    }
    println!("{}", machine());
    Ok(())
}

/// Prints where the time of a run goes, operator by operator.
pub fn layers(models: &Models, name: &str) -> Result<()> {
    let model = models.one(name)?;
    let net = model.net()?;
    let shape = input(&net)?;
    let pixels = picture(4, shape);
    for kernels in Kernels::available() {
        let how = Execution {
            kernels,
            threads: 1,
        };
        let mut times = vec![Vec::new(); net.graph().ops.len() + 1];
        for _ in 0..RUNS / 10 {
            let mut last = now()?;
            let mut failed = None;
            net.trace(&pixels, how, |value, _| match now() {
                Ok(at) => {
                    times[value as usize].push(at.saturating_sub(last));
                    last = at;
                }
                Err(error) => failed = Some(error),
            })?;
            failed.map_or(Ok(()), Err)?;
        }
        println!("{name}, {}", kernels.name());
        for (value, times) in times.iter_mut().enumerate() {
            let time = quantile(times, 0.5).as_secs_f64() * 1e6;
            let shape = net
                .shape(value as u32)
                .map(|s| [s.height, s.width, s.channels]);
            let what = match value.checked_sub(1).and_then(|op| net.graph().ops.get(op)) {
                None => "input".into(),
                Some(Op::Conv(c)) => {
                    let kind = if c.depthwise { "depthwise" } else { "conv" };
                    format!("{kind} {}x{}", c.kernel_height, c.kernel_width)
                }
                Some(Op::Add(_)) => "add".into(),
                Some(Op::MaxPool(_) | Op::AveragePool(_)) => "pool".into(),
                Some(Op::Upsample(_)) => "upsample".into(),
                Some(Op::Table(_)) => "table".into(),
            };
            println!(
                "{value:>4} {what:<16} {:<20} {time:>8.0} us",
                format!("{:?}", shape.unwrap_or_default())
            );
        }
    }
    Ok(())
}

/// Runs every picture on both sides, in turns, each side first as often as the other.
pub fn measure(
    net: &Net,
    how: Execution,
    session: &mut Session,
    pictures: &[&[u8]],
) -> Result<Measured> {
    let mut measured = Measured::default();
    let passes = RUNS.div_ceil(pictures.len().max(1));
    // The first runs fill caches and page in weights.
    for pixels in pictures.iter().take(3) {
        net.run(pixels, how)?;
        session.run(pixels)?;
    }
    for pass in 0..passes {
        for (i, pixels) in pictures.iter().enumerate() {
            let mut theirs = None;
            if (pass + i) % 2 == 0 {
                theirs = Some(session.run(pixels)?);
            }
            let (ours, time) = timed(|| Ok(net.run(pixels, how)?))?;
            let theirs = match theirs {
                Some(theirs) => theirs,
                None => session.run(pixels)?,
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

/// Prints the head of a table of times.
pub fn header(how: Execution) {
    let ours = format!("engine ({})", how.kernels.name());
    let what = "processor time of a run, 1 thread, alternating";
    println!("{what:<46} {ours:>16} {:>16}  ratio", "onnxruntime");
}

/// Prints median and tail, and their ratios.
pub fn show(what: &str, mut times: [Vec<Duration>; 2]) {
    for (name, part) in [("median", 0.5), ("95 %", 0.95)] {
        let [ours, theirs] = times
            .each_mut()
            .map(|t| quantile(t, part).as_secs_f64() * 1e3);
        let (what, runs) = (format!("{what}, {name}"), times[0].len());
        println!(
            "{what:<46} {:>16} {:>16}  {:.2} ({runs} runs)",
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
