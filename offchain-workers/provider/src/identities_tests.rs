use super::*;
use proptest::prelude::*;
use std::{
    collections::BTreeMap,
    future::Future,
    path::Path,
    pin::pin,
    sync::{
        atomic::{AtomicUsize, Ordering},
        Mutex as Shared,
    },
    task::{Context, Poll},
};
use tokio::sync::Semaphore;

/// Directories of members: whose files lie in them.
#[derive(Default)]
struct Disk {
    homes: Shared<BTreeMap<String, BTreeSet<String>>>,
    broken: Shared<bool>,
}

impl Disk {
    fn write(&self, member: &Identity, customer: u8) {
        let mut homes = self.homes.lock().unwrap();
        let files = homes.entry(member.user.clone()).or_default();
        files.insert(hex::encode(account(customer)));
    }

    fn in_home(&self, user: &str) -> BTreeSet<String> {
        self.homes
            .lock()
            .unwrap()
            .get(user)
            .cloned()
            .unwrap_or_default()
    }
}

#[async_trait]
impl Homes for Disk {
    async fn is_empty(&self, member: &Identity) -> io::Result<bool> {
        tokio::task::yield_now().await;
        Ok(self.in_home(&member.user).is_empty())
    }

    async fn clear(&self, member: &Identity) -> io::Result<()> {
        tokio::task::yield_now().await;
        if *self.broken.lock().unwrap() {
            return Err(io::Error::other("the file system does not answer"));
        }
        self.homes.lock().unwrap().remove(&member.user);
        tokio::task::yield_now().await;
        Ok(())
    }
}

fn account(customer: u8) -> AccountId32 {
    AccountId32::new([customer; 32])
}

fn pool(size: u16) -> Pool {
    Pool::new("vejob", size, Path::new("/srv/ve"), "ve", None, 10).unwrap()
}

fn identities(database: &Database, size: u16, disk: &Arc<Disk>) -> Identities {
    Identities::new(database.clone(), 1, pool(size), disk.clone())
}

#[derive(Clone, Debug)]
enum Step {
    /// A customer's job begins, and writes.
    Lease { customer: u8, job: u64 },
    /// One of the jobs that hold something is cleared away.
    Release { which: usize },
    /// The worker's process ends somewhere in the middle of one of the two.
    Crash { polls: usize, step: Box<Step> },
    /// Directories cannot be cleared, or can again.
    Disk { broken: bool },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let plain = prop_oneof![
        3 => (0u8..5, 0u64..40).prop_map(|(customer, job)| Step::Lease { customer, job: job * 5 + u64::from(customer) }),
        3 => (0usize..40).prop_map(|which| Step::Release { which }),
    ];
    let crash = (0usize..6, plain.clone()).prop_map(|(polls, step)| Step::Crash {
        polls,
        step: Box::new(step),
    });
    let disk = any::<bool>().prop_map(|broken| Step::Disk { broken });
    proptest::collection::vec(prop_oneof![4 => plain, 2 => crash, 1 => disk], 1..40)
}

/// Polls a future so many times at most; `None` if it was dropped before its end, as by a process that ends.
async fn at_most<T>(polls: Option<usize>, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    let mut left = polls;
    std::future::poll_fn(|context: &mut Context<'_>| match &mut left {
        None => work.as_mut().poll(context).map(Some),
        Some(0) => Poll::Ready(None),
        Some(left) => {
            *left -= 1;
            work.as_mut().poll(context).map(Some)
        }
    })
    .await
}

/// What jobs hold, as their own records would say: noted before a lease, struck out after a release.
#[derive(Default)]
struct Model {
    /// Jobs that begun, with their customer, and the member if they know it.
    jobs: BTreeMap<u64, (u8, Option<String>)>,
    polls: Option<usize>,
}

