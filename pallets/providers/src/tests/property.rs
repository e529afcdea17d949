//! Random calls by random origins, mixed with what other pallets ask: the invariants hold after each, no unit of money
//! appears or vanishes, and in the end every owner gets out what nobody took by right.

use super::*;
use proptest::prelude::*;
use sp_runtime::DispatchResult;

#[derive(Clone, Debug)]
enum Op {
    Register(u64),
    SetPayout(u64),
    SetName(bool),
    AddHotKey(u64),
    RemoveHotKey(u64),
    BondMore(u128),
    Withdraw(u128),
    Offer(u64),
    Cancel,
    Accept(u32),
    Leave,
    SetAttribute(u8, u8),
    ClearAttribute(u8),
    Attest(u32, u8, u8, u64),
    RevokeAttestation(u32, u8),
    AddAgent(u64),
    RemoveAgent(u64),
    Opened(u32),
    Closed(u32),
    Lock(u32, u64, u128),
    Unlock(u32, u64),
    Slash(u32, u64, u32, u64),
    Pay(u32, u128, u64),
    Suspend(u64),
    Wait(u64),
}

fn people() -> impl Strategy<Value = u64> {
    proptest::sample::select(vec![
        1u64, 2, 3, 1, 2, 3, 4, 5, 11, 12, 13, 14, 21, 22, 23, NOBODY,
    ])
}

fn ids() -> impl Strategy<Value = u32> {
    0u32..6
}

fn amounts() -> impl Strategy<Value = u128> {
    prop_oneof![Just(0u128), 1u128..20, 1u128..3_000, Just(u128::MAX)]
}

fn ops() -> impl Strategy<Value = Op> {
    let organisation = prop_oneof![
        4 => people().prop_map(Op::Register),
        1 => people().prop_map(Op::SetPayout),
        1 => any::<bool>().prop_map(Op::SetName),
        3 => people().prop_map(Op::AddHotKey),
        2 => people().prop_map(Op::RemoveHotKey),
        3 => amounts().prop_map(Op::BondMore),
        3 => amounts().prop_map(Op::Withdraw),
        3 => people().prop_map(Op::Offer),
        1 => Just(Op::Cancel),
        4 => ids().prop_map(Op::Accept),
        2 => Just(Op::Leave),
        2 => people().prop_map(Op::AddAgent),
        1 => people().prop_map(Op::RemoveAgent),
    ];
    let attributes = prop_oneof![
        3 => (0u8..5, 0u8..3).prop_map(|(k, v)| Op::SetAttribute(k, v)),
        1 => (0u8..5).prop_map(Op::ClearAttribute),
        4 => (ids(), 0u8..5, 0u8..3, 0u64..5_000).prop_map(|(p, k, v, t)| Op::Attest(p, k, v, t)),
        1 => (ids(), 0u8..5).prop_map(|(p, k)| Op::RevokeAttestation(p, k)),
    ];
    let seam = prop_oneof![
        2 => ids().prop_map(Op::Opened),
        3 => ids().prop_map(Op::Closed),
        6 => (ids(), 0u64..4, amounts()).prop_map(|(p, a, m)| Op::Lock(p, a, m)),
        3 => (ids(), 0u64..4).prop_map(|(p, a)| Op::Unlock(p, a)),
        4 => (ids(), 0u64..4, 0u32..=100, people()).prop_map(|(p, a, s, w)| Op::Slash(p, a, s, w)),
        2 => (ids(), amounts(), people()).prop_map(|(p, m, w)| Op::Pay(p, m, w)),
    ];
    let world = prop_oneof![
        people().prop_map(Op::Suspend),
        (0u64..2_000).prop_map(Op::Wait)
    ];
    prop_oneof![6 => organisation, 3 => attributes, 5 => seam, 1 => world]
}

/// Who calls. Most calls are aimed: made by somebody who may, about an organisation that exists; pure chance would
/// hardly ever get past the first check.
#[derive(Clone, Debug)]
enum Who {
    Root,
    Anybody(u64),
    Aimed(usize),
}

fn origins() -> impl Strategy<Value = Who> {
    prop_oneof![
        1 => Just(Who::Root),
        5 => people().prop_map(Who::Anybody),
        14 => any::<usize>().prop_map(Who::Aimed),
    ]
}

