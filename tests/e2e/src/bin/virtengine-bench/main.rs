//! Measures ratios on this machine: each figure is divided by something that ran beside it in the same run, so that
//! the machine cancels out as far as it can. Nothing is asserted; a figure that could not be measured is left out and
//! the reason is printed in its place. Progress goes to standard error, the table (or JSON) to standard output.

mod jobs;
mod machine;
mod report;
mod sealing;
mod series;
mod slurm;
mod transactions;
mod worker;

use anyhow::{anyhow, ensure, Context, Result};
use clap::{Parser, ValueEnum};
use report::{Report, Row};
use std::{
    path::PathBuf,
    time::{Duration, Instant},
};
use ve_chain::{Chain, ConnectOptions, Signer, Submitter};
use virtengine_e2e::{slurm::By, Market, MarketOptions};

/// Ratios of this machine, each against something run beside it.
#[derive(Parser)]
#[command(name = "virtengine-bench")]
struct Options {
    /// JSON instead of a table
    #[arg(long)]
    json: bool,
    /// Orders whose way from signature to running is timed
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    orders: u32,
    /// Jobs held open while memory and block times are taken
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(10..=10_000))]
    open: u32,
    /// Transactions of each kind per sending account (four accounts)
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(50..=20_000))]
    transactions: u32,
    /// What is measured
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Part::ALL)]
    parts: Vec<Part>,
    /// Jobs bought for a real SLURM
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(10..=1_900))]
    slurm_jobs: u32,
    /// Folder for the plots of queue and latency; made if missing
    #[arg(long, default_value = "bench")]
    plots: PathBuf,
    /// Megabytes (MiB) sealed
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=1024))]
    seal: u32,
}

/// What can be measured by itself.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Sealing, against the cipher alone
    Sealing,
    /// Transfers, against null calls
    Transactions,
    /// Orders and open jobs, with the local scheduler
    Jobs,
    /// Jobs into a real SLURM, against `sbatch`; as root
    Slurm,
}

impl Part {
    const ALL: [Self; 4] = [Self::Sealing, Self::Transactions, Self::Jobs, Self::Slurm];
}

/// Lines that say what is being done, with the time since the start.
#[derive(Clone, Copy)]
struct Progress(Instant);

impl Progress {
    fn step(&self, what: &str) {
        let s = self.0.elapsed().as_secs();
        eprintln!("[{:02}:{:02}] {what}", s / 60, s % 60);
    }

    fn note(&self, what: &str) {
        eprintln!("        {what}");
    }
}

impl Bench {
    /// A market of its own, without a worker yet.
    async fn open(name: &str, progress: Progress, options: MarketOptions) -> Result<Self> {
        progress.step("opening a market: a development chain, a provider, a customer");
        let market = Market::open(name, options).await?;
        let chain = Chain::connect(&market.node.url(), ConnectOptions::default()).await?;
        let submitter = |uri: &str| -> Result<Submitter> {
            let signer = Signer::from_uri(&uri.to_string().into())?;
            Ok(Submitter::new(chain.clone(), signer))
        };
        Ok(Self {
            alice: submitter("//Alice")?,
            bob: submitter("//Bob")?,
            market,
            chain,
            progress,
        })
    }
}

/// What every part of the run works with.
struct Bench {
    market: Market,
    chain: Chain,
    alice: Submitter,
    bob: Submitter,
    progress: Progress,
}

#[tokio::main]
async fn main() -> Result<()> {
    let options = Options::parse();
    let progress = Progress(Instant::now());
    let mut report = Report::new(machine::Machine::this());

    let wants = |part| options.parts.contains(&part);
    if wants(Part::Sealing) {
        progress.step(&format!(
            "sealing {} MiB, and the cipher alone",
            options.seal
        ));
        report.add(sealing::rows(options.seal as usize), "sealing");
    }
    if wants(Part::Transactions) || wants(Part::Jobs) {
        let mut bench = Bench::open("bench", progress, MarketOptions::without_worker()).await?;
        if wants(Part::Transactions) {
            let per_account = options.transactions as usize;
            progress.step(&format!(
                "{} remarks, then as many transfers",
                4 * per_account
            ));
            report.add(
                transactions::rows(&bench, per_account).await,
                "transactions",
            );
        }
        if wants(Part::Jobs) {
            with_worker(&mut bench, &options, &mut report).await;
        }
    }
    if wants(Part::Slurm) {
        for by in [By::Commands, By::Rest] {
            report.add(
                slurm::rows(progress, by, &options).await,
                &format!("jobs/s into SLURM ({by:?})"),
            );
        }
    }
    report.finish();
    println!(
        "{}",
        if options.json {
            report.json()?
        } else {
            report.table()
        }
    );
    Ok(())
}

