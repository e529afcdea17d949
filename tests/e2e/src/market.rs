//! A whole small market on one machine: a development chain, a provider with a worker beside the `local` scheduler,
//! and a customer who uses `ve` as a person would.

use crate::{described, eventually, Node, Process, TestDir, PATIENCE};
use anyhow::{ensure, Context, Result};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// Processors of the cluster that a market registers.
pub const CLUSTER_CPUS: u32 = 4;

/// What differs between markets.
#[derive(Default)]
pub struct MarketOptions {
    /// Arguments of the node beside `--dev`.
    pub node: Vec<String>,
    /// Do not start the worker.
    pub without_worker: bool,
}

/// A running market. Bob owns the provider, Alice buys.
pub struct Market {
    /// The chain.
    pub node: Node,
    /// The worker, if it runs.
    pub worker: Option<Process>,
    options: MarketOptions,
    /// Everything lies here; dropped last.
    pub dir: TestDir,
}

impl Market {
    /// Starts a chain, registers a provider with a cluster and a customer's key, and starts the worker.
    pub async fn open(name: &str, options: MarketOptions) -> Result<Self> {
        let dir = TestDir::new(name)?;
        let mut arguments = vec!["--dev"];
        arguments.extend(options.node.iter().map(String::as_str));
        let node = Node::start(&dir.path().join("node"), &arguments).await?;
        let mut market = Self {
            node,
            worker: None,
            options,
            dir,
        };
        market
            .prepare()
            .await
            .map_err(|e| e.context(format!("kept in {}", market.dir.path().display())))?;
        if !market.options.without_worker {
            market.start_worker()?;
        }
        Ok(market)
    }

    async fn prepare(&mut self) -> Result<()> {
        // The library that ships, and the templates that only tests want.
        let library = self.dir.path().join("templates");
        for folder in ["slurm-templates", "tests/e2e/templates"] {
            copy_folder(&crate::repository().join(folder), &library)?;
        }
        let script = crate::repository().join("scripts/lib/market.sh");
        let log = self.dir.path().join("market.log");
        let status = Command::new("bash")
            .arg(&script)
            .env(
                "VE_BIN",
                crate::binary("ve")
                    .parent()
                    .context("a binary lies in a folder")?,
            )
            .env("VE_MARKET_DIR", self.dir.path())
            .env("VE_MARKET_TEMPLATES", &library)
            .env("VE_URL", self.node.url())
            .env("VE_METRICS_PORT", crate::free_port().to_string())
            .env("VE_CLUSTER_CPUS", CLUSTER_CPUS.to_string())
            .stdout(fs::File::create(&log)?)
            .stderr(fs::File::options().append(true).open(&log)?)
            .status()?;
        ensure!(
            status.success(),
            "setting the market up failed:\n{}",
            fs::read_to_string(&log)?
        );
        Ok(())
    }

    /// Starts the worker.
    pub fn start_worker(&mut self) -> Result<()> {
        self.start_worker_with(&crate::binary("virtengine-worker"), &[])
    }

    /// Starts a worker that dies at a named place, on its `nth` passage; needs the build with failpoints.
    pub fn start_worker_dying_at(&mut self, failpoint: &str, nth: u32) -> Result<()> {
        let binary = crate::binary("virtengine-worker-failpoints");
        self.start_worker_with(&binary, &["--failpoint", &format!("{failpoint}:{nth}")])
    }

    fn start_worker_with(&mut self, binary: &Path, arguments: &[&str]) -> Result<()> {
        self.kill_worker();
        let process = Process::start(
            Command::new(binary)
                .args([
                    "run",
                    "--config",
                    &self.dir.path().join("worker.toml").to_string_lossy(),
                ])
                .args(arguments),
            &self.dir.path().join("worker.log"),
        )?;
        self.worker = Some(process);
        Ok(())
    }

    /// kill -9 for the worker.
    pub fn kill_worker(&mut self) {
        if let Some(mut worker) = self.worker.take() {
            worker.kill();
        }
    }

    /// A path below the market's directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Runs `ve` as `who` ("alice" or "bob").
    pub fn ve_as(&self, who: &str, arguments: &[&str]) -> Result<Output> {
        Command::new(crate::binary("ve"))
            .args(["--key", who])
            .args(arguments)
            .env("VE_CONFIG", self.path("ve.toml"))
            .env("VE_PASSPHRASE", "market")
            .env("NO_COLOR", "1")
            .output()
            .context("running ve")
    }

    /// Runs `ve` as the customer and returns its JSON; an exit status other than 0 is an error.
    pub fn ve(&self, arguments: &[&str]) -> Result<Value> {
        let mut all = vec!["--json"];
        all.extend(arguments);
        let output = self.ve_as("alice", &all)?;
        ensure!(
            output.status.success(),
            "ve {}: {}",
            arguments.join(" "),
            described(&output)
        );
        serde_json::from_slice(&output.stdout).with_context(|| described(&output))
    }

    /// Submits a template and returns the number of the job.
    pub fn submit(&self, arguments: &[&str]) -> Result<u64> {
        let mut all = vec!["run"];
        all.extend(arguments);
        let answer = self.ve(&all)?;
        answer["job"]
            .as_u64()
            .with_context(|| format!("`ve run --json` names the job: {answer}"))
    }

    /// The state of a job as `ve job --json` names it.
    pub fn job(&self, job: u64) -> Result<Value> {
        self.ve(&["job", &job.to_string()])
    }

    /// Waits until a job is in one of `states`.
    pub async fn wait_for(&self, job: u64, states: &[&str]) -> Result<Value> {
        eventually(&format!("job {job} in {states:?}"), PATIENCE, async || {
            let now = self.job(job)?;
            let state = now["state"].as_str().unwrap_or_default().to_string();
            ensure!(states.contains(&state.as_str()), "it is {state}");
            Ok(now)
        })
        .await
        .with_context(|| format!("see {}", self.dir.path().display()))
    }

    /// Files below `dir` (of the market) that contain `needle`.
    pub fn files_containing(&self, needle: &[u8]) -> Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        let mut open = vec![self.dir.path().to_path_buf()];
        while let Some(dir) = open.pop() {
            for entry in fs::read_dir(dir)? {
                let path = entry?.path();
                if path.is_symlink() {
                    continue;
                }
                if path.is_dir() {
                    open.push(path);
                } else if contains(&path, needle)? {
                    found.push(path);
                }
            }
        }
        Ok(found)
    }
}

/// Smallest units of an amount in what `ve --json` prints.
pub fn units(value: &Value, field: &str) -> Result<u128> {
    value[field]["units"]
        .as_str()
        .with_context(|| format!("{field} in {value}"))?
        .parse()
        .context("units are digits")
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

fn contains(path: &Path, needle: &[u8]) -> Result<bool> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(e) => return Err(e.into()),
    };
    Ok(bytes.windows(needle.len()).any(|w| w == needle))
}
