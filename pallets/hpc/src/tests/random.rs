//! Random sequences of all calls by random callers, while blocks pass and the other pallets change under them. After
//! every step all invariants hold and all money is accounted for; in the end time alone ends everything.

use crate::{mock::*, Deadlines, Error, Event, Jobs};
use frame_support::{storage::with_storage_layer, traits::Hooks, weights::WeightMeter};
use proptest::{prelude::*, test_runner::TestRunner};
use sp_runtime::DispatchResult;
use std::{cell::RefCell, collections::BTreeMap};
use virtengine_primitives::{hpc::*, AgreementId, Balance, ClusterId};

#[derive(Clone, Debug)]
enum Step {
    Submit {
        who: AccountId,
        candidates: Vec<ClusterId>,
        ceiling: Balance,
        start_within: u32,
        life: u32,
    },
    Cancel(Who, AgreementId),
    Expire(AgreementId),
    Prune(AgreementId),
    Accept(Who, Vec<AgreementId>),
    Decline(Who, AgreementId),
    Update(Who, Vec<(AgreementId, u8, i64)>),
    Complete(Who, AgreementId, u8, bool),
    CompleteMany(Who, Vec<(AgreementId, u8)>),
    Register(Who, u32),
    UpdateCluster(Who, ClusterId, u32, u32),
    SetState(Who, ClusterId, bool),
    Deregister(Who, ClusterId),
    Template(Who, ClusterId, u8, bool),
    // The world outside.
    Retire(u32, bool),
    Operational(u32, bool),
    Suspend(AccountId, bool),
    Revoke(AccountId, bool),
    Meter(AgreementId, Balance),
    Settle(AgreementId),
    /// Blocks, and the weight that each has for deadlines in units of one job's.
    Blocks(u32, u64),
}

/// Who calls: whoever has the right to, or somebody.
#[derive(Clone, Copy, Debug)]
enum Who {
    Right,
    Somebody(AccountId),
}

impl Who {
    /// The account, if `right` would be the one with the right to call.
    fn or(self, right: Option<AccountId>) -> AccountId {
        match self {
            Self::Right => right.unwrap_or(STRANGER),
            Self::Somebody(who) => who,
        }
    }
}

fn who() -> impl Strategy<Value = Who> {
    prop_oneof![8 => Just(Who::Right), 1 => anybody().prop_map(Who::Somebody)]
}

