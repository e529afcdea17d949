//! Real processes for end-to-end tests: nodes, workers and the `ve` client, each in a directory of its own that is
//! removed when the test passes and kept (its path printed) when it fails.

use anyhow::{bail, ensure, Context, Result};
use serde_json::Value;
use std::{
    fs::{self, File},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{Mutex, MutexGuard},
    time::{Duration, Instant},
};

pub mod load;
mod market;
pub use market::{units, Market, MarketOptions, CLUSTER_CPUS};

/// How long a step that normally takes seconds may take on a loaded machine.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// A binary of this workspace, built beside the test or binary that asks.
pub fn binary(name: &str) -> PathBuf {
    let exe = std::env::current_exe().expect("a program knows its own path");
    // Tests lie in target/<profile>/deps, binaries in target/<profile>.
    let dir = exe
        .ancestors()
        .skip(1)
        .find(|d| !d.ends_with("deps"))
        .expect("a program lies in a folder");
    let path = dir.join(name);
    assert!(
        path.exists(),
        "{} is missing: run `cargo build --workspace` first",
        path.display()
    );
    path
}

/// The repository's root.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .expect("tests/e2e is two levels deep")
        .into()
}

/// A loopback port that is free now.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .and_then(|l| l.local_addr())
        .expect("loopback has free ports")
        .port()
}

/// Waits until `probe` gives a value; the last refusal is part of the error.
pub async fn eventually<T>(
    what: &str,
    patience: Duration,
    mut probe: impl AsyncFnMut() -> Result<T>,
) -> Result<T> {
    let end = Instant::now() + patience;
    loop {
        match probe().await {
            Ok(value) => return Ok(value),
            Err(e) if Instant::now() >= end => {
                return Err(e.context(format!("waited {patience:?} for {what}")))
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(250)).await,
        }
    }
}

/// A child process that is killed when dropped, with its output in a file.
pub struct Process {
    child: Child,
    /// Where its output goes.
    pub log: PathBuf,
}

