//! What failure runs on a cluster of the test's own have in common, whichever scheduler speaks to it.

use std::{
    fs,
    future::Future,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use ve_slurm::{
    conformance::{final_rows, job, wait_end, wait_file, wait_running, Bed},
    slurm::Identity,
    Attempt, EndState, Scheduler, SchedulerJobId, SubmitSpec,
};

use super::{truth, Daemons};

/// A script that says that it has begun, and ends when it is let [`go`].
pub const WAIT: &str = "echo up > up; until [ -e go ]; do sleep 0.1; done";
const DOWN: Duration = Duration::from_secs(120);

/// A bed with a cluster of its own.
pub trait OwnBed: Bed {
    /// Its daemons.
    fn daemons(&self) -> &Daemons;

    /// The cluster as one of its users sees it.
    fn client_of(&self, user: &str, identity: Identity) -> Arc<dyn Scheduler>;
}

/// One failure run.
pub struct Run<B> {
    pub bed: B,
    pub client: Arc<dyn Scheduler>,
}

/// Says how long a part of a run took.
pub async fn step(name: &str, what: impl Future<Output = ()>) {
    let from = Instant::now();
    what.await;
    eprintln!("{name}: {:?}", from.elapsed());
}

/// The number of a job in SLURM.
pub fn number(id: &SchedulerJobId) -> &str {
    id.0.split(':').next().expect("number")
}

pub fn go(spec: &SubmitSpec) {
    fs::write(spec.work_dir.join("go"), "go").expect("written");
}

pub fn states(rows: &[Attempt]) -> Vec<EndState> {
    rows.iter()
        .map(|r| r.state.clone().expect("ended"))
        .collect()
}

impl<B: OwnBed> Run<B> {
    pub async fn on(bed: B) -> Self {
        let client = bed.client().await;
        Self { bed, client }
    }

    pub fn admin(&self, words: &[&str]) -> String {
        self.bed.daemons().admin(words)
    }

    /// `start`, `stop` or `kill` a daemon.
    pub fn daemon(&self, what: &str, name: &str) {
        self.bed.daemons().run(&[what, name]);
    }

    pub fn job(&self, body: &str) -> SubmitSpec {
        job(&self.bed, body).expect("job")
    }

    pub async fn submitted(&self, spec: &SubmitSpec) -> SchedulerJobId {
        self.client.submit(spec).await.expect("submitted")
    }

    /// Submits it and waits until it has begun.
    pub async fn up(&self, spec: &SubmitSpec) -> SchedulerJobId {
        let id = self.submitted(spec).await;
        wait_running(&*self.client, &id, self.bed.patience())
            .await
            .expect("runs");
        self.file(&spec.work_dir.join("up")).await;
        id
    }

    pub async fn file(&self, path: &Path) {
        wait_file(path, self.bed.patience()).await.expect("appears");
    }

    /// Waits for the end and for rows that equal accounting.
    pub async fn ended(&self, id: &SchedulerJobId, expected: EndState) -> Vec<Attempt> {
        let end = wait_end(&*self.client, id, self.bed.patience())
            .await
            .expect("ends");
        assert_eq!(end, expected);
        let rows = final_rows(&*self.client, id).await.expect("rows");
        truth::assert_equal(self.bed.daemons(), id, &rows);
        rows
    }

    /// What slurmctld says of a job; nothing if it does not know it (any more).
    pub fn words(&self, id: &SchedulerJobId) -> String {
        let all = self.admin(&["squeue", "-h", "-t", "all", "-o", "%A %T"]);
        let of_it = all
            .lines()
            .filter_map(|line| line.split_once(' '))
            .find(|(job, _)| *job == number(id));
        of_it.map_or_else(String::new, |(_, word)| word.to_owned())
    }

    /// Waits until slurmctld says one of these words of a job.
    pub async fn word(&self, id: &SchedulerJobId, words: &[&str]) {
        eventually(&format!("{id} is {words:?}"), || async {
            let now = self.words(id);
            match words.contains(&now.as_str()) {
                true => Ok(()),
                false => Err(now),
            }
        })
        .await;
    }

    /// Starts no job of the partition until it is `UP` again; takes them all the same.
    pub fn partition(&self, state: &str) {
        let state = format!("State={state}");
        self.admin(&["scontrol", "update", "PartitionName=main", &state]);
    }
}

/// Waits for a condition, generously.
pub async fn eventually<F: Future<Output = Result<(), String>>>(
    what: &str,
    mut ask: impl FnMut() -> F,
) {
    let until = Instant::now() + DOWN;
    loop {
        match ask().await {
            Ok(()) => return,
            Err(last) if Instant::now() >= until => panic!("{what}: {last}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}
