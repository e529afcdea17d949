//! The cases.

use std::{fs, time::Duration};

use super::{final_rows, job, wait_end, wait_file, wait_running, Bed, Failure};
use crate::{
    outcome,
    scheduler::{ForgetError, QueryError, SubmitError},
    types::{Allocated, EndState, Health, Lookup, Status, SubmitSpec, Warning, WarningSignal},
};

type Outcome = Result<(), Failure>;

macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err(Failure(format!($($message)+)));
        }
    };
}

/// Submits, waits for the end, and expects it.
async fn expect_end(bed: &dyn Bed, spec: &SubmitSpec, expected: EndState) -> Outcome {
    expect_end_after(bed, spec, expected, Duration::ZERO).await
}

async fn expect_end_after(
    bed: &dyn Bed,
    spec: &SubmitSpec,
    expected: EndState,
    length: Duration,
) -> Outcome {
    let client = bed.client().await;
    let id = client.submit(spec).await?;
    let end = wait_end(&*client, &id, bed.patience() + length).await?;
    ensure!(end == expected, "ended {end:?} instead of {expected:?}");
    let rows = final_rows(&*client, &id).await?;
    ensure!(
        outcome::overall(&rows).as_ref() == Some(&expected),
        "accounting disagrees with {expected:?}: {rows:?}"
    );
    ensure!(
        client.status(&id).await == Status::Ended(expected),
        "the end was not final"
    );
    Ok(())
}

fn warn(bed: &dyn Bed, spec: &mut SubmitSpec, signal: WarningSignal) {
    let (limit, lead) = bed.warned();
    spec.walltime_s = limit.as_secs().max(1);
    spec.warning = Some(Warning {
        signal,
        seconds_before: u32::try_from(lead.as_secs()).unwrap_or(1).max(1),
    });
}

pub(super) async fn accounting(bed: &dyn Bed) -> Outcome {
    let client = bed.client().await;
    let health = client.health().await;
    ensure!(health == Health::Ok, "not healthy: {health:?}");
    let spec = job(bed, "pwd > where; sleep 1.2; echo out; echo err >&2")?;
    let id = client.submit(&spec).await?;
    let end = wait_end(&*client, &id, bed.patience()).await?;
    ensure!(end == EndState::Completed, "ended {end:?}");
    let rows = final_rows(&*client, &id).await?;
    let [row] = rows.as_slice() else {
        return Err(Failure(format!("one row expected: {rows:?}")));
    };
    ensure!((row.task, row.attempt) == (0, 1), "wrong key: {row:?}");
    let allocated = Allocated {
        cpus: spec.cpus,
        memory_mib: spec.memory_mib,
        nodes: 1,
        gpus: 0,
    };
    ensure!(row.allocated == allocated, "wrong allocation: {row:?}");
    // A second of slack below: some schedulers count whole seconds.
    let most = 1_200 + u64::try_from(bed.patience().as_millis()).unwrap_or(u64::MAX);
    ensure!(
        (1_000..most).contains(&row.elapsed_ms),
        "wrong elapsed time: {row:?}"
    );
    ensure!(
        row.started.is_some() && row.started <= row.ended,
        "wrong times: {row:?}"
    );
    let out = fs::read_to_string(&spec.stdout)?;
    let err = fs::read_to_string(&spec.stderr)?;
    ensure!(out == "out\n" && err == "err\n", "streams: {out:?} {err:?}");
    let place = fs::read_to_string(spec.work_dir.join("where"))?;
    ensure!(
        fs::canonicalize(place.trim())? == fs::canonicalize(&spec.work_dir)?,
        "it ran in {place:?}"
    );
    Ok(())
}

pub(super) async fn failing_exit_code(bed: &dyn Bed) -> Outcome {
    let spec = job(bed, "exit 7")?;
    expect_end(bed, &spec, EndState::Failed { exit_code: 7 }).await?;
    let spec = job(bed, "kill -SEGV $$")?;
    expect_end(bed, &spec, EndState::Failed { exit_code: 139 }).await
}

