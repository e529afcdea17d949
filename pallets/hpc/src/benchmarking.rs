//! Benchmarks. Every worst case is built through the seams, so that they run in the mock and in the real runtime.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::indexing_slicing
)]

use crate::*;
use alloc::{boxed::Box, vec, vec::Vec};
use codec::Encode;
use frame_benchmarking::v2::*;
use frame_support::{
    traits::{Consideration, Get, UnixTime},
    weights::WeightMeter,
    BoundedVec,
};
use frame_system::RawOrigin;
use sp_runtime::traits::BlockNumberProvider;
use virtengine_primitives::{
    billing::Fault,
    blake2_256,
    hpc::*,
    traits::{AccountStanding, Billing, EnvelopePolicy, ProviderRegistry},
    AgreementId, Balance, ClusterId, Name, PlanId, ProviderId, Role, TemplateHash,
};

/// Held for each job of a benchmark: far above its price under any plan that `benchmark_plan` publishes.
const CEILING: Balance = 1_000_000_000_000_000;

/// A provider with its accounts and its plan.
struct Shop<T: Config> {
    id: ProviderId,
    owner: T::AccountId,
    worker: T::AccountId,
    plan: PlanId,
}

/// Providers, each with its cluster.
type Market<T> = Vec<(Shop<T>, ClusterId)>;

/// The name of the longest kind.
fn name(n: u32) -> Name {
    let mut bytes = vec![b'n'; 64];
    let digits = n.encode();
    for (to, from) in bytes.iter_mut().zip(digits) {
        *to = b'a' + from % 26;
    }
    bytes.try_into().unwrap()
}

fn shop<T: Config>(n: u32) -> Shop<T> {
    let owner: T::AccountId = account("owner", n, 0);
    let worker: T::AccountId = account("worker", n, 0);
    T::Accounts::benchmark_grant(&owner, Role::Provider);
    let id = T::Providers::benchmark_register(&owner, &worker);
    let plan = T::Billing::benchmark_plan(id);
    T::Billing::benchmark_endow(&owner, CEILING);
    Shop {
        id,
        owner,
        worker,
        plan,
    }
}

fn spec(plan: PlanId, partitions: u32) -> ClusterSpec {
    let partitions: Vec<_> = (0..partitions)
        .map(|n| Partition {
            name: name(n),
            nodes: 10,
            cpus_per_node: 10,
            memory_mib_per_node: 1_000,
            gpus_per_node: 1,
            gpu_type: 1,
            max_walltime: 3_600,
            plan,
        })
        .collect();
    ClusterSpec {
        name: name(0),
        partitions: partitions.try_into().unwrap(),
        max_open_jobs: u32::MAX,
        min_score: 0,
        custom_scripts: false,
    }
}

fn template() -> TemplateHash {
    TemplateHash::repeat_byte(7)
}

/// A cluster of the largest kind that runs the template.
fn cluster<T: Config>(shop: &Shop<T>) -> ClusterId {
    T::Consideration::ensure_successful(
        &shop.owner,
        Pallet::<T>::cluster_footprint(T::MaxTemplates::get()),
    );
    let id = Pallet::<T>::do_register_cluster(shop.owner.clone(), spec(shop.plan, 16)).unwrap();
    Pallet::<T>::do_allow_template(shop.owner.clone(), id, template(), name(0)).unwrap();
    id
}

/// A customer and a request of the largest kind for the clusters of `candidates` providers.
fn request<T: Config>(candidates: u32) -> (T::AccountId, JobRequest, Market<T>) {
    let customer: T::AccountId = account("customer", 0, 0);
    T::Accounts::benchmark_grant(&customer, Role::Customer);
    T::Billing::benchmark_endow(&customer, CEILING * 128);
    let shops: Vec<_> = (0..candidates)
        .map(|n| {
            let shop = shop::<T>(n);
            let cluster = cluster(&shop);
            (shop, cluster)
        })
        .collect();
    // The hot key comes after the owner among the readers.
    let readers: Vec<_> = shops.iter().map(|(shop, _)| shop.worker.clone()).collect();
    let inputs: Vec<_> = (0..MAX_INPUTS)
        .map(|n| InputRef {
            hash: blake2_256(&n.encode()),
            length: 1,
        })
        .collect();
    let candidates: Vec<_> = shops.iter().map(|(_, cluster)| (*cluster, 15)).collect();
    let start_within = T::MinStartWithin::get();
    let request = JobRequest {
        candidates: candidates.try_into().unwrap(),
        workload: Workload::Template(template()),
        payload: T::Envelopes::benchmark_header(&readers),
        inputs: inputs.try_into().unwrap(),
        resources: Resources {
            nodes: 1,
            cpus: 1,
            memory_mib: 1,
            gpus: 1,
            gpu_type: 1,
            array_tasks: 1,
        },
        walltime: 1,
        asset: T::Billing::benchmark_asset(),
        ceiling: CEILING,
        start_within,
        end_by: now::<T>() + T::MaxJobLife::get(),
    };
    (customer, request, shops)
}

