//! Watching and steering jobs.

use crate::{
    amounts::Amounts,
    commands::money::{self as purse, ledger_json},
    context::Context,
    failure::{code, Failure, Result},
    library::Library,
    names, ui, units,
};
use serde_json::{json, Value};
use std::time::Duration;
use ve_chain::{calls, invoice::utc, AccountId32, At, ChainError};
use virtengine_primitives::{
    billing::{Agreement, AgreementState},
    escrow::Ledger,
    hpc::{Job, JobState, Workload},
    AgreementId, Balance,
};

type ChainJob = Job<AccountId32>;

/// A job by number.
pub async fn find(at: &At, job: AgreementId) -> Result<ChainJob> {
    at.job(job).await?.ok_or_else(|| {
        Failure::missing(
            format!("job: there is no job {job}"),
            "see `ve jobs`; a settled job is pruned after a while, its invoice stays: `ve invoice list`",
        )
    })
}

/// What a job runs, by the names of the library at hand.
fn workload(library: Option<&Library>, workload: &Workload) -> String {
    match workload {
        Workload::Script => "script".into(),
        Workload::Template(hash) => library
            .and_then(|l| l.iter().find(|t| t.hash() == *hash))
            .map(|t| t.name().to_string())
            .unwrap_or_else(|| hex::encode(hash).get(..12).unwrap_or_default().into()),
    }
}

/// `ve jobs`.
pub async fn list(context: &Context, state: Option<String>, limit: usize) -> Result {
    if let Some(state) = &state {
        let known = names::STATES
            .iter()
            .chain(&["open", "ended"])
            .any(|s| s == state);
        if !known {
            return Err(Failure::usage(
                format!("--state: {state:?} is not a state"),
                format!("write open, ended, or one of {}", names::STATES.join(", ")),
            ));
        }
    }
    let account = context.account()?;
    let at = context.chain().await?.at_best().await?;
    let mut jobs = at.all_jobs_of(&account).await?;
    jobs.retain(|(_, j)| state.as_ref().is_none_or(|s| names::matches(s, &j.state)));
    let all = jobs.len();
    jobs.reverse();
    jobs.truncate(limit);
    let library = Library::open(&context.config.templates).ok();
    let amounts = Amounts::of(&at, jobs.iter().map(|(_, j)| j.request.asset)).await?;
    if context.json {
        let all: Vec<Value> = jobs
            .iter()
            .map(|(id, j)| job_json(*id, j, library.as_ref(), &amounts))
            .collect();
        ui::json(&Value::Array(all));
        return Ok(());
    }
    if jobs.is_empty() {
        ui::note("no such job; buy one with `ve run`");
        return Ok(());
    }
    let mut table = ui::table(&[
        "job",
        "state",
        "what",
        "cluster",
        "tasks",
        "cpus",
        "time limit",
        "at most",
    ]);
    for (id, j) in &jobs {
        let r = &j.request;
        table.add_row(vec![
            ui::right(id),
            names::state(&j.state).into(),
            workload(library.as_ref(), &r.workload).into(),
            ui::right(j.assignment.cluster),
            ui::right(r.resources.array_tasks),
            ui::right(r.resources.cpus),
            ui::right(units::duration(r.walltime)),
            ui::right(amounts.text(r.ceiling, r.asset)),
        ]);
    }
    ui::print(&table);
    if all > jobs.len() {
        ui::note(format!(
            "{} older ones are not shown; see --limit",
            all - jobs.len()
        ));
    }
    Ok(())
}

