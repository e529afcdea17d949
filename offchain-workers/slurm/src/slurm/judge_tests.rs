use proptest::prelude::*;

use super::*;
use crate::types::EndState;

const HANDLE: &str = "ve-0123abcd-7";

fn id() -> SlurmJobId {
    SlurmJobId {
        job: 5,
        handle: HANDLE.to_owned(),
    }
}

fn comment(tasks: u32) -> String {
    format!("{HANDLE} tasks={tasks}")
}

fn record(word: &str) -> Record {
    Record {
        job: 5,
        raw: 5,
        tasks: TaskSet::Plain,
        name: HANDLE.to_owned(),
        comment: comment(1),
        words: vec![word.to_owned()],
        reason: "None".to_owned(),
        submitted: 100,
        started: Some(110),
        restarts: None,
    }
}

fn row(word: &str) -> Row {
    let open = matches!(word, "RUNNING" | "PENDING" | "SUSPENDED");
    Row {
        cluster: "c".to_owned(),
        job: 5,
        raw: 5,
        tasks: TaskSet::Plain,
        name: HANDLE.to_owned(),
        comment: String::new(),
        submit_line: format!("sbatch --comment={} --nodes=1-1", comment(1)),
        words: vec![word.to_owned()],
        by_owner: false,
        exit: (0, 0),
        submitted: 100,
        started: (word != "PENDING").then_some(110),
        ended: (!open).then_some(130),
        elapsed_s: 20,
        suspended_s: 0,
        allocated: (word != "PENDING").then_some(Allocated {
            cpus: 2,
            memory_mib: 256,
            nodes: 1,
            gpus: 0,
        }),
    }
}

fn said(records: &[Record], rows: &[Row], drained: bool) -> Status {
    status(
        &id(),
        &Answers {
            records,
            rows,
            drained,
        },
    )
}

fn is_unknown(status: &Status) -> bool {
    matches!(status, Status::Unknown(_))
}

#[test]
fn absence_should_be_believed_only_when_nothing_waits_to_be_told() {
    assert_eq!(said(&[], &[], true), Status::Absent);
    assert!(is_unknown(&said(&[], &[], false)));
}

#[test]
fn end_should_be_unknown_when_accounting_says_how_but_not_when() {
    let mut late = row("FAILED");
    (late.exit, late.ended) = ((3, 0), None);
    assert!(is_unknown(&said(
        &[record("FAILED")],
        &[late.clone()],
        false
    )));
    assert!(is_unknown(&said(&[], &[late], false)));
}

#[test]
fn end_should_be_unknown_when_accounting_is_late() {
    let over = [record("COMPLETED")];
    for rows in [vec![], vec![row("PENDING")], vec![row("RUNNING")]] {
        assert!(is_unknown(&said(&over, &rows, true)), "{rows:?}");
    }
    let ended = Status::Ended(EndState::Completed);
    assert_eq!(said(&over, &[row("COMPLETED")], false), ended);
    // The second attempt ended; accounting has only the first.
    let mut second = record("COMPLETED");
    second.submitted = 200;
    assert!(is_unknown(&said(&[second], &[row("NODE_FAIL")], false)));
    // slurmctld has forgotten it.
    assert_eq!(said(&[], &[row("COMPLETED")], false), ended);
    assert!(is_unknown(&said(&[], &[row("NODE_FAIL")], false)));
    assert_eq!(
        said(&[], &[row("NODE_FAIL")], true),
        Status::Ended(EndState::NodeFailure)
    );
    assert!(is_unknown(&said(&[], &[row("REQUEUED")], true)));
    assert!(is_unknown(&said(&[], &[row("RUNNING")], true)));
}

