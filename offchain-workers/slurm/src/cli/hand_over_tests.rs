use std::{fs, os::unix::fs::PermissionsExt};

use super::*;
use crate::{
    cli::{Access, SlurmCliConfig},
    slurm::{wrapper::tests::spec, Identity},
    types::SubmitSpec,
};

/// An `sbatch` that says what the job's name asks for, and notes that it was run.
const SBATCH: &str = r#"#!/bin/sh
for word; do case $word in --job-name=*) name=${word#*=} ;; esac; done
cat >/dev/null
echo "$name" >>"$(dirname "$0")/log"
no() { echo "sbatch: error: Batch job submission failed: $1" >&2; exit 1; }
case $name in
refused*) no 'Invalid qos specification' ;;
gone*) no 'Unable to contact slurm controller (connect failure)' ;;
lost*) no 'Socket timed out on send/recv operation' ;;
esac
echo "${name#*-};cluster"
"#;

/// Answers by handle in one letter, the handles that `sbatch` was run for, and those that may be on their way.
async fn handed_over(handles: &[&str]) -> (String, String, String) {
    let directory = tempfile::tempdir().unwrap();
    let sbatch = directory.path().join("sbatch");
    fs::write(&sbatch, SBATCH).unwrap();
    fs::set_permissions(&sbatch, fs::Permissions::from_mode(0o755)).unwrap();
    let mut access = Access::here("nobody");
    access.path = format!("{}:/usr/bin:/bin", directory.path().display());
    let slurm = SlurmCli::new(SlurmCliConfig {
        access,
        identity: Identity::default(),
        state_dir: directory.path().join("state"),
    })
    .unwrap();
    let mut all = Vec::new();
    for handle in handles {
        let spec = SubmitSpec {
            handle: (*handle).to_owned(),
            ..spec()
        };
        all.push(HandOver {
            request: Request::new(&spec, &Identity::default()).unwrap(),
            held: slurm.handles.take(handle).await.unwrap(),
        });
    }
    let answers = slurm.hand_over(all).await;
    assert_eq!(answers.len(), handles.len());
    let letter = |(answer, handle): (&Result<SlurmJobId, SubmitError>, &&str)| match answer {
        Ok(id) => {
            assert_eq!(
                (id.handle.as_str(), id.job.to_string()),
                (*handle, handle[3..].to_owned())
            );
            'j'
        }
        Err(SubmitError::Refused(_)) => 'r',
        Err(SubmitError::Unavailable(why)) if why.starts_with("not tried") => 'n',
        Err(SubmitError::Unavailable(_)) => 'u',
        Err(SubmitError::Unknown(_)) => '?',
    };
    let letters = answers.iter().zip(handles).map(letter).collect();
    let log = fs::read_to_string(directory.path().join("log")).unwrap();
    let open = |handle: &&&str| slurm.handles.may_be_on_its_way(handle).unwrap();
    let open: Vec<&str> = handles.iter().filter(open).copied().collect();
    (letters, log.replace('\n', " "), open.join(" "))
}

#[tokio::test]
async fn jobs_should_be_handed_over_although_others_between_them_are_refused() {
    let (answers, run, open) = handed_over(&["ok-1", "refused-2", "refused-3", "ok-4"]).await;
    assert_eq!(answers, "jrrj");
    assert_eq!(run, "ok-1 refused-2 refused-3 ok-4 ");
    assert_eq!(open, "");
}

#[tokio::test]
async fn jobs_should_not_be_tried_when_slurm_did_not_answer_before_them() {
    let (answers, run, open) = handed_over(&["ok-1", "gone-2", "ok-3", "ok-4"]).await;
    assert_eq!(answers, "junn");
    assert_eq!(run, "ok-1 gone-2 ");
    assert_eq!(open, "", "none of them can be on its way");
}

#[tokio::test]
async fn job_alone_should_be_unknown_when_its_answer_is_lost() {
    let (answers, run, open) = handed_over(&["ok-1", "lost-2", "ok-3"]).await;
    assert_eq!(answers, "j?n");
    assert_eq!(run, "ok-1 lost-2 ");
    assert_eq!(open, "lost-2");
}
