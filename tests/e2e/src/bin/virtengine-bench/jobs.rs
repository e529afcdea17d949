//! Orders one by one, and many jobs at once.

use crate::{
    report::{median, Row},
    transactions::{authored, authoring},
    Bench,
};
use anyhow::{anyhow, bail, ensure, Context, Result};
use nix::{
    sys::signal::{kill, Signal},
    unistd::Pid,
};
use std::{
    collections::BTreeMap,
    fs,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tokio::task::JoinSet;
use ve_chain::{calls, AccountId32, Call, Progress, Submitter, Until};
use ve_slurm::{Capacity, LocalConfig, LocalScheduler, Lookup, Scheduler, Status, SubmitSpec};
use virtengine_e2e::{binary, eventually, CLUSTER_CPUS, PATIENCE};
use virtengine_primitives::{
    hpc::{JobRequest, JobState},
    Balance, ClusterId,
};

/// The market's only cluster.
const CLUSTER: ClusterId = 1;
/// 1 VE in smallest units.
const VE: Balance = 1_000_000_000_000;
/// Jobs bought in one transaction.
const BATCH: usize = 40;
/// Jobs that may wait for the worker to take them: what it does not accept in time expires.
const WAITING: usize = 2_000;
/// How long the worker may take for the next job.
const FILL: Duration = Duration::from_secs(120);
/// Open jobs that may have come to their time limit before the last one was bought.
const ENDED_MEANWHILE: usize = 40;

fn now_ms() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs_f64()
        * 1000.0
}

/// Time to author a block with nothing in it, and to read a page of open jobs.
pub struct Blocks {
    /// Mean in milliseconds.
    pub authoring_ms: f64,
    /// Blocks in that mean.
    pub count: u32,
    /// Median in milliseconds.
    pub reading_ms: f64,
    /// Jobs on the page.
    pub page: usize,
}

impl Blocks {
    /// Takes them while the worker is stopped where it stands, so that nobody sends anything. Errors: unless `open`
    /// jobs are open.
    pub async fn take(bench: &Bench, open: u32) -> Result<Self> {
        let worker = bench
            .market
            .worker
            .as_ref()
            .context("the worker does not run")?;
        let pid = Pid::from_raw(i32::try_from(worker.id())?);
        kill(pid, Signal::SIGSTOP)?;
        let taken = Self::take_undisturbed(bench, open).await;
        kill(pid, Signal::SIGCONT)?;
        taken
    }

    async fn take_undisturbed(bench: &Bench, open: u32) -> Result<Self> {
        // What the last sender still had in the pool.
        tokio::time::sleep(Duration::from_secs(4)).await;
        let node = &bench.market.node;
        let (spent, made) = (authoring(node)?, authored(node)?);
        tokio::time::sleep(Duration::from_secs(15)).await;
        let (spent, made) = (authoring(node)? - spent, authored(node)? - made);
        ensure!(made >= 3.0, "the chain made {made} blocks in 15 s");
        let at = bench.chain.at_best().await?;
        let found = at.all_open_jobs(CLUSTER).await?.len();
        let missing = (open as usize).checked_sub(found);
        ensure!(
            missing.is_some_and(|missing| missing <= ENDED_MEANWHILE),
            "{found} jobs are open, not {open}"
        );
        let (mut times, mut page) = (Vec::new(), 0);
        for _ in 0..25 {
            let from = Instant::now();
            page = at.open_jobs(CLUSTER, None).await?.len();
            times.push(from.elapsed().as_secs_f64() * 1000.0);
        }
        Ok(Self {
            authoring_ms: spent / made * 1000.0,
            count: made as u32,
            reading_ms: median(&times),
            page,
        })
    }
}

