//! Answers that no slurmrestd should give, and what must not follow from them.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::{
        atomic::{AtomicBool, Ordering},
        Arc,
    },
    time::Duration,
};

use tempfile::TempDir;
use ve_slurm::{
    rest::{Endpoint, RestConfig, SlurmRest, TokenSource},
    ForgetError, Health, Lookup, QueryError, Scheduler, SchedulerJobId, Status, SubmitError,
    SubmitSpec,
};

use crate::{
    real::assert_clock_judged,
    server::{Answer, Server},
};

const HANDLE: &str = "ve-0123abcd-7";

fn client(url: &str, dir: &Path) -> SlurmRest {
    let token = dir.join("token");
    fs::write(&token, "SLURM_JWT=a.b.c\n").expect("written");
    fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).expect("private");
    SlurmRest::new(RestConfig {
        answer_timeout: Duration::from_secs(2),
        max_answer: 1024 * 1024,
        settle: Duration::from_secs(6),
        ..RestConfig::new(
            Endpoint::Url(url.to_owned()),
            TokenSource::File(token),
            "c",
            "u",
            dir.join("state"),
        )
    })
    .expect("configured")
}

fn spec(dir: &Path) -> SubmitSpec {
    SubmitSpec {
        handle: HANDLE.into(),
        partition: None,
        identity: None,
        work_dir: dir.to_owned(),
        script: "#!/bin/sh\ntrue\n".into(),
        cpus: 1,
        memory_mib: 100,
        nodes: 1,
        gpus: 0,
        gpu_type: None,
        walltime_s: 60,
        array_tasks: 1,
        warning: None,
        requeue: false,
        max_file_bytes: None,
        max_processes: None,
        environment: Default::default(),
        stdout: dir.join("out"),
        stderr: dir.join("out"),
    }
}

fn id() -> SchedulerJobId {
    SchedulerJobId(format!("7:{HANDLE}"))
}

