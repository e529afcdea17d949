//! Jobs on a real SLURM cluster: bought on the chain, run as a member of the provider's pool, billed to the second of
//! SLURM's accounting.

use anyhow::{ensure, Context, Result};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};
use virtengine_e2e::{
    binary, described, ensure_exit, eventually, repository, run_script,
    slurm::{By, Slurm},
    units, Market, MarketOptions, PATIENCE,
};

async fn with_slurm(
    name: &str,
    by: By,
    users: &str,
    act: impl AsyncFnOnce(&mut Market, &Slurm) -> Result<()>,
) -> Result<()> {
    with_library(name, by, users, &[], async |market, slurm| {
        act(market, slurm).await
    })
    .await
}

/// The same, with more of the workload library.
async fn with_library(
    name: &str,
    by: By,
    users: &str,
    templates: &[&'static str],
    act: impl AsyncFnOnce(&mut Market, &Slurm) -> Result<()>,
) -> Result<()> {
    let options = MarketOptions {
        templates: templates.to_vec(),
        ..MarketOptions::without_worker()
    };
    Market::with(name, options, async |market: &mut Market| {
        let slurm = Slurm::beside(market, by, users)?;
        act(market, &slurm).await
    })
    .await
}

/// The name of a job in SLURM.
async fn handle(market: &Market, job: u64) -> Result<String> {
    let genesis = market.chain().await?.genesis();
    Ok(format!(
        "ve-{}-{job}",
        hex::encode(&genesis.as_bytes()[..4])
    ))
}

/// What a second of `cpu=2,gres/gpu=1,mem=512M,node=1` is billed as.
fn allocated(tres: &str) -> Result<[(&'static str, u128); 4]> {
    let (mut cpus, mut mib, mut nodes, mut gpus) = (0, 0, 0, 0);
    for part in tres.split(',') {
        match part.split_once('=') {
            Some(("cpu", n)) => cpus = n.parse()?,
            Some(("node", n)) => nodes = n.parse()?,
            Some(("gres/gpu", n)) => gpus = n.parse()?,
            Some(("mem", n)) => {
                let (digits, unit) = n.split_at(n.len() - 1);
                let factor = match unit {
                    "M" => 1.0,
                    "G" => 1024.0,
                    _ => anyhow::bail!("memory in {unit}: {tres}"),
                };
                mib = (digits.parse::<f64>()? * factor) as u128;
            }
            _ => {}
        }
    }
    Ok([
        ("cpu-seconds", cpus),
        ("memory-mib-seconds", mib),
        ("node-seconds", nodes),
        ("gpu-seconds:0", gpus),
    ])
}

/// What the invoice of the only month says of a job, by component.
fn billed(market: &Market, job: u64, component: &str) -> Result<u128> {
    let list = market.ve(&["invoice", "list"])?;
    let month = list[0]["month"].as_str().context("an invoice")?.to_owned();
    let invoice = market.ve(&["invoice", "show", &month])?;
    let lines = invoice["lines"].as_array().context("lines")?;
    let text = job.to_string();
    let of_job = |line: &&Value| line["agreement"] == job || line["agreement"] == text;
    let mut sum = 0;
    for line in lines.iter().filter(of_job) {
        for quantity in line["quantities"].as_array().context("quantities")? {
            if quantity["component"] == component {
                let text = quantity["quantity"].as_str().context("digits")?;
                sum += text.parse::<u128>()?;
            }
        }
    }
    Ok(sum)
}

/// Whether the bill of a job of so many tasks is what SLURM's accounting says, and its money adds up to the unit. Returns for
/// how many seconds its tasks ran.
async fn check_bill(market: &Market, slurm: &Slurm, job: u64, tasks: usize) -> Result<u128> {
    let money = market.settled(job).await?;
    let rows = slurm.accounting(
        &handle(market, job).await?,
        "ElapsedRaw,AllocTRES,User,Account,State",
    )?;
    ensure!(rows.len() == tasks, "each task, one attempt: {rows:?}");
    let (mut accounted, mut ran) = (BTreeMap::<_, u128>::new(), 0);
    for row in &rows {
        let elapsed: u128 = row[0].parse()?;
        ran += elapsed;
        ensure!(
            row[2].starts_with("ve-") && row[3] == row[2],
            "it ran as a member: {row:?}"
        );
        let allocated = allocated(&row[1])?;
        let has = |n: usize| allocated[n].1 > 0;
        ensure!(has(0) && has(1), "processors and memory: {row:?}");
        for (component, quantity) in allocated {
            *accounted.entry(component).or_default() += quantity * elapsed;
        }
    }
    for (component, expected) in accounted {
        let found = billed(market, job, component)?;
        ensure!(
            found == expected,
            "{component}: billed {found}, accounted {expected}: {rows:?}"
        );
    }
    // 0.5 VE for a core and hour, 0.1 VE for a GiB and hour, each rounded down to units per million.
    let paid = units(&money, "paid")?;
    let refunded = units(&money, "refunded")?;
    ensure!(
        paid > 0 && paid + refunded == units(&money, "deposited")?,
        "{money}"
    );
    let verified = market.ve_as("alice", &["invoice", "verify", &month(market)?])?;
    ensure!(verified.status.success(), "{}", described(&verified));
    Ok(ran)
}

fn month(market: &Market) -> Result<String> {
    let list = market.ve(&["invoice", "list"])?;
    Ok(list[0]["month"].as_str().context("an invoice")?.to_owned())
}

/// A job from the workload library, from the order to the final money.
async fn bought_and_billed(market: &mut Market, slurm: &Slurm) -> Result<()> {
    let again = slurm.make_pool(market, &market.path("bin/virtengine-worker"))?;
    ensure_exit(&again, 0, "nothing to do")?;
    market.start_worker()?;
    let job = market.submit_heat()?;
    market.wait_for(job, &["completed"]).await?;
    let out = market.fetch("alice", job, "out")?;
    let picture = fs::read(out.join("heat.png"))?;
    ensure!(
        picture.starts_with(b"\x89PNG\r\n\x1a\n"),
        "the result is a picture"
    );
    let ran = check_bill(market, slurm, job, 1).await?;
    ensure!(ran > 0, "it took some seconds");
    // The money is final and the retention is over: nothing of the customer is left with the member.
    eventually("the member's directory to be empty", PATIENCE, async || {
        for member in fs::read_dir(&slurm.pool)? {
            let left = fs::read_dir(member?.path())?.count();
            ensure!(left == 0, "{left} entries are left");
        }
        Ok(())
    })
    .await
}

/// Killed between the submission and its record, a worker submits nothing twice.
async fn killed_after_submission(market: &mut Market, slurm: &Slurm) -> Result<()> {
    market.start_worker_dying_at("submitted", 1)?;
    let job = market.submit_heat()?;
    eventually("the worker to die", PATIENCE, async || {
        let worker = market.worker.as_mut().context("it was started")?;
        ensure!(worker.ended().is_some(), "it still runs");
        Ok(())
    })
    .await?;
    market.start_worker()?;
    market.wait_for(job, &["completed"]).await?;
    let ran = check_bill(market, slurm, job, 1).await?;
    ensure!(ran > 0, "it took some seconds");
    Ok(())
}

/// One of the workload library, as small as it gets and still takes seconds: of nothing nothing is billed.
struct Order {
    template: &'static str,
    parameters: &'static [&'static str],
    size: &'static [&'static str],
    inputs: &'static [&'static str],
    /// Tasks of the array.
    tasks: usize,
    /// Whether it is over before a second is.
    is_brief: bool,
}

