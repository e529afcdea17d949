//! Both shapes on bodies recorded from slurmrestd 22.05.8 (v0.0.38) and 24.11.5 (v0.0.42) of Debian 12 and 13.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{rest::reply::code, slurm::Identity};

macro_rules! recorded {
    ($($name:literal)+) => {
        const RECORDED: &[(&str, &str, &str)] = &[$((
            $name,
            include_str!(concat!("recorded/v38/", $name, ".json")),
            include_str!(concat!("recorded/v42/", $name, ".json")),
        ),)+];
    };
}
recorded! {
    "submitted" "refused-account" "refused-partition" "refused-key" "refused-token" "refused-token-accounting"
    "refused-token-submission" "live-pending" "live-running" "live-requeued" "live-array" "live-array-pending"
    "live-array-never-started" "live-signalled" "live-unknown" "rows-nothing" "rows-running" "rows-requeued" "rows-array"
    "rows-array-pending" "rows-array-never-started" "rows-signalled" "cancelled" "cancelled-unknown" "diag" "ping"
    "clusters"
}

const SHAPES: [&dyn Shape; 2] = [&V38, &V40];

/// The same exchange with both.
fn both(name: &str) -> [(&'static dyn Shape, &'static [u8]); 2] {
    let (_, old, new) = RECORDED
        .iter()
        .find(|(n, ..)| *n == name)
        .expect("recorded");
    [(SHAPES[0], old.as_bytes()), (SHAPES[1], new.as_bytes())]
}

fn states(live: &[Live]) -> Vec<&str> {
    live.iter()
        .flat_map(|l| l.record.words.iter().map(String::as_str))
        .collect()
}

#[test]
fn submission_should_give_an_id_when_it_was_taken() {
    for (shape, body) in both("submitted") {
        let said = shape.submitted(body).unwrap();
        assert!(said.value.is_some_and(|id| id > 0), "{said:?}");
        // The recorded jobs were submitted to be held, which 22.05 mentions among the errors (ESLURM_JOB_HELD).
        assert!(said.errors.iter().all(|e| e.code == 2042), "{said:?}");
    }
}

#[test]
fn submission_should_give_slurms_number_when_it_was_refused() {
    for (name, number) in [
        ("refused-account", code::ACCOUNT),
        ("refused-partition", code::PARTITION),
    ] {
        for (shape, body) in both(name) {
            let said = shape.submitted(body).unwrap();
            assert!(said.value.is_none() && said.has(number), "{name}: {said:?}");
            assert!(said.text().contains(&number.to_string()), "{}", said.text());
        }
    }
    // A field that does not exist is an error in the old shape, a warning in the new one.
    let [(old, body), (new, taken)] = both("refused-key");
    assert!(old.submitted(body).unwrap().has(code::PARSING));
    assert!(new.submitted(taken).unwrap().value.is_some());
}

#[test]
fn token_should_be_seen_to_be_refused_when_it_is_bad() {
    let [(old, accounting), (new, disconnected)] = both("refused-token-accounting");
    assert!(old.clusters(accounting).unwrap().has(code::AUTHENTICATION));
    // The new shape calls it a lost connection here; slurmctld is asked before.
    assert!(new.clusters(disconnected).unwrap().has(7000));
    let [(old, submission), (new, denied)] = both("refused-token-submission");
    assert!(old.submitted(submission).unwrap().has(code::ZERO_BYTES));
    assert!(new.submitted(denied).unwrap().has(code::AUTHENTICATION));
    for (shape, body) in both("refused-token") {
        let said = shape.live(body).unwrap();
        assert!(
            !said.errors.is_empty() && !said.has(code::UNKNOWN_JOB),
            "{said:?}"
        );
    }
}

#[test]
fn job_should_have_its_state_when_slurmctld_has_it() {
    for (name, expected) in [
        ("live-pending", vec!["PENDING"]),
        ("live-running", vec!["RUNNING"]),
        ("live-requeued", vec!["PENDING"]),
        ("live-array-pending", vec!["PENDING"]),
        ("live-array-never-started", vec!["CANCELLED"]),
        ("live-signalled", vec!["FAILED"]),
    ] {
        for (shape, body) in both(name) {
            let live = shape.live(body).unwrap().value;
            assert_eq!(states(&live), expected, "{name}");
            assert_eq!(live[0].user, "hpc");
            assert_eq!(
                live[0].exit.signal,
                if name == "live-signalled" { 11 } else { 0 },
                "{live:?}"
            );
        }
    }
    for (shape, body) in both("live-running") {
        let live = shape.live(body).unwrap().value.remove(0);
        assert!(live.record.started > Some(1_700_000_000), "{live:?}");
        assert_eq!(live.record.tasks, TaskSet::Plain);
    }
}

