//! Daemons and nodes fail, jobs are suspended, requeued, preempted; what is billed stays what accounting says.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use ve_slurm::{
    conformance::{final_rows, wait_end, wait_file, wait_running, Bed},
    slurm::Identity,
    Attempt, EndState, Lookup, QueryError, Scheduler, SchedulerJobId, SlurmCli, Status,
    SubmitError, SubmitSpec,
};

use crate::{bed::CliBed, cluster::Cluster, real::variable, remote, truth};

const WAIT: &str = "echo up > up; until [ -e go ]; do sleep 0.1; done";
const DOWN: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slurm_cli_should_bill_what_accounting_says_when_jobs_are_interfered_with() {
    let run = Run::new();
    step("remote", remote::works_over_ssh(&run.bed)).await;
    step("suspension", run.suspension()).await;
    step("array", run.array_in_part()).await;
    step("preemption", run.preemption()).await;
    // SLURM starts a requeued job again only after minutes; hurried, beside other clusters of one machine, the second
    // attempt was seen to end with status 1 (on a machine of its own it does not).
    if variable("VE_SLURM_LONG").is_some() {
        step("requeue", run.requeue()).await;
        step("lost nodes", run.lost_nodes()).await;
    } else {
        eprintln!("requeues and lost nodes: only with VE_SLURM_LONG=1");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slurm_cli_should_bill_what_accounting_says_when_daemons_go_away() {
    let run = Run::new();
    step("slurmdbd away", run.slurmdbd_away()).await;
    step("slurmctld away", run.slurmctld_away()).await;
    step("ids begin again", run.ids_begin_again()).await;
}

async fn step(name: &str, what: impl std::future::Future<Output = ()>) {
    let from = Instant::now();
    what.await;
    eprintln!("{name}: {:?}", from.elapsed());
}

struct Run {
    bed: CliBed,
    cli: SlurmCli,
}

fn number(id: &SchedulerJobId) -> &str {
    id.0.split(':').next().expect("number")
}

fn go(spec: &SubmitSpec) {
    fs::write(spec.work_dir.join("go"), "go").expect("written");
}

fn states(rows: &[Attempt]) -> Vec<EndState> {
    rows.iter()
        .map(|r| r.state.clone().expect("ended"))
        .collect()
}

impl Run {
    fn new() -> Self {
        let bed = CliBed::new(Cluster::own(&[("VE_SLURM_MIN_JOB_AGE", "30")]));
        let cli = bed.cli();
        Self { bed, cli }
    }

    fn admin(&self, words: &[&str]) -> String {
        self.bed.cluster.admin(words)
    }

    async fn started(&self, spec: &SubmitSpec) -> SchedulerJobId {
        let id = self.cli.submit(spec).await.expect("submitted");
        wait_running(&self.cli, &id, self.bed.patience())
            .await
            .expect("runs");
        id
    }

    async fn up(&self, spec: &SubmitSpec) -> SchedulerJobId {
        let id = self.started(spec).await;
        self.file(&spec.work_dir.join("up")).await;
        id
    }

    async fn file(&self, path: &Path) {
        wait_file(path, self.bed.patience()).await.expect("appears");
    }

    /// Waits for the end and for rows that equal accounting.
    async fn ended(&self, id: &SchedulerJobId, expected: EndState) -> Vec<Attempt> {
        let end = wait_end(&self.cli, id, self.bed.patience())
            .await
            .expect("ends");
        assert_eq!(end, expected);
        let rows = final_rows(&self.cli, id).await.expect("rows");
        truth::assert_equal(&self.bed.cluster, id, &rows);
        rows
    }

    /// Waits until slurmctld says one of these words of a job.
    async fn word(&self, id: &SchedulerJobId, words: &[&str]) {
        let until = Instant::now() + DOWN;
        loop {
            let now = self.admin(&["squeue", "-h", "-t", "all", "-j", number(id), "-o", "%T"]);
            if words.contains(&now.trim()) {
                return;
            }
            assert!(Instant::now() < until, "{id} is {now}, not {words:?}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// SLURM keeps a requeued job waiting for two minutes.
    async fn hurry(&self, id: &SchedulerJobId) {
        self.word(id, &["PENDING", "RUNNING", "COMPLETED"]).await;
        let job = format!("JobId={}", number(id));
        self.admin(&["scontrol", "update", &job, "StartTime=now"]);
    }

    async fn suspension(&self) {
        let spec = self.bed.job(WAIT);
        let id = self.up(&spec).await;
        self.admin(&["scontrol", "suspend", number(&id)]);
        self.word(&id, &["SUSPENDED"]).await;
        let status = self.cli.status(&id).await;
        assert!(matches!(status, Status::Running { .. }), "{status:?}");
        let early = self.cli.attempts(&id).await.expect("rows");
        // Real time has to pass: what is tested is that it is not counted.
        tokio::time::sleep(Duration::from_secs(4)).await;
        let late = self.cli.attempts(&id).await.expect("rows");
        assert!(
            late[0].elapsed_ms <= early[0].elapsed_ms + 1_000,
            "suspended time counts: {early:?} {late:?}"
        );
        self.admin(&["scontrol", "resume", number(&id)]);
        go(&spec);
        let rows = self.ended(&id, EndState::Completed).await;
        let wall = rows[0].ended.expect("ended") - rows[0].started.expect("started");
        assert!(rows[0].elapsed_ms + 3_000 <= wall, "{rows:?}");
        assert!(rows[0].detail.contains("suspended"), "{rows:?}");
    }

    async fn requeue(&self) {
        let mut spec = self.bed.job(
            "echo out $VE_ATTEMPT; echo $VE_ATTEMPT >> up; [ $VE_ATTEMPT = 1 ] || exit 0; sleep 300",
        );
        spec.requeue = true;
        fs::write(&spec.stdout, "of somebody before\n").expect("written");
        fs::set_permissions(
            &spec.stdout,
            std::os::unix::fs::PermissionsExt::from_mode(0o666),
        )
        .expect("mode");
        let id = self.up(&spec).await;
        self.admin(&["scontrol", "requeue", number(&id)]);
        self.hurry(&id).await;
        let rows = self.ended(&id, EndState::Completed).await;
        // Not free: the owner can requeue as well.
        assert_eq!(states(&rows), [EndState::Cancelled, EndState::Completed]);
        assert_eq!((rows[0].attempt, rows[1].attempt), (1, 2));
        let out = fs::read_to_string(&spec.stdout).expect("output");
        assert!(
            out.starts_with("out 1\n") && out.ends_with("out 2\n"),
            "{out}"
        );
    }

    async fn lost_nodes(&self) {
        let mut twice = self.bed.job(
            "echo up > up; [ $VE_ATTEMPT = 1 ] || exit 0; until [ -e go ]; do sleep 0.1; done",
        );
        twice.requeue = true;
        let once = self.bed.job(WAIT);
        for (spec, expected) in [
            (once, vec![EndState::NodeFailure]),
            (twice, vec![EndState::NodeFailure, EndState::Completed]),
        ] {
            let id = self.up(&spec).await;
            // slurmctld notes up to two seconds late that a node took a job. Noted after the node was set down, that would
            // return the dead node to service.
            tokio::time::sleep(Duration::from_secs(4)).await;
            let node = self.admin(&["squeue", "-h", "-j", number(&id), "-o", "%N"]);
            let daemon = format!("slurmd-{}", node.trim());
            self.bed.cluster.daemon("kill", &daemon);
            let name = format!("NodeName={}", node.trim());
            self.admin(&["scontrol", "update", &name, "State=DOWN", "Reason=test"]);
            if spec.requeue {
                self.hurry(&id).await;
            }
            let last = expected.last().expect("one").clone();
            let rows = self.ended(&id, last).await;
            assert_eq!(states(&rows), expected);
            // What the dead daemon left behind would go on for ever.
            go(&spec);
            self.bed.cluster.daemon("start", &daemon);
        }
    }

    async fn array_in_part(&self) {
        let mut spec = self
            .bed
            .job("[ $VE_TASK = 0 ] && exit 9; echo up > up-$VE_TASK; sleep 300");
        spec.array_tasks = 5;
        spec.cpus = 8;
        spec.stdout = spec.work_dir.join("out-%a");
        spec.stderr = spec.stdout.clone();
        let id = self.cli.submit(&spec).await.expect("submitted");
        for task in [1, 2] {
            self.file(&spec.work_dir.join(format!("up-{task}"))).await;
        }
        let status = self.cli.status(&id).await;
        assert!(matches!(status, Status::Running { .. }), "{status:?}");
        self.cli.cancel(&id).await.expect("cancelled");
        let rows = self.ended(&id, EndState::Cancelled).await;
        let started: Vec<bool> = rows.iter().map(|r| r.started.is_some()).collect();
        assert_eq!(started, [true, true, true, false, false]);
        assert_eq!(rows[0].state, Some(EndState::Failed { exit_code: 9 }));
        assert!(rows[1..]
            .iter()
            .all(|r| r.state == Some(EndState::Cancelled)));
    }

    async fn preemption(&self) {
        let mut low = self.bed.job(WAIT);
        (low.cpus, low.nodes) = (16, 2);
        let low_id = self.up(&low).await;
        let urgent = self.bed.cli_as(Identity {
            account: None,
            qos: Some("urgent".into()),
        });
        let high = self.bed.job("exit 0");
        let high_id = urgent.submit(&high).await.expect("submitted");
        let rows = self.ended(&low_id, EndState::Preempted).await;
        assert_eq!((rows[0].allocated.cpus, rows[0].allocated.nodes), (16, 2));
        self.ended(&high_id, EndState::Completed).await;
    }

    async fn slurmdbd_away(&self) {
        let spec = self.bed.job(WAIT);
        let id = self.up(&spec).await;
        self.bed.cluster.daemon("stop", "slurmdbd");
        go(&spec);
        self.word(&id, &["COMPLETED"]).await;
        let status = self.cli.status(&id).await;
        assert!(matches!(status, Status::Unknown(_)), "{status:?}");
        let rows = self.cli.attempts(&id).await;
        assert!(matches!(rows, Err(QueryError::Unknown(_))), "{rows:?}");
        let refused = self.cli.submit(&self.bed.job("exit 0")).await;
        assert!(
            matches!(refused, Err(SubmitError::Unavailable(_))),
            "{refused:?}"
        );
        if variable("VE_SLURM_LONG").is_some() {
            // slurmctld forgets it: now nobody knows it, and that is not absence.
            let until = Instant::now() + Duration::from_secs(300);
            while !self
                .admin(&["squeue", "-h", "-t", "all", "-o", "%A"])
                .lines()
                .all(|l| l != number(&id))
            {
                assert!(Instant::now() < until, "slurmctld never forgets");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            let status = self.cli.status(&id).await;
            assert!(matches!(status, Status::Unknown(_)), "{status:?}");
            let found = self.cli.find(&spec.handle).await;
            assert!(matches!(found, Lookup::Unknown(_)), "{found:?}");
        }
        self.bed.cluster.daemon("start", "slurmdbd");
        self.ended(&id, EndState::Completed).await;
    }

    async fn slurmctld_away(&self) {
        let spec = self.bed.job(WAIT);
        let other = self.bed.job("exit 0");
        let id = self.up(&spec).await;
        self.bed.cluster.daemon("stop", "slurmctld");
        let (status, found, submitted, cancelled, rows) = tokio::join!(
            self.cli.status(&id),
            self.cli.find(&spec.handle),
            self.cli.submit(&other),
            self.cli.cancel(&id),
            self.cli.attempts(&id),
        );
        assert!(matches!(status, Status::Unknown(_)), "{status:?}");
        assert!(matches!(found, Lookup::Unknown(_)), "{found:?}");
        assert!(
            matches!(submitted, Err(SubmitError::Unavailable(_))),
            "{submitted:?}"
        );
        assert!(
            matches!(cancelled, Err(QueryError::Unknown(_))),
            "{cancelled:?}"
        );
        assert!(matches!(rows, Err(QueryError::Unknown(_))), "{rows:?}");
        go(&spec);
        self.bed.cluster.daemon("start", "slurmctld");
        self.ended(&id, EndState::Completed).await;
        let other_id = self.cli.submit(&other).await.expect("submitted");
        self.ended(&other_id, EndState::Completed).await;
    }

    /// The cluster loses its state: numbers are given out again, and accounting has two jobs of one number.
    async fn ids_begin_again(&self) {
        let before = self.bed.job("sleep 2");
        let before_id = self.cli.submit(&before).await.expect("submitted");
        let before_rows = self.ended(&before_id, EndState::Completed).await;
        self.bed.cluster.daemon("stop", "slurmctld");
        let state = self.bed.cluster.state_dir().join("state");
        for name in ["job_state", "job_state.old"] {
            let _ = fs::remove_file(state.join(name));
        }
        self.bed.cluster.daemon("start", "slurmctld");
        loop {
            let spec = self.bed.job("exit 3");
            let id = self.cli.submit(&spec).await.expect("submitted");
            let end = wait_end(&self.cli, &id, self.bed.patience())
                .await
                .expect("ends");
            assert_eq!(end, EndState::Failed { exit_code: 3 });
            let rows = final_rows(&self.cli, &id).await.expect("rows");
            assert_eq!(rows.len(), 1, "{rows:?}");
            let found = self.cli.find(&spec.handle).await;
            assert_eq!(found, Lookup::Found(vec![id.clone()]));
            let new: u32 = number(&id).parse().expect("number");
            let old: u32 = number(&before_id).parse().expect("number");
            assert!(new <= old, "{new} after {old}: the ids did not begin again");
            if new == old {
                break;
            }
            // Held jobs use up numbers without being run.
            for _ in new + 1..old {
                self.admin(&[
                    "sbatch",
                    "-H",
                    "--uid",
                    &self.bed.cluster.user,
                    "--wrap",
                    "true",
                ]);
            }
        }
        let status = self.cli.status(&before_id).await;
        assert_eq!(status, Status::Ended(EndState::Completed));
        assert_eq!(
            self.cli.attempts(&before_id).await.expect("rows"),
            before_rows
        );
    }
}