pub(super) async fn find(bed: &dyn Bed) -> Outcome {
    let client = bed.client().await;
    let spec = job(bed, "echo up > up; until [ -e go ]; do sleep 0.05; done")?;
    let before = client.find(&spec.handle).await;
    ensure!(before == Lookup::Absent, "before submission: {before:?}");
    let id = client.submit(&spec).await?;
    let expected = Lookup::Found(vec![id.clone()]);
    ensure!(
        client.find(&spec.handle).await == expected,
        "not found after submission"
    );
    wait_file(&spec.work_dir.join("up"), bed.patience()).await?;
    ensure!(
        client.find(&spec.handle).await == expected,
        "not found while running"
    );
    let rows = client.attempts(&id).await?;
    ensure!(
        rows.len() == 1
            && rows
                .iter()
                .all(|r| r.state.is_none() && r.started.is_some()),
        "a running job has one open row: {rows:?}"
    );
    fs::write(spec.work_dir.join("go"), "go")?;
    wait_end(&*client, &id, bed.patience()).await?;
    ensure!(
        client.find(&spec.handle).await == expected,
        "not found after its end"
    );
    // The beginning of a handle is another handle.
    let shorter: String = spec
        .handle
        .chars()
        .take(spec.handle.len().saturating_sub(1))
        .collect();
    let other = client.find(&shorter).await;
    ensure!(
        !matches!(&other, Lookup::Found(ids) if ids.contains(&id)),
        "found under {shorter}"
    );
    Ok(())
}

pub(super) async fn unknown_job(bed: &dyn Bed) -> Outcome {
    let client = bed.client().await;
    let id = bed.unknown_id();
    let status = client.status(&id).await;
    ensure!(status == Status::Absent, "status: {status:?}");
    let rows = client.attempts(&id).await;
    ensure!(rows == Err(QueryError::Absent), "attempts: {rows:?}");
    let cancelled = client.cancel(&id).await;
    ensure!(
        cancelled == Err(QueryError::Absent),
        "cancel: {cancelled:?}"
    );
    client.forget(&id).await?;
    let found = client.find("../escape").await;
    ensure!(found == Lookup::Absent, "find with a path: {found:?}");
    Ok(())
}

pub(super) async fn double_submit(bed: &dyn Bed) -> Outcome {
    let (one, two) = (bed.client().await, bed.client().await);
    let spec = job(bed, "echo run >> runs; sleep 0.3")?;
    let (a, b) = tokio::join!(one.submit(&spec), two.submit(&spec));
    let (a, b) = (a?, b?);
    ensure!(a == b, "two jobs: {a} and {b}");
    wait_end(&*one, &a, bed.patience()).await?;
    let again = two.submit(&spec).await?;
    ensure!(again == a, "another job after the end: {again}");
    let rows = final_rows(&*two, &a).await?;
    ensure!(rows.len() == 1, "rows: {rows:?}");
    let runs = fs::read_to_string(spec.work_dir.join("runs"))?;
    ensure!(runs == "run\n", "it ran more than once: {runs:?}");
    Ok(())
}

pub(super) async fn client_restart(bed: &dyn Bed) -> Outcome {
    let spec = job(
        bed,
        "echo run >> runs; until [ -e go ]; do sleep 0.05; done",
    )?;
    let first = bed.client().await;
    let id = first.submit(&spec).await?;
    drop(first);
    wait_file(&spec.work_dir.join("runs"), bed.patience()).await?;
    let second = bed.client().await;
    let found = second.find(&spec.handle).await;
    ensure!(found == Lookup::Found(vec![id.clone()]), "find: {found:?}");
    let status = second.status(&id).await;
    ensure!(
        matches!(status, Status::Running { first: true, .. }),
        "status: {status:?}"
    );
    drop(second);
    fs::write(spec.work_dir.join("go"), "go")?;
    let third = bed.client().await;
    let end = wait_end(&*third, &id, bed.patience()).await?;
    ensure!(end == EndState::Completed, "ended {end:?}");
    let runs = fs::read_to_string(spec.work_dir.join("runs"))?;
    ensure!(runs == "run\n", "it ran more than once: {runs:?}");
    Ok(())
}