#[test]
fn attempts_should_be_unknown_when_accounting_would_show_too_much_time() {
    let judge = |word: &str, rows: &[Row]| {
        let records = [record(word)];
        let answers = Answers {
            records: &records,
            rows,
            drained: true,
        };
        attempts(&id(), &answers, &records)
    };
    assert!(judge("COMPLETED", &[row("RUNNING")]).is_err());
    assert!(judge("COMPLETING", &[row("RUNNING")]).is_err());
    // Requeued, and slurmdbd does not know.
    assert!(judge("PENDING", &[row("RUNNING")]).is_err());
    assert!(judge("SUSPENDED", &[row("RUNNING")]).is_err());
    assert!(judge("RUNNING", &[row("SUSPENDED")]).is_err());
    assert!(judge("RUNNING", &[]).is_err());
    assert_eq!(judge("RUNNING", &[row("RUNNING")]).unwrap().len(), 1);
    assert_eq!(judge("SUSPENDED", &[row("SUSPENDED")]).unwrap().len(), 1);
    assert_eq!(judge("PENDING", &[row("PENDING")]), Ok(vec![]));
    assert_eq!(judge("COMPLETING", &[row("COMPLETED")]).unwrap().len(), 1);
}

#[test]
fn time_of_an_attempt_should_count_when_it_still_went_on_after_slurmdbd_was_asked() {
    let judge = |word: &str, drained, later: &[Record]| {
        let (records, rows) = ([record(word)], [row(word)]);
        let answers = Answers {
            records: &records,
            rows: &rows,
            drained,
        };
        attempts(&id(), &answers, later).map(|all| all.len())
    };
    for word in ["RUNNING", "SUSPENDED"] {
        assert_eq!(judge(word, true, &[record(word)]), Ok(1));
        // A suspension may not have been told yet.
        assert!(judge(word, false, &[record(word)]).is_err());
        for other in ["RUNNING", "SUSPENDED", "PENDING", "COMPLETING", "COMPLETED"] {
            assert_eq!(judge(word, true, &[record(other)]).is_ok(), other == word);
        }
        assert!(judge(word, true, &[]).is_err());
        // Started again meanwhile.
        let mut again = record(word);
        again.submitted = 200;
        assert!(judge(word, true, &[again]).is_err());
    }
    assert_eq!(judge("COMPLETED", false, &[]), Ok(1));
}

#[test]
fn job_of_the_same_number_should_not_be_billed_when_ids_began_again() {
    let mut other = row("COMPLETED");
    other.submit_line = "sbatch --comment=ve-0123abcd-3 tasks=1".to_owned();
    // Its owner named it after ours.
    other.submitted = 50;
    assert!(is_unknown(&said(&[], &[other.clone()], true)));
    let rows = [other, row("COMPLETED")];
    let answers = Answers {
        records: &[],
        rows: &rows,
        drained: true,
    };
    let attempts = attempts(&id(), &answers, &[]).unwrap();
    assert_eq!(attempts.len(), 1);
    assert_eq!(attempts[0].submitted, 100_000);
    assert_eq!(found(HANDLE, &[], &rows), [id()]);
}

#[test]
fn job_should_be_queued_or_running_when_slurmctld_says_so() {
    assert_eq!(said(&[record("PENDING")], &[], false), Status::Queued);
    let since = |since| Status::Running {
        since,
        first: false,
    };
    assert_eq!(said(&[record("RUNNING")], &[], false), since(110_000));
    assert_eq!(said(&[record("COMPLETING")], &[], false), since(110_000));
    assert_eq!(said(&[record("SUSPENDED")], &[], false), since(110_000));
    assert!(is_unknown(&said(&[record("SLEEPWALKING")], &[], true)));
    for (restarts, first) in [(0, true), (1, false)] {
        let mut counted = record("RUNNING");
        counted.restarts = Some(restarts);
        let since = 110_000;
        let status = status_by_records(&id(), &[counted]);
        assert_eq!(status, Some(Status::Running { since, first }));
    }
    // Requeued: the first attempt is over, the second waits.
    let mut again = record("PENDING");
    again.submitted = 200;
    assert_eq!(said(&[again], &[row("REQUEUED")], true), Status::Queued);
}

