//! Disks that are full, gone or damaged.

#[path = "../../../../tests/support/small_disk.rs"]
mod small_disk;

use std::{fs, time::Duration};

use tempfile::TempDir;
use ve_slurm::{
    conformance::{wait_end, wait_file},
    EndState, Health, LocalScheduler, Lookup, OpenError, QueryError, Scheduler, SchedulerJobId,
    Status, SubmitError, SubmitSpec,
};

use crate::bed::{full_while, LocalBed};
use small_disk::SmallDisk;

const PATIENCE: Duration = Duration::from_secs(120);

fn id(spec: &SubmitSpec) -> SchedulerJobId {
    SchedulerJobId(spec.handle.clone())
}

#[tokio::test]
async fn submission_should_leave_nothing_when_the_disk_is_full() {
    let bed = LocalBed::new();
    let flag = bed.state().with_file_name("full");
    let client = bed.observed(full_while(flag.clone()));
    let spec = bed.counted("true");
    fs::write(&flag, "").expect("flag");
    let refused = client.submit(&spec).await;
    assert!(
        matches!(refused, Err(SubmitError::Unavailable(_))),
        "{refused:?}"
    );
    assert_eq!(client.find(&spec.handle).await, Lookup::Absent);
    fs::remove_file(&flag).expect("flag");
    client.submit(&spec).await.expect("submitted");
    let end = wait_end(&client, &id(&spec), PATIENCE)
        .await
        .map_err(|f| f.0);
    assert_eq!(end, Ok(EndState::Completed));
    assert_eq!(bed.runs(&spec), 1);
    bed.assert_quiet();
}

#[tokio::test]
async fn job_should_wait_when_its_start_cannot_be_recorded() {
    let bed = LocalBed::new();
    let flag = bed.state().with_file_name("full");
    fs::write(&flag, "").expect("flag");
    let spec = bed.counted("true");
    let client = bed.with_shims_that(&format!("full={}", flag.display()));
    client.submit(&spec).await.expect("submitted");
    assert_eq!(client.status(&id(&spec)).await, Status::Queued);
    let health = client.health().await;
    assert!(
        matches!(&health, Health::Unknown(why) if why.contains(&spec.handle)),
        "{health:?}"
    );
    assert_eq!(bed.runs(&spec), 0);
    fs::remove_file(&flag).expect("flag");
    let end = wait_end(&client, &id(&spec), PATIENCE)
        .await
        .map_err(|f| f.0);
    assert_eq!(end, Ok(EndState::Completed));
    assert_eq!(bed.runs(&spec), 1);
    assert_eq!(client.health().await, Health::Ok);
    bed.assert_quiet();
}

#[tokio::test]
async fn end_should_be_recorded_later_when_the_disk_is_full_at_the_end() {
    let bed = LocalBed::new();
    let flag = bed.state().with_file_name("full");
    let spec = bed.counted("until [ -e go ]; do sleep 0.02; done; echo done > done; exit 5");
    let client = bed.with_shims_that(&format!("full={}", flag.display()));
    client.submit(&spec).await.expect("submitted");
    wait_file(&spec.work_dir.join("runs"), PATIENCE)
        .await
        .map_err(|f| f.0)
        .expect("runs");
    fs::write(&flag, "").expect("flag");
    fs::write(spec.work_dir.join("go"), "go").expect("go");
    wait_file(&spec.work_dir.join("done"), PATIENCE)
        .await
        .map_err(|f| f.0)
        .expect("done");
    tokio::time::sleep(Duration::from_millis(800)).await;
    let status = client.status(&id(&spec)).await;
    assert!(matches!(status, Status::Running { .. }), "{status:?}");
    fs::remove_file(&flag).expect("flag");
    let end = wait_end(&client, &id(&spec), PATIENCE)
        .await
        .map_err(|f| f.0);
    assert_eq!(end, Ok(EndState::Failed { exit_code: 5 }));
    assert_eq!(bed.runs(&spec), 1);
    bed.assert_quiet();
}