impl Model {
    async fn lease(&mut self, identities: &Identities, disk: &Disk, customer: u8, job: u64) {
        self.jobs.entry(job).or_insert((customer, None));
        let account = account(customer);
        let leased = at_most(self.polls.take(), identities.lease(&account, job, true)).await;
        if let Some(Ok(member)) = leased {
            let found = disk.in_home(&member.user);
            let own = hex::encode(account);
            assert!(
                found.iter().all(|c| *c == own),
                "{member:?} holds {found:?}, leased to {customer}"
            );
            disk.write(&member, customer);
            self.jobs.insert(job, (customer, Some(member.user)));
        }
    }

    async fn release(&mut self, identities: &Identities, job: u64) {
        let Some((_, member)) = self.jobs.get(&job).cloned() else {
            return;
        };
        let released = identities.release(member.as_deref(), job);
        let released = at_most(self.polls.take(), released).await;
        if let Some(Ok(())) = released {
            self.jobs.remove(&job);
        }
    }
}

async fn run(steps: Vec<Step>) {
    // On disk: a question that is cut off takes its connection with it, and a database in memory is its connection.
    let directory = tempfile::tempdir().unwrap();
    let database = Database::open(&directory.path().join("worker.db"))
        .await
        .unwrap();
    let disk = Arc::new(Disk::default());
    let mut model = Model::default();
    let mut now = identities(&database, 3, &disk);
    for step in steps {
        let step = match step {
            Step::Crash { polls, step } => {
                model.polls = Some(polls);
                *step
            }
            step => step,
        };
        let crashes = model.polls.is_some();
        match step {
            Step::Lease { customer, job } => model.lease(&now, &disk, customer, job).await,
            Step::Release { which } => {
                let jobs: Vec<_> = model.jobs.keys().copied().collect();
                if let Some(job) = jobs.get(which % jobs.len().max(1)) {
                    model.release(&now, *job).await;
                }
            }
            Step::Disk { broken } => *disk.broken.lock().unwrap() = broken,
            Step::Crash { .. } => unreachable!("crashes do not nest"),
        }
        if crashes {
            model.polls = None;
            now = identities(&database, 3, &disk);
            let _ = now.sweep().await;
        }
        // No two customers share a member, and no customer has two.
        let mut owners = BTreeMap::new();
        let mut members = BTreeMap::new();
        for (job, (customer, member)) in &model.jobs {
            let Some(member) = member else { continue };
            // One whose release was cut off may have let go of it already: then it is being cleared, and nobody's.
            let leases = now.leases().await.unwrap();
            let held = leases
                .iter()
                .any(|(m, lease)| m.user == *member && lease.value.jobs.contains(job));
            if held {
                assert_eq!(
                    *owners.entry(member.clone()).or_insert(*customer),
                    *customer
                );
                assert_eq!(*members.entry(*customer).or_insert(member.clone()), *member);
            }
        }
    }
    // All jobs are cleared away: the pool is whole and clean again.
    *disk.broken.lock().unwrap() = false;
    for job in model.jobs.keys().copied().collect::<Vec<_>>() {
        model.release(&now, job).await;
    }
    assert!(model.jobs.is_empty());
    now.sweep().await.unwrap();
    assert_eq!(now.leased().await.unwrap(), 0);
    for member in pool(3).members() {
        assert!(
            disk.in_home(&member.user).is_empty(),
            "{member:?} is not clean"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn members_should_never_be_shared_when_leases_releases_and_crashes_come_in_any_order(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(steps));
    }
}

#[tokio::test]
async fn lease_should_say_what_to_do_when_the_pool_is_empty() {
    let database = Database::in_memory().await.unwrap();
    let disk = Arc::new(Disk::default());
    let identities = identities(&database, 2, &disk);
    let first = identities.lease(&account(1), 1, true).await.unwrap();
    assert_eq!(identities.lease(&account(1), 2, true).await.unwrap(), first);
    identities.lease(&account(2), 3, true).await.unwrap();
    let error = identities
        .lease(&account(3), 4, true)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("2 of 2") && error.contains("virtengine-worker pool"),
        "{error}"
    );
    // One job of two is gone: still theirs. Both: free.
    identities.release(Some(&first.user), 1).await.unwrap();
    assert!(identities.lease(&account(3), 4, true).await.is_err());
    identities.release(Some(&first.user), 2).await.unwrap();
    assert_eq!(identities.lease(&account(3), 4, true).await.unwrap(), first);
}