fn job_json(id: AgreementId, j: &ChainJob, library: Option<&Library>, amounts: &Amounts) -> Value {
    let r = &j.request;
    let header = |h: &virtengine_primitives::envelope::EnvelopeHeader| json!({ "hash": format!("{:?}", h.hash), "length": h.length });
    json!({
        "job": id,
        "state": names::state(&j.state),
        "ended": matches!(j.state, JobState::Ended(_)),
        "customer": crate::keystore::account_text(&j.customer),
        "workload": workload(library, &r.workload),
        "template": match r.workload { Workload::Template(hash) => json!(format!("{hash:?}")), Workload::Script => Value::Null },
        "provider": j.provider,
        "cluster": j.assignment.cluster,
        "partition": j.assignment.partition,
        "plan": j.assignment.plan,
        "cost_at_most": amounts.json(j.assignment.cost, r.asset),
        "ceiling": amounts.json(r.ceiling, r.asset),
        "resources": r.resources,
        "walltime_seconds": r.walltime,
        "inputs": r.inputs.len(),
        "remaining_candidates": j.remaining.iter().map(|c| c.cluster).collect::<Vec<_>>(),
        "deadline_block": j.deadline,
        "start_by_block": j.start_by,
        "end_by_block": r.end_by,
        "accepted_at": j.accepted_at.map(utc),
        "started_at": j.started_at.map(utc),
        "cancel_by_block": j.cancel_by,
        "ended_at_block": j.ended_at,
        "exit_code": j.end.as_ref().map(|e| e.exit_code),
        "tasks": j.end.as_ref().map(|e| json!({ "done": e.tasks.done, "failed": e.tasks.failed, "cancelled": e.tasks.cancelled })),
        "result": j.end.as_ref().and_then(|e| e.result.as_ref()).map(header),
    })
}

/// `ve job`.
pub async fn show(context: &Context, id: AgreementId) -> Result {
    let at = context.chain().await?.at_best().await?;
    let job = find(&at, id).await?;
    let ledger = at.ledger(id).await?;
    let agreement = at.agreement(id).await?;
    let dispute = at.dispute(id).await?;
    let library = Library::open(&context.config.templates).ok();
    let amounts = Amounts::of(&at, [job.request.asset]).await?;
    if context.json {
        let mut value = job_json(id, &job, library.as_ref(), &amounts);
        value["money"] = ledger
            .as_ref()
            .map_or(Value::Null, |l| ledger_json(l, &amounts));
        value["usage"] = agreement
            .as_ref()
            .map_or(Value::Null, |a| usage_json(a, &amounts));
        value["dispute"] = dispute
            .as_ref()
            .map(|d| json!({ "amount": amounts.json(d.amount, job.request.asset), "grounds": format!("{:?}", d.grounds), "evidence_by_block": d.evidence_by, "decide_by_block": d.decide_by }))
            .unwrap_or(Value::Null);
        ui::json(&value);
        return Ok(());
    }
    let r = &job.request;
    let amount = |a: Balance| amounts.text(a, r.asset);
    let mut rows = vec![
        ("job", id.to_string()),
        ("state", state_text(&job, at.number())),
        ("what", workload(library.as_ref(), &r.workload)),
        (
            "where",
            format!(
                "cluster {}, partition {}, provider {}",
                job.assignment.cluster, job.assignment.partition, job.provider
            ),
        ),
        (
            "asked for",
            format!(
                "{} cpus, {}, {} for {}",
                r.resources.cpus,
                units::mib(r.resources.memory_mib),
                tasks_text(r.resources.array_tasks),
                units::duration(r.walltime)
            ),
        ),
        (
            "price",
            format!(
                "plan {}; at most {} there, {} in all",
                job.assignment.plan,
                amount(job.assignment.cost),
                amount(r.ceiling)
            ),
        ),
    ];
    rows.extend(job.accepted_at.map(|t| ("accepted", utc(t))));
    rows.extend(job.started_at.map(|t| ("started", utc(t))));
    if let Some(end) = &job.end {
        rows.push(("exit status", end.exit_code.to_string()));
        rows.push((
            "tasks",
            format!(
                "{} done, {} failed, {} cancelled",
                end.tasks.done, end.tasks.failed, end.tasks.cancelled
            ),
        ));
        rows.push((
            "result",
            match &end.result {
                Some(h) => format!("{} sealed: ve get {id}", units::bytes(h.length)),
                None => "none".into(),
            },
        ));
    }
    if let Some(a) = &agreement {
        rows.push((
            "metered",
            format!(
                "{} in {} reports",
                units::duration(a.metered_ms.div_ceil(1000)),
                a.sequence
            ),
        ));
        rows.push(("charged", amount(a.charged)));
        rows.push(("settlement", settlement_text(a, at.number())));
    }
    if let Some(d) = &dispute {
        rows.push((
            "dispute",
            match d.evidence {
                None => format!(
                    "{} frozen; evidence due before block {}",
                    amount(d.amount),
                    d.evidence_by
                ),
                Some(_) => format!(
                    "{} frozen; evidence is open (`ve evidence {id}`), a decision due before block {}",
                    amount(d.amount),
                    d.decide_by
                ),
            },
        ));
    }
    ui::facts(&rows);
    if let Some(ledger) = &ledger {
        crate::out!();
        money_table(ledger, &amounts);
    }
    Ok(())
}

