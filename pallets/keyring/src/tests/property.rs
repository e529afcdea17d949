//! Random calls by random origins: the invariants hold after each, and every deposit comes back in the end.

use super::*;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Op {
    Register(u64, u8),
    Rotate(u64, u8, u8),
    Revoke(u64, u8),
    Forget(u64, u8),
    Suspend(u64),
    Wait(u32),
}

fn ops() -> impl Strategy<Value = Op> {
    let who = || 1u64..=5;
    let key = || 0u8..10;
    prop_oneof![
        4 => (who(), key()).prop_map(|(a, k)| Op::Register(a, k)),
        3 => (who(), key(), key()).prop_map(|(a, k, n)| Op::Rotate(a, k, n)),
        3 => (who(), key()).prop_map(|(a, k)| Op::Revoke(a, k)),
        3 => (who(), key()).prop_map(|(a, k)| Op::Forget(a, k)),
        1 => who().prop_map(Op::Suspend),
        2 => (0u32..12).prop_map(Op::Wait),
    ]
}

/// The operation as the key's owner would do it: pure chance would hardly ever get past the first check.
fn aimed(op: Op) -> Op {
    let owner = |who, key| Keyring::key_owner(id(key)).unwrap_or(who);
    match op {
        Op::Rotate(who, key, new) => Op::Rotate(owner(who, key), key, new),
        Op::Revoke(who, key) => Op::Revoke(owner(who, key), key),
        Op::Suspend(who) => Op::Suspend(Suspended::get().first().copied().unwrap_or(who)),
        op => op,
    }
}

/// 5 is nobody's number: the call is made by governance, which owns no key.
fn origin(who: u64) -> RuntimeOrigin {
    if who == 5 {
        RuntimeOrigin::root()
    } else {
        signed(who)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn invariants_should_hold_when_calls_are_random(
        sequence in proptest::collection::vec((any::<u8>(), ops()), 1..120)
    ) {
        new_test_ext().execute_with(|| {
            let issuance = Balances::total_issuance();
            for (chance, op) in sequence {
                let op = if chance < 180 { aimed(op) } else { op };
                let root = sp_io::storage::root(Default::default());
                let owner = |k| Keyring::key_owner(id(k));
                let result = match op.clone() {
                    Op::Register(a, k) => Keyring::register_key(origin(a), public(k), label()),
                    Op::Rotate(a, k, n) => {
                        let before = owner(k);
                        let result = Keyring::rotate_key(origin(a), id(k), public(n), label());
                        assert!(result.is_err() || before == Some(a));
                        result
                    }
                    Op::Revoke(a, k) => {
                        let result = Keyring::revoke_key(origin(a), id(k));
                        assert!(result.is_err() || owner(k) == Some(a));
                        result
                    }
                    Op::Forget(a, k) => Keyring::forget_key(origin(a), id(k)),
                    Op::Suspend(a) => {
                        Suspended::mutate(|s| match s.iter().position(|x| *x == a) {
                            Some(i) => { s.remove(i); }
                            None => s.push(a),
                        });
                        Ok(())
                    }
                    Op::Wait(n) => {
                        System::set_block_number(System::block_number() + n);
                        Ok(())
                    }
                };
                if result.is_err() {
                    assert_eq!(root, sp_io::storage::root(Default::default()), "{op:?}");
                }
                check();
            }
            // In the end everybody gets everything back, suspended or not.
            for (key, entry) in Keys::<Test>::iter().collect::<Vec<_>>() {
                if entry.key.revoked_at.is_none() {
                    assert_ok!(Keyring::revoke_key(signed(entry.owner), key));
                }
            }
            System::set_block_number(System::block_number() + 10);
            for key in Keys::<Test>::iter_keys().collect::<Vec<_>>() {
                assert_ok!(Keyring::forget_key(signed(BOB), key));
            }
            check();
            for who in [ALICE, BOB, CAROL] {
                assert_eq!(Balances::balance(&who), 10_000);
            }
            assert_eq!(Balances::total_issuance(), issuance);
        });
    }
}