#[tokio::test]
async fn leases_should_be_of_the_customers_own_members_when_they_are_made_together() {
    let database = Database::in_memory().await.unwrap();
    let disk = Arc::new(Disk::default());
    let identities = identities(&database, 3, &disk);
    let jobs = (0..250u64).map(|job| (u8::try_from(job % 3).unwrap(), job));
    let leased = futures::future::join_all(jobs.map(|(customer, job)| {
        let identities = &identities;
        async move {
            let member = identities.lease(&account(customer), job, true).await;
            (customer, job, member.unwrap())
        }
    }));
    let leased = leased.await;
    let owners: BTreeMap<_, _> = leased
        .iter()
        .map(|(customer, _, member)| (member.user.clone(), *customer))
        .collect();
    assert_eq!(owners.len(), 3);
    for (customer, _, member) in &leased {
        assert_eq!(owners[&member.user], *customer);
    }
    // Each is on record, so a member is its customer's until the last job has been released.
    for (n, (_, job, member)) in leased.iter().enumerate() {
        let free = identities.lease(&account(9), 999, true).await;
        assert!(free.is_err(), "after {n} of {} jobs", leased.len());
        identities.release(Some(&member.user), *job).await.unwrap();
        if n + 3 >= leased.len() {
            break;
        }
    }
    assert!(identities.lease(&account(9), 999, true).await.is_ok());
}

#[tokio::test]
async fn lease_should_pass_over_a_member_when_files_of_nobody_lie_there() {
    let database = Database::in_memory().await.unwrap();
    let disk = Arc::new(Disk::default());
    let members: Vec<_> = pool(2).members().collect();
    disk.write(&members[0], 9);
    let identities = identities(&database, 2, &disk);
    assert_eq!(
        identities.lease(&account(1), 1, true).await.unwrap(),
        members[1]
    );
    let error = identities
        .lease(&account(2), 2, true)
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains(&members[0].user), "{error}");
    assert_eq!(
        disk.in_home(&members[0].user).len(),
        1,
        "and nothing of it was removed"
    );
}

#[tokio::test]
async fn lease_should_wait_for_a_look_when_the_job_may_have_run_as_somebody_forgotten() {
    let database = Database::in_memory().await.unwrap();
    let disk = Arc::new(Disk::default());
    let members: Vec<_> = pool(3).members().collect();
    disk.write(&members[1], 1);
    let identities = identities(&database, 3, &disk);
    let error = identities
        .lease(&account(1), 1, false)
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains(&members[1].user), "{error}");
    disk.clear(&members[1]).await.unwrap();
    assert_eq!(
        identities.lease(&account(1), 1, false).await.unwrap(),
        members[0]
    );
}

#[tokio::test]
async fn release_should_keep_a_member_from_others_when_its_directory_cannot_be_cleared() {
    let database = Database::in_memory().await.unwrap();
    let disk = Arc::new(Disk::default());
    let identities = identities(&database, 1, &disk);
    let member = identities.lease(&account(1), 1, true).await.unwrap();
    disk.write(&member, 1);
    *disk.broken.lock().unwrap() = true;
    assert!(identities.release(Some(&member.user), 1).await.is_err());
    assert!(identities.lease(&account(2), 2, true).await.is_err());
    *disk.broken.lock().unwrap() = false;
    assert_eq!(
        identities.lease(&account(2), 2, true).await.unwrap(),
        member
    );
    assert!(disk.in_home(&member.user).is_empty());
}