fn pick<T: Clone>(all: &[T], n: usize) -> Option<T> {
    all.get(n.checked_rem(all.len())?).cloned()
}

/// Whoever may do this, if there is anybody, and the operation about something that exists.
fn aim(n: usize, op: Op) -> (Option<u64>, Op) {
    let mut records: Vec<_> = Organisations::<Test>::iter().collect();
    records.sort_by_key(|(id, _)| *id);
    let Some((id, record)) = pick(&records, n) else {
        return (Some(n as u64 % 3 + 1), op);
    };
    let lock = pick(
        &BondLocks::<Test>::iter_key_prefix(id).collect::<Vec<_>>(),
        n / 7,
    );
    let lock = lock.unwrap_or_default();
    let attributes = Providers::attributes(id);
    let owner = Some(record.owner);
    match op {
        Op::Register(_) => (Some(n as u64 % 3 + 1), op),
        Op::RemoveHotKey(key) => (
            owner,
            Op::RemoveHotKey(pick(&Providers::hot_keys(id), n / 7).unwrap_or(key)),
        ),
        Op::RemoveAgent(agent) => (
            owner,
            Op::RemoveAgent(pick(&Providers::support_agents(id), n / 7).unwrap_or(agent)),
        ),
        Op::Accept(_) => {
            let (id, to) = pick(&Offers::<Test>::iter().collect::<Vec<_>>(), n).unwrap_or((id, 1));
            (Some(to), Op::Accept(id))
        }
        Op::ClearAttribute(key) => {
            let key = pick(&attributes, n / 7).map_or(key, |(key, _)| key[0] - b'a');
            (owner, Op::ClearAttribute(key))
        }
        Op::Attest(_, key, value, until) => {
            let (key, value) = pick(&attributes, n / 7).map_or((key, value), |(key, value)| {
                (key[0] - b'a', value[0] - b'0')
            });
            let until = Now::get() + until / 2;
            (pick(&WITNESSES, n / 11), Op::Attest(id, key, value, until))
        }
        Op::RevokeAttestation(_, key) => {
            let all: Vec<_> = Attestations::<Test>::iter()
                .flat_map(|(id, key, all)| {
                    all.into_iter()
                        .map(move |a| (id, key[0] - b'a', a.attestor))
                })
                .collect();
            let (id, key, attestor) = pick(&all, n).unwrap_or((id, key, WITNESSES[0]));
            (Some(attestor), Op::RevokeAttestation(id, key))
        }
        Op::Opened(_) => (owner, Op::Opened(id)),
        Op::Closed(_) => (owner, Op::Closed(id)),
        Op::Lock(_, agreement, amount) => {
            let free = record.bond - record.locked;
            (
                owner,
                Op::Lock(
                    id,
                    agreement,
                    if n.is_multiple_of(3) {
                        amount
                    } else {
                        free / 2
                    },
                ),
            )
        }
        Op::Unlock(..) => (owner, Op::Unlock(id, lock)),
        Op::Slash(_, _, share, to) => (owner, Op::Slash(id, lock, share, to)),
        Op::Pay(_, amount, to) => {
            let free = record.bond - record.locked;
            (
                owner,
                Op::Pay(
                    id,
                    if n.is_multiple_of(3) {
                        amount
                    } else {
                        free / 4
                    },
                    to,
                ),
            )
        }
        // An aimed suspension is a reactivation: otherwise nobody could act for long.
        Op::Suspend(a) => (
            owner,
            Op::Suspend(pick(&Suspended::get().into_iter().collect::<Vec<_>>(), n).unwrap_or(a)),
        ),
        op => (owner, op),
    }
}

fn nth(key: u8) -> AttributeKey {
    vec![b'a' + key].try_into().unwrap()
}

fn val(value: u8) -> AttributeValue {
    vec![b'0' + value].try_into().unwrap()
}