fn now<T: Config>() -> u32 {
    T::BlockNumberProvider::current_block_number()
}

fn submit<T: Config>(customer: &T::AccountId, request: &JobRequest) -> AgreementId {
    let footprint = frame_support::traits::Footprint::from_parts(1, 64 * 1024);
    T::Consideration::ensure_successful(customer, footprint);
    Pallet::<T>::do_submit(customer.clone(), request.clone()).unwrap()
}

/// Jobs on one provider's cluster, and that provider.
fn jobs<T: Config>(count: u32) -> (Vec<AgreementId>, Shop<T>) {
    let (customer, request, mut shops) = request::<T>(1);
    let jobs = (0..count)
        .map(|_| submit::<T>(&customer, &request))
        .collect();
    (jobs, shops.remove(0).0)
}

/// A job with the most candidates, accepted, which only the candidate that comes last would take; and the shop that
/// has it.
fn contested<T: Config>() -> (AgreementId, Shop<T>) {
    let (customer, request, shops) = request::<T>(MAX_CANDIDATES);
    let id = submit::<T>(&customer, &request);
    let job = Jobs::<T>::get(id).unwrap();
    let last = job.remaining.first().unwrap().cluster;
    let mut current = None;
    for (shop, cluster) in shops {
        if cluster == job.assignment.cluster {
            current = Some(shop);
        } else if cluster != last {
            // Found out last, when the rest was looked at.
            Clusters::<T>::mutate(cluster, |slot| {
                if let Some(cluster) = slot {
                    cluster.spec.max_open_jobs = 0;
                }
            });
        }
    }
    (id, current.unwrap())
}

/// The worst end: with a result of the most recipients.
fn worst_end<T: Config>(job: AgreementId) -> JobEnd {
    let customer = Jobs::<T>::get(job).unwrap().customer;
    JobEnd {
        reason: EndReason::Failed,
        exit_code: 1,
        tasks: TaskCounts {
            done: 0,
            failed: 1,
            cancelled: 0,
        },
        result: Some(T::Envelopes::benchmark_header(&[customer])),
    }
}

/// Accepts and starts jobs.
fn start<T: Config>(jobs: &[AgreementId], provider: ProviderId) {
    let at = T::Time::now().as_millis() as u64;
    for job in jobs {
        Pallet::<T>::do_accept(provider, *job).unwrap();
        Pallet::<T>::do_update(provider, *job, JobProgress::Running(at)).unwrap();
    }
}

/// Makes the job due now, without letting blocks pass.
fn make_due<T: Config>(id: AgreementId) {
    Jobs::<T>::mutate(id, |slot| {
        if let Some(job) = slot {
            Deadlines::<T>::remove(job.deadline, id);
            job.deadline = now::<T>();
            job.start_by = now::<T>();
            Deadlines::<T>::insert(job.deadline, id, ());
        }
    });
    DeadlineCursor::<T>::put(now::<T>());
}

#[benchmarks]
mod benchmarks {
    use super::*;

    #[benchmark]
    fn register_cluster(p: Linear<1, 16>) {
        let shop = shop::<T>(0);
        T::Consideration::ensure_successful(&shop.owner, Pallet::<T>::cluster_footprint(0));
        #[extrinsic_call]
        _(RawOrigin::Signed(shop.owner), spec(shop.plan, p));
        assert!(NextCluster::<T>::get() > 1);
    }

    #[benchmark]
    fn update_cluster(p: Linear<1, 16>) {
        let shop = shop::<T>(0);
        let id = cluster(&shop);
        let mut new = spec(shop.plan, p);
        new.min_score = 9;
        #[extrinsic_call]
        _(RawOrigin::Signed(shop.owner), id, new.clone());
        assert_eq!(Clusters::<T>::get(id).unwrap().spec, new);
    }

    #[benchmark]
    fn set_cluster_state() {
        let shop = shop::<T>(0);
        let id = cluster(&shop);
        #[extrinsic_call]
        _(RawOrigin::Signed(shop.owner), id, ClusterState::Draining);
        assert_eq!(
            Clusters::<T>::get(id).unwrap().state,
            ClusterState::Draining
        );
    }

