//! Daemons go away and come back changed; nothing is lost, nothing is believed too early.

use std::{
    fs,
    time::{Duration, Instant},
};

use ve_slurm::{
    conformance::{final_rows, wait_end},
    EndState, Health, Lookup, QueryError, SchedulerJobId, Status, SubmitError,
};

use super::{
    run::{eventually, go, number, step, OwnBed, Run, WAIT},
    variable,
};

pub async fn nothing_is_lost<B: OwnBed>(run: &Run<B>) {
    step("slurmdbd away", run.slurmdbd_away()).await;
    step("slurmctld away", run.slurmctld_away()).await;
    step("another zone", run.another_zone()).await;
    step("ids begin again", run.ids_begin_again()).await;
}

impl<B: OwnBed> Run<B> {
    async fn healthy(&self) {
        eventually("healthy again", || async {
            match self.client.health().await {
                Health::Ok => Ok(()),
                Health::Unknown(text) => Err(text),
            }
        })
        .await;
    }

    async fn is_unknown(&self, id: &SchedulerJobId) {
        let status = self.client.status(id).await;
        assert!(matches!(status, Status::Unknown(_)), "{status:?}");
        let rows = self.client.attempts(id).await;
        assert!(matches!(rows, Err(QueryError::Unknown(_))), "{rows:?}");
    }

    async fn slurmdbd_away(&self) {
        let spec = self.job(WAIT);
        let id = self.up(&spec).await;
        self.daemon("stop", "slurmdbd");
        eventually("the fault is seen", || async {
            match self.client.health().await {
                Health::Unknown(_) => Ok(()),
                Health::Ok => Err("healthy".into()),
            }
        })
        .await;
        let status = self.client.status(&id).await;
        assert!(matches!(status, Status::Running { .. }), "{status:?}");
        go(&spec);
        self.word(&id, &["COMPLETED"]).await;
        self.is_unknown(&id).await;
        let never = self.client.status(&self.bed.unknown_id()).await;
        assert!(matches!(never, Status::Unknown(_)), "{never:?}");
        let refused = self.client.submit(&self.job("exit 0")).await;
        assert!(
            matches!(refused, Err(SubmitError::Unavailable(_))),
            "{refused:?}"
        );
        if variable("VE_SLURM_LONG").is_some() {
            // slurmctld forgets it: now nobody knows it, and that is not absence.
            let until = Instant::now() + Duration::from_secs(300);
            while !self.words(&id).is_empty() {
                assert!(Instant::now() < until, "slurmctld never forgets");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            self.is_unknown(&id).await;
        }
        self.daemon("start", "slurmdbd");
        self.ended(&id, EndState::Completed).await;
        self.healthy().await;
    }

    /// Gone for minutes with `VE_SLURM_LONG`, else for as long as the questions take.
    async fn slurmctld_away(&self) {
        let spec = self.job(WAIT);
        let other = self.job("exit 0");
        let id = self.up(&spec).await;
        // Not killed: without what it writes down at its end it starts the job a second time, and then ends both.
        self.daemon("stop", "slurmctld");
        let (status, found, submitted, cancelled, rows) = tokio::join!(
            self.client.status(&id),
            self.client.find(&other.handle),
            self.client.submit(&other),
            self.client.cancel(&id),
            self.client.attempts(&id),
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
        if variable("VE_SLURM_LONG").is_some() {
            tokio::time::sleep(Duration::from_secs(180)).await;
            self.is_unknown(&id).await;
        }
        self.daemon("start", "slurmctld");
        self.ended(&id, EndState::Completed).await;
        let other_id = self.submitted(&other).await;
        self.ended(&other_id, EndState::Completed).await;
    }

    /// The cluster's daemons are started again in another time zone, half a day off, while a job runs.
    async fn another_zone(&self) {
        let spec = self.job(WAIT);
        let id = self.up(&spec).await;
        let before = self.client.status(&id).await;
        for daemon in ["slurmctld", "slurmdbd"] {
            self.daemon("stop", daemon);
        }
        for daemon in ["slurmdbd", "slurmctld"] {
            let daemons = self.bed.daemons();
            daemons.run_with(&[("TZ", "Asia/Kathmandu")], &["start", daemon]);
        }
        self.healthy().await;
        assert_eq!(self.client.status(&id).await, before);
        go(&spec);
        let rows = self.ended(&id, EndState::Completed).await;
        let now = std::time::UNIX_EPOCH.elapsed().expect("after 1970");
        let ended = rows[0].ended.expect("ended");
        let apart = u128::from(ended).abs_diff(now.as_millis());
        assert!(apart < 120_000, "{apart} ms: {rows:?}");
    }

    /// The cluster loses its state: numbers are given out again, and accounting has two jobs of one number.
    async fn ids_begin_again(&self) {
        let before = self.job("sleep 2");
        let before_id = self.submitted(&before).await;
        let before_rows = self.ended(&before_id, EndState::Completed).await;
        self.daemon("stop", "slurmctld");
        let state = self.bed.daemons().state.join("state");
        for name in ["job_state", "job_state.old"] {
            let _ = fs::remove_file(state.join(name));
        }
        self.daemon("start", "slurmctld");
        loop {
            let spec = self.job("exit 3");
            let id = self.submitted(&spec).await;
            let end = wait_end(&*self.client, &id, self.bed.patience())
                .await
                .expect("ends");
            assert_eq!(end, EndState::Failed { exit_code: 3 });
            let rows = final_rows(&*self.client, &id).await.expect("rows");
            assert_eq!(rows.len(), 1, "{rows:?}");
            let found = self.client.find(&spec.handle).await;
            assert_eq!(found, Lookup::Found(vec![id.clone()]));
            let new: u32 = number(&id).parse().expect("number");
            let old: u32 = number(&before_id).parse().expect("number");
            assert!(new <= old, "{new} after {old}: the ids did not begin again");
            if new == old {
                break;
            }
            // Held jobs use up numbers without being run.
            for _ in new + 1..old {
                let user = super::job_user();
                self.admin(&["sbatch", "-H", "--uid", &user, "--wrap", "true"]);
            }
        }
        let status = self.client.status(&before_id).await;
        assert_eq!(status, Status::Ended(EndState::Completed));
        assert_eq!(
            self.client.attempts(&before_id).await.expect("rows"),
            before_rows
        );
    }
}
