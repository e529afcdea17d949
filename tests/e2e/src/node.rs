//! A node as a real process, and its JSON-RPC without a client library.

use crate::{binary, eventually, free_port, spec, Process, PATIENCE};
use anyhow::{bail, ensure, Context, Result};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

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
    ///
    /// `--dev` and `--chain local` are the chains of that name, from a raw spec that is made once.
    pub async fn start(dir: &Path, arguments: &[&str]) -> Result<Self> {
        fs::create_dir_all(dir)?;
        let arguments = spec::with_raw_spec(arguments)?;
        let (rpc, metrics, p2p) = (free_port(), free_port(), free_port());
        let first = spec::FirstStart::take()?;
        let process = Self::spawn(dir, &arguments, rpc, metrics, p2p)?;
        let mut node = Self {
            process,
            arguments,
            rpc,
            metrics,
            p2p,
            dir: dir.into(),
        };
        node.wait_ready().await?;
        if let Some(first) = first {
            first.over()?;
        }
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
                .args([
                    "--wasm-cache",
                    &spec::folder()?.join("wasm").to_string_lossy(),
                ])
                .args(arguments),
            &dir.join("node.log"),
        )
    }

    async fn wait_ready(&mut self) -> Result<()> {
        let answers = eventually("the node's RPC", PATIENCE, async || {
            // There is nothing to wait for when it has ended.
            let runs = self.process.is_running();
            if runs {
                self.rpc("system_health", Value::Array(vec![]))?;
            }
            Ok(runs)
        });
        if answers.await? {
            return Ok(());
        }
        let said = self.output();
        let from = said.len().saturating_sub(2_000);
        bail!("the node ended:\n{}", said.get(from..).unwrap_or(&said))
    }

    /// kill -9.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Stops it as an operator would, with everything written.
    pub async fn stop(&mut self) -> Result<()> {
        let code = self.process.terminate().await?;
        ensure!(code == 0, "the node ended with {code}:\n{}", self.output());
        Ok(())
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
