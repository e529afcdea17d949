//! Real daemons that go away, and tokens that are no good.

use std::{
    fs,
    future::Future,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use base64::{engine::general_purpose::URL_SAFE_NO_PAD, Engine};
use hmac::{Hmac, Mac};
use ve_slurm::{
    conformance::{final_rows, job, wait_end, wait_file, wait_running, Bed},
    rest::TokenSource,
    EndState, Health, Lookup, QueryError, Scheduler, Status, SubmitError,
};

use crate::bed::RestBed;

const BODY: &str = "echo run >> runs; until [ -e go ]; do sleep 0.1; done; exit 3";

async fn healthy(client: &dyn Scheduler) {
    eventually("healthy again", || async {
        match client.health().await {
            Health::Ok => Ok(()),
            Health::Unknown(text) => Err(text),
        }
    })
    .await;
}

async fn unhealthy(client: &dyn Scheduler, word: &str) {
    eventually("the fault is seen", || async {
        match client.health().await {
            Health::Unknown(text) if text.contains(word) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
}

#[tokio::test]
async fn job_should_run_once_when_slurmrestd_is_killed_and_started_again() {
    let Some(bed) = RestBed::own_unless_given() else {
        return;
    };
    let client = bed.rest();
    let spec = job(&bed, BODY).expect("a job");
    let id = client.submit(&spec).await.expect("taken");
    wait_running(&client, &id, bed.patience())
        .await
        .expect("runs");
    wait_file(&spec.work_dir.join("runs"), bed.patience())
        .await
        .expect("begun");

    bed.cluster().run(&["kill", "slurmrestd"]);
    let status = client.status(&id).await;
    assert!(matches!(status, Status::Unknown(_)), "{status:?}");
    let rows = client.attempts(&id).await;
    assert!(matches!(rows, Err(QueryError::Unknown(_))), "{rows:?}");
    let other = job(&bed, BODY).expect("a job");
    let refused = client.submit(&other).await;
    assert!(
        matches!(refused, Err(SubmitError::Unavailable(_))),
        "{refused:?}"
    );
    fs::write(spec.work_dir.join("go"), "go").expect("written");

    bed.cluster().run(&["start", "slurmrestd"]);
    healthy(&client).await;
    assert_eq!(client.submit(&spec).await, Ok(id.clone()), "the same job");
    let end = wait_end(&client, &id, bed.patience()).await.expect("ends");
    assert_eq!(end, EndState::Failed { exit_code: 3 });
    assert_eq!(final_rows(&client, &id).await.expect("rows").len(), 1);
    assert_eq!(
        fs::read_to_string(spec.work_dir.join("runs")).expect("runs"),
        "run\n"
    );
    assert_eq!(client.find(&other.handle).await, Lookup::Absent);
}

#[tokio::test]
async fn job_should_be_unknown_when_it_ends_while_slurmdbd_is_down() {
    let Some(bed) = RestBed::own_unless_given() else {
        return;
    };
    let client = bed.rest();
    let spec = job(&bed, BODY).expect("a job");
    let id = client.submit(&spec).await.expect("taken");
    wait_running(&client, &id, bed.patience())
        .await
        .expect("runs");
    wait_file(&spec.work_dir.join("runs"), bed.patience())
        .await
        .expect("begun");

    bed.cluster().run(&["stop", "slurmdbd"]);
    unhealthy(&client, "slurmdbd").await;
    let status = client.status(&id).await;
    assert!(
        matches!(status, Status::Running { .. }),
        "slurmctld knows it: {status:?}"
    );
    let never = bed.unknown_id();
    let status = client.status(&never).await;
    assert!(
        matches!(status, Status::Unknown(_)),
        "not absent while slurmdbd is silent: {status:?}"
    );
    let other = job(&bed, "exit 0").expect("a job");
    let found = client.find(&other.handle).await;
    assert!(matches!(found, Lookup::Unknown(_)), "{found:?}");
    let refused = client.submit(&other).await;
    assert!(
        matches!(refused, Err(SubmitError::Unavailable(_))),
        "{refused:?}"
    );
    fs::write(spec.work_dir.join("go"), "go").expect("written");
    eventually("its end is unknown", || async {
        match client.status(&id).await {
            Status::Unknown(_) => Ok(()),
            Status::Running { .. } => Err("still running".into()),
            other => panic!("{other:?}"),
        }
    })
    .await;

    bed.cluster().run(&["start", "slurmdbd"]);
    let end = wait_end(&client, &id, bed.patience()).await.expect("ends");
    assert_eq!(end, EndState::Failed { exit_code: 3 });
    assert_eq!(final_rows(&client, &id).await.expect("rows").len(), 1);
    healthy(&client).await;
    let id = client.submit(&other).await.expect("taken now");
    let end = wait_end(&client, &id, bed.patience()).await.expect("ends");
    assert_eq!(end, EndState::Completed);
}

#[tokio::test]
async fn job_should_be_unknown_when_slurmctld_is_down() {
    let Some(bed) = RestBed::own_unless_given() else {
        return;
    };
    let client = bed.rest();
    let spec = job(&bed, BODY).expect("a job");
    let id = client.submit(&spec).await.expect("taken");
    wait_file(&spec.work_dir.join("runs"), bed.patience())
        .await
        .expect("begun");

    bed.cluster().run(&["stop", "slurmctld"]);
    let status = client.status(&id).await;
    assert!(matches!(status, Status::Unknown(_)), "{status:?}");
    let found = client.find("ve-never-2").await;
    assert!(matches!(found, Lookup::Unknown(_)), "{found:?}");
    let health = client.health().await;
    assert!(matches!(health, Health::Unknown(_)), "{health:?}");
    fs::write(spec.work_dir.join("go"), "go").expect("written");

    bed.cluster().run(&["start", "slurmctld"]);
    let end = wait_end(&client, &id, bed.patience()).await.expect("ends");
    assert_eq!(end, EndState::Failed { exit_code: 3 });
    assert_eq!(
        fs::read_to_string(spec.work_dir.join("runs")).expect("runs"),
        "run\n"
    );
}

#[tokio::test]
async fn remedy_should_be_named_when_tokens_are_refused() {
    let bed = RestBed::given_or_own();
    let never = bed.unknown_id();
    let file = bed.secret("key", &[7; 32]);
    let lifetime = Duration::from_secs(60);
    let client = bed.rest_with(TokenSource::Key { file, lifetime });
    unhealthy(&client, "jwt_key").await;
    let spec = job(&bed, "exit 0").expect("a job");
    let refused = client.submit(&spec).await;
    assert!(
        matches!(&refused, Err(SubmitError::Unavailable(text)) if text.contains("jwt_key")),
        "{refused:?}"
    );
    let status = client.status(&never).await;
    assert!(
        matches!(&status, Status::Unknown(text) if text.contains("jwt_key")),
        "{status:?}"
    );
    let found = bed.rest().find(&spec.handle).await;
    assert_eq!(found, Lookup::Absent, "nothing was created");

    // The same client goes on once its token was renewed.
    let TokenSource::Key { file: key, .. } = &bed.config.tokens else {
        panic!("a key");
    };
    let key = fs::read(key).expect("key");
    let renew = |expires| bed.secret("token", token(&key, &bed.config.user, expires).as_bytes());
    let client = bed.rest_with(TokenSource::File(renew(now() - 60)));
    unhealthy(&client, "renew the token").await;
    let status = client.status(&never).await;
    assert!(matches!(status, Status::Unknown(_)), "{status:?}");
    renew(now() + 300);
    healthy(&client).await;
    assert_eq!(client.status(&never).await, Status::Absent);
}

/// Waits for a condition, generously.
async fn eventually<F: Future<Output = Result<(), String>>>(
    what: &str,
    mut ask: impl FnMut() -> F,
) {
    let until = Instant::now() + Duration::from_secs(120);
    loop {
        match ask().await {
            Ok(()) => return,
            Err(last) if Instant::now() >= until => panic!("{what}: {last}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970")
        .as_secs()
}

/// A token as somebody else would mint it.
fn token(key: &[u8], user: &str, expires: u64) -> String {
    let claims = format!(
        r#"{{"exp":{expires},"iat":{},"sun":"{user}"}}"#,
        expires - 300
    );
    let body = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#),
        URL_SAFE_NO_PAD.encode(claims)
    );
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(key).expect("a key");
    mac.update(body.as_bytes());
    format!(
        "{body}.{}",
        URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
    )
}
