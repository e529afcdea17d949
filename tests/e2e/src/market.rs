//! A whole small market on one machine: a development chain, a provider with a worker beside the `local` scheduler,
//! and a customer who uses `ve` as a person would.

use crate::{
    binary, described, eventually, free_port, repository, Node, Process, TestDir, PATIENCE,
};
use anyhow::{bail, ensure, Context, Result};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};
use tokio::sync::OnceCell;
use ve_chain::{Chain, ConnectOptions};

/// Processors of the cluster that a market registers.
pub const CLUSTER_CPUS: u32 = 4;

/// What differs between markets.
#[derive(Default)]
pub struct MarketOptions {
    /// Arguments of the node beside `--dev`.
    pub node: Vec<String>,
    /// Do not start the worker.
    pub without_worker: bool,
    /// Templates of the workload library that are sold beside what every market sells.
    pub templates: Vec<&'static str>,
    /// The provider reports as often as providers do: so seldom that a test would wait for it.
    pub seldom: bool,
}

impl MarketOptions {
    /// The worker is started later.
    pub fn without_worker() -> Self {
        Self {
            without_worker: true,
            ..Self::default()
        }
    }
}

/// A running market. Bob owns the provider, Alice buys.
pub struct Market {
    /// The chain.
    pub node: Node,
    /// The worker, if it runs.
    pub worker: Option<Process>,
    chain: OnceCell<Chain>,
    /// Everything lies here; dropped last.
    pub dir: TestDir,
}

impl Market {
    /// Starts a chain, registers a provider with a cluster and a customer's key, and starts the worker.
    pub async fn open(name: &str, options: MarketOptions) -> Result<Self> {
        let dir = TestDir::new(name)?;
        let mut arguments = vec!["--dev"];
        arguments.extend(options.node.iter().map(String::as_str));
        let node = Node::start(&dir.path().join("node"), &arguments)
            .await
            .inspect_err(|_| dir.keep())?;
        let mut market = Self {
            node,
            worker: None,
            chain: OnceCell::new(),
            dir,
        };
        market
            .register(&options)
            .inspect_err(|_| market.dir.keep())?;
        if !options.without_worker {
            market.start_worker()?;
        }
        Ok(market)
    }