    #[benchmark]
    fn deregister_cluster(t: Linear<1, { T::MaxTemplates::get() }>) {
        let shop = shop::<T>(0);
        let id = cluster(&shop);
        for n in 1..t {
            let hash = blake2_256(&n.encode());
            Pallet::<T>::do_allow_template(shop.owner.clone(), id, hash, name(n)).unwrap();
        }
        #[extrinsic_call]
        _(RawOrigin::Signed(shop.owner), id);
        assert!(!Clusters::<T>::contains_key(id));
    }

    // The deposit is that of a former owner, and moves.
    #[benchmark]
    fn allow_template() {
        let shop = shop::<T>(0);
        let id = cluster(&shop);
        let former: T::AccountId = account("former", 0, 0);
        T::Billing::benchmark_endow(&former, CEILING);
        let footprint = Pallet::<T>::cluster_footprint(1);
        T::Consideration::ensure_successful(&former, footprint);
        ClusterDeposits::<T>::mutate(id, |slot| {
            if let Some(deposit) = slot {
                deposit.depositor = former.clone();
                deposit.ticket = T::Consideration::new(&former, footprint).unwrap();
            }
        });
        let hash = TemplateHash::repeat_byte(9);
        #[extrinsic_call]
        _(RawOrigin::Signed(shop.owner), id, hash, name(1));
        assert!(AllowedTemplates::<T>::contains_key(id, hash));
    }

    #[benchmark]
    fn disallow_template() {
        let shop = shop::<T>(0);
        let id = cluster(&shop);
        #[extrinsic_call]
        _(RawOrigin::Signed(shop.owner), id, template());
        assert!(!AllowedTemplates::<T>::contains_key(id, template()));
    }

    #[benchmark]
    fn submit(c: Linear<1, MAX_CANDIDATES>) {
        let (customer, request, _) = request::<T>(c);
        let footprint = frame_support::traits::Footprint::from_parts(1, 64 * 1024);
        T::Consideration::ensure_successful(&customer, footprint);
        let id = NextJob::<T>::get();
        #[extrinsic_call]
        _(RawOrigin::Signed(customer), Box::new(request));
        assert!(Jobs::<T>::contains_key(id));
    }

    #[benchmark]
    fn cancel() {
        let (customer, request, _) = request::<T>(MAX_CANDIDATES);
        let id = super::submit::<T>(&customer, &request);
        #[extrinsic_call]
        _(RawOrigin::Signed(customer), id);
        assert!(Jobs::<T>::get(id).unwrap().ended_at.is_some());
    }

    #[benchmark]
    fn expire() {
        let (id, shop) = contested::<T>();
        Pallet::<T>::do_accept(shop.id, id).unwrap();
        make_due::<T>(id);
        let anybody: T::AccountId = account("anybody", 0, 0);
        #[extrinsic_call]
        _(RawOrigin::Signed(anybody), id);
        assert!(Jobs::<T>::get(id).unwrap().provider != shop.id);
    }

    #[benchmark]
    fn prune() {
        let (ids, _) = jobs::<T>(1);
        let id = ids[0];
        // Ended without an agreement, as it is when billing has pruned it: the job moves to a number that billing
        // never heard of.
        let gone = AgreementId::MAX;
        let mut job = Jobs::<T>::take(id).unwrap();
        Deadlines::<T>::remove(job.deadline, id);
        job.state = JobState::Ended(EndReason::Expired);
        job.ended_at = Some(now::<T>());
        job.end = Some(JobEnd {
            reason: EndReason::Failed,
            exit_code: 1,
            tasks: TaskCounts::default(),
            result: Some(job.request.payload.clone()),
        });
        JobDeposits::<T>::insert(gone, JobDeposits::<T>::take(id).unwrap());
        JobsOf::<T>::remove(&job.customer, OrderedId::from(id));
        JobsOf::<T>::insert(&job.customer, OrderedId::from(gone), ());
        Jobs::<T>::insert(gone, job);
        T::Billing::end(id, Fault::Silence);
        let anybody: T::AccountId = account("anybody", 0, 0);
        #[extrinsic_call]
        _(RawOrigin::Signed(anybody), gone);
        assert!(!Jobs::<T>::contains_key(gone));
    }

