//! Many jobs, many clients, one machine.

use std::{fs, time::Duration};

use ve_slurm::{
    conformance::{final_rows, wait_end, wait_file},
    EndState, Scheduler, SchedulerJobId, Status, SubmitError, SubmitSpec,
};

use crate::bed::LocalBed;

const PATIENCE: Duration = Duration::from_secs(120);

fn id(spec: &SubmitSpec) -> SchedulerJobId {
    SchedulerJobId(spec.handle.clone())
}

#[tokio::test]
async fn jobs_should_run_in_order_when_there_is_room_for_one() {
    let mut bed = LocalBed::new();
    bed.capacity.cpus = 1;
    let client = bed.local();
    let log = bed.state().with_file_name("order");
    let mut specs = Vec::new();
    for number in 0..4 {
        let spec = bed.counted(&format!(
            "mkdir ../busy && echo {number} >> {} && sleep 0.1 && rmdir ../busy",
            log.display()
        ));
        client.submit(&spec).await.expect("submitted");
        specs.push(spec);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert_eq!(client.status(&id(&specs[3])).await, Status::Queued);
    assert_eq!(client.attempts(&id(&specs[3])).await, Ok(vec![]));
    // One that waits is cancelled: it ends at once and never runs.
    client.cancel(&id(&specs[2])).await.expect("cancelled");
    assert_eq!(
        client.status(&id(&specs[2])).await,
        Status::Ended(EndState::Cancelled)
    );
    let rows = final_rows(&client, &id(&specs[2]))
        .await
        .map_err(|f| f.0)
        .expect("rows");
    assert!(rows.len() == 1 && rows[0].started.is_none(), "{rows:?}");
    for number in [0, 1, 3] {
        let end = wait_end(&client, &id(&specs[number]), PATIENCE)
            .await
            .map_err(|f| f.0);
        assert_eq!(end, Ok(EndState::Completed), "{number}");
    }
    assert_eq!(fs::read_to_string(&log).expect("order"), "0\n1\n3\n");
    assert_eq!(bed.runs(&specs[2]), 0);
    bed.assert_quiet();
}

#[tokio::test]
async fn waiting_jobs_should_wait_when_nobody_asks() {
    let mut bed = LocalBed::new();
    bed.capacity.cpus = 1;
    let client = bed.local();
    let (first, second) = (bed.counted("sleep 0.1"), bed.counted("true"));
    client.submit(&first).await.expect("submitted");
    client.submit(&second).await.expect("submitted");
    drop(client);
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(bed.runs(&second), 0);
    let client = bed.local();
    let end = wait_end(&client, &id(&second), PATIENCE)
        .await
        .map_err(|f| f.0);
    assert_eq!(end, Ok(EndState::Completed));
    let end = client.status(&id(&first)).await;
    assert_eq!(end, Status::Ended(EndState::Completed));
    bed.assert_quiet();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn job_should_run_once_when_many_clients_race() {
    let bed = LocalBed::new();
    let spec = bed.counted("sleep 0.1");
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (client, spec) = (bed.local(), spec.clone());
        clients.spawn(async move { client.submit(&spec).await });
    }
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| bed.in_other_process("submit", &spec, "never"));
        }
    });
    while let Some(answer) = clients.join_next().await {
        assert_eq!(answer.expect("joined"), Ok(id(&spec)));
    }
    let client = bed.local();
    let end = wait_end(&client, &id(&spec), PATIENCE)
        .await
        .map_err(|f| f.0);
    assert_eq!(end, Ok(EndState::Completed));
    assert_eq!(bed.runs(&spec), 1);
    bed.assert_quiet();
}

#[tokio::test]
async fn array_should_keep_to_the_machine_when_it_has_more_tasks_than_fit() {
    let mut bed = LocalBed::new();
    bed.capacity.cpus = 2;
    let client = bed.local();
    let mut spec = bed.counted(
        "mkdir slot-$VE_TASK; ls -d slot-* | wc -l >> width; sleep 0.15; rmdir slot-$VE_TASK",
    );
    spec.array_tasks = 6;
    spec.stdout = spec.work_dir.join("out-%a");
    spec.stderr = spec.stdout.clone();
    client.submit(&spec).await.expect("submitted");
    let end = wait_end(&client, &id(&spec), PATIENCE)
        .await
        .map_err(|f| f.0);
    assert_eq!(end, Ok(EndState::Completed));
    let widths = fs::read_to_string(spec.work_dir.join("width")).expect("widths");
    let widths: Vec<u32> = widths
        .lines()
        .map(|l| l.trim().parse().expect("number"))
        .collect();
    assert_eq!(widths.len(), 6);
    assert_eq!(widths.iter().max(), Some(&2), "{widths:?}");
    let rows = final_rows(&client, &id(&spec))
        .await
        .map_err(|f| f.0)
        .expect("rows");
    let starts: Vec<_> = rows.iter().map(|r| r.started).collect();
    assert!(starts.is_sorted(), "tasks start in order: {starts:?}");
    bed.assert_quiet();
}

#[tokio::test]
async fn array_should_keep_finished_tasks_when_it_is_cancelled() {
    let mut bed = LocalBed::new();
    bed.capacity.cpus = 1;
    let client = bed.local();
    let mut spec = bed.counted("[ $VE_TASK = 0 ] && exit 0; echo up > up-$VE_TASK; sleep 300");
    spec.array_tasks = 4;
    spec.stdout = spec.work_dir.join("out-%a");
    spec.stderr = spec.stdout.clone();
    client.submit(&spec).await.expect("submitted");
    wait_file(&spec.work_dir.join("up-1"), PATIENCE)
        .await
        .map_err(|f| f.0)
        .expect("task 1");
    client.cancel(&id(&spec)).await.expect("cancelled");
    let end = wait_end(&client, &id(&spec), PATIENCE)
        .await
        .map_err(|f| f.0);
    assert_eq!(end, Ok(EndState::Cancelled));
    let rows = final_rows(&client, &id(&spec))
        .await
        .map_err(|f| f.0)
        .expect("rows");
    let counts = ve_slurm::tasks(&rows);
    assert_eq!((counts.done, counts.failed, counts.cancelled), (1, 0, 3));
    assert!(rows[1].started.is_some() && rows[2].started.is_none() && rows[3].started.is_none());
    bed.assert_quiet();
}

#[tokio::test]
async fn job_should_be_refused_when_this_machine_can_never_run_it() {
    let bed = LocalBed::new();
    let client = bed.local();
    let good = bed.counted("true");
    type Change = fn(&mut SubmitSpec);
    let changes: [(&str, Change); 5] = [
        ("cpus", |s| s.cpus = 5),
        ("memory_mib", |s| s.memory_mib = 4097),
        ("nodes", |s| (s.nodes, s.cpus) = (2, 2)),
        ("gpus", |s| s.gpus = 1),
        ("work_dir", |s| s.work_dir = "/nonexistent".into()),
    ];
    for (field, change) in changes {
        let mut spec = good.clone();
        change(&mut spec);
        match client.submit(&spec).await {
            Err(SubmitError::Refused(text)) => assert!(text.contains(field), "{text}"),
            other => panic!("{field}: {other:?}"),
        }
    }
}