fn description() -> Answer {
    Answer::json(r#"{"paths":{"/slurm/v0.0.42/ping/":{},"/slurmdb/v0.0.42/jobs/":{}}}"#)
}

/// A cluster that has no job at all.
fn empty(method: &str, path: &str) -> Answer {
    match (method, path) {
        (_, "/openapi/v3") => description(),
        ("GET", p) if p.starts_with("/slurm/v0.0.42/diag") => {
            Answer::json(r#"{"statistics":{"dbd_agent_queue_size":0},"errors":[]}"#)
        }
        ("GET", p) if p.starts_with("/slurmdb/v0.0.42/clusters") => Answer::json(
            r#"{"clusters":[{"name":"c","controller":{"host":"h","port":1}}],"errors":[]}"#,
        ),
        ("GET", p) if p.starts_with("/slurmdb/v0.0.42/jobs") => {
            Answer::json(r#"{"jobs":[],"errors":[]}"#)
        }
        ("GET", _) => Answer::Json(
            404,
            r#"{"jobs":[],"errors":[{"error_number":2017,"error":"Invalid job id specified"}]}"#
                .into(),
        ),
        _ => Answer::Json(
            500,
            r#"{"errors":[{"error_number":2045,"error":"Invalid account"}]}"#.into(),
        ),
    }
}

/// Asks everything; whatever is answered must be "not known".
async fn expect_unknown(client: &SlurmRest, dir: &Path, what: &str) {
    let health = client.health().await;
    assert!(matches!(health, Health::Unknown(_)), "{what}: {health:?}");
    let status = client.status(&id()).await;
    assert!(matches!(status, Status::Unknown(_)), "{what}: {status:?}");
    let found = client.find(HANDLE).await;
    assert!(matches!(found, Lookup::Unknown(_)), "{what}: {found:?}");
    let rows = client.attempts(&id()).await;
    assert!(
        matches!(rows, Err(QueryError::Unknown(_))),
        "{what}: {rows:?}"
    );
    let cancelled = client.cancel(&id()).await;
    assert!(
        matches!(cancelled, Err(QueryError::Unknown(_))),
        "{what}: {cancelled:?}"
    );
    let forgotten = client.forget(&id()).await;
    assert!(
        matches!(forgotten, Err(ForgetError::Unknown(_))),
        "{what}: {forgotten:?}"
    );
    let submitted = client.submit(&spec(dir)).await;
    assert!(
        matches!(submitted, Err(SubmitError::Unavailable(_))),
        "{what}: {submitted:?}"
    );
}

/// Its name, how it is said, and what.
type Nonsense<'a> = (&'a str, fn(&str) -> Answer, &'a str);

#[tokio::test]
async fn answers_should_be_unknown_when_slurmrestd_talks_nonsense() {
    let cut = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"jobs\":[],\"errors\":[]";
    let huge = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{{",
        u64::MAX / 2
    );
    let deep = format!("{{\"jobs\":{}", "[".repeat(100_000));
    let all: [Nonsense; 9] = [
        ("cut off", |s| Answer::Bytes(s.into()), cut),
        ("a huge length", |s| Answer::Bytes(s.into()), &huge),
        (
            "no HTTP",
            |s| Answer::Bytes(s.into()),
            "SSH-2.0-OpenSSH\r\n",
        ),
        ("closed", |s| Answer::Bytes(s.into()), ""),
        ("deep", |s| Answer::json(s), &deep),
        ("an empty object", |s| Answer::json(s), "{}"),
        (
            "a page",
            |s| Answer::Json(502, s.into()),
            "<html>Bad Gateway</html>",
        ),
        (
            "denied",
            |s| Answer::Json(401, s.into()),
            "Authentication failure",
        ),
        ("endless", |_| Answer::Endless, ""),
    ];
    for (what, answer, text) in all {
        let dir = TempDir::new().expect("directory");
        let text = text.to_owned();
        // Once in place of everything, once after the version was agreed on.
        for from_the_start in [true, false] {
            let text = text.clone();
            let server = Server::start(move |_, path| match path {
                "/openapi/v3" if !from_the_start => description(),
                _ => answer(&text),
            })
            .await;
            expect_unknown(&client(&server.url, dir.path()), dir.path(), what).await;
            assert_eq!(server.count("POST"), 0, "{what}");
        }
    }
}

#[tokio::test]
async fn answers_should_be_unknown_when_nobody_listens() {
    let dir = TempDir::new().expect("directory");
    let url = Server::start(empty).await.url.clone();
    expect_unknown(&client(&url, dir.path()), dir.path(), "gone").await;
}

#[tokio::test]
async fn questions_should_end_when_nobody_answers() {
    let dir = TempDir::new().expect("directory");
    let server = Server::start(|_, _| Answer::Silence).await;
    let status = client(&server.url, dir.path()).status(&id()).await;
    assert!(matches!(status, Status::Unknown(_)), "{status:?}");
}

#[tokio::test]
async fn absence_should_be_believed_when_every_source_says_so() {
    let dir = TempDir::new().expect("directory");
    let server = Server::start(empty).await;
    let client = client(&server.url, dir.path());
    assert_eq!(client.status(&id()).await, Status::Absent);
    assert_eq!(client.find(HANDLE).await, Lookup::Absent);
    assert_eq!(client.attempts(&id()).await, Err(QueryError::Absent));
}

#[tokio::test]
async fn absence_should_not_be_believed_when_accounting_lags() {
    let queue = r#"{"statistics":{"dbd_agent_queue_size":3},"errors":[]}"#;
    let gone = r#"{"clusters":[{"name":"c","controller":{"host":"","port":0}}],"errors":[]}"#;
    let other = r#"{"clusters":[{"name":"d","controller":{"host":"h","port":1}}],"errors":[]}"#;
    for (path, body, hint) in [
        ("diag", queue, "3 messages"),
        ("clusters", gone, "connection"),
        ("clusters", other, "ClusterName"),
    ] {
        let dir = TempDir::new().expect("directory");
        let server = Server::start(move |method, p| {
            if p.contains(path) {
                Answer::json(body)
            } else {
                empty(method, p)
            }
        })
        .await;
        let client = client(&server.url, dir.path());
        let status = client.status(&id()).await;
        assert!(
            matches!(&status, Status::Unknown(text) if text.contains(hint)),
            "{status:?}"
        );
        let found = client.find(HANDLE).await;
        assert!(
            matches!(&found, Lookup::Unknown(text) if text.contains(hint)),
            "{found:?}"
        );
    }
}

#[tokio::test]
async fn token_should_be_blamed_when_its_refusal_looks_like_slurmctld_being_down() {
    let ping = include_str!("../../src/rest/shape/recorded/v42/refused-token-ping.json");
    for (code, hint) in [
        (1007, "the token of u was refused"),
        (1800, "no slurmctld is up"),
    ] {
        let dir = TempDir::new().expect("directory");
        let server = Server::start(move |method, path| {
            if path.contains("ping") {
                Answer::json(ping)
            } else if path.contains("diag") {
                Answer::Json(
                    500,
                    format!(r#"{{"errors":[{{"error_number":{code},"error":"x"}}]}}"#),
                )
            } else {
                empty(method, path)
            }
        })
        .await;
        let health = client(&server.url, dir.path()).health().await;
        assert!(
            matches!(&health, Health::Unknown(text) if text.contains(hint)),
            "{health:?}"
        );
    }
}

#[tokio::test]
async fn cluster_should_not_be_healthy_when_its_clock_is_wrong() {
    for (ahead, healthy) in [(0, true), (3_600, false), (-3_600, false)] {
        let dir = TempDir::new().expect("directory");
        let server = Server::start(move |method, path| {
            if path.contains("diag") {
                let now = std::time::UNIX_EPOCH.elapsed().expect("after 1970");
                let theirs = now.as_secs().saturating_add_signed(ahead);
                Answer::json(format!(
                    r#"{{"statistics":{{"dbd_agent_queue_size":0,
                    "req_time":{{"set":true,"infinite":false,"number":{theirs}}}}},"errors":[]}}"#
                ))
            } else if path.contains("ping") {
                Answer::json(r#"{"pings":[{"pinged":"UP"}],"errors":[]}"#)
            } else {
                empty(method, path)
            }
        })
        .await;
        assert_clock_judged(&client(&server.url, dir.path()).health().await, healthy);
    }
}

#[tokio::test]
async fn refusal_should_name_the_remedy_when_slurm_gives_its_number() {
    for (code, job, refused, hint) in [
        (2045, 0, true, "account"),
        (2000, 0, true, "partition"),
        (2014, 0, true, "no node"),
        (2050, 0, false, "limit"),
        (1800, 0, false, "slurmctld"),
        (1007, 0, false, "token"),
    ] {
        let dir = TempDir::new().expect("directory");
        let server = Server::start(move |method, path| match method {
            "POST" => Answer::Json(
                500,
                format!(r#"{{"job_id":{job},"errors":[{{"error_number":{code},"error":"x"}}]}}"#),
            ),
            _ => empty(method, path),
        })
        .await;
        let client = client(&server.url, dir.path());
        match client.submit(&spec(dir.path())).await {
            Err(SubmitError::Refused(text)) if refused => {
                assert!(text.contains(hint), "{code}: {text}")
            }
            Err(SubmitError::Unavailable(text)) if !refused => {
                assert!(text.contains(hint), "{code}: {text}")
            }
            other => panic!("{code}: {other:?}"),
        }
        assert_eq!(
            client.find(HANDLE).await,
            Lookup::Absent,
            "nothing was created"
        );
    }
}

#[tokio::test]
async fn job_should_not_be_submitted_again_when_the_answer_was_lost() {
    // 5005 may be a refusal or a broken connection; a page may come from a proxy that passed the request on.
    let answers: [fn() -> Answer; 3] = [
        || Answer::Bytes(Vec::new()),
        || {
            Answer::Json(
                500,
                r#"{"errors":[{"error_code":5005,"error":"Zero Bytes"}]}"#.into(),
            )
        },
        || Answer::Json(504, "<html>Gateway Timeout</html>".into()),
    ];
    for answer in answers {
        let dir = TempDir::new().expect("directory");
        let in_accounting = Arc::new(AtomicBool::new(false));
        let arrived = in_accounting.clone();
        let server = Server::start(move |method, path| match method {
            "POST" => answer(),
            _ if path.starts_with("/slurmdb/v0.0.42/jobs") && arrived.load(Ordering::Relaxed) => {
                Answer::json(row())
            }
            _ => empty(method, path),
        })
        .await;
        let lost = client(&server.url, dir.path())
            .submit(&spec(dir.path()))
            .await;
        assert!(matches!(lost, Err(SubmitError::Unknown(_))), "{lost:?}");
        // A client that knows nothing but the state directory.
        let next = client(&server.url, dir.path());
        let again = next.submit(&spec(dir.path())).await;
        assert!(matches!(again, Err(SubmitError::Unknown(_))), "{again:?}");
        assert!(matches!(next.find(HANDLE).await, Lookup::Unknown(_)));
        in_accounting.store(true, Ordering::Relaxed);
        assert_eq!(next.find(HANDLE).await, Lookup::Found(vec![id()]));
        assert_eq!(next.submit(&spec(dir.path())).await, Ok(id()));
        assert_eq!(server.count("POST"), 1);
    }
}

#[tokio::test]
async fn job_should_be_submitted_again_when_accounting_went_on_not_knowing_it() {
    let dir = TempDir::new().expect("directory");
    let server = Server::start(move |method, path| match method {
        "POST" => Answer::Bytes(Vec::new()),
        _ => empty(method, path),
    })
    .await;
    let client = client(&server.url, dir.path());
    let spec = spec(dir.path());
    assert!(matches!(
        client.submit(&spec).await,
        Err(SubmitError::Unknown(_))
    ));
    let until = std::time::Instant::now() + Duration::from_secs(60);
    while client.find(HANDLE).await != Lookup::Absent {
        assert!(std::time::Instant::now() < until, "never absent");
        assert_eq!(server.count("POST"), 1);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(matches!(
        client.submit(&spec).await,
        Err(SubmitError::Unknown(_))
    ));
    assert_eq!(server.count("POST"), 2);
}

/// A pending job of our handle in accounting.
fn row() -> String {
    format!(
        r#"{{"errors":[],"jobs":[{{"job_id":7,"cluster":"c","name":"{HANDLE}","user":"u","comment":{{"job":""}},
        "array":{{"job_id":0,"task_id":{{"set":false,"infinite":false,"number":0}},"task":""}},
        "state":{{"current":["PENDING"],"reason":"None"}},
        "time":{{"submission":1795727741,"start":1795727748,"end":1795727748,"elapsed":0}},
        "exit_code":{{"return_code":{{"set":true,"infinite":false,"number":0}}}},"tres":{{"allocated":[]}}}}]}}"#
    )
}