/// Everything that needs a worker; leaves nothing running.
async fn with_worker(bench: &mut Bench, options: &Options, report: &mut Report) {
    let mut made = Vec::new();
    let outcome = tokio::select! {
        outcome = chain_and_worker(bench, options, report, &mut made) => outcome,
        _ = tokio::signal::ctrl_c() => Err(anyhow!("interrupted")),
    };
    report.add(outcome.map(|()| Vec::new()), "orders and open jobs");
    bench.progress.step("stopping");
    bench.market.kill_worker();
    if let Err(error) = jobs::stop(bench, &made).await {
        bench.progress.note(&format!(
            "some jobs of the local scheduler go on for up to ten minutes: {error:#}"
        ));
    }
}

/// Orders one by one, then many at once. `made` gets the number of every job that may still be in the scheduler.
async fn chain_and_worker(
    bench: &mut Bench,
    options: &Options,
    report: &mut Report,
    made: &mut Vec<u64>,
) -> Result<()> {
    bench.market.start_worker()?;
    bench.progress.step(&format!(
        "{} orders, one after the other  (then: {} open jobs)",
        options.orders, options.open
    ));
    report.add(
        jobs::order_to_running(bench, options.orders).await,
        "order to running",
    );

    bench
        .progress
        .step("waiting until the worker has nothing to do");
    jobs::wait_until_idle(bench).await?;
    let idle = worker::Load::take(bench).await?;
    bench.progress.note(&format!(
        "idle worker: {:.1} MiB resident",
        idle.resident_mib
    ));
    bench
        .progress
        .step("blocks without anything in them  (then: open jobs)");
    let empty = jobs::Blocks::take(bench, 0).await?;

    bench.progress.step(&format!(
        "buying {} jobs that stay open  (then: the table)",
        options.open
    ));
    jobs::make_room(bench, options.open).await?;
    let started = Instant::now();
    let open = jobs::fill(bench, options.open, made).await?;
    bench.progress.note(&format!(
        "{open} jobs are with the worker after {} s",
        started.elapsed().as_secs()
    ));
    ensure!(open > 0, "the worker took no job");
    // What was in haste is over.
    tokio::time::sleep(Duration::from_secs(8)).await;
    let many = worker::Load::take(bench).await.context("the worker")?;
    let each = (many.resident_mib - idle.resident_mib) / f64::from(open) * 1024.0;
    report.row(
        Row::ratio(
            "worker memory, with open jobs ÷ idle",
            many.resident_mib / idle.resident_mib,
            (many.resident_mib, format!("MiB, {open} jobs")),
            (idle.resident_mib, "MiB, idle"),
        )
        .target("<= 150 MiB at 10,000 jobs")
        .note(format!(
            "{each:.1} KiB for each open job; {:.0} MiB at most, while they were taken up",
            many.peak_mib
        )),
    );
    report.row(
        Row::ratio(
            "worker, one round, with open jobs ÷ idle",
            many.round_ms / idle.round_ms,
            (many.round_ms, format!("ms, {open} jobs")),
            (idle.round_ms, "ms, idle"),
        )
        .note(format!(
            "means of {:.0} and {:.0} rounds in 30 s",
            many.rounds, idle.rounds
        )),
    );
    report.row(
        Row::value(
            "worker, processor time with open jobs",
            many.cpu_percent,
            "% of one processor",
        )
        .note(format!("{:.1} % idle", idle.cpu_percent)),
    );

    bench
        .progress
        .step("blocks without anything in them, over the open jobs");
    let full = jobs::Blocks::take(bench, open).await?;
    report.row(
        Row::ratio(
            "empty block, authoring, with open jobs ÷ without",
            full.authoring_ms / empty.authoring_ms,
            (full.authoring_ms, format!("ms, {open} jobs")),
            (empty.authoring_ms, "ms, none"),
        )
        .note(format!("mean of {} and {} blocks", full.count, empty.count)),
    );
    report.row(
        Row::ratio(
            "HpcApi_open_jobs, a page ÷ an empty one",
            full.reading_ms / empty.reading_ms,
            (full.reading_ms, format!("ms, {} jobs", full.page)),
            (empty.reading_ms, "ms, none"),
        )
        .note("median of 25 calls over RPC, with transport and decoding"),
    );
    Ok(())
}
