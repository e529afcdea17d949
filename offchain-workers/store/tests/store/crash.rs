//! Real processes, killed at any instant or without room.

use super::{child::start, *};
use std::{collections::BTreeMap, io::BufRead, time::Duration};

const ROUNDS: u64 = 6;

/// What a child said after each `@`, until it ended.
fn said(output: impl BufRead) -> Vec<String> {
    let mut all = Vec::new();
    for line in output.lines() {
        let Ok(line) = line else { break };
        if let Some((_, what)) = line.split_once('@') {
            all.push(what.to_string());
        }
    }
    all
}

/// Lets a child work for a while, then kills it without warning, and returns what it had said.
fn killed(name: &str, folder: &std::path::Path, after: Duration) -> Vec<String> {
    let (mut child, output) = start(name, folder, None);
    let reader = std::thread::spawn(move || said(output));
    std::thread::sleep(after);
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap()
}

#[tokio::test]
async fn database_should_keep_all_that_was_committed_when_its_process_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let mut promised: u64 = 0;
    for round in 0..ROUNDS {
        let numbers = killed(
            "child::write_records",
            folder.path(),
            Duration::from_millis(300 + 70 * round),
        );
        if let Some(last) = numbers.last() {
            promised = last.parse::<u64>().unwrap() + 1;
        }
        let db = Database::open(&folder.path().join("worker.db"))
            .await
            .unwrap();
        db.check().await.unwrap();
        let records = db.list::<Row>("job", "", u32::MAX).await.unwrap();
        let actions = db.due::<u64>("scheduler", u32::MAX).await.unwrap();
        assert!(
            records.len() as u64 >= promised,
            "{} of {promised} records",
            records.len()
        );
        let by_record: BTreeMap<_, _> = records
            .iter()
            .map(|r| (r.value.number, r.id.clone()))
            .collect();
        let by_action: BTreeMap<_, _> = actions
            .iter()
            .map(|a| (a.payload, a.key.replace("submit:", "")))
            .collect();
        assert_eq!(
            by_record, by_action,
            "a record without its action, or an action without its record"
        );
        db.close().await;
    }
    assert!(promised > 0, "no child wrote anything");
    println!("{promised} records over {ROUNDS} kills, none lost");
}

#[tokio::test]
async fn artifacts_should_be_whole_or_absent_when_their_process_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let mut promised = Vec::new();
    for round in 0..ROUNDS {
        promised.extend(killed(
            "child::write_blobs",
            folder.path(),
            Duration::from_millis(300 + 70 * round),
        ));
        let store =
            Artifacts::open(&format!("file://{}/artifacts", folder.path().display())).unwrap();
        let stored = store.list("blobs").await.unwrap();
        for hash in &promised {
            assert!(
                stored.iter().any(|l| l.path == format!("blobs/{hash}")),
                "{hash} was stored and is gone"
            );
        }
        for entry in stored {
            let hash: [u8; 32] = hex::decode(entry.path.trim_start_matches("blobs/"))
                .unwrap()
                .try_into()
                .unwrap();
            store.get_blob(&hash, 1 << 30).await.unwrap();
        }
    }
    assert!(!promised.is_empty(), "no child stored anything");
}

#[tokio::test]
async fn store_should_say_so_and_stay_sound_when_there_is_no_room() {
    let folder = tempfile::tempdir().unwrap();
    let (mut child, output) = start("child::fill", folder.path(), Some(2 << 20));
    let written = said(output);
    assert!(child.wait().unwrap().success());
    let written: usize = written
        .last()
        .expect("the child says how much fitted")
        .parse()
        .unwrap();

    // With room again, everything that was confirmed is there and more can be written.
    let db = Database::open(&folder.path().join("worker.db"))
        .await
        .unwrap();
    db.check().await.unwrap();
    assert_eq!(
        db.list::<Row>("job", "", u32::MAX).await.unwrap().len(),
        written
    );
    db.insert("job", "more", &row("room again", 1))
        .await
        .unwrap();
    let store = Artifacts::open(&format!("file://{}/artifacts", folder.path().display())).unwrap();
    store.put_blob(vec![4; 3 << 20]).await.unwrap();
}