/// From an order to its job running, against its parts measured beside it.
pub async fn order_to_running(bench: &Bench, orders: u32) -> Result<Vec<Row>> {
    let tally = format!("tally={}", bench.market.path("tally").display());
    let first =
        bench
            .market
            .submit(&["misbehave", "-p", "how=tally", "-p", &tally, "--time", "1m"])?;
    let end = bench
        .market
        .wait_for(first, &["completed", "failed", "expired"])
        .await?;
    ensure!(end["state"] == "completed", "the first job: {end}");
    let like = request(bench, first).await?;
    let raw = RawScheduler::open(bench)?;
    let (mut inclusion, mut finality, mut submits, mut ours) = (vec![], vec![], vec![], vec![]);
    for n in 1..=orders {
        // Neither begins always at the same moment between two blocks.
        phase(n, 370).await;
        let (included, finalized) = remark(bench).await?;
        inclusion.push(included);
        finality.push(finalized);
        submits.push(raw.submit_to_running(n).await?);
        phase(n, 610).await;
        let request = renewed(bench, &like, 200, 2_000).await?;
        let from = now_ms();
        let done = bench
            .alice
            .submit_until(calls::hpc::submit(&request), Until::Included, |_| ())
            .await?;
        let job = done
            .expect("Hpc", "JobSubmitted")?
            .integer("job")
            .context("a job has a number")? as u64;
        let started = eventually(&format!("job {job} to run"), PATIENCE, async || {
            let job = bench
                .chain
                .at_best()
                .await?
                .job(job)
                .await?
                .context("it is on the chain")?;
            job.started_at
                .with_context(|| format!("it is {:?}", job.state))
        })
        .await?;
        ours.push(started as f64 - from);
        bench.progress.note(&format!(
            "order {n} of {orders}: {:.1} s",
            (started as f64 - from) / 1000.0
        ));
    }
    raw.drain(orders).await;
    let [inclusion, finality, raw, ours] =
        [&inclusion, &finality, &submits, &ours].map(|all| median(all));
    let floor = 2.0 * inclusion + finality + raw;
    let note = format!(
        "medians of {orders}. Floor: inclusion {inclusion:.0} ms, finality {finality:.0} ms, inclusion again (System.remark, \
         in the same run), {raw:.0} ms of the local scheduler alone. Both times of running are the scheduler's own record"
    );
    Ok(vec![Row::ratio(
        "order to running, p50 ÷ its floor",
        ours / floor,
        (ours, "ms"),
        (floor, "ms"),
    )
    .target("<= 1.3")
    .note(note)])
}

/// Waits another part of a second each time.
async fn phase(n: u32, step_ms: u64) {
    tokio::time::sleep(Duration::from_millis(u64::from(n) * step_ms % 1000)).await;
}

/// Milliseconds until a null call is included, and from there until it is final.
async fn remark(bench: &Bench) -> Result<(f64, f64)> {
    let from = Instant::now();
    let (mut included, mut finalized) = (None, None);
    let call = Call::new("System", "remark").with(vec![7u8; 32]);
    bench
        .alice
        .submit_until(call, Until::Finalized, |progress| match progress {
            Progress::Included(_) => included = included.or(Some(from.elapsed())),
            Progress::Finalized(_) => finalized = Some(from.elapsed()),
            Progress::Sent(_) => {}
        })
        .await?;
    let included = included
        .context("the pool did not tell of the inclusion")?
        .as_secs_f64()
        * 1000.0;
    let finalized = finalized
        .context("the pool did not tell of finality")?
        .as_secs_f64()
        * 1000.0;
    Ok((included, finalized - included))
}

/// A local scheduler of its own, without a chain or a worker.
struct RawScheduler {
    scheduler: LocalScheduler,
    like: SubmitSpec,
}

impl RawScheduler {
    fn open(bench: &Bench) -> Result<Self> {
        let dir = bench.market.path("raw");
        fs::create_dir_all(&dir)?;
        let like = SubmitSpec {
            handle: String::new(),
            partition: None,
            identity: None,
            work_dir: dir.clone(),
            script: "#!/bin/sh\nsleep 2\n".into(),
            cpus: 1,
            memory_mib: 128,
            nodes: 1,
            gpus: 0,
            gpu_type: None,
            walltime_s: 60,
            array_tasks: 1,
            warning: None,
            requeue: false,
            max_file_bytes: None,
            max_processes: None,
            environment: BTreeMap::from([("PATH".to_string(), "/usr/bin:/bin".to_string())]),
            stdout: dir.join("out"),
            stderr: dir.join("err"),
        };
        Ok(Self {
            scheduler: scheduler(&dir.join("state"))?,
            like,
        })
    }