fn tasks_text(tasks: u32) -> String {
    if tasks == 1 {
        "one task".into()
    } else {
        format!("{tasks} tasks")
    }
}

fn money_table(l: &Ledger<AccountId32>, amounts: &Amounts) {
    let mut table = ui::table(&["held", "pending", "paid", "refunded", "of"]);
    let amount = |a: Balance| ui::right(amounts.text(a, l.asset));
    table.add_row(vec![
        amount(l.available.saturating_add(l.credited)),
        amount(l.pending),
        amount(l.paid),
        amount(l.refunded),
        amount(l.deposited),
    ]);
    ui::print(&table);
}

fn state_text(job: &ChainJob, now: u32) -> String {
    let text = names::state(&job.state);
    match &job.state {
        JobState::Ended(reason) => format!("{text}: {}", names::explained(reason)),
        _ => {
            let mut text = format!(
                "{text}; the chain acts at block {} (now {now})",
                job.deadline
            );
            if job.cancel_by.is_some() {
                text.push_str("; you asked for its end");
            }
            text
        }
    }
}

fn settlement_text(a: &Agreement<AccountId32>, now: u32) -> String {
    match a.state {
        AgreementState::Open => "nothing has started".into(),
        AgreementState::Metering => "usage is being metered".into(),
        AgreementState::Ended { release_at } if now < release_at => {
            format!("may be disputed until block {release_at} (now {now})")
        }
        AgreementState::Ended { .. } => "due: anyone may `ve settle`".into(),
        AgreementState::Settled { .. } => "settled".into(),
    }
}

fn usage_json(a: &Agreement<AccountId32>, amounts: &Amounts) -> Value {
    json!({
        "state": match a.state {
            AgreementState::Open => "open",
            AgreementState::Metering => "metering",
            AgreementState::Ended { .. } => "ended",
            AgreementState::Settled { .. } => "settled",
        },
        "release_at_block": match a.state { AgreementState::Ended { release_at } => Some(release_at), _ => None },
        "reports": a.sequence,
        "metered_ms": a.metered_ms,
        "charged": amounts.json(a.charged, a.asset),
        "quantities": a.cumulative.iter().map(|(c, q)| json!({ "component": ve_chain::invoice::component_name(*c), "quantity": q.to_string() })).collect::<Vec<_>>(),
    })
}

/// `ve wait`: shows the job's way through its states; fails with code 7 unless it completed.
pub async fn wait(context: &Context, id: AgreementId, timeout: Option<Duration>) -> Result {
    let watched = watch(context, id);
    let job = match timeout {
        None => watched.await?,
        Some(limit) => tokio::time::timeout(limit, watched).await.map_err(|_| {
            Failure::new(
                code::JOB,
                format!(
                    "job {id} has not ended within {}",
                    units::duration(limit.as_secs())
                ),
                "wait longer, or look at it with `ve job`",
            )
        })??,
    };
    let JobState::Ended(reason) = job.state else {
        return Err(Failure::local(
            format!("job {id} has not ended"),
            "wait again",
        ));
    };
    if context.json {
        let library = Library::open(&context.config.templates).ok();
        let at = context.chain().await?.at_best().await?;
        let amounts = Amounts::of(&at, [job.request.asset]).await?;
        ui::json(&job_json(id, &job, library.as_ref(), &amounts));
    }
    let result = job.end.as_ref().is_some_and(|e| e.result.is_some());
    if reason == virtengine_primitives::hpc::EndReason::Completed {
        if !context.json {
            crate::out!(
                "job {id} completed{}",
                if result {
                    format!("; fetch the result with `ve get {id} -o DIR`")
                } else {
                    String::new()
                }
            );
        }
        return Ok(());
    }
    let remedy = match result {
        true => format!("what there is: `ve get {id}`; what it said: `ve logs {id}`"),
        false => format!("what it said: `ve logs {id}`"),
    };
    Err(Failure::new(
        code::JOB,
        format!(
            "job {id}: {}: {}",
            names::reason(&reason),
            names::explained(&reason)
        ),
        remedy,
    ))
}

