//! What the worker itself costs.

use crate::Bench;
use anyhow::{Context, Result};
use std::{
    collections::BTreeMap,
    fs,
    io::{Read, Write},
    time::{Duration, Instant},
};
use virtengine_e2e::Market;

/// For how long it is watched.
const WATCHED: Duration = Duration::from_secs(30);
/// Clock ticks a second in `/proc`, the same on every Linux.
const TICKS: f64 = 100.0;

/// The worker, watched for a while.
pub struct Load {
    /// Resident memory in MiB at the end.
    pub resident_mib: f64,
    /// The most that it ever was, in MiB.
    pub peak_mib: f64,
    /// Rounds in that time.
    pub rounds: f64,
    /// Mean duration of a round in milliseconds.
    pub round_ms: f64,
    /// Processor time of the worker, in hundredths of one processor.
    pub cpu_percent: f64,
}

impl Load {
    /// Watches it.
    pub async fn take(bench: &Bench) -> Result<Self> {
        let from = Instant::now();
        let (rounds, spent, cpu) = (
            metric(bench, "count")?,
            metric(bench, "sum")?,
            cpu_seconds(bench)?,
        );
        tokio::time::sleep(WATCHED).await;
        let rounds = metric(bench, "count")? - rounds;
        let spent = metric(bench, "sum")? - spent;
        let cpu = cpu_seconds(bench)? - cpu;
        Ok(Self {
            resident_mib: status_mib(bench, "VmRSS:")?,
            peak_mib: status_mib(bench, "VmHWM:")?,
            rounds,
            round_ms: spent * 1000.0 / rounds.max(1.0),
            cpu_percent: cpu / from.elapsed().as_secs_f64() * 100.0,
        })
    }
}

fn proc_file(bench: &Bench, name: &str) -> Result<String> {
    let worker = bench.market.worker.as_ref();
    let id = worker.context("the worker does not run")?.id();
    fs::read_to_string(format!("/proc/{id}/{name}")).context("the worker is gone")
}

fn status_mib(bench: &Bench, field: &str) -> Result<f64> {
    let status = proc_file(bench, "status")?;
    let line = status.lines().find_map(|l| l.strip_prefix(field));
    let kib: f64 = line
        .with_context(|| format!("no {field}"))?
        .trim()
        .trim_end_matches(" kB")
        .parse()?;
    Ok(kib / 1024.0)
}

/// User and system time of the worker, without the processes that it started.
fn cpu_seconds(bench: &Bench) -> Result<f64> {
    let stat = proc_file(bench, "stat")?;
    // The name in parentheses may contain blanks; fields count from behind it.
    let (_, rest) = stat.rsplit_once(')').context("a process has a name")?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks = |n: usize| -> Result<f64> { Ok(fields.get(n).context("too short")?.parse()?) };
    Ok((ticks(11)? + ticks(12)?) / TICKS)
}

/// Count or sum of the rounds so far, as the worker's own metrics say.
fn metric(bench: &Bench, what: &str) -> Result<f64> {
    let name = format!("virtengine_provider_reconcile_seconds_{what}");
    let all = scrape(&bench.market)?;
    let value = all.get(&name).copied();
    value.with_context(|| format!("the worker has no metric {name}"))
}

/// The worker's metrics: each series with its labels, and its value.
pub fn scrape(market: &Market) -> Result<BTreeMap<String, f64>> {
    let configuration = fs::read_to_string(market.path("worker.toml"))?;
    let listen = configuration
        .lines()
        .find_map(|l| l.strip_prefix("listen = "))
        .context("the worker's configuration says where its metrics are")?;
    let mut stream = std::net::TcpStream::connect(listen.trim_matches('"'))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(
        stream,
        "GET /metrics HTTP/1.1\r\nHost: worker\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let text = String::from_utf8_lossy(&answer);
    let series = text.lines().filter(|line| !line.starts_with('#'));
    Ok(series
        .filter_map(|line| {
            let (name, value) = line.rsplit_once(' ')?;
            Some((name.to_owned(), value.trim().parse().ok()?))
        })
        .collect())
}
