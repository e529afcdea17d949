use super::*;
use std::time::Duration;

#[tokio::test]
async fn action_should_be_done_once_when_its_key_is_enqueued_again() {
    let db = Database::in_memory().await.unwrap();
    assert!(db
        .enqueue("submit:1", "scheduler", &"payload")
        .await
        .unwrap());
    assert!(!db
        .enqueue("submit:1", "scheduler", &"another")
        .await
        .unwrap());
    let due = db.due::<String>("scheduler", 10).await.unwrap();
    assert_eq!(due.len(), 1);
    assert_eq!((due[0].payload.as_str(), due[0].attempts), ("payload", 0));
    assert!(db.due::<String>("chain", 10).await.unwrap().is_empty());

    db.complete("submit:1", &"job 7").await.unwrap();
    db.complete("submit:1", &"job 8").await.unwrap();
    assert!(!db.enqueue("submit:1", "scheduler", &"again").await.unwrap());
    assert!(db.due::<String>("scheduler", 10).await.unwrap().is_empty());
    let known = db.action::<String>("submit:1").await.unwrap().unwrap();
    assert_eq!(
        (known.state, known.outcome.as_deref()),
        (ActionState::Done, Some("job 7"))
    );
}

#[tokio::test]
async fn action_should_wait_when_it_failed() {
    let db = Database::in_memory().await.unwrap();
    db.enqueue("a", "chain", &1).await.unwrap();
    db.retry("a", "no route to host", Duration::from_millis(200))
        .await
        .unwrap();
    assert!(db.due::<u32>("chain", 10).await.unwrap().is_empty());
    assert_eq!(db.pending("chain").await.unwrap(), 1);
    tokio::time::sleep(Duration::from_millis(250)).await;
    let due = db.due::<u32>("chain", 10).await.unwrap();
    assert_eq!(
        (due[0].attempts, due[0].last_error.as_deref()),
        (1, Some("no route to host"))
    );
}

#[tokio::test]
async fn action_should_stay_as_it_ended_when_it_is_touched_again() {
    let db = Database::in_memory().await.unwrap();
    for key in ["done", "gone"] {
        db.enqueue(key, "t", &()).await.unwrap();
    }
    db.complete("done", &()).await.unwrap();
    db.abandon("gone", "refused for good").await.unwrap();
    for key in ["done", "gone"] {
        db.retry(key, "late", Duration::ZERO).await.unwrap();
        db.abandon(key, "late").await.unwrap();
    }
    assert_eq!(
        db.action::<()>("done").await.unwrap().unwrap().state,
        ActionState::Done
    );
    let gone = db.action::<()>("gone").await.unwrap().unwrap();
    assert_eq!(
        (gone.state, gone.last_error.as_deref()),
        (ActionState::Abandoned, Some("refused for good"))
    );
    assert!(matches!(
        db.complete("never", &()).await,
        Err(Error::NoAction(_))
    ));
}

#[tokio::test]
async fn actions_should_be_forgotten_when_they_ended_long_ago() {
    let db = Database::in_memory().await.unwrap();
    for key in ["old", "open"] {
        db.enqueue(key, "t", &()).await.unwrap();
    }
    db.complete("old", &()).await.unwrap();
    assert_eq!(db.forget_actions(Duration::from_secs(60)).await.unwrap(), 0);
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(
        db.forget_actions(Duration::from_millis(5)).await.unwrap(),
        1
    );
    assert_eq!(db.action::<()>("old").await.unwrap(), None);
    assert_eq!(db.pending("t").await.unwrap(), 1);
}