pub(super) async fn cancel(bed: &dyn Bed) -> Outcome {
    let client = bed.client().await;
    let spec = job(bed, "echo up > up; sleep 300")?;
    let id = client.submit(&spec).await?;
    wait_file(&spec.work_dir.join("up"), bed.patience()).await?;
    client.cancel(&id).await?;
    client.cancel(&id).await?;
    let end = wait_end(&*client, &id, bed.patience()).await?;
    ensure!(end == EndState::Cancelled, "ended {end:?}");
    client.cancel(&id).await?;
    let rows = final_rows(&*client, &id).await?;
    ensure!(
        rows.len() == 1 && rows.iter().all(|r| r.started.is_some()),
        "rows: {rows:?}"
    );

    let spec = job(bed, "exit 0")?;
    let id = client.submit(&spec).await?;
    wait_end(&*client, &id, bed.patience()).await?;
    client.cancel(&id).await?;
    let status = client.status(&id).await;
    ensure!(
        status == Status::Ended(EndState::Completed),
        "cancelled after its end: {status:?}"
    );
    Ok(())
}

pub(super) async fn time_limit(bed: &dyn Bed) -> Outcome {
    let mut spec = job(bed, "sleep 600")?;
    spec.walltime_s = bed.shortest_limit().as_secs().max(1);
    expect_end_after(bed, &spec, EndState::TimedOut, bed.shortest_limit()).await
}

pub(super) async fn warning_heeded(bed: &dyn Bed) -> Outcome {
    let mut spec = job(
        bed,
        "trap 'echo saved > saved; exit 0' USR1; while :; do sleep 0.05; done",
    )?;
    warn(bed, &mut spec, WarningSignal::Usr1);
    expect_end_after(bed, &spec, EndState::Completed, bed.warned().0).await?;
    ensure!(spec.work_dir.join("saved").exists(), "it was never warned");
    Ok(())
}

pub(super) async fn warning_ignored(bed: &dyn Bed) -> Outcome {
    let mut spec = job(bed, "trap '' USR1 TERM INT; while :; do sleep 0.05; done")?;
    warn(bed, &mut spec, WarningSignal::Usr1);
    expect_end_after(bed, &spec, EndState::TimedOut, bed.warned().0).await
}

pub(super) async fn warning_unhandled(bed: &dyn Bed) -> Outcome {
    let mut spec = job(bed, "while :; do sleep 0.05; done")?;
    warn(bed, &mut spec, WarningSignal::Usr2);
    expect_end_after(bed, &spec, EndState::TimedOut, bed.warned().0).await
}

pub(super) async fn out_of_memory(bed: &dyn Bed) -> Outcome {
    // `tail` keeps the one endless line it is given.
    let mut spec = job(
        bed,
        "(head -c 400000000 /dev/zero; sleep 60) | tail > /dev/null",
    )?;
    spec.memory_mib = 64;
    expect_end(bed, &spec, bed.memory_end()).await
}

pub(super) async fn output_flood(bed: &dyn Bed) -> Outcome {
    let client = bed.client().await;
    let mut spec = job(bed, "exec yes")?;
    let limit = 1024 * 1024;
    spec.max_file_bytes = Some(limit);
    let id = client.submit(&spec).await?;
    let end = wait_end(&*client, &id, bed.patience()).await?;
    ensure!(
        matches!(end, EndState::Failed { exit_code } if exit_code != 0),
        "ended {end:?}"
    );
    let length = fs::metadata(&spec.stdout)?.len();
    ensure!(
        length > 0 && length <= limit,
        "the output has {length} bytes"
    );
    Ok(())
}

pub(super) async fn array(bed: &dyn Bed) -> Outcome {
    let client = bed.client().await;
    let mut spec = job(bed, "echo $VE_TASK of $VE_TASKS; echo x > part-$VE_TASK")?;
    spec.array_tasks = 5;
    spec.stdout = spec.work_dir.join("out-%a");
    spec.stderr = spec.work_dir.join("err-%a");
    let id = client.submit(&spec).await?;
    let end = wait_end(&*client, &id, bed.patience()).await?;
    ensure!(end == EndState::Completed, "ended {end:?}");
    let rows = final_rows(&*client, &id).await?;
    let tasks: Vec<u32> = rows.iter().map(|r| r.task).collect();
    ensure!(tasks == [0, 1, 2, 3, 4], "rows: {rows:?}");
    for task in 0..5 {
        let out = fs::read_to_string(spec.work_dir.join(format!("out-{task}")))?;
        ensure!(out == format!("{task} of 5\n"), "task {task} wrote {out:?}");
        ensure!(
            spec.work_dir.join(format!("part-{task}")).exists(),
            "task {task} did not run"
        );
    }
    Ok(())
}