const fn order(template: &'static str, parameters: &'static [&'static str]) -> Order {
    Order {
        template,
        parameters,
        size: &[],
        inputs: &[],
        tasks: 1,
        is_brief: false,
    }
}

const LIBRARY: [Order; 11] = [
    order("checkpoint", &["limit=200000000"]),
    Order {
        inputs: &["points.csv"],
        is_brief: true,
        ..order("fit", &["degree=2"])
    },
    Order {
        tasks: 3,
        ..order(
            "sweep",
            &["tasks=3", "columns=1920", "rows=240", "iterations=20000"],
        )
    },
    Order {
        size: &["-n", "2"],
        ..order("flow", &["steps=12000"])
    },
    Order {
        size: &["--gpus", "2"],
        is_brief: true,
        ..order("gpu", &[])
    },
    Order {
        size: &["-n", "2"],
        ..order("pipeline", &["side=12", "temperatures=9", "sweeps=20000"])
    },
    Order {
        size: &["-n", "2"],
        inputs: &["mesh.dat"],
        ..order("heat", &["steps=2000"])
    },
    Order {
        size: &["--nodes", "2", "-n", "4"],
        ..order("patterns", &[])
    },
    Order {
        inputs: &["program.py", "requirements.txt"],
        ..order("python", &["arguments=[\"500\"]", "expected_s=5"])
    },
    // It looks once a minute whether anybody is there.
    order("notebook", &["hours=0.01", "idle_s=5"]),
    Order {
        size: &["-n", "2"],
        inputs: &["box.gro"],
        ..order("water", &["picoseconds=1", "frames=10"])
    },
];

/// The whole library, from orders to final money. All at once: it is a cluster.
async fn library_bought_and_billed(name: &str, by: By, users: &str) -> Result<()> {
    let templates = LIBRARY.map(|order| order.template);
    let install = ["scripts/lib/slurm-workloads.sh", "install"];
    run_script(&[&install[..], &templates].concat(), &[])
        .context("installing what the templates need")?;
    with_library(name, by, users, &templates, async |market, slurm| {
        slurm.promise(market)?;
        market.start_worker()?;
        let mut jobs = Vec::new();
        for order in &LIBRARY {
            let words = order.words();
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            jobs.push((order, market.submit(&words)?));
        }
        for (order, job) in jobs {
            let end = market.wait_for(job, &["completed"]).await;
            end.with_context(|| order.template)?;
            let bill = check_bill(market, slurm, job, order.tasks).await;
            let ran = bill.with_context(|| order.template)?;
            ensure!(order.is_brief || ran > 0, "{}: no second", order.template);
        }
        Ok(())
    })
    .await
}

impl Order {
    /// What `ve run` is told.
    fn words(&self) -> Vec<String> {
        let mut words = vec![self.template.to_owned()];
        for parameter in self.parameters {
            words.extend(["-p".to_owned(), (*parameter).to_owned()]);
        }
        let template = repository().join("slurm-templates").join(self.template);
        for input in self.inputs {
            let path = template.join("example").join(input);
            words.extend(["--in".to_owned(), path.to_string_lossy().into_owned()]);
        }
        let terms = ["--time", "10m", "--max", "4VE"];
        words.extend(
            self.size
                .iter()
                .chain(&terms)
                .map(|word| (*word).to_owned()),
        );
        words
    }
}

#[tokio::test]
async fn every_template_should_be_billed_as_accounted_when_slurm_is_spoken_to_by_rest() -> Result<()>
{
    library_bought_and_billed("slurm-library-rest", By::Rest, "ve-libr").await
}

#[tokio::test]
async fn every_template_should_be_billed_as_accounted_when_slurm_is_spoken_to_by_commands(
) -> Result<()> {
    library_bought_and_billed("slurm-library-cli", By::Commands, "ve-libc").await
}

/// Nodes of the partition in the cloud.
const CLOUD: u32 = 10_000;

#[tokio::test]
async fn a_job_should_run_on_nodes_started_for_it_when_ten_thousand_are_promised() -> Result<()> {
    let options = MarketOptions::without_worker();
    Market::with("slurm-cloud", options, async |market: &mut Market| {
        let slurm = Slurm::with_cloud(market, By::Commands, "ve-cloud", CLOUD)?;
        slurm.promise(market)?;
        let config = market.path("worker.toml");
        let checked = std::process::Command::new(binary("virtengine-worker"))
            .args(["check", "--config"])
            .arg(&config)
            .output()?;
        ensure_exit(&checked, 0, "belongs to provider")?;
        market.start_worker()?;
        // More nodes than the other partition has.
        let job = market.submit(&["wide", "--nodes", "4", "--time", "10m", "--max", "4VE"])?;
        market.wait_for(job, &["completed"]).await?;
        check_bill(market, &slurm, job, 1).await?;
        let out = market.fetch("alice", job, "out")?;
        let nodes = fs::read_to_string(out.join("nodes.txt"))?;
        let nodes: BTreeSet<&str> = nodes.lines().collect();
        ensure!(
            nodes.len() == 4 && nodes.iter().all(|node| node.starts_with('c')),
            "{nodes:?}"
        );
        Ok(())
    })
    .await
}

async fn bought_billed_and_killed(market: &mut Market, slurm: &Slurm) -> Result<()> {
    bought_and_billed(market, slurm).await?;
    killed_after_submission(market, slurm).await
}

#[tokio::test]
async fn a_job_should_be_billed_to_the_second_of_accounting_when_slurm_is_spoken_to_by_rest(
) -> Result<()> {
    with_slurm("slurm-rest", By::Rest, "ve-rest", bought_billed_and_killed).await
}

#[tokio::test]
async fn a_job_should_be_billed_to_the_second_of_accounting_when_slurm_is_spoken_to_by_commands(
) -> Result<()> {
    with_slurm(
        "slurm-cli",
        By::Commands,
        "ve-cli",
        bought_billed_and_killed,
    )
    .await
}

#[tokio::test]
async fn customers_should_not_reach_each_other_when_they_share_a_cluster() -> Result<()> {
    with_slurm("slurm-pry", By::Rest, "ve-pry", customers_apart).await
}

async fn customers_apart(market: &mut Market, _slurm: &Slurm) -> Result<()> {
    let dave = market.ve_as(
        "dave",
        &["--json", "key", "new", "dave", "--from-uri", "//Dave"],
    )?;
    ensure!(dave.status.success(), "{}", described(&dave));
    let registered = market.ve_as("dave", &["key", "register"])?;
    ensure!(registered.status.success(), "{}", described(&registered));
    market.start_worker()?;
    let terms = ["--time", "5m", "--max", "1VE"];
    let keep = ["pry", "-p", "how=keep", "-p", "seconds=60"];
    let kept = market.submit(&[&keep[..], &terms].concat())?;
    market.wait_for(kept, &["running"]).await?;

    let pry = ["--json", "run", "pry", "-p", "how=pry"];
    let bought = market.ve_as("dave", &[&pry[..], &terms].concat())?;
    ensure!(bought.status.success(), "{}", described(&bought));
    let answer: Value = serde_json::from_slice(&bought.stdout)?;
    let job = answer["job"].as_u64().context("a job")?;
    market.wait_for(job, &["completed"]).await?;
    let out = market.fetch("dave", job, "out")?;
    let report = fs::read_to_string(out.join("report.txt"))?;
    ensure!(report.contains("\ndone"), "it tried everything: {report}");
    ensure!(
        !report.contains("FOUND") && !report.contains("CANARY"),
        "{report}"
    );

    // What he tried did the other job no harm.
    let end = market.wait_for(kept, &["completed"]).await?;
    ensure!(end["ended"] == true, "{end}");
    Ok(())
}
