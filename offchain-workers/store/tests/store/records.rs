use super::*;
use std::sync::Arc;

#[tokio::test]
async fn record_should_come_back_when_inserted_updated_and_removed() {
    let db = Database::in_memory().await.unwrap();
    assert_eq!(db.get::<Row>("job", "42").await.unwrap(), None);
    let mut record = db.insert("job", "42", &row("accepted", 1)).await.unwrap();
    assert_eq!(record.version, 1);
    record.value.phase = "queued".into();
    db.update("job", &mut record).await.unwrap();
    assert_eq!(record.version, 2);
    assert_eq!(
        db.get::<Row>("job", "42").await.unwrap(),
        Some(record.clone())
    );
    db.remove("job", "42", 2).await.unwrap();
    assert_eq!(db.get::<Row>("job", "42").await.unwrap(), None);
}

#[tokio::test]
async fn change_should_conflict_when_the_version_is_not_the_stored_one() {
    let db = Database::in_memory().await.unwrap();
    let mut mine = db.insert("job", "1", &row("a", 0)).await.unwrap();
    let mut theirs = mine.clone();
    db.update("job", &mut theirs).await.unwrap();
    mine.value.phase = "lost".into();
    let error = db.update("job", &mut mine).await.unwrap_err();
    assert!(
        matches!(
            error,
            Error::Conflict {
                expected: 1,
                found: 2,
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(mine.version, 1);
    assert_eq!(
        db.get::<Row>("job", "1")
            .await
            .unwrap()
            .unwrap()
            .value
            .phase,
        "a"
    );
    assert!(matches!(
        db.insert("job", "1", &row("b", 0)).await,
        Err(Error::Conflict {
            expected: 0,
            found: 2,
            ..
        })
    ));
    assert!(matches!(
        db.remove("job", "1", 1).await,
        Err(Error::Conflict { .. })
    ));
    assert!(matches!(
        db.remove("job", "2", 1).await,
        Err(Error::Conflict { found: 0, .. })
    ));
}

#[tokio::test]
async fn list_should_page_in_order_when_there_are_many() {
    let db = Database::in_memory().await.unwrap();
    for i in [3, 1, 2, 5, 4] {
        db.insert("job", &format!("{i:04}"), &row("x", i))
            .await
            .unwrap();
    }
    db.insert("other", "0001", &row("y", 9)).await.unwrap();
    let first = db.list::<Row>("job", "", 3).await.unwrap();
    assert_eq!(
        first.iter().map(|r| r.value.number).collect::<Vec<_>>(),
        [1, 2, 3]
    );
    let rest = db.list::<Row>("job", &first[2].id, 3).await.unwrap();
    assert_eq!(
        rest.iter().map(|r| r.value.number).collect::<Vec<_>>(),
        [4, 5]
    );
}

#[tokio::test]
async fn transaction_should_leave_nothing_when_it_is_dropped() {
    let db = Database::in_memory().await.unwrap();
    let mut change = db.begin().await.unwrap();
    change.insert("job", "1", &row("a", 0)).await.unwrap();
    change.enqueue("submit:1", "scheduler", &1).await.unwrap();
    drop(change);
    assert_eq!(db.get::<Row>("job", "1").await.unwrap(), None);
    assert_eq!(db.pending("scheduler").await.unwrap(), 0);
}

#[tokio::test]
async fn record_should_be_refused_with_its_name_when_it_does_not_fit_its_type() {
    let db = Database::in_memory().await.unwrap();
    db.insert("job", "1", &"just text").await.unwrap();
    let error = db.get::<Row>("job", "1").await.unwrap_err();
    assert!(
        error.to_string().starts_with("job 1 cannot be read"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_should_all_succeed_once_when_they_compete() {
    let folder = tempfile::tempdir().unwrap();
    let db = Arc::new(
        Database::open(&folder.path().join("deep/er/worker.db"))
            .await
            .unwrap(),
    );
    db.insert("counter", "c", &0u64).await.unwrap();
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let db = db.clone();
            tokio::spawn(async move {
                for _ in 0..25 {
                    loop {
                        let mut record = db.get::<u64>("counter", "c").await.unwrap().unwrap();
                        record.value += 1;
                        match db.update("counter", &mut record).await {
                            Ok(()) => break,
                            Err(Error::Conflict { .. }) => {}
                            Err(other) => panic!("{other}"),
                        }
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let record = db.get::<u64>("counter", "c").await.unwrap().unwrap();
    assert_eq!((record.value, record.version), (200, 201));
}

#[tokio::test]
async fn database_should_be_refused_when_another_holder_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("worker.db");
    let first = Database::open(&path).await.unwrap();
    assert!(matches!(Database::open(&path).await, Err(Error::InUse(_))));
    first.close().await;
    Database::open(&path).await.unwrap().check().await.unwrap();
}

#[tokio::test]
async fn database_should_be_refused_when_the_file_is_not_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("worker.db");
    std::fs::write(&path, [7u8; 8192]).unwrap();
    let error = Database::open(&path).await.err().unwrap();
    assert!(matches!(error, Error::Corrupt { .. }), "{error:?}");
}

#[tokio::test]
async fn changes_should_each_have_their_own_outcome_when_they_share_a_commit() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("worker.db");
    let database = Database::open(&path).await.unwrap();
    let first = database.insert("job", "0", &0u32).await.unwrap();
    let changes = (0..400u32).map(|n| {
        let (database, first) = (database.clone(), first.clone());
        async move {
            match n % 4 {
                // There is one already.
                0 => database.insert("job", "0", &n).await.map(drop),
                1 => database.insert("job", &n.to_string(), &n).await.map(drop),
                // Two of them at most one of which can be right.
                2 => database.update("job", &mut first.clone()).await,
                _ => database.remove("job", "none", 1).await,
            }
        }
    });
    let outcomes = futures::future::join_all(changes).await;
    let done = |kind: usize| {
        let of_kind = outcomes.iter().skip(kind).step_by(4);
        of_kind.filter(|outcome| outcome.is_ok()).count()
    };
    assert_eq!([0, 1, 2, 3].map(done), [0, 100, 1, 0]);
    let conflicts = outcomes
        .iter()
        .filter(|o| matches!(o, Err(Error::Conflict { .. })));
    assert_eq!(conflicts.count(), 299);
    drop(database);
    let again = Database::open(&path).await.unwrap();
    let all = again.list::<u32>("job", "", 1_000).await.unwrap();
    assert_eq!(all.len(), 101);
    let changed = all.iter().find(|record| record.id == "0").unwrap();
    assert_eq!((changed.version, changed.value), (2, 0));
}