    #[benchmark]
    fn accept_many(n: Linear<1, MAX_BATCH>) {
        let (ids, shop) = jobs::<T>(n);
        let batch: BoundedVec<_, _> = ids.clone().try_into().unwrap();
        #[extrinsic_call]
        _(RawOrigin::Signed(shop.worker), batch);
        for id in ids {
            assert_eq!(Jobs::<T>::get(id).unwrap().state, JobState::Accepted);
        }
    }

    #[benchmark]
    fn decline() {
        let (id, shop) = contested::<T>();
        Pallet::<T>::do_accept(shop.id, id).unwrap();
        #[extrinsic_call]
        _(
            RawOrigin::Signed(shop.worker),
            id,
            DeclineReason::Maintenance,
        );
        assert!(Jobs::<T>::get(id).unwrap().provider != shop.id);
    }

    #[benchmark]
    fn update_many(n: Linear<1, MAX_BATCH>) {
        let (ids, shop) = jobs::<T>(n);
        for id in &ids {
            Pallet::<T>::do_accept(shop.id, *id).unwrap();
        }
        let at = T::Time::now().as_millis() as u64;
        let items: Vec<_> = ids
            .iter()
            .map(|id| (*id, JobProgress::Running(at)))
            .collect();
        let batch: BoundedVec<_, _> = items.try_into().unwrap();
        #[extrinsic_call]
        _(RawOrigin::Signed(shop.worker), batch);
        for id in ids {
            assert_eq!(Jobs::<T>::get(id).unwrap().state, JobState::Running);
        }
    }

    #[benchmark]
    fn complete() {
        let (customer, request, shops) = request::<T>(MAX_CANDIDATES);
        let id = super::submit::<T>(&customer, &request);
        let at = Jobs::<T>::get(id).unwrap().assignment.cluster;
        let (shop, _) = shops.into_iter().find(|(_, c)| *c == at).unwrap();
        start::<T>(&[id], shop.id);
        let end = worst_end::<T>(id);
        #[extrinsic_call]
        _(RawOrigin::Signed(shop.worker), id, end);
        assert!(Jobs::<T>::get(id).unwrap().ended_at.is_some());
    }

    #[benchmark]
    fn complete_many(n: Linear<1, MAX_BATCH>) {
        let (ids, shop) = jobs::<T>(n);
        start::<T>(&ids, shop.id);
        let end = worst_end::<T>(ids[0]);
        let items: Vec<_> = ids.iter().map(|id| (*id, end.clone())).collect();
        let batch: BoundedVec<_, _> = items.try_into().unwrap();
        #[extrinsic_call]
        _(RawOrigin::Signed(shop.worker), batch);
        for id in ids {
            assert!(Jobs::<T>::get(id).unwrap().ended_at.is_some());
        }
    }

    #[benchmark]
    fn poll_base() {
        DeadlineCursor::<T>::put(now::<T>().saturating_add(1));
        #[block]
        {
            Pallet::<T>::drain_deadlines(&mut WeightMeter::new());
        }
        assert!(DeadlineCursor::<T>::exists());
    }

    #[benchmark]
    fn poll_block() {
        // The benchmark runs in a later block than its set-up: one or two blocks, never fewer.
        DeadlineCursor::<T>::put(now::<T>());
        #[block]
        {
            Pallet::<T>::drain_deadlines(&mut WeightMeter::new());
        }
        assert_eq!(
            DeadlineCursor::<T>::get(),
            Some(now::<T>().saturating_add(1))
        );
    }

    #[benchmark]
    fn poll_job() {
        let (id, shop) = contested::<T>();
        Pallet::<T>::do_accept(shop.id, id).unwrap();
        make_due::<T>(id);
        #[block]
        {
            Pallet::<T>::drain_deadlines(&mut WeightMeter::new());
        }
        assert!(Jobs::<T>::get(id).unwrap().provider != shop.id);
    }

    #[benchmark]
    fn poll_end() {
        let (customer, request, shops) = request::<T>(MAX_CANDIDATES);
        let id = super::submit::<T>(&customer, &request);
        let at = Jobs::<T>::get(id).unwrap().assignment.cluster;
        let (shop, _) = shops.into_iter().find(|(_, c)| *c == at).unwrap();
        start::<T>(&[id], shop.id);
        make_due::<T>(id);
        #[block]
        {
            Pallet::<T>::drain_deadlines(&mut WeightMeter::new());
        }
        assert!(Jobs::<T>::get(id).unwrap().ended_at.is_some());
    }

    impl_benchmark_test_suite!(Pallet, crate::mock::bare(), crate::mock::Test);
}