#[test]
fn exit_codes_should_be_those_of_the_tasks_when_an_array_ended() {
    for (shape, body) in both("live-array") {
        let mut codes: Vec<_> = shape
            .live(body)
            .unwrap()
            .value
            .iter()
            .map(|l| l.exit.code)
            .collect();
        codes.sort_unstable();
        assert_eq!(codes, [0, 1, 2]);
    }
}

#[test]
fn job_should_be_unknown_by_number_when_slurmctld_does_not_have_it() {
    for (shape, body) in both("live-unknown") {
        let said = shape.live(body).unwrap();
        assert!(
            said.value.is_empty() && said.has(code::UNKNOWN_JOB),
            "{said:?}"
        );
    }
    for (shape, body) in both("cancelled-unknown") {
        assert!(shape.cancelled(body).unwrap().has(code::UNKNOWN_JOB));
    }
    for (shape, body) in both("cancelled") {
        assert!(shape.cancelled(body).unwrap().errors.is_empty());
    }
    let [(old, body), (new, empty)] = both("rows-nothing");
    assert!(old.rows(body).unwrap().has(code::NOTHING_FOUND));
    let said = new.rows(empty).unwrap();
    assert!(said.value.is_empty() && said.errors.is_empty());
}

#[test]
fn rows_should_have_tasks_resources_and_times_when_an_array_ended() {
    for (shape, body) in both("rows-array") {
        let mut rows = shape.rows(body).unwrap().value;
        rows.sort_by_key(|r| match r.row.tasks {
            TaskSet::One(task) => task,
            _ => u32::MAX,
        });
        for (task, DbRow { row, user, .. }) in (0..).zip(&rows) {
            assert_eq!(row.tasks, TaskSet::One(task));
            assert_eq!(row.words, [if task == 0 { "COMPLETED" } else { "FAILED" }]);
            let allocated = Allocated {
                cpus: 1,
                memory_mib: 200,
                nodes: 1,
                gpus: 0,
            };
            assert_eq!(
                row.allocated,
                Some(allocated),
                "what is not counted is left out"
            );
            assert!(
                Some(row.submitted) <= row.started && row.started <= row.ended,
                "{row:?}"
            );
            assert!(row.ended.is_some() && row.job <= row.raw, "{row:?}");
            assert_eq!(
                (row.cluster.as_str(), user.as_str()),
                ("testcluster", "hpc")
            );
            assert!(row.name.starts_with("ve-a-") && row.comment == row.name);
        }
        assert_eq!(rows.len(), 3);
    }
    let told = |name, shape: usize| -> Vec<_> {
        let (shape, body) = both(name)[shape];
        let rows = shape.rows(body).unwrap().value;
        rows.iter().map(|r| (r.exit_is_told, r.row.exit)).collect()
    };
    // The old shape says 0 for all of them, which is the same as not saying it. It does say signals.
    let mut old = told("rows-array", 0);
    old.sort_unstable();
    assert_eq!(old, [(false, (0, 0)), (false, (0, 0)), (true, (0, 0))]);
    let mut new = told("rows-array", 1);
    new.sort_unstable();
    assert_eq!(new, [(true, (0, 0)), (true, (1, 0)), (true, (2, 0))]);
    for shape in [0, 1] {
        assert_eq!(told("rows-signalled", shape), [(true, (0, 11))]);
    }
}

#[test]
fn attempts_should_be_rows_of_their_own_when_a_job_was_requeued() {
    for (shape, body) in both("rows-requeued") {
        let rows = shape.rows(body).unwrap().value;
        let [first, second] = [&rows[0].row, &rows[1].row];
        assert_eq!(
            (&first.words, &second.words),
            (&vec!["REQUEUED".into()], &vec!["CANCELLED".into()])
        );
        assert_eq!(first.job, second.job);
        assert!(
            first.started.is_some() && first.ended.is_some(),
            "{first:?}"
        );
        assert!(first.submitted < second.submitted);
        assert!(
            second.started.is_none() && second.allocated.is_none(),
            "{second:?}"
        );
    }
}

