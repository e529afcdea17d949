//! Jobs into a real SLURM, beside `sbatch` on the same cluster.

use crate::{
    jobs,
    report::Row,
    series::{self, Flow, Series},
    Bench, Options, Progress,
};
use anyhow::{ensure, Context, Result};
use std::{fs, time::Instant};
use virtengine_e2e::{
    eventually,
    slurm::{By, Slurm},
    MarketOptions, PATIENCE,
};

/// Jobs a second that go through chain and worker into SLURM, against `sbatch` in a loop.
pub async fn rows(progress: Progress, by: By, options: &Options) -> Result<Vec<Row>> {
    let jobs = options.slurm_jobs;
    let plot = options
        .plots
        .join(format!("slurm-{by:?}.svg").to_lowercase());
    let market = MarketOptions {
        seldom: true,
        ..MarketOptions::without_worker()
    };
    let mut bench = Bench::open("bench-slurm", progress, market).await?;
    let bench = &mut bench;
    progress.step(&format!("starting a real SLURM, spoken to by {by:?}"));
    let slurm = Slurm::beside(&mut bench.market, by, "ve-bench")?;
    let before = sbatch_loop(&slurm, jobs, progress).await?;

    progress.step(&format!("{jobs} jobs, bought on the chain"));
    // One before all others, which are like it.
    const BEFORE: u32 = 1;
    let all = jobs + BEFORE;
    jobs::make_room(bench, all).await?;
    bench.market.start_worker()?;
    jobs::wait_until_idle(bench).await?;
    let mut made = Vec::new();
    jobs::fill(bench, BEFORE, &mut made).await?;
    let mut series = Series::default();
    let begun = Instant::now();
    let filled = {
        let watched = series.watch(&bench.market, (BEFORE, all), || in_slurm(&slurm));
        tokio::select! {
            filled = jobs::fill(bench, all, &mut made) => filled,
            stopped = watched => Err(stopped),
        }
    };
    let steps = series::steps(&bench.market)?;
    let flow = series
        .flow(BEFORE, all)
        .context("SLURM never had all of the jobs");
    let in_all = begun.elapsed().as_secs();
    bench.market.kill_worker();
    emptied(&slurm).await?;
    filled?;
    let Flow {
        until_first,
        jobs: flowed,
        seconds,
    } = flow?;
    let ours = f64::from(flowed) / seconds;
    let after = sbatch_loop(&slurm, jobs, progress).await?;
    // The machine may have become faster or slower meanwhile.
    let raw = 2.0 / (1.0 / before + 1.0 / after);
    fs::create_dir_all(&options.plots)?;
    series.draw(&plot, &format!("{jobs} jobs into SLURM, {by:?}"))?;
    progress.note(&format!(
        "{ours:.1} jobs/s, after {until_first:.1} s until the first; {in_all} s in all; drawn in {}",
        plot.display()
    ));
    Ok(vec![Row::ratio(
        &format!("jobs/s through chain and worker ({by:?}) ÷ raw sbatch"),
        ours / raw,
        (ours, "jobs/s"),
        (raw, "jobs/s"),
    )
    .target(">= 0.8")
    .note(format!(
        "{flowed} of {jobs} jobs of one customer, from when SLURM has the first until it has the last; {until_first:.1} s from \
         the first order until it has the first. Beside it `sbatch` in a loop on the same cluster: {before:.0} jobs/s before, \
         {after:.0} after. Mean times of the worker's steps: {steps}"
    ))])
}

/// Jobs that SLURM has, waiting or running.
fn in_slurm(slurm: &Slurm) -> Result<u32> {
    let listed = slurm.ask(&["squeue", "--noheader", "--format=%A"])?;
    Ok(u32::try_from(listed.lines().count())?)
}

/// Jobs a second of a customer who has an account there.
async fn sbatch_loop(slurm: &Slurm, jobs: u32, progress: Progress) -> Result<f64> {
    progress.step(&format!("{jobs} times `sbatch`, one after the other"));
    let begun = Instant::now();
    slurm.as_member(&format!(
            "for _ in $(seq {jobs}); do sbatch --quiet --ntasks=1 --mem=128M --time=10 --output=/dev/null \
             --wrap 'sleep 600' || exit 1; done"
        ))?;
    let seconds = begun.elapsed().as_secs_f64();
    let found = in_slurm(slurm)?;
    ensure!(found == jobs, "SLURM has {found} of {jobs} jobs");
    emptied(slurm).await?;
    let raw = f64::from(jobs) / seconds;
    progress.note(&format!("{raw:.1} jobs/s"));
    Ok(raw)
}

/// Ends all jobs, and waits until they are gone.
async fn emptied(slurm: &Slurm) -> Result<()> {
    let user = slurm.member();
    // Those that wait first, so that none of them starts meanwhile.
    slurm.ask(&["scancel", "--state=PENDING", "--user", &user])?;
    slurm.ask(&["scancel", "--user", &user])?;
    eventually("SLURM to be empty", PATIENCE, async || {
        let left = in_slurm(slurm)?;
        ensure!(left == 0, "{left} jobs are left");
        Ok(())
    })
    .await
}
