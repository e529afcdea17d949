//! Two customers on one cluster, one of them hostile; and requests that the cluster cannot take.

use std::{fs, os::unix::fs::PermissionsExt, sync::Arc};

use ve_slurm::{
    conformance::wait_end, slurm::Identity, EndState, Lookup, QueryError, Scheduler, Status,
    SubmitError, SubmitSpec,
};

use super::{
    job_user, me,
    run::{eventually, go, number, step, OwnBed, Run, WAIT},
};

/// The hostile one.
const OTHER: &str = "ve-job-2";

pub async fn are_kept_apart<B: OwnBed>(run: &Run<B>) {
    step("bad requests", run.bad_requests()).await;
    if me() != "root" {
        return eprintln!("customers: only as root, for want of another user");
    }
    step("another's job", run.anothers_job()).await;
    step("nested jobs", run.nested_jobs()).await;
    step("no rights any more", run.no_rights_any_more()).await;
}

fn of_account(account: &str) -> Identity {
    Identity {
        account: Some(account.into()),
        qos: None,
    }
}

impl<B: OwnBed> Run<B> {
    async fn is_refused(&self, client: &dyn Scheduler, spec: &SubmitSpec, words: &[&str]) {
        match client.submit(spec).await {
            Err(SubmitError::Refused(text)) => assert!(
                words.iter().any(|word| text.contains(word)),
                "none of {words:?} is in: {text}"
            ),
            other => panic!("{words:?}: {other:?}"),
        }
        assert_eq!(client.find(&spec.handle).await, Lookup::Absent);
    }

    /// Each is refused for good, names what is wrong, and leaves nothing.
    async fn bad_requests(&self) {
        let changed = |change: &dyn Fn(&mut SubmitSpec)| {
            let mut spec = self.job("exit 0");
            change(&mut spec);
            spec
        };
        // It was there when the cluster was registered.
        self.admin(&["scontrol", "create", "PartitionName=gone", "Nodes=ALL"]);
        let gone = changed(&|s| s.partition = Some("gone".into()));
        let id = self.submitted(&gone).await;
        self.ended(&id, EndState::Completed).await;
        eventually("the partition is deleted", || async {
            let delete = ["scontrol", "delete", "PartitionName=gone"];
            self.bed.daemons().try_admin(&delete).map(drop)
        })
        .await;
        let status = self.client.status(&id).await;
        assert_eq!(status, Status::Ended(EndState::Completed));
        let gone = changed(&|s| s.partition = Some("gone".into()));
        self.is_refused(&*self.client, &gone, &["partition"]).await;

        let nodes = ["no node", "No node", "node"];
        for spec in [
            changed(&|s| s.cpus = 9_999),
            changed(&|s| s.memory_mib = 99_000_000),
            changed(&|s| (s.nodes, s.cpus) = (9, 9)),
            changed(&|s| s.gpus = 9),
        ] {
            self.is_refused(&*self.client, &spec, &[&nodes[..], &["partition"]].concat())
                .await;
        }
        let no_such_gpu = changed(&|s| (s.gpus, s.gpu_type) = (1, Some("h100".into())));
        self.is_refused(&*self.client, &no_such_gpu, &["gpus", "node", "gres"])
            .await;
        let oversized = changed(&|s| {
            s.array_tasks = 20_000;
            s.stdout = s.work_dir.join("out-%a");
            s.stderr = s.stdout.clone();
        });
        self.is_refused(&*self.client, &oversized, &["array"]).await;
        let user = job_user();
        let nobody = self.bed.client_of(&user, of_account("nobody"));
        self.is_refused(&*nobody, &self.job("exit 0"), &["account"])
            .await;
        let qos = Identity {
            account: None,
            qos: Some("nosuch".into()),
        };
        let qos = self.bed.client_of(&user, qos);
        self.is_refused(&*qos, &self.job("exit 0"), &["qos", "quality"])
            .await;
    }

    async fn anothers_job(&self) {
        let mut spec = self.job(WAIT);
        spec.work_dir = self.private_dir(&job_user(), "victim");
        spec.stdout = spec.work_dir.join("out");
        spec.stderr = spec.stdout.clone();
        let id = self.up(&spec).await;
        let other: Arc<dyn Scheduler> = self.bed.client_of(OTHER, Identity::default());
        // As if it did not exist, or as if nobody could say.
        let status = other.status(&id).await;
        assert!(
            matches!(status, Status::Absent | Status::Unknown(_)),
            "{status:?}"
        );
        let rows = other.attempts(&id).await;
        assert!(rows.is_err(), "{rows:?}");
        let cancelled = other.cancel(&id).await;
        assert!(
            matches!(cancelled, Err(QueryError::Absent | QueryError::Unknown(_))),
            "{cancelled:?}"
        );
        assert_eq!(other.end_all().await, Ok(0));
        // Without going through this crate.
        let as_other = |words: &[&str]| self.bed.daemons().run_as(OTHER, words);
        let job = number(&id);
        let cancelled = as_other(&["scancel", job]);
        assert!(!cancelled.status.success(), "{cancelled:?}");
        as_other(&["scancel", "--state=RUNNING", "--full", "-n", &spec.handle]);
        let update = format!("JobId={job}");
        for words in [
            &["scontrol", "update", &update, "TimeLimit=1"][..],
            &["scontrol", "requeue", job],
            &["scontrol", "suspend", job],
            &[
                "sacctmgr",
                "-i",
                "modify",
                "account",
                OTHER,
                "set",
                "GrpSubmitJobs=99",
            ],
            &["cat", &spec.stdout.to_string_lossy()],
            &["ls", &spec.work_dir.to_string_lossy()],
        ] {
            let said = as_other(words);
            let text = String::from_utf8_lossy(&said.stdout);
            assert!(
                !said.status.success() || text.contains("Nothing modified"),
                "{words:?}: {said:?}"
            );
        }
        for words in [
            &["squeue", "-h", "-a", "-t", "all", "-o", "%A %j %k %Z"][..],
            &[
                "sacct",
                "-n",
                "-a",
                "-X",
                "-S",
                "now-1hours",
                "-o",
                "JobID,JobName%60",
            ],
            &["scontrol", "show", "job", job],
        ] {
            let said = as_other(words);
            let text = String::from_utf8_lossy(&said.stdout);
            assert!(!text.contains(&spec.handle), "{words:?}: {text}");
        }
        // He cannot spend what is the other's.
        let thief = self.bed.client_of(OTHER, of_account(&job_user()));
        self.is_refused(&*thief, &self.job("exit 0"), &["account"])
            .await;
        assert!(matches!(
            self.client.status(&id).await,
            Status::Running { .. }
        ));
        go(&spec);
        self.ended(&id, EndState::Completed).await;
    }