async fn watch(context: &Context, id: AgreementId) -> Result<ChainJob> {
    let chain = context.chain().await?;
    let mut heads = chain.best();
    let bar = ui::steps_bar(names::LIFE);
    let mut said = "";
    loop {
        let head = match heads.next().await {
            Ok(head) => head,
            // A node that is gone for a while is waited for; the job goes on without us.
            Err(e) if e.is_transient() => {
                bar.set_message(format!("job {id}: {e}"));
                tokio::time::sleep(Duration::from_secs(1)).await;
                continue;
            }
            Err(e) => return Err(e.into()),
        };
        let found = match chain.at_head(head).job(id).await {
            Err(e) if e.is_transient() || matches!(e, ChainError::Rpc { .. }) => continue,
            other => other?,
        };
        let Some(job) = found else {
            return find(&chain.at_head(head), id).await;
        };
        let state = names::state(&job.state);
        bar.set_position(names::progress(&job.state));
        bar.set_message(format!("job {id}: {state} (block {})", head.number));
        if state != said && bar.is_hidden() {
            ui::note(format!("job {id}: {state}"));
        }
        said = state;
        if matches!(job.state, JobState::Ended(_)) {
            // What is told as the end must be final.
            let at = chain.at_finalized().await?;
            if let Some(last) = at.job(id).await? {
                if matches!(last.state, JobState::Ended(_)) {
                    bar.finish_and_clear();
                    return Ok(last);
                }
            }
        }
    }
}

/// `ve cancel`.
pub async fn cancel(context: &Context, id: AgreementId) -> Result {
    let at = context.chain().await?.at_best().await?;
    let job = find(&at, id).await?;
    if let JobState::Ended(reason) = job.state {
        return Err(Failure::new(
            code::REFUSED,
            format!("job {id} has ended already ({})", names::reason(&reason)),
            "nothing is left to be cancelled",
        ));
    }
    let done = context.submit(calls::hpc::cancel(id)).await?;
    let ended = done.find("Hpc", "JobEnded").is_some();
    let by = done
        .find("Hpc", "CancelRequested")
        .and_then(|e| e.integer("cancel_by"));
    if context.json {
        ui::json(&json!({ "job": id, "ended": ended, "cancel_by_block": by }));
    } else if ended {
        ui::note(format!("job {id} has ended; its money is back"));
    } else {
        ui::note(format!(
            "job {id} will end: its provider has until block {}",
            by.unwrap_or_default()
        ));
    }
    Ok(())
}

/// `ve settle`.
pub async fn settle(context: &Context, id: AgreementId) -> Result {
    let done = context.submit(calls::billing::settle(id)).await?;
    let settled = done.find("Billing", "Settled").is_some();
    let released = done
        .find("Billing", "Released")
        .and_then(|e| e.integer("released"));
    if context.json {
        ui::json(
            &json!({ "job": id, "settled": settled, "released": released.map(|r| r.to_string()) }),
        );
        return Ok(());
    }
    ui::note(match (settled, released) {
        (true, _) => format!("job {id} is settled"),
        (false, Some(_)) => format!("job {id}: what was due has been moved"),
        (false, None) => format!("job {id}: nothing was due yet"),
    });
    purse::run(context, Some(id)).await
}