#[test]
fn rows_should_have_no_start_and_end_when_nothing_began_or_ended() {
    let row = |name, shape: usize| {
        let (shape, body) = both(name)[shape];
        shape.rows(body).unwrap().value.remove(0).row
    };
    for shape in [0, 1] {
        let never = row("rows-array-never-started", shape);
        assert_eq!(never.tasks, TaskSet::Many(vec![0, 1, 2, 3]));
        assert!(
            never.started.is_none() && never.ended.is_some(),
            "{never:?}"
        );
        let pending = row("rows-array-pending", shape);
        assert!(
            pending.started.is_none() && pending.ended.is_none(),
            "{pending:?}"
        );
        assert_eq!(pending.words, ["PENDING"]);
    }
    let running = row("rows-running", 1);
    assert!(
        running.started.is_some() && running.ended.is_none(),
        "{running:?}"
    );
    assert!(
        running.elapsed_s > 0 && running.words == ["RUNNING"],
        "{running:?}"
    );
    // Within the first seconds a row has a start, but neither name nor resources: it is not there yet.
    let early = row("rows-running", 0);
    assert!(
        early.started.is_none() && early.ended.is_none(),
        "{early:?}"
    );
    assert_eq!(early.name, "allocation");
}

#[test]
fn cancellation_should_be_the_owners_when_it_names_them() {
    for (shape, body) in both("rows-array-never-started") {
        let own = |body: &[u8]| shape.rows(body).unwrap().value[0].row.by_owner;
        assert!(own(body));
        // Neither the user nor who cancelled it is told.
        let mut untold: Value = serde_json::from_slice(body).unwrap();
        let job = untold["jobs"][0].as_object_mut().unwrap();
        job.remove("user");
        job.remove("kill_request_user");
        assert!(!own(untold.to_string().as_bytes()));
    }
}

#[test]
fn mask_should_name_its_tasks_when_slurmdbd_wrote_it() {
    assert_eq!(from_mask("F"), Ok(vec![0, 1, 2, 3]));
    assert_eq!(from_mask("105"), Ok(vec![0, 2, 8]));
    assert_eq!(from_mask("3%1"), Ok(vec![0, 1]));
    assert!(from_mask("X").is_err());
}

#[test]
fn warning_should_reach_the_script_itself_when_asked_for() {
    let request = Request {
        name: "ve-1".into(),
        comment: "ve-1 tasks=1 warning=USR1@50".into(),
        partition: Some("main".into()),
        identity: Identity {
            account: Some("a".into()),
            qos: None,
        },
        nodes: 2,
        tasks: 4,
        memory_per_node_mib: 100,
        gres_per_node: Some("gpu:a100:1".into()),
        minutes: 2,
        array: Some("0-4".into()),
        signal: Some("B:USR1@50".into()),
        requeue: true,
        work_dir: "/w".into(),
        stdout: "/w/%a".into(),
        stderr: "/w/%a".into(),
        script: "#!/bin/bash\ntrap : USR1\n".into(),
    };
    let old = V38.submission(&request);
    let script = old["script"].as_str().unwrap();
    let lines: Vec<&str> = script.lines().collect();
    assert_eq!((lines[0], lines[2]), ("#!/bin/bash", "trap : USR1"));
    assert!(lines[1].contains("sleep 70; kill -s USR1 $$"), "{script}");
    assert_eq!(old["job"]["environment"], json!({ "PATH": PATH }));
    assert_eq!(old["job"]["nodes"], "2-2");
    assert_eq!(old["job"]["requeue"], true);
    assert_eq!(old["job"]["gres"], "gpu:a100:1");
    let new = V40.submission(&request);
    assert_eq!(new["job"]["script"], request.script.as_str());
    assert_eq!(new["job"]["kill_warning_flags"], json!(["BATCH_JOB"]));
    assert_eq!(new["job"]["kill_warning_delay"]["number"], 50);
    assert_eq!(new["job"]["environment"], json!([format!("PATH={PATH}")]));
    assert_eq!(
        new["job"]["time_limit"],
        json!({ "set": true, "infinite": false, "number": 2 })
    );
    let once = Request {
        requeue: false,
        ..request
    };
    let job = &V38.submission(&once)["job"];
    assert!(
        job["no_requeue"] == true && job.get("requeue").is_none(),
        "{job}"
    );
    assert_eq!(V40.submission(&once)["job"]["requeue"], false);
    for body in [old, new] {
        let job = &body["job"];
        assert_eq!(
            (&job["account"], &job["array"]),
            (&json!("a"), &json!("0-4"))
        );
        assert!(job.get("qos").is_none());
    }
}