pub(super) async fn array_with_failure(bed: &dyn Bed) -> Outcome {
    let client = bed.client().await;
    let mut spec = job(bed, "[ $VE_TASK = 1 ] && exit 9; exit 0")?;
    spec.array_tasks = 3;
    spec.stdout = spec.work_dir.join("out-%a");
    spec.stderr = spec.stdout.clone();
    let id = client.submit(&spec).await?;
    let end = wait_end(&*client, &id, bed.patience()).await?;
    ensure!(end == (EndState::Failed { exit_code: 9 }), "ended {end:?}");
    let rows = final_rows(&*client, &id).await?;
    let counts = outcome::tasks(&rows);
    ensure!(
        (counts.done, counts.failed, counts.cancelled) == (2, 1, 0),
        "counts: {counts:?}"
    );
    Ok(())
}

pub(super) async fn clean_environment(bed: &dyn Bed) -> Outcome {
    let mut spec = job(bed, "env -0 > environment")?;
    spec.environment
        .insert("GREETING".to_owned(), "a b\n'c' $d".to_owned());
    expect_end(bed, &spec, EndState::Completed).await?;
    let text = fs::read_to_string(spec.work_dir.join("environment"))?;
    let seen: Vec<(&str, &str)> = text
        .split('\0')
        .filter_map(|entry| entry.split_once('='))
        .collect();
    for (key, value) in &spec.environment {
        ensure!(
            seen.contains(&(key.as_str(), value.as_str())),
            "{key} did not arrive: {seen:?}"
        );
    }
    let expected = [
        ("VE_HANDLE", spec.handle.as_str()),
        ("VE_TASK", "0"),
        ("VE_TASKS", "1"),
        ("VE_ATTEMPT", "1"),
        ("VE_CPUS", "1"),
        ("VE_MEMORY_MIB", "256"),
    ];
    for pair in expected {
        ensure!(seen.contains(&pair), "{pair:?} is missing: {seen:?}");
    }
    // What bash sets for itself.
    let own = ["PWD", "OLDPWD", "SHLVL", "_"];
    for (key, _) in std::env::vars_os() {
        let Some(key) = key.to_str() else { continue };
        let leaked = !own.contains(&key)
            && !spec.environment.contains_key(key)
            && seen.iter().any(|(k, _)| *k == key);
        ensure!(!leaked, "{key} leaked from the client");
    }
    Ok(())
}

pub(super) async fn left_overs(bed: &dyn Bed) -> Outcome {
    let spec = job(
        bed,
        "beat() { while :; do date +%s%N > $1; sleep 0.05; done; }; export -f beat\n\
         beat one & setsid bash -c 'beat two' & (setsid bash -c 'beat three' &)\n\
         until [ -s one ] && [ -s two ] && [ -s three ]; do sleep 0.05; done; exit 0",
    )?;
    expect_end(bed, &spec, EndState::Completed).await?;
    let read = |name: &str| fs::read_to_string(spec.work_dir.join(name));
    let before = (read("one")?, read("two")?, read("three")?);
    tokio::time::sleep(Duration::from_millis(400)).await;
    let after = (read("one")?, read("two")?, read("three")?);
    ensure!(before == after, "something of the job is still alive");
    Ok(())
}

pub(super) async fn forget(bed: &dyn Bed) -> Outcome {
    let client = bed.client().await;
    let spec = job(bed, "echo up > up; until [ -e go ]; do sleep 0.05; done")?;
    let id = client.submit(&spec).await?;
    wait_file(&spec.work_dir.join("up"), bed.patience()).await?;
    let early = client.forget(&id).await;
    ensure!(
        early == Err(ForgetError::StillActive),
        "a running job was forgotten: {early:?}"
    );
    fs::write(spec.work_dir.join("go"), "go")?;
    wait_end(&*client, &id, bed.patience()).await?;
    client.forget(&id).await?;
    client.forget(&id).await?;
    ensure!(
        spec.work_dir.join("up").exists(),
        "the work directory was touched"
    );
    if bed.forgets_accounting() {
        let found = client.find(&spec.handle).await;
        ensure!(found == Lookup::Absent, "still found: {found:?}");
        let status = client.status(&id).await;
        ensure!(status == Status::Absent, "still there: {status:?}");
    }
    Ok(())
}