/// Directories whose clearing waits to be let on.
struct Slow {
    disk: Disk,
    entered: Semaphore,
    gate: Semaphore,
    inside: AtomicUsize,
    most: AtomicUsize,
}

#[async_trait]
impl Homes for Slow {
    async fn is_empty(&self, member: &Identity) -> io::Result<bool> {
        self.disk.is_empty(member).await
    }

    async fn clear(&self, member: &Identity) -> io::Result<()> {
        let inside = 1 + self.inside.fetch_add(1, Ordering::SeqCst);
        self.most.fetch_max(inside, Ordering::SeqCst);
        self.entered.add_permits(1);
        self.gate.acquire().await.unwrap().forget();
        self.inside.fetch_sub(1, Ordering::SeqCst);
        self.disk.clear(member).await
    }
}

async fn at_once<T>(work: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(Duration::from_secs(20), work).await;
    done.expect("it waits for a clearing")
}

#[tokio::test]
async fn lease_should_wait_for_no_clearing_when_the_customer_has_a_member_or_another_is_free() {
    let database = Database::in_memory().await.unwrap();
    let slow = Arc::new(Slow {
        disk: Disk::default(),
        entered: Semaphore::new(0),
        gate: Semaphore::new(0),
        inside: AtomicUsize::new(0),
        most: AtomicUsize::new(0),
    });
    let identities = Arc::new(Identities::new(database, 1, pool(3), slow.clone()));
    let first = identities.lease(&account(1), 1, true).await.unwrap();
    slow.disk.write(&first, 1);
    let second = identities.lease(&account(2), 2, true).await.unwrap();

    let release = || {
        let (identities, user) = (identities.clone(), first.user.clone());
        tokio::spawn(async move { identities.release(Some(&user), 1).await })
    };
    let released = release();
    at_once(slow.entered.acquire()).await.unwrap().forget();
    assert_eq!(
        at_once(identities.lease(&account(2), 3, true))
            .await
            .unwrap(),
        second
    );
    let third = at_once(identities.lease(&account(3), 4, true))
        .await
        .unwrap();
    assert!(third != first && third != second);

    // Whoever else would clear it, or needs it, waits for the one that does.
    let again = release();
    let swept = tokio::spawn({
        let identities = identities.clone();
        async move { identities.sweep().await }
    });
    let last = tokio::spawn({
        let identities = identities.clone();
        async move { identities.lease(&account(4), 5, true).await }
    });
    for job in 10..40 {
        at_once(identities.lease(&account(2), job, true))
            .await
            .unwrap();
    }
    assert!(!released.is_finished() && !again.is_finished() && !last.is_finished());
    assert_eq!(identities.leased().await.unwrap(), 3);
    slow.gate.add_permits(10);
    at_once(released).await.unwrap().unwrap();
    at_once(again).await.unwrap().unwrap();
    at_once(swept).await.unwrap().unwrap();
    assert_eq!(at_once(last).await.unwrap().unwrap(), first);
    assert!(slow.disk.in_home(&first.user).is_empty());
    assert_eq!(slow.most.load(Ordering::SeqCst), 1);
    assert_eq!(slow.gate.available_permits(), 9, "it was cleared once");
}

#[test]
fn lease_error_should_blame_the_disk_for_no_more_than_files() {
    let of = |source: io::Error| {
        let user = "vejob000".to_owned();
        match StepError::from(LeaseError::Member { user, source }) {
            StepError::Unanswered { outside, .. } => outside,
            other => panic!("{other:?}"),
        }
    };
    let said = |kind| of(io::Error::new(kind, "said"));
    assert_eq!(said(io::ErrorKind::TimedOut), Outside::Member);
    assert_eq!(said(io::ErrorKind::NotConnected), Outside::Scheduler);
    assert_eq!(said(io::ErrorKind::Other), Outside::Disk);
    // The file system's own.
    assert_eq!(of(nix::errno::Errno::ETIMEDOUT.into()), Outside::Disk);
}
