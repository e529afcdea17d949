//! Random sequences of everything that can happen to ledgers, over the real balances and assets pallets.

use crate::{mock::*, Credits, Ledgers};
use alloc::collections::BTreeMap;
use core::cell::RefCell;
use frame_support::assert_ok;
use proptest::{prelude::*, test_runner::TestRunner};
use virtengine_primitives::{traits::Escrow as _, Balance};

#[derive(Clone, Debug)]
enum Op {
    Open(u64, AccountId, bool, Balance),
    Earn(u64, Balance),
    Revert(u64, Balance),
    Release(u64, AccountId, Balance),
    Refund(u64, Balance),
    Claim(u64, AccountId),
    Close(u64),
    Forget(u64),
    Freeze(bool),
    Block(AccountId, bool),
    Spend(AccountId, bool, Balance),
}

fn op() -> impl Strategy<Value = Op> {
    let id = 0..6u64;
    let who = prop_oneof![1..4u64, Just(9), Just(10)];
    // Small and large: dust below the existential deposit, and more than there is.
    let amount = prop_oneof![0..25u128, 0..2_000u128, Just(START), Just(Balance::MAX)];
    prop_oneof![
        4 => (id.clone(), 1..4u64, any::<bool>(), amount.clone()).prop_map(|(i, w, a, m)| Op::Open(i, w, a, m)),
        4 => (id.clone(), amount.clone()).prop_map(|(i, m)| Op::Earn(i, m)),
        2 => (id.clone(), amount.clone()).prop_map(|(i, m)| Op::Revert(i, m)),
        4 => (id.clone(), who.clone(), amount.clone()).prop_map(|(i, w, m)| Op::Release(i, w, m)),
        3 => (id.clone(), amount.clone()).prop_map(|(i, m)| Op::Refund(i, m)),
        5 => (id.clone(), who.clone()).prop_map(|(i, w)| Op::Claim(i, w)),
        3 => id.clone().prop_map(Op::Close),
        3 => id.prop_map(Op::Forget),
        1 => any::<bool>().prop_map(Op::Freeze),
        1 => (who.clone(), any::<bool>()).prop_map(|(w, b)| Op::Block(w, b)),
        1 => (who, any::<bool>(), amount).prop_map(|(w, a, m)| Op::Spend(w, a, m)),
    ]
}

/// Mostly something that is there to be moved, sometimes whatever it was.
fn fit(amount: Balance, have: Option<Balance>) -> Balance {
    match have {
        Some(have) if !amount.is_multiple_of(4) => amount % have.saturating_add(1),
        _ => amount,
    }
}

fn apply(op: Op) {
    let kind = |coin: bool| if coin { COIN } else { NATIVE };
    let issuer = || RuntimeOrigin::signed(ISSUER);
    match op {
        Op::Open(id, who, coin, amount) => drop(Escrow::open(id, &who, kind(coin), amount)),
        Op::Earn(id, amount) => {
            let amount = fit(amount, Escrow::balances(id).map(|b| b.0));
            let _ = Escrow::to_pending(id, amount);
        }
        Op::Revert(id, amount) => {
            let amount = fit(amount, Escrow::balances(id).map(|b| b.1));
            let _ = Escrow::revert_pending(id, amount);
        }
        Op::Release(id, who, amount) => {
            // Fails only for want of a ledger or of pending money, never because of the recipient.
            let pending = Escrow::balances(id).map(|b| b.1);
            let amount = fit(amount, pending);
            assert_eq!(
                Escrow::release(id, &who, amount).is_ok(),
                pending.is_some_and(|p| p >= amount)
            );
        }
        Op::Refund(id, amount) => {
            let available = Escrow::balances(id).map(|b| b.0);
            let amount = fit(amount, available);
            assert_eq!(
                Escrow::refund(id, amount).is_ok(),
                available.is_some_and(|a| a >= amount)
            );
        }
        Op::Claim(id, who) => drop(Escrow::claim(RuntimeOrigin::signed(BOB), id, who)),
        Op::Close(id) => drop(Escrow::close(id)),
        Op::Forget(id) => drop(Escrow::forget(id)),
        Op::Freeze(true) => drop(Assets::freeze_asset(issuer(), 7)),
        Op::Freeze(false) => drop(Assets::thaw_asset(issuer(), 7)),
        Op::Block(who, true) => drop(Assets::block(issuer(), 7, who)),
        Op::Block(who, false) => drop(Assets::thaw(issuer(), 7, who)),
        // Keeping the account alive: what is left below the existential deposit would be burnt, which is no defect.
        Op::Spend(who, true, amount) => drop(Assets::transfer_keep_alive(
            RuntimeOrigin::signed(who),
            7,
            ISSUER,
            amount,
        )),
        Op::Spend(who, false, amount) => drop(Balances::transfer_keep_alive(
            RuntimeOrigin::signed(who),
            ISSUER,
            amount,
        )),
    }
}