    /// A directory of one user that nobody else may enter. The test itself, as root, may.
    fn private_dir(&self, user: &str, name: &str) -> std::path::PathBuf {
        let at = self.bed.shared_dir().join(name);
        fs::create_dir(&at).expect("made");
        fs::set_permissions(&at, fs::Permissions::from_mode(0o700)).expect("mode");
        let user = nix::unistd::User::from_name(user)
            .expect("asked")
            .expect("exists");
        nix::unistd::chown(&at, Some(user.uid), Some(user.gid)).expect("given");
        at
    }

    /// A job submits fifty others, an array, one for another's account, and one that submits the next: it gets as many as its
    /// account may have beside it, for that account only, and they end with the lease.
    async fn nested_jobs(&self) {
        const MAY: &str = "5";
        let user = job_user();
        let limit = |jobs: &str| {
            let set = format!("GrpSubmitJobs={jobs}");
            self.admin(&["sacctmgr", "-iQ", "modify", "account", &user, "set", &set]);
        };
        limit(MAY);
        let spec = self.job(&format!(
            "export SLURM_CONF={}; cd $PWD; n=0; one='sbatch -t 5 -o /dev/null'\n\
             printf '#!/bin/sh\\nsleep 1; echo >> rounds; until %s again; do sleep 0.1; done\\n' \"$one\" > again\n\
             $one -a 0-4 --wrap 'sleep 300' && echo array > up\n\
             $one -A {OTHER} --wrap 'sleep 300' && echo account > up\n\
             $one again && n=1\n\
             for i in $(seq 50); do last=$($one --parsable --wrap 'sleep 300') && n=$((n+1)) && mine=$last; done\n\
             echo taken $n >> up; until [ -e go ]; do sleep 0.1; done; scancel $mine; sleep 300",
            self.bed.daemons().conf().display()
        ));
        let id = self.submitted(&spec).await;
        let up = spec.work_dir.join("up");
        self.file(&up).await;
        let taken = fs::read_to_string(&up).expect("told");
        assert_eq!(taken, "taken 4\n");
        // Nor does anybody else get more.
        let more = self.client.submit(&self.job("exit 0")).await;
        assert!(matches!(more, Err(SubmitError::Unavailable(_))), "{more:?}");
        // Room for one more, so that one can follow another.
        go(&spec);
        let other = self.bed.client_of(OTHER, Identity::default());
        let others = self.job("exit 0");
        let others_id = other.submit(&others).await.expect("submitted");
        wait_end(&*other, &others_id, self.bed.patience())
            .await
            .expect("ends");
        eventually("one follows another", || async {
            let rounds = fs::read_to_string(spec.work_dir.join("rounds")).unwrap_or_default();
            match rounds.lines().count() {
                0..3 => Err(rounds),
                _ => Ok(()),
            }
        })
        .await;
        eventually("all of them ended", || async {
            match self.client.end_all().await {
                Ok(0) => Ok(()),
                left => Err(format!("{left:?}")),
            }
        })
        .await;
        // Nothing is left that could submit the next.
        let left = self.admin(&["squeue", "-h", "-u", &user]);
        assert_eq!(left.trim(), "");
        self.ended(&id, EndState::Cancelled).await;
        let of_other = ["sacct", "-X", "-n", "-a", "-A", OTHER, "-o", "User"];
        let charged = self.admin(&of_other);
        assert!(charged.lines().all(|who| who.trim() == OTHER), "{charged}");
        limit("-1");
    }

    /// A member loses its association, or its account may have no jobs: clear errors, and nothing is created.
    async fn no_rights_any_more(&self) {
        let third = "ve-job-3";
        let client = self.bed.client_of(third, Identity::default());
        let spec = self.job("exit 0");
        self.admin(&[
            "sacctmgr",
            "-iQ",
            "modify",
            "account",
            third,
            "set",
            "GrpSubmitJobs=0",
        ]);
        let later = client.submit(&spec).await;
        assert!(
            matches!(&later, Err(SubmitError::Unavailable(text)) if text.contains("limit")),
            "{later:?}"
        );
        assert_eq!(client.find(&spec.handle).await, Lookup::Absent);
        self.admin(&["sacctmgr", "-iQ", "delete", "user", third]);
        self.is_refused(&*client, &self.job("exit 0"), &["account", "association"])
            .await;
    }
}
