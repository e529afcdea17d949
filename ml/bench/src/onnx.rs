//! onnxruntime, in a child process.

use anyhow::{bail, Context, Result};
use std::{
    ffi::OsStr,
    io::{Read, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Duration,
};
use ve_ml_engine::Shape;

/// The child's program.
const PROGRAM: &str = include_str!("onnx.py");

/// What is needed to run a float network.
#[derive(Clone, clap::Args)]
pub struct Onnx {
    /// Python that has onnxruntime and onnx.
    #[arg(long)]
    pub python: PathBuf,
    /// Folder into which the networks' public packages were unpacked.
    #[arg(long)]
    pub sources: PathBuf,
}

/// How to run it.
#[derive(Clone, Copy)]
pub struct Settings {
    /// Threads inside an operator.
    pub threads: usize,
    /// Whether the graph is rewritten before it is run.
    pub optimised: bool,
}

impl Default for Settings {
    /// At its best on one thread, as the engine is compared.
    fn default() -> Self {
        Self {
            threads: 1,
            optimised: true,
        }
    }
}

/// A float network that waits for pictures.
pub struct Session {
    child: Child,
    input: ChildStdin,
    output: ChildStdout,
}

/// An answer: the floats of all outputs in their order, and the processor time that the run took on its thread.
pub struct Answer {
    /// As the child wrote them, little-endian.
    pub bytes: Vec<u8>,
    /// Processor time.
    pub time: Duration,
}

impl Onnx {
    /// Starts the runtime; `under` is a program and its arguments that runs the interpreter, such as an emulator.
    pub fn start(
        &self,
        under: &[&OsStr],
        model: &Path,
        shape: Shape,
        how: Settings,
    ) -> Result<Session> {
        let line: Vec<&OsStr> = under
            .iter()
            .copied()
            .chain([self.python.as_os_str()])
            .collect();
        let [program, arguments @ ..] = &line[..] else {
            bail!("nothing to run");
        };
        let mut command = Command::new(program);
        command
            .args(arguments)
            .args(["-c", PROGRAM])
            .arg(self.sources.join(model));
        command.args([shape.height, shape.width, how.threads].map(|n| n.to_string()));
        command.arg(if how.optimised { "optimised" } else { "plain" });
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command
            .spawn()
            .with_context(|| format!("starting {}", program.display()))?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        Ok(Session {
            input: input.context("the child has an input")?,
            output: output.context("the child has an output")?,
            child,
        })
    }
}

impl Session {
    /// Runs a picture.
    pub fn run(&mut self, pixels: &[u8]) -> Result<Answer> {
        self.exchange(pixels)
            .context("onnxruntime ended; what it said is above")
    }

    fn exchange(&mut self, pixels: &[u8]) -> Result<Answer> {
        self.input.write_all(pixels)?;
        self.input.flush()?;
        let mut words = [[0; 8]; 2];
        self.output.read_exact(words.as_flattened_mut())?;
        let [floats, nanoseconds] = words.map(u64::from_le_bytes);
        let mut bytes = vec![0; usize::try_from(floats)? * 4];
        self.output.read_exact(&mut bytes)?;
        Ok(Answer {
            bytes,
            time: Duration::from_nanos(nanoseconds),
        })
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // It may be in the middle of a run when an error ends the measurement.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Answer {
    /// The floats.
    pub fn floats(&self) -> Vec<f64> {
        let words = self.bytes.as_chunks().0;
        words
            .iter()
            .map(|w| f64::from(f32::from_le_bytes(*w)))
            .collect()
    }
}