    fn register(&self, options: &MarketOptions) -> Result<()> {
        // What the demo sells, and the templates that only tests want.
        let library = self.path("templates");
        copy_folder(&repository().join("tests/e2e/templates"), &library)?;
        for template in ["heat", "sweep", "checkpoint"]
            .iter()
            .chain(&options.templates)
        {
            let ours = repository().join("slurm-templates").join(template);
            copy_folder(&ours, &library.join(template))?;
        }
        let log = self.path("market.log");
        let bin = binary("ve");
        let mut set_up = Command::new("bash");
        if options.seldom {
            set_up.env("VE_MARKET_SETTINGS", "");
        }
        let status = set_up
            .arg(repository().join("scripts/lib/market.sh"))
            .env("VE_BIN", bin.parent().context("a binary lies in a folder")?)
            .env("VE_MARKET_DIR", self.dir.path())
            .env("VE_MARKET_TEMPLATES", &library)
            .env("VE_URL", self.node.url())
            .env("VE_METRICS_PORT", free_port().to_string())
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

    /// Opens a market, acts on it, and closes it; kept for a look, with the last words of node and worker told, if that
    /// fails.
    pub async fn with(
        name: &str,
        options: MarketOptions,
        act: impl AsyncFnOnce(&mut Self) -> Result<()>,
    ) -> Result<()> {
        let mut market = Self::open(name, options).await?;
        let result = act(&mut market).await;
        if result.is_err() {
            market.dir.keep();
            for log in ["worker.log", "node/node.log"] {
                let text = fs::read_to_string(market.path(log)).unwrap_or_default();
                let lines: Vec<&str> = text.lines().collect();
                let last = lines
                    .get(lines.len().saturating_sub(20)..)
                    .unwrap_or_default();
                eprintln!("{name}, last lines of {log}:\n{}", last.join("\n"));
            }
        }
        result
    }

    /// Starts the worker.
    pub fn start_worker(&mut self) -> Result<()> {
        self.start_worker_with(&binary("virtengine-worker"), &[])
    }

    /// Starts a worker that dies at a named place, on its `nth` passage; needs the build with failpoints.
    pub fn start_worker_dying_at(&mut self, failpoint: &str, nth: u32) -> Result<()> {
        let binary = binary("virtengine-worker-failpoints");
        self.start_worker_with(&binary, &["--failpoint", &format!("{failpoint}:{nth}")])
    }

    fn start_worker_with(&mut self, binary: &Path, arguments: &[&str]) -> Result<()> {
        self.kill_worker();
        let config = self.path("worker.toml");
        let process = Process::start(
            Command::new(binary)
                .args(["run", "--config", &config.to_string_lossy()])
                .args(arguments),
            &self.path("worker.log"),
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

    /// A connection to the chain that repairs itself, for what `ve` does not tell.
    pub async fn chain(&self) -> Result<&Chain> {
        let connect =
            || async { Chain::connect(&self.node.url(), ConnectOptions::default()).await };
        Ok(self.chain.get_or_try_init(connect).await?)
    }

    /// Runs `ve` as `who` ("alice" or "bob").
    pub fn ve_as(&self, who: &str, arguments: &[&str]) -> Result<Output> {
        Command::new(binary("ve"))
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

    /// Buys the example of the workload library, two processors for some seconds, with a ceiling of 2 VE; returns the
    /// number of the job.
    pub fn submit_heat(&self) -> Result<u64> {
        let mesh = crate::repository().join("slurm-templates/heat/example/mesh.dat");
        let mesh = mesh.to_string_lossy();
        let size = ["heat", "-p", "steps=2000", "-n", "2", "--time", "5m"];
        let terms = ["--in", &mesh, "--max", "2VE"];
        self.submit(&[&size[..], &terms].concat())
    }

    /// Fetches a job's result as `who`, into a folder of the market.
    pub fn fetch(&self, who: &str, job: u64, folder: &str) -> Result<PathBuf> {
        let out = self.path(folder);
        let got = self.ve_as(
            who,
            &["get", &job.to_string(), "-o", &out.to_string_lossy()],
        )?;
        ensure!(got.status.success(), "{}", described(&got));
        Ok(out)
    }

    /// The state of a job as `ve job --json` names it.
    pub fn job(&self, job: u64) -> Result<Value> {
        self.ve(&["job", &job.to_string()])
    }

    /// Waits until a job is in one of `states`. Fails at once when it has ended in another.
    pub async fn wait_for(&self, job: u64, states: &[&str]) -> Result<Value> {
        let what = format!("job {job} to be {states:?}");
        let found = eventually(&what, PATIENCE, async || {
            let now = self.job(job)?;
            let state = now["state"].as_str().unwrap_or_default();
            let wanted = states.contains(&state);
            ensure!(wanted || now["ended"] == true, "it is {state}");
            Ok((wanted, now))
        });
        match found.await? {
            (true, now) => Ok(now),
            (false, now) => bail!("job {job} was to be {states:?}, and ended: {now}"),
        }
    }

    /// Waits until the money of a job is final, and says where it went.
    pub async fn settled(&self, job: u64) -> Result<Value> {
        let what = format!("the money of job {job} to be final");
        eventually(&what, PATIENCE, async || {
            let money = self.ve(&["money", &job.to_string()])?;
            let of = |field| units(&money, field);
            ensure!(of("pending")? == 0 && of("held")? == 0, "{money}");
            ensure!(of("paid")? + of("refunded")? == of("deposited")?, "{money}");
            Ok(money)
        })
        .await
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