pub(super) async fn refusals(bed: &dyn Bed) -> Outcome {
    let client = bed.client().await;
    let good = job(bed, "exit 0")?;
    let mut bad: Vec<(&str, SubmitSpec)> = Vec::new();
    let mut add = |field: &'static str, change: &dyn Fn(&mut SubmitSpec)| {
        let mut spec = good.clone();
        change(&mut spec);
        bad.push((field, spec));
    };
    add("handle", &|s| s.handle = "../up".into());
    add("handle", &|s| s.handle = String::new());
    add("handle", &|s| s.handle = "a b".into());
    add("cpus", &|s| s.cpus = 0);
    add("nodes", &|s| s.nodes = 0);
    add("memory_mib", &|s| s.memory_mib = 0);
    add("walltime_s", &|s| s.walltime_s = 0);
    add("array_tasks", &|s| s.array_tasks = 0);
    add("stdout", &|s| s.array_tasks = 2);
    add("work_dir", &|s| s.work_dir = "relative".into());
    add("environment", &|s| {
        s.environment.insert("A=B".into(), "c".into());
    });
    add("environment", &|s| {
        s.environment.insert("VE_TASK".into(), "9".into());
    });
    add("script", &|s| s.script = "echo no interpreter\n".into());
    for (field, spec) in bad {
        match client.submit(&spec).await {
            Err(SubmitError::Refused(text)) => {
                ensure!(text.contains(field), "{field} is not named: {text}");
            }
            other => {
                return Err(Failure(format!("bad {field} was not refused: {other:?}")));
            }
        }
    }
    let found = client.find(&good.handle).await;
    ensure!(found == Lookup::Absent, "something was created: {found:?}");
    Ok(())
}

pub(super) async fn statuses(bed: &dyn Bed) -> Outcome {
    let client = bed.client().await;
    let (ended, running) = (job(bed, "exit 3")?, job(bed, "echo run >> runs; sleep 60")?);
    let ended_id = client.submit(&ended).await?;
    wait_end(&*client, &ended_id, bed.patience()).await?;
    let running_id = client.submit(&running).await?;
    wait_running(&*client, &running_id, bed.patience()).await?;
    // From the first line of its script on, when it began is on record and does not change.
    wait_file(&running.work_dir.join("runs"), bed.patience()).await?;
    let ids = [
        running_id.clone(),
        bed.unknown_id(),
        ended_id.clone(),
        running_id.clone(),
    ];
    // Twice: an answer that was kept is the same answer.
    for _ in 0..2 {
        let all = client.statuses(&ids).await;
        ensure!(all.len() == ids.len(), "{} answers", all.len());
        for (id, status) in ids.iter().zip(&all) {
            let alone = client.status(id).await;
            ensure!(*status == alone, "{id}: {status:?}, alone {alone:?}");
        }
        ensure!(
            matches!(all[0], Status::Running { .. })
                && all[1] == Status::Absent
                && all[2] == Status::Ended(EndState::Failed { exit_code: 3 }),
            "{all:?}"
        );
    }
    client.cancel(&running_id).await?;
    wait_end(&*client, &running_id, bed.patience()).await?;
    let all = client.statuses(&ids).await;
    ensure!(
        all[0] == Status::Ended(EndState::Cancelled) && all[3] == all[0],
        "a change was not seen: {all:?}"
    );
    client.forget(&ended_id).await?;
    let expected = match bed.forgets_accounting() {
        true => Status::Absent,
        false => Status::Ended(EndState::Failed { exit_code: 3 }),
    };
    let all = client.statuses(&ids).await;
    ensure!(all[2] == expected, "forgotten, but {all:?}");
    Ok(())
}