/// Everybody, right or wrong.
fn anybody() -> impl Strategy<Value = AccountId> {
    prop_oneof![
        4 => (1..=3u32).prop_map(worker),
        2 => (1..=3u32).prop_map(owner),
        2 => Just(ALICE),
        1 => Just(BOB),
        1 => Just(STRANGER),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    use Step::*;
    // Jobs: counted back from the newest of those that have not ended; beyond them, from the newest of all.
    let job = || 0u64..7;
    let cluster = || 1u32..6;
    // By number; that a job is obstructed is rarely possible.
    let reason = || prop_oneof![3 => 0u8..12, 1 => Just(11)];
    let offset = || prop_oneof![8 => -1_000i64..1_000, 1 => -9_000i64..70_000];
    prop_oneof![
        16 => (
            prop_oneof![5 => Just(ALICE), 5 => Just(BOB), 1 => anybody()],
            prop::sample::subsequence(vec![1u32, 2, 3, 4, 1], 0..5),
            prop_oneof![1 => Just(1), 12 => 60u128..5_000, 1 => Just(ENDOWMENT)],
            9u32..30,
            0u32..120,
        ).prop_map(|(who, candidates, ceiling, start_within, life)| Submit {
            who, candidates, ceiling, start_within, life,
        }),
        3 => (who(), job()).prop_map(|(w, j)| Cancel(w, j)),
        2 => job().prop_map(Expire),
        5 => (0u64..12).prop_map(Prune),
        24 => (who(), prop::collection::vec(job(), 0..6)).prop_map(|(w, j)| Accept(w, j)),
        3 => (who(), job()).prop_map(|(w, j)| Decline(w, j)),
        30 => (who(), prop::collection::vec((job(), 0u8..5, offset()), 0..6)).prop_map(|(w, j)| Update(w, j)),
        14 => (who(), job(), reason(), any::<bool>()).prop_map(|(w, j, r, o)| Complete(w, j, r, o)),
        4 => (who(), prop::collection::vec((job(), reason()), 0..4)).prop_map(|(w, j)| CompleteMany(w, j)),
        1 => (who(), 1u32..4).prop_map(|(w, p)| Register(w, p)),
        3 => (who(), cluster(), 1u32..9, 1u32..4).prop_map(|(w, c, n, p)| UpdateCluster(w, c, n, p)),
        2 => (who(), cluster(), prop::bool::weighted(0.8)).prop_map(|(w, c, o)| SetState(w, c, o)),
        1 => (who(), 2u32..9).prop_map(|(w, c)| Deregister(w, c)),
        3 => (who(), cluster(), 1u8..7, prop::bool::weighted(0.85)).prop_map(|(w, c, t, a)| Template(w, c, t, a)),
        1 => (1u32..4, prop::bool::weighted(0.2)).prop_map(|(p, r)| Retire(p, r)),
        1 => (1u32..4, prop::bool::weighted(0.8)).prop_map(|(p, o)| Operational(p, o)),
        1 => (anybody(), prop::bool::weighted(0.2)).prop_map(|(w, s)| Suspend(w, s)),
        1 => (anybody(), prop::bool::weighted(0.2)).prop_map(|(w, s)| Revoke(w, s)),
        8 => (job(), 0u128..50).prop_map(|(j, a)| Meter(j, a)),
        6 => (0u64..12).prop_map(Settle),
        12 => (1u32..6, 0u64..20).prop_map(|(n, w)| Blocks(n, w)),
    ]
}

/// For a job that is obstructed, the first one that may be in its way.
fn reason(n: u8, id: AgreementId) -> EndReason {
    use EndReason::*;
    let other = Hpc::job(id).and_then(|job| {
        let in_the_way = |(_, other): &(_, Job<_>)| job.may_be_obstructed_by(other);
        Some(Jobs::<Test>::iter().find(in_the_way)?.0)
    });
    [
        Completed,
        Failed,
        OutOfMemory,
        TimedOut,
        Cancelled,
        BadInput,
        NodeFailure,
        BootFailure,
        Preempted,
        ProviderFailure,
        Expired,
        Obstructed(other.unwrap_or(id)),
    ][usize::from(n)]
}

fn blocks(count: u32, jobs: u64) {
    use crate::WeightInfo;
    let limit = (<()>::poll_base() + <()>::poll_block() * 20 + <()>::poll_job() * jobs) * 2;
    for _ in 0..count {
        let block = System::block_number() + 1;
        jump_to(block);
        let mut meter = WeightMeter::with_limit(limit);
        Hpc::on_poll(block, &mut meter);
        assert!(meter.consumed().all_lte(limit / 2));
    }
}

/// Does a step as an extrinsic would: all or nothing.
fn take(step: Step) -> DispatchResult {
    let newest = Hpc::next_job();
    let mut open: Vec<_> = Jobs::<Test>::iter()
        .filter_map(|(id, job)| job.ended_at.is_none().then_some(id))
        .collect();
    open.sort();
    open.reverse();
    let any = |back: u64| newest.saturating_sub(back);
    let job = |back: u64| {
        open.get(back as usize)
            .copied()
            .unwrap_or_else(|| any(back))
    };
    let customer = |id| Hpc::job(id).map(|job| job.customer);
    let hot = |id| Hpc::job(id).map(|job| worker(job.provider));
    let first = |backs: Option<&u64>| backs.and_then(|back| hot(job(*back)));
    let owning = |cluster| Hpc::cluster(cluster).map(|cluster| owner(cluster.provider));
    let signed = RuntimeOrigin::signed;
    with_storage_layer(|| match step {
        Step::Submit {
            who,
            candidates,
            ceiling,
            start_within,
            life,
        } => {
            let mut wanted = request(&candidates);
            wanted.ceiling = ceiling;
            wanted.start_within = start_within;
            wanted.end_by = System::block_number() + start_within + 10 + life;
            let promised = Hpc::candidates(who, wanted.clone());
            let submitted = Hpc::submit(signed(who), Box::new(wanted));
            match (promised, submitted) {
                // What the read promises is what happens, unless the customer cannot pay.
                (Ok(promised), Ok(())) => {
                    let job = Hpc::job(newest).unwrap();
                    let mut order = job.remaining.to_vec();
                    order.push(job.assignment);
                    order.reverse();
                    assert_eq!(order, promised);
                    Ok(())
                }
                (Err(refusal), Err(error)) => {
                    assert_eq!(refusal, error);
                    Err(error)
                }
                (Ok(_), Err(error)) => {
                    assert!(matches!(error, sp_runtime::DispatchError::Token(_)));
                    Err(error)
                }
                (Err(refusal), Ok(())) => panic!("submitted in spite of {refusal:?}"),
            }
        }
        Step::Cancel(who, back) => {
            let id = job(back);
            Hpc::cancel(signed(who.or(customer(id))), id)
        }
        Step::Expire(back) => Hpc::expire(signed(STRANGER), job(back))
            .map(|_| ())
            .map_err(|e| e.error),
        Step::Prune(back) => Hpc::prune(signed(STRANGER), any(back)),
        Step::Accept(who, jobs) => {
            let who = who.or(first(jobs.first()));
            let jobs: Vec<_> = jobs.into_iter().map(job).collect();
            Hpc::accept_many(signed(who), jobs.try_into().unwrap())
        }
        Step::Decline(who, back) => {
            let id = job(back);
            Hpc::decline(signed(who.or(hot(id))), id, DeclineReason::NoCapacity)
        }
        Step::Update(who, items) => {
            let who = who.or(first(items.first().map(|item| &item.0)));
            let items: Vec<_> = items
                .into_iter()
                .map(|(back, kind, offset)| {
                    let at = clock().saturating_add_signed(offset);
                    let progress = [
                        JobProgress::Running(at),
                        JobProgress::Queued,
                        JobProgress::Running(at),
                        JobProgress::Staging,
                        JobProgress::Running(at),
                    ];
                    (job(back), progress[usize::from(kind)])
                })
                .collect();
            Hpc::update_many(signed(who), items.try_into().unwrap())
        }
        Step::Complete(who, back, why, result) => {
            let id = job(back);
            let mut end = end(reason(why, id));
            if !result {
                end.result = None;
            }
            if let (Some(result), Some(customer)) = (&mut end.result, customer(id)) {
                *result = sealed_to(&[customer]);
            }
            Hpc::complete(signed(who.or(hot(id))), id, end)
        }
        Step::CompleteMany(who, items) => {
            let who = who.or(first(items.first().map(|item| &item.0)));
            let items: Vec<_> = items
                .into_iter()
                .map(|(back, why)| {
                    let id = job(back);
                    let mut end = end(reason(why, id));
                    end.result = None;
                    (id, end)
                })
                .collect();
            Hpc::complete_many(signed(who), items.try_into().unwrap())
        }
        Step::Register(who, plan) => {
            Hpc::register_cluster(signed(who.or(Some(owner(plan)))), spec(plan))
        }
        Step::UpdateCluster(who, cluster, most, plan) => {
            let own = Hpc::cluster(cluster).map_or(plan, |cluster| cluster.provider);
            let mut changed = spec(if most == 1 { plan } else { own });
            changed.max_open_jobs = most;
            if most == 4 {
                changed
                    .partitions
                    .try_push(partition("more", plan))
                    .unwrap();
            }
            Hpc::update_cluster(signed(who.or(owning(cluster))), cluster, changed)
        }
        Step::SetState(who, cluster, open) => {
            let state = if open {
                ClusterState::Open
            } else {
                ClusterState::Draining
            };
            Hpc::set_cluster_state(signed(who.or(owning(cluster))), cluster, state)
        }
        Step::Deregister(who, cluster) => {
            Hpc::deregister_cluster(signed(who.or(owning(cluster))), cluster)
                .map(|_| ())
                .map_err(|e| e.error)
        }
        Step::Template(who, cluster, n, allow) => {
            let who = who.or(owning(cluster));
            let last = Hpc::templates(cluster).last().map(|(hash, _)| *hash);
            let hash = last.filter(|_| !allow).unwrap_or([n; 32].into());
            if allow {
                Hpc::allow_template(signed(who), cluster, hash, name("any"))
            } else {
                Hpc::disallow_template(signed(who), cluster, hash)
            }
        }
        Step::Retire(plan, retired) => {
            Plans::mutate_extant(plan, |p| p.retired = retired);
            Ok(())
        }
        Step::Operational(provider, operational) => {
            Organisations::mutate_extant(provider, |o| o.operational = operational);
            Ok(())
        }
        Step::Suspend(who, yes) => {
            if yes {
                Suspended::insert(who, ())
            } else {
                Suspended::remove(who)
            }
            Ok(())
        }
        Step::Revoke(who, yes) => {
            if yes {
                Revoked::insert(key_of(who), ())
            } else {
                Revoked::remove(key_of(who))
            }
            Ok(())
        }
        Step::Meter(back, amount) => {
            meter(job(back), amount);
            Ok(())
        }
        Step::Settle(back) => {
            settle(any(back));
            Ok(())
        }
        Step::Blocks(count, jobs) => {
            blocks(count, jobs);
            Ok(())
        }
    })
}

/// Runs the steps, then lets time pass; adds up which events came about.
fn live(steps: Vec<Step>, seen: &mut BTreeMap<String, u32>) {
    for step in steps {
        let told = format!("{step:?}");
        let before = sp_io::storage::root(sp_runtime::StateVersion::V1);
        if take(step).is_err() {
            let after = sp_io::storage::root(sp_runtime::StateVersion::V1);
            assert_eq!(before, after, "refused, and yet: {told}");
        }
        check();
        for event in events() {
            let told = format!("{event:?}");
            let name = told.split_whitespace().next().unwrap_or_default();
            *seen.entry(name.to_string()).or_default() += 1;
            if let Event::JobEnded { reason, fault, .. } = event {
                let reason = match reason {
                    EndReason::Obstructed(_) => "Obstructed".to_owned(),
                    other => format!("{other:?}"),
                };
                *seen.entry(format!("{reason} {fault:?}")).or_default() += 1;
            }
        }
        System::reset_events();
    }
    // Nobody does anything any more.
    let last = Jobs::<Test>::iter_values()
        .map(|job| job.request.end_by)
        .max();
    run_to(last.unwrap_or_default().max(System::block_number()) + 1);
    assert_eq!(Deadlines::<Test>::iter().count(), 0);
    for (id, job) in Jobs::<Test>::iter().collect::<Vec<_>>() {
        assert!(job.ended_at.is_some());
        settle(id);
        Hpc::do_prune(id).unwrap();
        assert_eq!(Hpc::do_prune(id), Err(Error::<Test>::UnknownJob.into()));
    }
    check();
    // Everything that was ever paid in is with a customer or a provider.
    assert_eq!(Balances::free_balance(ESCROW), 1);
    assert_eq!(Locks::iter().count(), 0);
    for who in [ALICE, BOB, STRANGER] {
        assert_eq!(Balances::reserved_balance(who), 0);
    }
    assert!(Organisations::iter_values().all(|o| o.live == 0));
    assert!(Plans::iter_values().all(|p| p.pins == 0));
}

/// What must have come about for the test to mean anything.
const EXPECTED: [&str; 32] = [
    "Event::ClusterRegistered",
    "Event::ClusterUpdated",
    "Event::ClusterStateSet",
    "Event::ClusterDeregistered",
    "Event::TemplateAllowed",
    "Event::TemplateDisallowed",
    "Event::JobSubmitted",
    "Event::JobAssigned",
    "Event::JobAccepted",
    "Event::JobDeclined",
    "Event::JobNotAccepted",
    "Event::JobNotStarted",
    "Event::JobProgressed",
    "Event::CancelRequested",
    "Event::JobEnded",
    "Event::BondSlashed",
    "Event::ItemFailed",
    "Event::JobSettled",
    "Event::JobPruned",
    "Completed Payer",
    "Failed Payer",
    "OutOfMemory Payer",
    "TimedOut Payer",
    "Cancelled Payer",
    "Cancelled Silence",
    "BadInput Payer",
    "NodeFailure Provider",
    "BootFailure Provider",
    "Preempted Provider",
    "ProviderFailure Provider",
    "Expired Silence",
    "Obstructed Payer",
];

#[test]
fn invariants_should_hold_and_time_should_end_everything_when_calls_are_random() {
    let seen = RefCell::new(BTreeMap::new());
    let mut runner = TestRunner::new(ProptestConfig {
        cases: 100,
        source_file: Some(file!()),
        ..ProptestConfig::default()
    });
    let outcome = runner.run(&prop::collection::vec(step(), 1..400), |steps| {
        run(|| live(steps, &mut seen.borrow_mut()));
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}\n{runner}");
    }
    let seen = seen.into_inner();
    println!("{seen:#?}");
    for name in EXPECTED {
        assert!(seen.contains_key(name), "never saw {name}: {seen:#?}");
    }
}
