//! Processes that the crash tests kill or starve: this test binary, started again for one of these tests.

use super::*;
use std::{
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
};

/// Starts the child test `name` in `folder`; with a limit, no file that it writes can grow beyond so many bytes.
pub fn start(
    name: &str,
    folder: &Path,
    file_limit: Option<u64>,
) -> (Child, std::io::BufReader<ChildStdout>) {
    // A shell sets the limit, counted in blocks of 512 bytes, and has the signal ignored, so that writing gives EFBIG
    // as a full disk gives ENOSPC.
    let script = match file_limit {
        Some(bytes) => format!("trap '' XFSZ; ulimit -f {}; exec \"$@\"", bytes / 512),
        None => "exec \"$@\"".into(),
    };
    let mut child = Command::new("/bin/sh")
        .args(["-c", &script, "sh"])
        .arg(std::env::current_exe().unwrap())
        .args([
            "--exact",
            name,
            "--ignored",
            "--nocapture",
            "--test-threads=1",
        ])
        .env("VE_STORE_FOLDER", folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = std::io::BufReader::new(child.stdout.take().unwrap());
    (child, output)
}

fn folder() -> std::path::PathBuf {
    std::env::var_os("VE_STORE_FOLDER")
        .expect("started by another test only")
        .into()
}

fn url() -> String {
    format!("file://{}/artifacts", folder().display())
}

/// Writes a record and its action in one transaction, for ever, and says each number once it is committed.
#[tokio::test]
#[ignore = "started and killed by crash::database_should_keep_all_that_was_committed_when_its_process_is_killed"]
async fn write_records() {
    let db = Database::open(&folder().join("worker.db")).await.unwrap();
    let first = db.list::<Row>("job", "", u32::MAX).await.unwrap().len() as u64;
    for number in first.. {
        let mut change = db.begin().await.unwrap();
        change
            .insert(
                "job",
                &format!("{number:010}"),
                &row(&"x".repeat(3000), number),
            )
            .await
            .unwrap();
        change
            .enqueue(&format!("submit:{number:010}"), "scheduler", &number)
            .await
            .unwrap();
        change.commit().await.unwrap();
        println!("@{number}");
    }
}

/// Writes blobs for ever, streamed and whole, and says each one's hash once it is stored.
#[tokio::test]
#[ignore = "started and killed by crash::artifacts_should_be_whole_or_absent_when_their_process_is_killed"]
async fn write_blobs() {
    let store = Artifacts::open(&url()).unwrap();
    for number in 0u64.. {
        let salt = std::process::id();
        let content = format!("{salt} {number} ").repeat(40_000);
        let blob = match number % 2 {
            0 => store.put_blob(content.into_bytes()).await.unwrap(),
            _ => store.put_blob_from(content.as_bytes()).await.unwrap(),
        };
        println!("@{}", hex::encode(blob.hash));
    }
}

/// Fills the room that it has, and looks at what is left.
#[tokio::test]
#[ignore = "started by crash::store_should_say_so_and_stay_sound_when_there_is_no_room"]
async fn fill() {
    let store = Artifacts::open(&url()).unwrap();
    let small = store.put_blob(vec![1; 1000]).await.unwrap();
    for content in [vec![2; 3 << 20], vec![3; 20 << 20]] {
        for error in [
            store.put_blob(content.clone()).await.unwrap_err(),
            store.put_blob_from(content.as_slice()).await.unwrap_err(),
            store.put("logs/x/1/0", content).await.unwrap_err(),
        ] {
            assert!(matches!(error, Error::Full { .. }), "{error:?}");
            assert!(error.to_string().contains("free space"), "{error}");
        }
    }
    assert_eq!(
        store.get_blob(&small.hash, 1000).await.unwrap(),
        vec![1; 1000]
    );
    assert_eq!(store.list("blobs").await.unwrap().len(), 1);
    assert!(store.list("logs").await.unwrap().is_empty());

    let db = Database::open(&folder().join("worker.db")).await.unwrap();
    let mut written = 0u64;
    let error = loop {
        match db
            .insert(
                "job",
                &format!("{written:010}"),
                &row(&"x".repeat(100_000), written),
            )
            .await
        {
            Ok(_) => written += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, Error::Full { .. }), "{error:?}");
    let read = db.list::<Row>("job", "", u32::MAX).await.unwrap();
    assert_eq!(read.len() as u64, written);
    assert!(written > 0);
    println!("@{written}");
}
