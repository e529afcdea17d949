//! Jobs are suspended, held, requeued, preempted, their nodes fail, their disk is full; what is billed stays what
//! accounting says.

use std::{
    fs,
    os::unix::fs::{symlink, PermissionsExt},
    time::Duration,
};

use ve_slurm::{slurm::Identity, EndState, SchedulerJobId, Status, SubmitSpec};

use super::{
    job_user,
    run::{go, number, states, step, OwnBed, Run, WAIT},
    small_disk::SmallDisk,
};

pub async fn billed_by_accounting<B: OwnBed>(run: &Run<B>) {
    step("suspension", run.suspension()).await;
    step("array", run.array_in_part()).await;
    step("cancelled by another", run.cancelled_by_another()).await;
    step("preemption", run.preemption()).await;
    step("hold", run.hold()).await;
    step("requeue and hold", run.requeue_and_hold()).await;
    step("slurmd again", run.slurmd_again()).await;
    step("lost node", run.lost_node()).await;
    step("foreign file", run.output_is_a_foreign_file()).await;
    step("full disk", run.full_disk()).await;
    step("second attempts", run.second_attempts()).await;
}

impl<B: OwnBed> Run<B> {
    async fn suspension(&self) {
        let spec = self.job(WAIT);
        let id = self.up(&spec).await;
        // slurmctld tells accounting of a start every 5 s. A job that is suspended before is never suspended there (24.11).
        tokio::time::sleep(Duration::from_secs(7)).await;
        self.admin(&["scontrol", "suspend", number(&id)]);
        self.word(&id, &["SUSPENDED"]).await;
        let status = self.client.status(&id).await;
        assert!(matches!(status, Status::Running { .. }), "{status:?}");
        let early = self.client.attempts(&id).await.expect("rows");
        // Real time has to pass: what is tested is that it is not counted.
        tokio::time::sleep(Duration::from_secs(4)).await;
        let late = self.client.attempts(&id).await.expect("rows");
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

    /// Accounting knows the array as waiting; some tasks start and all are cancelled before slurmctld's next report to it.
    async fn array_in_part(&self) {
        let mut spec = self.job("[ $VE_TASK = 0 ] && exit 9; echo up > up-$VE_TASK; sleep 300");
        spec.array_tasks = 5;
        spec.cpus = 8;
        spec.stdout = spec.work_dir.join("out-%a");
        spec.stderr = spec.stdout.clone();
        self.partition("DOWN");
        let id = self.submitted(&spec).await;
        super::run::eventually("accounting knows it", || async {
            let rows = self.admin(&["sacct", "-X", "-n", "-a", "-j", number(&id), "-o", "State"]);
            match rows.contains("PENDING") {
                true => Ok(()),
                false => Err(rows),
            }
        })
        .await;
        self.partition("UP");
        for task in [1, 2] {
            self.file(&spec.work_dir.join(format!("up-{task}"))).await;
        }
        let status = self.client.status(&id).await;
        assert!(matches!(status, Status::Running { .. }), "{status:?}");
        self.client.cancel(&id).await.expect("cancelled");
        let rows = self.ended(&id, EndState::Cancelled).await;
        let started: Vec<bool> = rows.iter().map(|r| r.started.is_some()).collect();
        assert_eq!(started, [true, true, true, false, false]);
        assert!(rows[1..].iter().all(|row| row.by_owner), "{rows:?}");
        assert_eq!(rows[0].state, Some(EndState::Failed { exit_code: 9 }));
        assert!(rows[1..]
            .iter()
            .all(|r| r.state == Some(EndState::Cancelled)));
    }

    /// Not by the user that it runs as.
    async fn cancelled_by_another(&self) {
        let id = self.up(&self.job(WAIT)).await;
        self.admin(&["scancel", number(&id)]);
        let rows = self.ended(&id, EndState::Cancelled).await;
        let by_owner = super::me() == job_user();
        assert_eq!(rows[0].by_owner, by_owner, "{rows:?}");
    }

    async fn preemption(&self) {
        let mut low = self.job(WAIT);
        (low.cpus, low.nodes) = (16, 2);
        let low_id = self.up(&low).await;
        let urgent = Identity {
            account: None,
            qos: Some("urgent".into()),
        };
        let urgent = self.bed.client_of(&job_user(), urgent);
        let high = self.job("exit 0");
        let high_id = urgent.submit(&high).await.expect("submitted");
        let rows = self.ended(&low_id, EndState::Preempted).await;
        assert_eq!((rows[0].allocated.cpus, rows[0].allocated.nodes), (16, 2));
        self.ended(&high_id, EndState::Completed).await;
    }

    async fn hold(&self) {
        let spec = self.job("exit 0");
        self.partition("DOWN");
        let id = self.submitted(&spec).await;
        self.admin(&["scontrol", "hold", number(&id)]);
        self.partition("UP");
        // A job that is not held runs at once.
        let other = self.submitted(&self.job("exit 0")).await;
        self.ended(&other, EndState::Completed).await;
        assert_eq!(self.client.status(&id).await, Status::Queued);
        assert_eq!(self.client.attempts(&id).await, Ok(vec![]));
        self.admin(&["scontrol", "release", number(&id)]);
        let rows = self.ended(&id, EndState::Completed).await;
        assert_eq!(rows.len(), 1, "{rows:?}");
    }

    /// Back into the queue, held, and cancelled there: what it ran before is billed, the second attempt is nothing.
    async fn requeue_and_hold(&self) {
        let mut spec = self.job(WAIT);
        spec.requeue = true;
        let id = self.up(&spec).await;
        self.admin(&["scontrol", "requeuehold", number(&id)]);
        self.word(&id, &["PENDING", "REQUEUE_HOLD"]).await;
        assert_eq!(self.client.status(&id).await, Status::Queued);
        self.client.cancel(&id).await.expect("cancelled");
        let rows = self.ended(&id, EndState::Cancelled).await;
        let started: Vec<bool> = rows.iter().map(|r| r.started.is_some()).collect();
        assert_eq!(started, [true, false], "{rows:?}");
    }

    /// One job is requeued, the node of another is lost. SLURM starts both again once what they were first started with has
    /// expired (`cred_expire`); hurried, their nodes would refuse that as revoked.
    async fn second_attempts(&self) {
        let mut spec = self.job(
            "echo out $VE_ATTEMPT; echo $VE_ATTEMPT >> up; [ $VE_ATTEMPT = 1 ] || exit 0; sleep 300",
        );
        spec.requeue = true;
        fs::write(&spec.stdout, "of somebody before\n").expect("written");
        fs::set_permissions(&spec.stdout, fs::Permissions::from_mode(0o666)).expect("mode");
        let id = self.up(&spec).await;
        self.admin(&["scontrol", "requeue", number(&id)]);
        self.word(&id, &["PENDING"]).await;
        let (lost, lost_id, daemon) = self.lose_node(true).await;

        let rows = self.ended(&id, EndState::Completed).await;
        // Not free: the owner can requeue as well.
        assert_eq!(states(&rows), [EndState::Cancelled, EndState::Completed]);
        assert_eq!((rows[0].attempt, rows[1].attempt), (1, 2));
        let out = fs::read_to_string(&spec.stdout).expect("output");
        assert!(
            out.starts_with("out 1\n") && out.ends_with("out 2\n"),
            "{out}"
        );
        let rows = self.ended(&lost_id, EndState::Completed).await;
        let expected = [EndState::NodeFailure, EndState::Completed];
        assert_eq!(states(&rows), expected);
        go(&lost);
        self.daemon("start", &daemon);
    }

    fn node_of(&self, id: &SchedulerJobId) -> String {
        let node = self.admin(&["squeue", "-h", "-j", number(id), "-o", "%N"]);
        node.trim().to_owned()
    }

    /// Killed and started again before anybody misses it: the job does not notice.
    async fn slurmd_again(&self) {
        let spec = self.job("echo up >> up; until [ -e go ]; do sleep 0.1; done");
        let id = self.up(&spec).await;
        let daemon = format!("slurmd-{}", self.node_of(&id));
        self.daemon("kill", &daemon);
        let status = self.client.status(&id).await;
        assert!(matches!(status, Status::Running { .. }), "{status:?}");
        self.daemon("start", &daemon);
        go(&spec);
        let rows = self.ended(&id, EndState::Completed).await;
        assert_eq!(rows.len(), 1, "{rows:?}");
        let runs = fs::read_to_string(spec.work_dir.join("up")).expect("runs");
        assert_eq!(runs, "up\n");
    }

    async fn lost_node(&self) {
        let (spec, id, daemon) = self.lose_node(false).await;
        let rows = self.ended(&id, EndState::NodeFailure).await;
        assert_eq!(rows.len(), 1, "{rows:?}");
        go(&spec);
        self.daemon("start", &daemon);
    }

    /// Runs a job and kills the daemon of its node; returns that as well. What the dead daemon leaves behind goes on until
    /// it is let [`go`].
    async fn lose_node(&self, requeue: bool) -> (SubmitSpec, SchedulerJobId, String) {
        let mut spec = self.job(
            "echo up > up; [ $VE_ATTEMPT = 1 ] || exit 0; until [ -e go ]; do sleep 0.1; done",
        );
        spec.requeue = requeue;
        let id = self.up(&spec).await;
        // slurmctld notes up to two seconds late that a node took a job. Noted after the node was set down, that would
        // return the dead node to service.
        tokio::time::sleep(Duration::from_secs(4)).await;
        let node = self.node_of(&id);
        let daemon = format!("slurmd-{node}");
        self.daemon("kill", &daemon);
        let name = format!("NodeName={node}");
        self.admin(&["scontrol", "update", &name, "State=DOWN", "Reason=test"]);
        (spec, id, daemon)
    }

    /// The customer's output is a link to what is not his.
    async fn output_is_a_foreign_file(&self) {
        let spec = self.job("echo overwritten");
        let foreign = self.bed.shared_dir().join("foreign");
        fs::write(&foreign, "of somebody else\n").expect("written");
        fs::set_permissions(&foreign, fs::Permissions::from_mode(0o644)).expect("mode");
        if job_user() == super::me() {
            return eprintln!("foreign files: only as root, for want of another user");
        }
        symlink(&foreign, &spec.stdout).expect("link");
        let id = self.submitted(&spec).await;
        let end = ve_slurm::conformance::wait_end(&*self.client, &id, self.bed.patience())
            .await
            .expect("ends");
        assert!(matches!(end, EndState::Failed { .. }), "{end:?}");
        let text = fs::read_to_string(&foreign).expect("there");
        assert_eq!(text, "of somebody else\n");
    }

    /// A job that finds its directory full fails by itself; the next one runs.
    async fn full_disk(&self) {
        let mut spec = self.job("echo out");
        let Some(disk) = SmallDisk::mount(&spec.work_dir.join("disk"), 1) else {
            return;
        };
        fs::set_permissions(disk.path(), fs::Permissions::from_mode(0o777)).expect("mode");
        spec.work_dir = disk.path().to_owned();
        disk.fill();
        let id = self.submitted(&spec).await;
        let full = EndState::Failed { exit_code: 126 };
        self.ended(&id, full).await;
        let told = fs::read_to_string(&spec.stderr).expect("told");
        assert!(told.contains("directory is full"), "{told}");
        disk.make_room();
        let mut again = self.job("echo out");
        again.work_dir = disk.path().to_owned();
        let id = self.submitted(&again).await;
        self.ended(&id, EndState::Completed).await;
    }
}
