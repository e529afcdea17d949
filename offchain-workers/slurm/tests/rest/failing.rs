//! Real daemons that go away, and tokens that are no good.

use std::{
    fs,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{engine::general_purpose::URL_SAFE_NO_PAD, Engine};
use hmac::{Hmac, Mac};
use ve_slurm::{
    conformance::{final_rows, job, wait_end, wait_file, wait_running, Bed},
    rest::TokenSource,
    EndState, Health, Lookup, QueryError, Scheduler, Status, SubmitError,
};

use crate::{
    bed::RestBed,
    real::{
        away, customers, interfered,
        run::{eventually, Run},
    },
};

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

async fn run() -> Option<Run<RestBed>> {
    Some(Run::on(RestBed::own_unless_given()?).await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slurm_rest_should_bill_what_accounting_says_when_jobs_are_interfered_with() {
    if let Some(run) = run().await {
        interfered::billed_by_accounting(&run).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slurm_rest_should_bill_what_accounting_says_when_daemons_go_away() {
    if let Some(run) = run().await {
        away::nothing_is_lost(&run).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slurm_rest_should_keep_customers_apart_when_they_share_a_cluster() {
    if let Some(run) = run().await {
        customers::are_kept_apart(&run).await;
    }
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
