//! Both shapes on bodies recorded from slurmrestd 22.05.8 (v0.0.38) and 24.11.5 (v0.0.42) of Debian 12 and 13.

use proptest::prelude::*;

use super::*;
use crate::rest::reply::code;

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
    let (_, old, new) = RECORDED.iter().find(|(n, ..)| *n == name).expect("recorded");
    [(SHAPES[0], old.as_bytes()), (SHAPES[1], new.as_bytes())]
}

fn states(live: &[Live]) -> Vec<&str> {
    live.iter().flat_map(|l| l.states.iter().map(String::as_str)).collect()
}

#[test]
fn submission_should_give_an_id_when_it_was_taken() {
    for (shape, body) in both("submitted") {
        let said = shape.submitted(body).unwrap();
        assert!(said.value.is_some_and(|id| id > 0) && said.errors.is_empty(), "{said:?}");
    }
}

#[test]
fn submission_should_give_slurms_number_when_it_was_refused() {
    for (name, number) in [("refused-account", code::ACCOUNT), ("refused-partition", code::PARTITION)] {
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
        assert!(!said.errors.is_empty() && !said.has(code::UNKNOWN_JOB), "{said:?}");
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
            assert_eq!(live[0].exit.signal, if name == "live-signalled" { 11 } else { 0 }, "{live:?}");
        }
    }
    for (shape, body) in both("live-running") {
        assert!(shape.live(body).unwrap().value[0].start > 1_700_000_000);
    }
}

#[test]
fn exit_codes_should_be_those_of_the_tasks_when_an_array_ended() {
    for (shape, body) in both("live-array") {
        let mut codes: Vec<_> = shape.live(body).unwrap().value.iter().map(|l| l.exit.code).collect();
        codes.sort_unstable();
        assert_eq!(codes, [0, 1, 2]);
    }
}

#[test]
fn job_should_be_unknown_by_number_when_slurmctld_does_not_have_it() {
    for (shape, body) in both("live-unknown") {
        let said = shape.live(body).unwrap();
        assert!(said.value.is_empty() && said.has(code::UNKNOWN_JOB), "{said:?}");
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
        rows.sort_by_key(|r| r.task);
        let tasks: Vec<_> = rows.iter().map(|r| (r.task, r.state.as_str())).collect();
        assert_eq!(tasks, [(Some(0), "COMPLETED"), (Some(1), "FAILED"), (Some(2), "FAILED")]);
        for row in &rows {
            assert!(row.tres.starts_with("cpu=1,mem=200M,") && row.tres.contains(",node=1,"), "{}", row.tres);
            assert!(!row.tres.contains("energy"), "not counted, so not there: {}", row.tres);
            assert!(row.submitted <= row.start && row.start <= row.end && row.array.is_some(), "{row:?}");
            assert_eq!((row.cluster.as_str(), row.user.as_str()), ("testcluster", "hpc"));
            assert!(row.name.starts_with("ve-a-") && row.comment == row.name);
        }
        let codes: Vec<_> = rows.iter().map(|r| r.exit.map(|e| e.code)).collect();
        // The old shape says 0 for all of them, which is the same as not saying it.
        let said = shape.tells_exit_codes();
        assert_eq!(codes, if said { [Some(0), Some(1), Some(2)] } else { [None; 3] });
    }
    for (shape, body) in both("rows-signalled") {
        let row = shape.rows(body).unwrap().value.remove(0);
        assert_eq!(row.exit, Some(Exit { code: 0, signal: 11 }));
    }
}

#[test]
fn attempts_should_be_rows_of_their_own_when_a_job_was_requeued() {
    for (shape, body) in both("rows-requeued") {
        let rows = shape.rows(body).unwrap().value;
        let states: Vec<_> = rows.iter().map(|r| r.state.as_str()).collect();
        assert_eq!(states, ["REQUEUED", "CANCELLED"]);
        assert_eq!(rows[0].job, rows[1].job);
        assert!(rows[0].start > 0 && rows[0].end > 0 && rows[0].submitted < rows[1].submitted);
        assert_eq!(rows[1].start, 0, "never started");
    }
}

#[test]
fn rows_should_have_no_start_and_end_when_nothing_began_or_ended() {
    for (shape, body) in both("rows-array-never-started") {
        let row = shape.rows(body).unwrap().value.remove(0);
        assert_eq!((row.start, row.task, row.tasks.as_deref()), (0, None, Some("0xF")));
        assert!(row.end > 0);
    }
    for (shape, body) in both("rows-array-pending") {
        let row = shape.rows(body).unwrap().value.remove(0);
        assert_eq!((row.start, row.end, row.state.as_str()), (0, 0, "PENDING"));
    }
    let [(old, body), (new, running)] = both("rows-running");
    let row = new.rows(running).unwrap().value.remove(0);
    assert!(row.start > 0 && row.end == 0 && row.elapsed > 0 && row.state == "RUNNING", "{row:?}");
    // Within the first seconds a row has a start, but neither name nor resources: it is not there yet.
    let row = old.rows(body).unwrap().value.remove(0);
    assert_eq!((row.start, row.end, row.name.as_str()), (0, 0, "allocation"));
}

#[test]
fn daemons_should_be_seen_when_they_answer() {
    for (shape, body) in both("ping") {
        assert!(shape.ping(body).unwrap().value);
    }
    for (shape, body) in both("diag") {
        assert_eq!(shape.accounting_queue(body).unwrap().value, Some(0));
    }
    for (shape, body) in both("clusters") {
        let cluster = DbCluster { name: "testcluster".into(), connected: true };
        assert_eq!(shape.clusters(body).unwrap().value, [cluster]);
    }
}

/// Everything that a body can be read as. Whether any of it says "there is no such job".
fn absent_by(shape: &dyn Shape, body: &[u8]) -> bool {
    let _ = (shape.submitted(body), shape.cancelled(body), shape.accounting_queue(body));
    let _ = (shape.ping(body), shape.clusters(body));
    let live = shape.live(body).is_ok_and(|s| s.has(code::UNKNOWN_JOB));
    let rows = shape.rows(body).is_ok_and(|s| s.value.is_empty() && (s.errors.is_empty() || s.has(code::NOTHING_FOUND)));
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
        "", "{}", "[]", "null", "0", "\"\"", "{\"errors\":null}", "{\"errors\":[]}", "{\"jobs\":null}", "{\"jobs\":{}}",
        "{\"jobs\":[{}]}", "{\"jobs\":[null]}", "<html>502 Bad Gateway</html>", "Authentication failure", "\u{0}", &deep,
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