impl Process {
    /// Starts a command, appending what it prints to `log`.
    pub fn start(command: &mut Command, log: &Path) -> Result<Self> {
        let out = File::options().create(true).append(true).open(log)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out)
            .spawn()
            .with_context(|| format!("starting {command:?}"))?;
        Ok(Self {
            child,
            log: log.into(),
        })
    }

    /// Process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// kill -9, and wait until it is gone.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// SIGTERM, then wait for a clean exit.
    pub async fn terminate(&mut self) -> Result<i32> {
        nix::sys::signal::kill(
            nix::unistd::Pid::from_raw(self.id() as i32),
            nix::sys::signal::SIGTERM,
        )?;
        let log = self.log.clone();
        let child = &mut self.child;
        eventually(
            "a clean exit after SIGTERM",
            Duration::from_secs(60),
            async || {
                let status = child
                    .try_wait()?
                    .with_context(|| format!("still running, see {}", log.display()))?;
                Ok(status.code().unwrap_or(-1))
            },
        )
        .await
    }

    /// What it printed so far.
    pub fn output(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A node and how to start it again.
pub struct Node {
    process: Process,
    arguments: Vec<String>,
    /// JSON-RPC port.
    pub rpc: u16,
    /// Prometheus port.
    pub metrics: u16,
    /// Peer-to-peer port.
    pub p2p: u16,
    /// Its directory.
    pub dir: PathBuf,
}

impl Node {
    /// Starts a node in `dir` with extra arguments, and waits until its RPC answers.
    pub async fn start(dir: &Path, arguments: &[&str]) -> Result<Self> {
        fs::create_dir_all(dir)?;
        let arguments = arguments.iter().map(|a| a.to_string()).collect();
        let (rpc, metrics, p2p) = (free_port(), free_port(), free_port());
        let process = Self::spawn(dir, &arguments, rpc, metrics, p2p)?;
        let node = Self {
            process,
            arguments,
            rpc,
            metrics,
            p2p,
            dir: dir.into(),
        };
        node.wait_ready().await?;
        Ok(node)
    }

    fn spawn(
        dir: &Path,
        arguments: &Vec<String>,
        rpc: u16,
        metrics: u16,
        p2p: u16,
    ) -> Result<Process> {
        Process::start(
            Command::new(binary("virtengine-node"))
                .args(["--base-path", &dir.join("chain").to_string_lossy()])
                .args([
                    "--rpc-port",
                    &rpc.to_string(),
                    "--prometheus-port",
                    &metrics.to_string(),
                ])
                .args(["--listen-addr", &format!("/ip4/127.0.0.1/tcp/{p2p}")])
                .args(["--no-mdns", "--no-telemetry", "--no-hardware-benchmarks"])
                .args(arguments),
            &dir.join("node.log"),
        )
    }

    async fn wait_ready(&self) -> Result<()> {
        eventually("the node's RPC", PATIENCE, async || {
            self.rpc("system_health", Value::Array(vec![])).map(|_| ())
        })
        .await
        .with_context(|| format!("see {}", self.process.log.display()))
    }

    /// kill -9.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again on the same data and ports.
    pub async fn restart(&mut self) -> Result<()> {
        self.process.kill();
        self.process = Self::spawn(&self.dir, &self.arguments, self.rpc, self.metrics, self.p2p)?;
        self.wait_ready().await
    }

    /// WebSocket address of its RPC.
    pub fn url(&self) -> String {
        format!("ws://127.0.0.1:{}", self.rpc)
    }

    /// Stops the process where it stands (SIGSTOP) or lets it go on: an RPC that accepts and never answers.
    pub fn freeze(&self, frozen: bool) -> Result<()> {
        use nix::sys::signal::{kill, Signal};
        let signal = if frozen {
            Signal::SIGSTOP
        } else {
            Signal::SIGCONT
        };
        Ok(kill(
            nix::unistd::Pid::from_raw(self.process.id() as i32),
            signal,
        )?)
    }

    /// What it printed.
    pub fn output(&self) -> String {
        self.process.output()
    }

    /// Address under which other nodes find it.
    pub fn address(&self) -> Result<String> {
        let peer = self.rpc("system_localPeerId", Value::Array(vec![]))?;
        let peer = peer.as_str().context("a peer id is a string")?;
        Ok(format!("/ip4/127.0.0.1/tcp/{}/p2p/{peer}", self.p2p))
    }

    /// One JSON-RPC call over HTTP.
    pub fn rpc(&self, method: &str, params: Value) -> Result<Value> {
        rpc(self.rpc, method, params)
    }

    /// Height of the finalised head.
    pub fn finalized(&self) -> Result<u32> {
        let hash = self.rpc("chain_getFinalizedHead", Value::Array(vec![]))?;
        self.height(hash)
    }

    /// Height of the best head.
    pub fn best(&self) -> Result<u32> {
        let hash = self.rpc("chain_getBlockHash", Value::Array(vec![]))?;
        self.height(hash)
    }

    fn height(&self, hash: Value) -> Result<u32> {
        let header = self.rpc("chain_getHeader", Value::Array(vec![hash]))?;
        let number = header["number"].as_str().context("a header has a number")?;
        Ok(u32::from_str_radix(number.trim_start_matches("0x"), 16)?)
    }

    /// Waits until `count` more blocks are finalised.
    pub async fn finalise_more(&self, count: u32) -> Result<u32> {
        let from = self.finalized()?;
        eventually("finality", PATIENCE, async || {
            let now = self.finalized()?;
            ensure!(
                now >= from + count,
                "finalised {now}, want {}",
                from + count
            );
            Ok(now)
        })
        .await
    }
}

/// One JSON-RPC call over HTTP on loopback, without a client library: the point is to be independent of ours.
pub fn rpc(port: u16, method: &str, params: Value) -> Result<Value> {
    use std::io::{Read, Write};
    let body = serde_json::json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params })
        .to_string();
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    write!(
        stream,
        "POST / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let text = String::from_utf8_lossy(&answer);
    let (head, body) = text
        .split_once("\r\n\r\n")
        .context("an HTTP answer has a body")?;
    let body = if head
        .to_ascii_lowercase()
        .contains("transfer-encoding: chunked")
    {
        unchunk(body)
    } else {
        body.into()
    };
    let mut value: Value =
        serde_json::from_str(&body).with_context(|| format!("answer to {method}: {body}"))?;
    if let Some(error) = value.get("error") {
        bail!("{method}: {error}");
    }
    Ok(value["result"].take())
}

fn unchunk(body: &str) -> String {
    let mut rest = body;
    let mut out = String::new();
    while let Some((size, tail)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).unwrap_or(0);
        if size == 0 || size > tail.len() {
            break;
        }
        out.push_str(&tail[..size]);
        rest = tail[size..].trim_start_matches("\r\n");
    }
    out
}

/// A directory for one test, removed at its end; kept and named when it panics or `VE_KEEP` is set.
///
/// Tests of one binary that have one run one after the other: several nodes at once would only be slow.
pub struct TestDir(PathBuf, #[allow(dead_code)] MutexGuard<'static, ()>);

impl TestDir {
    /// Makes it.
    pub fn new(name: &str) -> Result<Self> {
        static ALONE: Mutex<()> = Mutex::new(());
        let alone = ALONE
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        let dir = tempfile::Builder::new()
            .prefix(&format!("virtengine-{name}-"))
            .tempdir()?;
        Ok(Self(dir.keep(), alone))
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TestDir {
    fn drop(&mut self) {
        if std::thread::panicking() || std::env::var_os("VE_KEEP").is_some() {
            eprintln!("kept for a look: {}", self.0.display());
        } else {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}

/// What a command printed, with its exit status.
pub fn described(output: &Output) -> String {
    format!(
        "exit {:?}\n--- stdout\n{}\n--- stderr\n{}",
        output.status.code(),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}