#[tokio::test]
async fn job_should_keep_its_end_when_a_real_disk_is_full() {
    let root = TempDir::new().expect("temporary directory");
    let Some(disk) = SmallDisk::mount(&root.path().join("disk"), 2) else {
        eprintln!("the other tests of this file stand for it");
        return;
    };
    let bed = LocalBed::within(root, Some(disk.path().join("state")));
    let client = bed.local();
    let spec = bed.counted("until [ -e go ]; do sleep 0.02; done");
    client.submit(&spec).await.expect("submitted");
    wait_file(&spec.work_dir.join("runs"), PATIENCE)
        .await
        .map_err(|f| f.0)
        .expect("runs");
    disk.fill();
    let other = bed.counted("true");
    let refused = client.submit(&other).await;
    assert!(
        matches!(refused, Err(SubmitError::Unavailable(_))),
        "{refused:?}"
    );
    assert_eq!(client.find(&other.handle).await, Lookup::Absent);
    assert!(matches!(client.health().await, Health::Unknown(_)));
    // The reserve is there for this.
    fs::write(spec.work_dir.join("go"), "go").expect("go");
    let end = wait_end(&client, &id(&spec), PATIENCE)
        .await
        .map_err(|f| f.0);
    assert_eq!(end, Ok(EndState::Completed));
    disk.make_room();
    assert_eq!(client.submit(&other).await, Ok(id(&other)));
    let end = wait_end(&client, &id(&other), PATIENCE)
        .await
        .map_err(|f| f.0);
    assert_eq!(end, Ok(EndState::Completed));
    bed.assert_quiet();
    drop(client);
    drop(bed);
}

#[tokio::test]
async fn answers_should_be_unknown_when_the_state_directory_is_not_there() {
    let bed = LocalBed::new();
    let client = bed.local();
    let spec = bed.counted("true");
    client.submit(&spec).await.expect("submitted");
    wait_end(&client, &id(&spec), PATIENCE)
        .await
        .map_err(|f| f.0)
        .expect("ends");
    let never = SchedulerJobId("ve-0123abcd-1".into());

    let away = bed.state().with_file_name("away");
    // Gone altogether, then an empty mount point.
    for empty in [false, true] {
        fs::rename(bed.state(), &away).expect("moved");
        if empty {
            fs::create_dir(bed.state()).expect("mount point");
            let opened = LocalScheduler::open(bed.config("live"));
            assert!(matches!(opened, Err(OpenError::NotOurs(_))));
        }
        for asked in [&id(&spec), &never] {
            assert!(matches!(client.find(&asked.0).await, Lookup::Unknown(_)));
            assert!(matches!(client.status(asked).await, Status::Unknown(_)));
            assert!(matches!(
                client.attempts(asked).await,
                Err(QueryError::Unknown(_))
            ));
            assert!(matches!(
                client.cancel(asked).await,
                Err(QueryError::Unknown(_))
            ));
            assert!(client.forget(asked).await.is_err());
        }
        assert!(matches!(client.health().await, Health::Unknown(_)));
        let refused = client.submit(&bed.counted("true")).await;
        assert!(
            matches!(refused, Err(SubmitError::Unavailable(_))),
            "{refused:?}"
        );
        if empty {
            fs::remove_dir(bed.state()).expect("mount point is still empty");
        }
        fs::rename(&away, bed.state()).expect("moved back");
        assert_eq!(
            client.status(&id(&spec)).await,
            Status::Ended(EndState::Completed)
        );
        assert_eq!(client.status(&never).await, Status::Absent);
    }
    bed.assert_quiet();
}

#[tokio::test]
async fn others_should_go_on_when_one_record_is_damaged() {
    let bed = LocalBed::new();
    let client = bed.local();
    let (bad, good) = (bed.counted("true"), bed.counted("true"));
    client.submit(&bad).await.expect("submitted");
    wait_end(&client, &id(&bad), PATIENCE)
        .await
        .map_err(|f| f.0)
        .expect("ends");
    fs::write(bed.job_dir(&bad).join("job.json"), "{\"layout\":1,").expect("damaged");
    assert!(matches!(client.status(&id(&bad)).await, Status::Unknown(_)));
    assert_eq!(
        client.find(&bad.handle).await,
        Lookup::Found(vec![id(&bad)])
    );
    assert!(client.forget(&id(&bad)).await.is_err());
    fs::remove_file(bed.job_dir(&bad).join("job.json")).expect("removed");
    assert!(matches!(client.status(&id(&bad)).await, Status::Unknown(_)));
    fs::write(bed.job_dir(&bad).join("job.json"), "{}").expect("damaged");
    client.submit(&good).await.expect("submitted");
    let end = wait_end(&client, &id(&good), PATIENCE)
        .await
        .map_err(|f| f.0);
    assert_eq!(end, Ok(EndState::Completed));
    let health = client.health().await;
    assert!(
        matches!(&health, Health::Unknown(why) if why.contains(&bad.handle)),
        "{health:?}"
    );
    bed.assert_quiet();
}