#[test]
fn cancelled_job_should_have_no_start_when_it_never_ran() {
    let mut never = row("CANCELLED by 1000");
    never.allocated = None;
    never.elapsed_s = 0;
    let rows = [never];
    let answers = Answers {
        records: &[],
        rows: &rows,
        drained: true,
    };
    let attempts = attempts(&id(), &answers, &[]).unwrap();
    assert_eq!(attempts[0].started, None);
    assert_eq!(attempts[0].state, Some(EndState::Cancelled));
    assert_eq!(attempts[0].detail, "by user 1000");
}

#[test]
fn request_should_not_be_found_as_a_job_when_it_was_refused() {
    let mut refused = record("FAILED");
    refused.reason = "BadConstraints".to_owned();
    let mut never = row("FAILED");
    (never.allocated, never.elapsed_s) = (None, 0);
    assert_eq!(found(HANDLE, &[refused.clone()], &[never.clone()]), []);
    // Asked again, and taken.
    let mut taken = record("PENDING");
    (taken.job, taken.raw) = (6, 6);
    let taken = found(HANDLE, &[refused, taken], &[never]);
    assert_eq!(taken.iter().map(|id| id.job).collect::<Vec<_>>(), [6]);
    assert_eq!(found(HANDLE, &[record("FAILED")], &[row("FAILED")]), [id()]);
}

/// An array of five: task 0 failed, 1 and 2 were cancelled while they ran, 3 and 4 while they waited. As 22.05 told it,
/// slurmctld's records with slurmdbd's rows of the same moments.
fn cancelled_array() -> (Vec<Record>, Vec<Row>, Vec<Row>) {
    let one = TaskSet::One;
    let all = [
        (one(0), 6, "FAILED"),
        (one(1), 7, "CANCELLED by 0"),
        (one(2), 8, "CANCELLED by 0"),
        (TaskSet::Many(vec![3, 4]), 5, "CANCELLED by 0"),
    ];
    let records = all.iter().map(|(tasks, raw, word)| Record {
        raw: *raw,
        tasks: tasks.clone(),
        comment: comment(5),
        ..record(word)
    });
    let row = |tasks: &TaskSet, raw: u32, word: &str| {
        let mut row = row(word);
        (row.tasks, row.raw) = (tasks.clone(), raw);
        row.submit_line = format!("sbatch --comment={}", comment(5));
        if raw == 5 {
            (row.allocated, row.started, row.elapsed_s) = (None, None, 0);
        }
        row
    };
    let rows = all.iter().map(|(tasks, raw, word)| row(tasks, *raw, word));
    // slurmctld tells every 5 s of tasks that it started, and of an end at once.
    let early = row(&TaskSet::Many(vec![0, 1, 2, 3, 4]), 5, "CANCELLED by 0");
    (records.collect(), rows.collect(), vec![early])
}

#[test]
fn tasks_that_ran_should_not_be_never_started_when_accounting_has_only_the_others() {
    let (records, rows, early) = cancelled_array();
    let judge = |records: &[Record], rows: &[Row], drained| {
        let answers = Answers {
            records,
            rows,
            drained,
        };
        (status(&id(), &answers), attempts(&id(), &answers, &[]))
    };
    for drained in [false, true] {
        let (status, attempts) = judge(&records, &early, drained);
        assert!(is_unknown(&status) && attempts.is_err(), "{attempts:?}");
    }
    // Told at last, with the list as it was or as it is.
    let mut stale = rows.clone();
    stale[3].tasks.clone_from(&early[0].tasks);
    for rows in [&rows, &stale] {
        let (status, attempts) = judge(&records, rows, false);
        assert_eq!(status, Status::Ended(EndState::Cancelled));
        let started: Vec<bool> = attempts
            .unwrap()
            .iter()
            .map(|a| a.started.is_some())
            .collect();
        assert_eq!(started, [true, true, true, false, false]);
    }
    // Task 0 is forgotten by slurmctld, and accounting does not have it yet.
    let (status, attempts) = judge(&records[1..], &stale[1..], false);
    assert!(is_unknown(&status) && attempts.is_err(), "{attempts:?}");
    let (status, _) = judge(&records[1..], &stale, false);
    assert_eq!(status, Status::Ended(EndState::Cancelled));
}