#[test]
fn daemons_should_be_seen_when_they_answer() {
    for (shape, body) in both("ping") {
        assert!(shape.ping(body).unwrap().value);
    }
    for (shape, body) in both("diag") {
        let diagnosis = shape.diagnosis(body).unwrap().value.unwrap();
        assert_eq!(diagnosis.waiting, 0);
        assert_eq!(diagnosis.now.map(|now| now / 100), Some(17_957_277));
    }
    for (shape, body) in both("clusters") {
        let cluster = DbCluster {
            name: "testcluster".into(),
            connected: true,
        };
        assert_eq!(shape.clusters(body).unwrap().value, [cluster]);
    }
}

/// Everything that a body can be read as. Whether any of it says "there is no such job".
fn absent_by(shape: &dyn Shape, body: &[u8]) -> bool {
    let _ = (
        shape.submitted(body),
        shape.cancelled(body),
        shape.diagnosis(body),
    );
    let _ = (shape.ping(body), shape.clusters(body));
    let live = shape.live(body).is_ok_and(|s| s.has(code::UNKNOWN_JOB));
    let rows = shape
        .rows(body)
        .is_ok_and(|s| s.value.is_empty() && (s.errors.is_empty() || s.has(code::NOTHING_FOUND)));
    live || rows
}

#[test]
fn nothing_should_be_absent_when_a_body_is_cut_off() {
    for (name, ..) in RECORDED {
        for (shape, body) in both(name) {
            let whole = body.trim_ascii_end().len();
            for cut in (0..whole).step_by(whole / 97 + 1) {
                assert!(!absent_by(shape, &body[..cut]), "{name} cut off at {cut}");
            }
        }
    }
}

#[test]
fn nothing_should_be_absent_when_a_body_is_of_another_kind() {
    let deep = "[".repeat(100_000);
    let others = [
        "",
        "{}",
        "[]",
        "null",
        "0",
        "\"\"",
        "{\"errors\":null}",
        "{\"errors\":[]}",
        "{\"jobs\":null}",
        "{\"jobs\":{}}",
        "{\"jobs\":[{}]}",
        "{\"jobs\":[null]}",
        "<html>502 Bad Gateway</html>",
        "Authentication failure",
        "\u{0}",
        &deep,
    ];
    for body in others {
        for shape in SHAPES {
            assert!(!absent_by(shape, body.as_bytes()), "{body:.40}");
        }
    }
}

proptest! {
    #[test]
    fn parsing_should_not_panic_when_bodies_are_damaged(
        which in 0..RECORDED.len(),
        new: bool,
        damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..20),
    ) {
        let (_, old, newer) = RECORDED[which];
        let mut body = if new { newer } else { old }.as_bytes().to_vec();
        for (at, byte) in damage {
            let at = at.index(body.len());
            body[at] = byte;
        }
        for shape in SHAPES {
            absent_by(shape, &body);
        }
    }

    #[test]
    fn parsing_should_not_panic_when_numbers_are_extreme(number in proptest::sample::select(vec![
        "-1", "18446744073709551615", "18446744073709551616", "1e300", "-0.5", "4294967294", "null", "true", "{}", "[[]]",
    ]), which in 0..RECORDED.len()) {
        let (_, old, new) = RECORDED[which];
        for (shape, body) in [(SHAPES[0], old), (SHAPES[1], new)] {
            let mut text = String::new();
            for line in body.lines() {
                match line.split_once(": ") {
                    Some((key, value)) if value.starts_with(|c: char| c.is_ascii_digit()) => {
                        let comma = if line.ends_with(',') { "," } else { "" };
                        text.push_str(&format!("{key}: {number}{comma}\n"));
                    }
                    _ => text.push_str(line),
                }
            }
            absent_by(shape, text.as_bytes());
        }
    }
}
