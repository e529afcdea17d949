//! A disk without room, and with room again. Where no small file system can be mounted,
//! `crash::store_should_say_so_and_stay_sound_when_there_is_no_room` stands for this.

#[path = "../../../../tests/support/small_disk.rs"]
mod small_disk;

use super::*;
use small_disk::SmallDisk;

fn assert_full<T: std::fmt::Debug>(outcome: Result<T, Error>) {
    let error = outcome.expect_err("there is no room");
    assert!(matches!(error, Error::Full { .. }), "{error:?}");
    assert!(error.to_string().contains("free space"), "{error}");
}

#[tokio::test]
async fn database_should_refuse_whole_changes_when_its_disk_is_full_and_go_on_when_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(&folder.path().join("small"), 1) else {
        return;
    };
    let path = disk.path().join("worker.db");
    let db = Database::open(&path).await.unwrap();
    let mut job = db.insert("job", "1", &row("accepted", 1)).await.unwrap();
    disk.fill();

    // Several times, because each must leave the connection fit for the next.
    for attempt in 0..8 {
        let long = row(&"x".repeat(20_000), 2);
        assert_full(db.insert("job", "2", &long).await);
        let before = job.clone();
        job.value = long.clone();
        assert_full(db.update("job", &mut job).await);
        assert_eq!(job.version, before.version);
        job = before;
        assert_full(
            async {
                let mut change = db.begin().await?;
                change.insert("job", "3", &row("both or none", 3)).await?;
                change.enqueue("submit:3", "scheduler", &long).await?;
                change.commit().await
            }
            .await,
        );
        // Reading goes on, and shows what was there before.
        assert_eq!(
            db.get("job", "1").await.unwrap(),
            Some(job.clone()),
            "{attempt}"
        );
        assert_eq!(db.list::<Row>("job", "", 9).await.unwrap().len(), 1);
        assert_eq!(db.pending("scheduler").await.unwrap(), 0);
    }

    // The same database, never closed, goes on.
    disk.make_room();
    job.value.phase = "queued".into();
    db.update("job", &mut job).await.unwrap();
    db.insert("job", "2", &row("new", 2)).await.unwrap();
    db.enqueue("submit:3", "scheduler", &3).await.unwrap();
    db.check().await.unwrap();
    db.close().await;
    let db = Database::open(&path).await.unwrap();
    assert_eq!(db.get("job", "1").await.unwrap(), Some(job));
    assert_eq!(db.list::<Row>("job", "", 9).await.unwrap().len(), 2);
    db.close().await;
}

#[tokio::test]
async fn database_should_say_that_there_is_no_room_when_it_is_opened_on_a_full_disk() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(&folder.path().join("small"), 1) else {
        return;
    };
    let path = disk.path().join("worker.db");
    let db = Database::open(&path).await.unwrap();
    let job = db.insert("job", "1", &row("accepted", 1)).await.unwrap();
    db.close().await;
    disk.fill();
    // Reading may need no room; what needs it says so.
    match Database::open(&path).await {
        Ok(db) => {
            assert_full(db.insert("job", "2", &row(&"x".repeat(20_000), 2)).await);
            db.close().await;
        }
        refused => assert_full(refused.map(|_| ())),
    }
    assert_full(
        Database::open(&disk.path().join("another.db"))
            .await
            .map(|_| ()),
    );
    disk.make_room();
    let db = Database::open(&path).await.unwrap();
    assert_eq!(db.get("job", "1").await.unwrap(), Some(job));
    db.close().await;
}
