//! Random calls by random origins: the invariants hold after each, and nothing is gained that the rules do not give.

use super::*;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Op {
    Nominate(u64, Role),
    Revoke(u64, Role),
    Resign(Role),
    Register,
    Unregister,
    Suspend(u64),
    Reactivate(u64),
    Terminate(u64),
}

#[derive(Clone, Debug)]
enum Who {
    Root,
    None,
    Signed(u64),
}

impl From<Who> for RuntimeOrigin {
    fn from(who: Who) -> Self {
        match who {
            Who::Root => RuntimeOrigin::root(),
            Who::None => RuntimeOrigin::none(),
            Who::Signed(a) => RuntimeOrigin::signed(a),
        }
    }
}

fn accounts() -> impl Strategy<Value = u64> {
    // 99 holds no balance.
    prop_oneof![8 => 1u64..=7, 3 => 10u64..=11, 1 => Just(99u64)]
}

fn roles() -> impl Strategy<Value = Role> {
    proptest::sample::select(ALL.to_vec())
}

fn ops() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => (accounts(), roles()).prop_map(|(a, r)| Op::Nominate(a, r)),
        3 => (accounts(), roles()).prop_map(|(a, r)| Op::Revoke(a, r)),
        1 => roles().prop_map(Op::Resign),
        2 => Just(Op::Register),
        1 => Just(Op::Unregister),
        2 => accounts().prop_map(Op::Suspend),
        3 => accounts().prop_map(Op::Reactivate),
        1 => accounts().prop_map(Op::Terminate),
    ]
}

fn origins() -> impl Strategy<Value = Who> {
    prop_oneof![3 => Just(Who::Root), 1 => Just(Who::None), 20 => accounts().prop_map(Who::Signed)]
}

/// Somebody who may do this, and about somebody who is concerned: pure chance would hardly ever get past the first
/// check.
fn aim(n: usize, op: Op) -> (Who, Op) {
    let pick = |all: Vec<(u64, Role)>| all.get(n.checked_rem(all.len())?).copied();
    let holders = |wanted: &[Role]| -> Vec<(u64, Role)> {
        let held = Holders::<Test>::iter().map(|(role, who, _)| (who, role));
        held.filter(|(who, role)| wanted.contains(role) && Accounts::has_role(who, *role))
            .collect()
    };
    let someone =
        |wanted: &[Role]| pick(holders(wanted)).map_or(Who::Root, |(who, _)| Who::Signed(who));
    let decider = |role| match role {
        Role::Genesis | Role::Customer => Who::Root,
        Role::Administrator => someone(&[Role::Genesis]),
        _ => someone(&[Role::Administrator]),
    };
    match op {
        Op::Nominate(who, role) => (decider(role), Op::Nominate(who, role)),
        Op::Revoke(who, role) => {
            let held = Holders::<Test>::iter()
                .map(|(role, who, _)| (who, role))
                .collect();
            let (who, role) = pick(held).unwrap_or((who, role));
            (decider(role), Op::Revoke(who, role))
        }
        Op::Resign(role) => {
            let (who, role) = pick(holders(&ALL)).unwrap_or((1, role));
            (Who::Signed(who), Op::Resign(role))
        }
        Op::Unregister => (someone(&[Role::Customer]), Op::Unregister),
        Op::Register => (Who::Signed(10 + n as u64 % 2), Op::Register),
        Op::Reactivate(who) => {
            let suspended = States::<Test>::iter()
                .filter(|(_, state)| *state == AccountState::Suspended)
                .map(|(who, _)| (who, Role::Customer))
                .collect();
            let who = pick(suspended).map_or(who, |(who, _)| who);
            (
                someone(&[Role::Administrator, Role::Genesis]),
                Op::Reactivate(who),
            )
        }
        Op::Suspend(who) => (
            someone(&[Role::Moderator, Role::Administrator, Role::Genesis]),
            Op::Suspend(who),
        ),
        Op::Terminate(who) => {
            // Rarely: nobody comes back from it.
            let signer = if n.is_multiple_of(4) {
                someone(&[Role::Administrator])
            } else {
                Who::None
            };
            (signer, Op::Terminate(who))
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn invariants_should_hold_when_calls_are_random(
        sequence in proptest::collection::vec((origins(), any::<usize>(), ops()), 1..120)
    ) {
        new_test_ext().execute_with(|| {
            let mut terminated = std::collections::BTreeSet::new();
            for (who, chance, op) in sequence {
                let (who, op) = if chance.is_multiple_of(3) { (who, op) } else { aim(chance / 3, op) };
                let signer = match &who { Who::Signed(a) => Some(*a), _ => None };
                let was_active = signer.is_none_or(|a| Accounts::ensure_active(&a).is_ok());
                let origin: RuntimeOrigin = who.clone().into();
                let root_hash = sp_io::storage::root(Default::default());
                let result = match op.clone() {
                    Op::Nominate(a, r) => Accounts::nominate(origin, a, r),
                    Op::Revoke(a, r) => Accounts::revoke(origin, a, r),
                    Op::Resign(r) => Accounts::resign(origin, r),
                    Op::Register => Accounts::register(origin),
                    Op::Unregister => Accounts::unregister(origin),
                    Op::Suspend(a) => Accounts::suspend(origin, a, reason()),
                    Op::Reactivate(a) => Accounts::reactivate(origin, a),
                    Op::Terminate(a) => Accounts::terminate(origin, a, reason()),
                };
                if result.is_err() {
                    // A refused call leaves no trace.
                    assert_eq!(root_hash, sp_io::storage::root(Default::default()), "{op:?}");
                } else {
                    assert!(!matches!(who, Who::None));
                    // Whoever may not act can only give up.
                    assert!(was_active || matches!(op, Op::Resign(_) | Op::Unregister), "{op:?}");
                    // Nobody gains a role by their own word but that of a customer, or one they decide about.
                    if let (Some(a), Op::Nominate(_, Role::Genesis | Role::Customer)) = (signer, &op) {
                        panic!("{a} handed out {op:?}");
                    }
                    if let Op::Terminate(a) = op {
                        terminated.insert(a);
                    }
                }
                for a in &terminated {
                    assert_eq!(Accounts::account(*a), (AccountState::Terminated, vec![]));
                }
                assert!(ActiveGenesis::<Test>::get() > 0);
                assert_ok!(Accounts::do_try_state());
            }
        });
    }
}
