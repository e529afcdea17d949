//! Random sequences of all calls by random callers, while blocks pass and the other pallets change under them. After
//! every step all invariants hold and all money is accounted for; in the end time alone ends everything.

use crate::{mock::*, Deadlines, Error, Jobs};
use frame_support::{storage::with_storage_layer, traits::Hooks, weights::WeightMeter};
use proptest::prelude::*;
use sp_runtime::DispatchResult;
use virtengine_primitives::{hpc::*, AgreementId, AssetKind, Balance, ClusterId};

#[derive(Clone, Debug)]
enum Step {
    Submit {
        who: AccountId,
        candidates: Vec<ClusterId>,
        ceiling: Balance,
        start_within: u32,
        life: u32,
    },
    Cancel(AccountId, AgreementId),
    Expire(AgreementId),
    Prune(AgreementId),
    Accept(AccountId, Vec<AgreementId>),
    Decline(AccountId, AgreementId),
    Update(AccountId, Vec<(AgreementId, u8, i64)>),
    Complete(AccountId, AgreementId, u8, bool),
    CompleteMany(AccountId, Vec<(AgreementId, u8)>),
    Register(AccountId, u32),
    UpdateCluster(AccountId, ClusterId, u32, u32),
    SetState(AccountId, ClusterId, bool),
    Deregister(AccountId, ClusterId),
    Template(AccountId, ClusterId, u8, bool),
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

fn hot() -> impl Strategy<Value = AccountId> {
    prop_oneof![9 => (1..=3u32).prop_map(worker), 1 => anybody()]
}

fn step() -> impl Strategy<Value = Step> {
    use Step::*;
    // Recent jobs: counted back from the newest.
    let job = || 0u64..6;
    let cluster = || 1u32..6;
    prop_oneof![
        12 => (
            prop_oneof![4 => Just(ALICE), 4 => Just(BOB), 1 => anybody()],
            prop::collection::vec(cluster(), 0..5),
            prop_oneof![1 => Just(1), 8 => 20u128..5_000, 1 => Just(ENDOWMENT)],
            9u32..30,
            0u32..120,
        ).prop_map(|(who, candidates, ceiling, start_within, life)| Submit {
            who, candidates, ceiling, start_within, life,
        }),
        3 => (prop_oneof![Just(ALICE), Just(BOB), anybody()], job()).prop_map(|(w, j)| Cancel(w, j)),
        2 => job().prop_map(Expire),
        3 => job().prop_map(Prune),
        12 => (hot(), prop::collection::vec(job(), 0..6)).prop_map(|(w, j)| Accept(w, j)),
        2 => (hot(), job()).prop_map(|(w, j)| Decline(w, j)),
        14 => (hot(), prop::collection::vec((job(), 0u8..3, -3_000i64..70_000), 0..6))
            .prop_map(|(w, j)| Update(w, j)),
        5 => (hot(), job(), 0u8..11, any::<bool>()).prop_map(|(w, j, r, o)| Complete(w, j, r, o)),
        2 => (hot(), prop::collection::vec((job(), 0u8..11), 0..4)).prop_map(|(w, j)| CompleteMany(w, j)),
        1 => (anybody(), 1u32..4).prop_map(|(w, p)| Register(w, p)),
        2 => (anybody(), cluster(), 1u32..5, 1u32..4).prop_map(|(w, c, n, p)| UpdateCluster(w, c, n, p)),
        2 => (anybody(), cluster(), any::<bool>()).prop_map(|(w, c, o)| SetState(w, c, o)),
        1 => (anybody(), cluster()).prop_map(|(w, c)| Deregister(w, c)),
        2 => (anybody(), cluster(), 1u8..7, prop::bool::weighted(0.7)).prop_map(|(w, c, t, a)| Template(w, c, t, a)),
        1 => (1u32..4, prop::bool::weighted(0.3)).prop_map(|(p, r)| Retire(p, r)),
        1 => (1u32..4, prop::bool::weighted(0.7)).prop_map(|(p, o)| Operational(p, o)),
        1 => (anybody(), prop::bool::weighted(0.3)).prop_map(|(w, s)| Suspend(w, s)),
        1 => (anybody(), prop::bool::weighted(0.3)).prop_map(|(w, s)| Revoke(w, s)),
        4 => (job(), 0u128..50).prop_map(|(j, a)| Meter(j, a)),
        3 => job().prop_map(Settle),
        10 => (1u32..12, 0u64..20).prop_map(|(n, w)| Blocks(n, w)),
    ]
}

fn reason(n: u8) -> EndReason {
    use EndReason::*;
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
    let job = |back: u64| newest.saturating_sub(back);
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
        Step::Cancel(who, back) => Hpc::cancel(signed(who), job(back)),
        Step::Expire(back) => Hpc::expire(signed(STRANGER), job(back))
            .map(|_| ())
            .map_err(|e| e.error),
        Step::Prune(back) => Hpc::prune(signed(STRANGER), job(back)),
        Step::Accept(who, jobs) => {
            let jobs: Vec<_> = jobs.into_iter().map(job).collect();
            Hpc::accept_many(signed(who), jobs.try_into().unwrap())
        }
        Step::Decline(who, back) => Hpc::decline(signed(who), job(back), DeclineReason::NoCapacity),
        Step::Update(who, items) => {
            let items: Vec<_> = items
                .into_iter()
                .map(|(back, kind, offset)| {
                    let at = clock().saturating_add_signed(offset);
                    let progress = [
                        JobProgress::Staging,
                        JobProgress::Queued,
                        JobProgress::Running(at),
                    ];
                    (job(back), progress[usize::from(kind)])
                })
                .collect();
            Hpc::update_many(signed(who), items.try_into().unwrap())
        }
        Step::Complete(who, back, why, result) => {
            let mut end = end(reason(why));
            if !result {
                end.result = None;
            }
            Hpc::complete(signed(who), job(back), end)
        }
        Step::CompleteMany(who, items) => {
            let items: Vec<_> = items
                .into_iter()
                .map(|(back, why)| {
                    let mut end = end(reason(why));
                    end.result = None;
                    (job(back), end)
                })
                .collect();
            Hpc::complete_many(signed(who), items.try_into().unwrap())
        }
        Step::Register(who, plan) => Hpc::register_cluster(signed(who), spec(plan)),
        Step::UpdateCluster(who, cluster, most, plan) => {
            let mut changed = spec(plan);
            changed.max_open_jobs = most;
            if most == 4 {
                changed
                    .partitions
                    .try_push(partition("more", plan))
                    .unwrap();
            }
            Hpc::update_cluster(signed(who), cluster, changed)
        }
        Step::SetState(who, cluster, open) => {
            let state = if open {
                ClusterState::Open
            } else {
                ClusterState::Draining
            };
            Hpc::set_cluster_state(signed(who), cluster, state)
        }
        Step::Deregister(who, cluster) => Hpc::deregister_cluster(signed(who), cluster)
            .map(|_| ())
            .map_err(|e| e.error),
        Step::Template(who, cluster, n, allow) => {
            let hash = [n; 32].into();
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
            settle(job(back));
            Ok(())
        }
        Step::Blocks(count, jobs) => {
            blocks(count, jobs);
            Ok(())
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn invariants_should_hold_and_time_should_end_everything_when_calls_are_random(
        steps in prop::collection::vec(step(), 1..160)
    ) {
        run(|| {
            for step in steps {
                let told = format!("{step:?}");
                let before = sp_io::storage::root(sp_runtime::StateVersion::V1);
                if take(step).is_err() {
                    let after = sp_io::storage::root(sp_runtime::StateVersion::V1);
                    assert_eq!(before, after, "refused, and yet: {told}");
                }
                check();
                System::reset_events();
            }
            // Nobody does anything any more.
            let last = Jobs::<Test>::iter_values().map(|job| job.request.end_by).max();
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
            assert!(Plans::iter_values().all(|p| p.pins == 0 && p.asset != AssetKind::Asset(0)));
        });
    }
}