/// Counts what happened, so that the test cannot pass because nothing ever succeeded.
fn count_events(seen: &RefCell<BTreeMap<String, u32>>) {
    for record in System::events() {
        if let RuntimeEvent::Escrow(event) = record.event {
            let name = format!("{event:?}");
            let name = name.trim_start_matches("Event::");
            let name = name
                .split([' ', '{'])
                .next()
                .unwrap_or_default()
                .to_string();
            *seen.borrow_mut().entry(name).or_default() += 1;
        }
    }
}

#[test]
fn ledgers_should_stay_exact_and_never_stick_under_any_sequence() {
    let seen = RefCell::new(BTreeMap::new());
    let config = ProptestConfig {
        // A failing case is printed and shrunk to its essence.
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let outcome = TestRunner::new(config).run(&prop::collection::vec(op(), 1..200), |ops| {
        new_test_ext().execute_with(|| {
            let issued = || (Balances::total_issuance(), Assets::total_supply(7));
            let before = issued();
            for op in ops {
                apply(op);
                Escrow::do_try_state().unwrap();
                assert_eq!(issued(), before, "money was made or lost");
            }
            count_events(&seen);
            // From wherever that led, the money can be brought home.
            let _ = Assets::thaw_asset(RuntimeOrigin::signed(ISSUER), 7);
            for who in [1, 2, 3, 9, 10] {
                let _ = Assets::thaw(RuntimeOrigin::signed(ISSUER), 7, who);
                let _ = Balances::transfer_allow_death(RuntimeOrigin::signed(ISSUER), who, ED);
                let _ = Assets::transfer(RuntimeOrigin::signed(ISSUER), 7, who, ED);
            }
            for (id, ledger) in Ledgers::<Test>::iter().collect::<Vec<_>>() {
                if !ledger.closed {
                    assert_ok!(Escrow::revert_pending(id, ledger.pending));
                    assert_ok!(Escrow::refund(id, ledger.available + ledger.pending));
                }
                for (who, _) in Credits::<Test>::iter_prefix(id).collect::<Vec<_>>() {
                    assert_ok!(Escrow::claim(RuntimeOrigin::signed(BOB), id, who));
                }
                assert_ok!(Escrow::close(id));
                assert!(Escrow::forget(id));
            }
            for who in [1, 2, 3] {
                for asset in [NATIVE, COIN] {
                    use frame_support::traits::fungibles::InspectHold;
                    let held = <<Test as crate::Config>::Assets as InspectHold<AccountId>>::total_balance_on_hold(asset, &who);
                    assert_eq!(held, 0, "{asset:?} of {who} is stuck");
                }
            }
        });
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
    let seen = seen.into_inner();
    println!("{seen:?}");
    for name in [
        "Opened",
        "Earned",
        "Reverted",
        "Released",
        "Refunded",
        "Credited",
        "Claimed",
        "Closed",
        "Forgotten",
    ] {
        let times = seen.get(name).copied().unwrap_or(0);
        assert!(times > 0, "{name} happened only {times} times: {seen:?}");
    }
}