/// Applies one operation. What the seam does not return is `Ok`.
fn apply(who: Option<u64>, op: Op) -> DispatchResult {
    let origin = who.map_or_else(RuntimeOrigin::root, signed);
    match op {
        Op::Register(payout) => Providers::register(origin, name("n"), payout),
        Op::SetPayout(payout) => Providers::set_payout(origin, payout),
        Op::SetName(good) => Providers::set_name(origin, name(if good { "m" } else { "" })),
        Op::AddHotKey(key) => Providers::add_hot_key(origin, key),
        Op::RemoveHotKey(key) => Providers::remove_hot_key(origin, key),
        Op::BondMore(amount) => Providers::bond_more(origin, amount),
        Op::Withdraw(amount) => Providers::withdraw_bond(origin, amount),
        Op::Offer(to) => Providers::offer_transfer(origin, to),
        Op::Cancel => Providers::cancel_transfer(origin),
        Op::Accept(id) => Providers::accept_transfer(origin, id),
        Op::Leave => Providers::leave(origin),
        Op::SetAttribute(key, value) => Providers::set_attribute(origin, nth(key), val(value)),
        Op::ClearAttribute(key) => Providers::clear_attribute(origin, nth(key)),
        Op::Attest(id, key, value, until) => {
            Providers::attest(origin, id, nth(key), blake2_256(&val(value)), until)
        }
        Op::RevokeAttestation(id, key) => Providers::revoke_attestation(origin, id, nth(key)),
        Op::AddAgent(agent) => Providers::add_support_agent(origin, agent),
        Op::RemoveAgent(agent) => Providers::remove_support_agent(origin, agent),
        Op::Opened(id) => Providers::agreement_opened(id),
        Op::Closed(id) => {
            Providers::agreement_closed(id);
            Ok(())
        }
        Op::Lock(id, agreement, amount) => Providers::lock_bond(id, agreement, amount),
        Op::Unlock(id, agreement) => {
            Providers::unlock_bond(id, agreement);
            Ok(())
        }
        Op::Slash(id, agreement, share, to) => {
            let before = Providers::provider(id).map_or(0, |p| p.bond);
            let moved = Providers::slash_bond(id, agreement, Perbill::from_percent(share), &to);
            assert_eq!(
                before - moved,
                Providers::provider(id).map_or(0, |p| p.bond)
            );
            Ok(())
        }
        Op::Pay(id, amount, to) => Providers::pay_from_bond(id, amount, &to),
        Op::Suspend(a) => {
            Suspended::mutate(|all| {
                if !all.remove(&a) {
                    all.insert(a);
                }
            });
            Ok(())
        }
        Op::Wait(time) => {
            Now::mutate(|now| *now += time);
            Ok(())
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn invariants_should_hold_when_calls_are_random(
        sequence in proptest::collection::vec((origins(), ops()), 1..150)
    ) {
        new_test_ext().execute_with(|| {
            let issuance = Balances::total_issuance();
            for (who, op) in sequence {
                let (who, op) = match who {
                    Who::Root => (None, op),
                    Who::Anybody(who) => (Some(who), op),
                    Who::Aimed(n) => aim(n, op),
                };
                let root = sp_io::storage::root(Default::default());
                let live = |id: u32| Providers::provider(id).map_or(0, |p| p.live_agreements);
                let before: Vec<u32> = (0..6).map(live).collect();
                if apply(who, op.clone()).is_err() {
                    // A refused call leaves no trace.
                    assert_eq!(root, sp_io::storage::root(Default::default()), "{op:?}");
                }
                assert_ok!(Providers::do_try_state());
                assert_eq!(Balances::total_issuance(), issuance, "{op:?}");
                // With live agreements nobody leaves.
                for (id, count) in (0u32..).zip(before) {
                    assert!(count == 0 || Providers::provider(id).is_some(), "{op:?}");
                }
            }
            // From every state: once agreements are settled, each owner gets its bond back, suspended or not.
            for (id, record) in Organisations::<Test>::iter().collect::<Vec<_>>() {
                (0..4).for_each(|agreement| Providers::unlock_bond(id, agreement));
                (0..record.live_agreements).for_each(|_| Providers::agreement_closed(id));
                let total = Balances::total_balance(&record.owner);
                assert_ok!(Providers::leave(signed(record.owner)));
                assert_eq!(Balances::balance(&record.owner), total);
            }
            assert_ok!(Providers::do_try_state());
            assert_eq!(WorkerOf::<Test>::iter().count(), 0);
            assert_eq!(Attributes::<Test>::iter().count(), 0);
            assert_eq!(Attestations::<Test>::iter().count(), 0);
            assert_eq!(Balances::total_issuance(), issuance);
        });
    }
}