    /// Milliseconds from the submission to the start that the scheduler recorded.
    async fn submit_to_running(&self, n: u32) -> Result<f64> {
        let spec = SubmitSpec {
            handle: format!("raw-{n}"),
            ..self.like.clone()
        };
        let from = now_ms();
        let id = self.scheduler.submit(&spec).await?;
        let end = Instant::now() + Duration::from_secs(30);
        while Instant::now() < end {
            match self.scheduler.status(&id).await {
                Status::Running { since, .. } => return Ok((since as f64 - from).max(0.0)),
                Status::Queued | Status::Unknown(_) => {
                    tokio::time::sleep(Duration::from_millis(5)).await
                }
                other => bail!("the scheduler's own job is {other:?}"),
            }
        }
        bail!("the scheduler did not start its own job in 30 s")
    }

    /// Waits until the last of them has ended.
    async fn drain(&self, last: u32) {
        if let Lookup::Found(ids) = self.scheduler.find(&format!("raw-{last}")).await {
            for id in ids {
                for _ in 0..50 {
                    if !matches!(
                        self.scheduler.status(&id).await,
                        Status::Queued | Status::Running { .. }
                    ) {
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }
}

fn scheduler(state: &std::path::Path) -> Result<LocalScheduler> {
    Ok(LocalScheduler::open(LocalConfig {
        cluster: format!("cluster-{CLUSTER}"),
        capacity: Capacity {
            cpus: CLUSTER_CPUS,
            memory_mib: 4096,
        },
        ..LocalConfig::new(state, binary("virtengine-worker"))
    })?)
}

/// What a job was bought with. Its payload is bound to the customer and not to the job, so it serves again.
async fn request(bench: &Bench, job: u64) -> Result<JobRequest> {
    Ok(bench
        .chain
        .at_best()
        .await?
        .job(job)
        .await?
        .with_context(|| format!("job {job} is gone"))?
        .request)
}

async fn renewed(
    bench: &Bench,
    like: &JobRequest,
    start_within: u32,
    life: u32,
) -> Result<JobRequest> {
    let now = bench.chain.best_head().await?.number;
    Ok(JobRequest {
        start_within,
        end_by: now + life,
        ..like.clone()
    })
}

/// Waits until all jobs have ended and the worker has cleared up after them.
pub async fn wait_until_idle(bench: &Bench) -> Result<()> {
    eventually("the worker to be idle", PATIENCE, async || {
        let at = bench.chain.at_finalized().await?;
        let open = at.all_open_jobs(CLUSTER).await?.len();
        ensure!(open == 0, "{open} jobs are open");
        Ok(())
    })
    .await?;
    tokio::time::sleep(Duration::from_secs(8)).await;
    Ok(())
}

/// Lets the cluster hold so many jobs: the limit that its provider set, the bond that each accepted job takes, and the
/// fees of the worker.
pub async fn make_room(bench: &Bench, open: u32) -> Result<()> {
    let at = bench.chain.at_best().await?;
    let mut spec = at
        .cluster(CLUSTER)
        .await?
        .context("the market has a cluster")?
        .spec;
    spec.max_open_jobs = open + 20;
    bench
        .bob
        .submit(calls::hpc::update_cluster(CLUSTER, &spec))
        .await?;
    let bond: Balance = at
        .constant("Hpc", "AcceptanceBond")
        .await
        .unwrap_or(10 * VE);
    bench
        .bob
        .submit(calls::providers::bond_more(bond * Balance::from(open + 20)))
        .await?;
    let keys = fs::read_to_string(bench.market.path("worker.json"))?;
    let keys: serde_json::Value = serde_json::from_str(&keys)?;
    let worker = keys["account"].as_str().context("the worker's account")?;
    let worker: subxt::utils::AccountId32 = worker
        .parse()
        .map_err(|e| anyhow!("the worker's account {worker}: {e:?}"))?;
    let worker = AccountId32::new(worker.0);
    let fees = VE * Balance::from(open);
    bench
        .alice
        .submit(calls::balances::transfer_keep_alive(&worker, fees))
        .await?;
    Ok(())
}

/// Buys jobs that never end by themselves, as many as are missing, and waits until the worker has handed them to its
/// scheduler. Returns how many of them are in the scheduler; the numbers of all go to `made`.
pub async fn fill(bench: &Bench, open: u32, made: &mut Vec<u64>) -> Result<u32> {
    if made.is_empty() {
        let forever = ["misbehave", "-p", "how=forever", "--time", "10m"];
        made.push(bench.market.submit(&forever)?);
    }
    let first = made[0];
    let like = request(bench, first).await?;
    let mut told = Instant::now();
    let mut moved = (0, Instant::now());
    loop {
        let jobs = bench.chain.at_best().await?.all_open_jobs(CLUSTER).await?;
        let taken = jobs
            .iter()
            .filter(|(_, j)| matches!(j.state, JobState::Queued | JobState::Running))
            .count();
        // Some of the first may have come to their time limit meanwhile.
        let all_seen = jobs.len() + ENDED_MEANWHILE >= made.len();
        let missing = (open as usize).saturating_sub(made.len());
        if missing == 0 && taken == jobs.len() && all_seen {
            return Ok(u32::try_from(taken)?);
        }
        if taken != moved.0 {
            moved = (taken, Instant::now());
        }
        ensure!(
            moved.1.elapsed() < FILL,
            "{taken} of {} jobs are in the scheduler, and for {FILL:?} no other came: see the worker's log",
            made.len()
        );
        if told.elapsed() >= Duration::from_secs(10) {
            told = Instant::now();
            bench
                .progress
                .note(&format!("{taken} of {open} are in the scheduler"));
        }
        // No more than a provider can accept before they expire.
        let more = missing.min(WAITING.saturating_sub(made.len().saturating_sub(taken)));
        let mut bought = JoinSet::new();
        for from in (0..more).step_by(BATCH) {
            let request = renewed(bench, &like, 10_000, 50_000).await?;
            bought.spawn(buy(bench.alice.clone(), request, BATCH.min(more - from)));
        }
        while let Some(new) = bought.join_next().await {
            made.extend(new??);
        }
        // Reading ten thousand jobs is work for the node as well.
        tokio::time::sleep(Duration::from_millis(500 + u64::from(open) / 10)).await;
    }
}

/// Buys some jobs in one transaction; returns their numbers.
async fn buy(alice: Submitter, request: JobRequest, count: usize) -> Result<Vec<u64>> {
    let batch = calls::utility::batch_all(vec![calls::hpc::submit(&request); count]);
    let done = alice.submit_until(batch, Until::Included, |_| ()).await?;
    let new: Vec<u64> = done
        .events
        .iter()
        .filter(|e| e.is("Hpc", "JobSubmitted"))
        .filter_map(|e| e.integer("job"))
        .map(|job| job as u64)
        .collect();
    ensure!(
        new.len() == count,
        "{} of {count} jobs were bought",
        new.len()
    );
    Ok(new)
}

/// Ends what jobs are left in the market's scheduler, the waiting ones first so that none of them starts meanwhile.
pub async fn stop(bench: &Bench, made: &[u64]) -> Result<()> {
    if made.is_empty() {
        return Ok(());
    }
    let scheduler = scheduler(&bench.market.path("scheduler"))?;
    let genesis = hex::encode(&bench.chain.genesis().0[..4]);
    let mut ids = Vec::new();
    for job in made.iter().rev() {
        if let Lookup::Found(found) = scheduler.find(&format!("ve-{genesis}-{job}")).await {
            ids.extend(found);
        }
    }
    for id in &ids {
        scheduler.cancel(id).await?;
    }
    eventually("the jobs to end", Duration::from_secs(30), async || {
        for (id, status) in ids.iter().zip(scheduler.statuses(&ids).await) {
            ensure!(
                !matches!(status, Status::Running { .. } | Status::Queued),
                "{id} is {status:?}"
            );
        }
        Ok(())
    })
    .await
}