/// Histories of arrays: for each task its attempts, as (elapsed, waited before).
fn histories() -> impl Strategy<Value = Vec<Vec<(u64, u64)>>> {
    prop::collection::vec(
        prop::collection::vec((0u64..10_000, 1u64..500), 0..4),
        2..12,
    )
}

fn array_rows(tasks: &[Vec<(u64, u64)>]) -> Vec<Row> {
    let line = format!("sbatch --comment={}", comment(tasks.len() as u32));
    let mut rows = Vec::new();
    let mut never = Vec::new();
    for (task, attempts) in tasks.iter().enumerate() {
        let task = task as u32;
        if attempts.is_empty() {
            never.push(task);
        }
        let mut at = 100;
        for (index, (elapsed, waited)) in attempts.iter().enumerate() {
            let last = index + 1 == attempts.len();
            let mut row = row(if last { "COMPLETED" } else { "NODE_FAIL" });
            row.submit_line.clone_from(&line);
            row.raw = 6 + task;
            row.tasks = TaskSet::One(task);
            row.submitted = at;
            row.started = Some(at + waited);
            row.elapsed_s = *elapsed;
            at += waited + elapsed + 1;
            row.ended = Some(at);
            rows.push(row);
        }
    }
    if !never.is_empty() {
        let mut row = row("CANCELLED by 1000");
        row.submit_line = line;
        row.tasks = TaskSet::Many(never);
        row.allocated = None;
        row.started = None;
        rows.push(row);
    }
    rows
}

proptest! {
    #[test]
    fn each_attempt_should_count_once_when_rows_come_in_any_order(
        (tasks, rows) in histories().prop_flat_map(|tasks| {
            let mut rows = array_rows(&tasks);
            // What is asked for twice is the same row.
            rows.extend(rows.clone());
            (Just(tasks), Just(rows).prop_shuffle())
        })
    ) {
        let answers = Answers { records: &[], rows: &rows, drained: true };
        let all = attempts(&id(), &answers, &[]).unwrap();
        let billed: u64 = all.iter().map(|a| a.elapsed_ms).sum();
        let truth: u64 = tasks.iter().flatten().map(|(elapsed, _)| elapsed * 1000).sum();
        prop_assert_eq!(billed, truth);
        for (task, history) in tasks.iter().enumerate() {
            let own: Vec<&Attempt> = all.iter().filter(|a| a.task == task as u32).collect();
            prop_assert_eq!(own.len(), history.len().max(1));
            for (index, attempt) in own.iter().enumerate() {
                prop_assert_eq!(attempt.attempt, index as u32 + 1);
                prop_assert_eq!(attempt.started.is_some(), !history.is_empty());
                if let Some((elapsed, _)) = history.get(index) {
                    prop_assert_eq!(attempt.elapsed_ms, elapsed * 1000);
                }
            }
        }
    }

    #[test]
    fn end_should_not_be_said_when_a_task_is_missing(tasks in histories(), missing in any::<prop::sample::Index>()) {
        let mut rows = array_rows(&tasks);
        let task = missing.index(tasks.len()) as u32;
        rows.retain(|row| row.tasks != TaskSet::One(task));
        for row in &mut rows {
            if let TaskSet::Many(list) = &mut row.tasks {
                list.retain(|t| *t != task);
            }
        }
        prop_assert!(!matches!(said(&[], &rows, true), Status::Ended(_)));
    }
}
