//! Random sequences of everything, over the real escrow, with assets that freeze and payees that do not exist: the
//! invariants hold after every step, no unit of money is made or lost, and time alone brings everything home.

use crate::{mock::*, Agreements, Invoices, Lines};
use alloc::collections::BTreeMap;
use core::cell::RefCell;
use frame_support::{
    assert_ok,
    traits::{fungible::InspectHold as _, fungibles::InspectHold as _},
};
use proptest::{prelude::*, test_runner::TestRunner};
use sp_runtime::Perbill;
use virtengine_primitives::{
    billing::{AgreementState, Fault, InvoiceKey, LineKind, UsageReport},
    traits::Billing as Seam,
    Balance,
};

const IDS: u64 = 6;
/// Paid by the second provider, has nothing.
const GHOST: AccountId = 90;

#[derive(Clone, Debug)]
enum Op {
    Open(u64, bool, u8, Balance),
    Reassign(u64, bool),
    Start(u64, i64),
    /// Sequence off by, gap before, period, quantities in percent of what is allocated.
    Report(u64, i8, u32, u64, u32),
    End(u64, u8),
    Dispute(u64, u32),
    Evidence(u64),
    Decide(u64, u32),
    Settle(u64),
    Note(usize, bool, u32),
    Close(usize),
    PruneInvoice(usize),
    PruneAgreement(u64),
    Claim(u64, AccountId),
    Freeze(bool),
    Poor(bool),
    Retire(u8),
    Blocks(u32),
    Polled(u32),
    Seconds(u64),
    Days(u64),
}

fn op() -> impl Strategy<Value = Op> {
    let id = 0..IDS;
    let percent = prop_oneof![6 => 0..=100u32, 1 => 101..=110u32];
    let period = prop_oneof![4 => (1..300u64).prop_map(|s| s * 1_000), 1 => 1..400_000u64];
    prop_oneof![
        8 => (id.clone(), any::<bool>(), 0..3u8, prop_oneof![2 => 0..50u128, 6 => Just(14_000), 1 => Just(2 * START)])
            .prop_map(|(i, p, plan, m)| Op::Open(i, p, plan, m)),
        2 => (id.clone(), any::<bool>()).prop_map(|(i, b)| Op::Reassign(i, b)),
        8 => (id.clone(), prop_oneof![4 => -100_000..=0i64, 1 => 0..100_000i64])
            .prop_map(|(i, at)| Op::Start(i, at)),
        20 => (id.clone(), prop_oneof![12 => Just(0i8), 1 => -1..2i8], prop_oneof![3 => Just(0u32), 1 => 0..5_000u32],
            period, percent.clone())
            .prop_map(|(i, s, g, p, q)| Op::Report(i, s, g, p, q)),
        5 => (id.clone(), 0..3u8).prop_map(|(i, f)| Op::End(i, f)),
        6 => (id.clone(), percent.clone()).prop_map(|(i, a)| Op::Dispute(i, a)),
        5 => id.clone().prop_map(Op::Evidence),
        4 => (id.clone(), percent.clone()).prop_map(|(i, a)| Op::Decide(i, a)),
        3 => id.clone().prop_map(Op::Settle),
        5 => (0..8usize, any::<bool>(), percent).prop_map(|(n, o, a)| Op::Note(n, o, a)),
        4 => (0..8usize).prop_map(Op::Close),
        4 => (0..8usize).prop_map(Op::PruneInvoice),
        2 => id.clone().prop_map(Op::PruneAgreement),
        1 => (id, prop_oneof![Just(ALICE), Just(BOB), Just(PAYOUT), Just(POT), Just(GHOST)])
            .prop_map(|(i, w)| Op::Claim(i, w)),
        1 => any::<bool>().prop_map(Op::Freeze),
        1 => any::<bool>().prop_map(Op::Poor),
        1 => (0..4u8).prop_map(Op::Retire),
        2 => (1..30u32).prop_map(Op::Blocks),
        5 => prop_oneof![3 => 1..8u32, 1 => 8..40u32, 1 => Just(100)].prop_map(Op::Polled),
        10 => (1..400u64).prop_map(Op::Seconds),
        3 => prop_oneof![1..3u64, 20..40u64, 70..95u64].prop_map(Op::Days),
    ]
}

/// The `n`-th agreement in a state that `fits`, or whatever has that number: mostly sensible operations, some wild.
fn pick(n: u64, fits: impl Fn(u64, &AgreementState) -> bool) -> u64 {
    let mut all: Vec<u64> = Agreements::<Test>::iter()
        .filter(|(id, a)| fits(*id, &a.state))
        .map(|(id, _)| id)
        .collect();
    all.sort_unstable();
    all.get(n as usize % all.len().max(1)).copied().unwrap_or(n)
}

fn is_ended(state: &AgreementState) -> bool {
    matches!(state, AgreementState::Ended { .. })
}

fn nth_invoice(n: usize) -> Option<InvoiceKey<AccountId>> {
    let all: Vec<_> = Invoices::<Test>::iter_keys().collect();
    let (payer, month, provider, asset) = *all.get(n % all.len().max(1))?;
    Some(InvoiceKey {
        payer,
        provider,
        asset,
        month,
    })
}

fn pending(id: u64, percent: u32) -> Balance {
    let pending = Escrow::ledger(id).map_or(0, |l| l.pending);
    pending * Balance::from(percent) / 100
}

fn apply(op: Op) {
    match op {
        Op::Open(id, alice, plan, ceiling) => {
            let id = (0..2 * IDS)
                .find(|id| !Agreements::<Test>::contains_key(id))
                .unwrap_or(id);
            let provider = if plan == 2 { PROVIDER2 } else { PROVIDER };
            let payer = if alice { ALICE } else { BOB };
            let allocation = allocation(1_000);
            let _ =
                <Billing as Seam<_>>::open(id, &payer, provider, plan.into(), ceiling, allocation);
        }
        Op::Reassign(id, second) => {
            let id = pick(id, |_, s| *s == AgreementState::Open);
            let to = if second {
                (PROVIDER2, PLAN2)
            } else {
                (PROVIDER, PLAN)
            };
            let _ = <Billing as Seam<u64>>::reassign(id, to.0, to.1);
        }
        Op::Start(id, offset) => {
            let id = pick(id, |_, s| *s == AgreementState::Open);
            let at = Timestamp::get().saturating_add_signed(offset);
            let _ = <Billing as Seam<u64>>::start(id, at);
        }
        Op::Report(id, off, gap, period, percent) => {
            let id = pick(id, |_, s| *s == AgreementState::Metering);
            let Some(a) = Billing::agreement(id) else {
                return;
            };
            let earliest = a.started_at.unwrap_or(NOW).max(a.metered_until);
            let latest = Timestamp::get().saturating_sub(period);
            let from = (earliest + u64::from(gap)).max(latest.min(earliest + 400 * DAY));
            let seconds = Balance::from(period.div_ceil(1_000) as u32);
            let of = |units: Balance| units * seconds * Balance::from(percent) / 100;
            let report = UsageReport {
                sequence: a
                    .sequence
                    .saturating_add(1)
                    .saturating_add_signed(off.into()),
                from,
                until: from + period,
                quantities: cpu_mem(of(4), of(2_000)),
                evidence: H256::repeat_byte(percent as u8),
            };
            let hot = if a.provider == PROVIDER { HOT } else { HOT2 };
            let _ = Billing::report(signed(hot), id, report);
        }
        Op::End(id, fault) => {
            let id = pick(id, |_, s| *s == AgreementState::Metering);
            // An unknown agreement is a defect of the caller, which the mock would panic on.
            if Agreements::<Test>::contains_key(id) {
                end(
                    id,
                    [Fault::Payer, Fault::Silence, Fault::Provider][usize::from(fault)],
                );
            }
        }
        Op::Dispute(id, percent) => {
            let id = pick(id, |id, s| is_ended(s) && Billing::dispute_of(id).is_none());
            let payer = Billing::agreement(id).map_or(ALICE, |a| a.payer);
            let _ = Billing::dispute(signed(payer), id, pending(id, percent), H256::zero());
        }
        Op::Evidence(id) => {
            let id = pick(id, |id, s| is_ended(s) && Billing::dispute_of(id).is_some());
            let provider = Billing::agreement(id).map_or(PROVIDER, |a| a.provider);
            let who = if provider == PROVIDER { HOT } else { OWNER2 };
            let _ = Billing::open_evidence(signed(who), id, H256::zero());
        }
        Op::Decide(id, percent) => {
            let id = pick(id, |id, _| {
                Billing::dispute_of(id).is_some_and(|d| d.evidence.is_some())
            });
            let disputed = Billing::dispute_of(id).map_or(0, |d| d.amount);
            let to_payee = disputed * Balance::from(percent) / 100;
            let _ = Billing::decide(signed(ARBITER), id, to_payee);
        }
        Op::Settle(id) => drop(Billing::settle(signed(ANYONE), id)),
        Op::Note(n, by_owner, percent) => {
            let Some(key) = nth_invoice(n) else { return };
            let line = percent % Billing::invoice(key.clone()).map_or(1, |i| i.lines.count.max(1));
            let owner = if key.provider == PROVIDER {
                OWNER
            } else {
                OWNER2
            };
            let who = if by_owner { owner } else { ARBITER };
            let amount = Lines::<Test>::get(&key, line).map_or(0, |l| l.line.amount);
            let amount = amount * Balance::from(percent) / 100;
            let _ = frame_support::storage::with_storage_layer(|| {
                Billing::credit_note(signed(who), key, line, amount)
            });
        }
        Op::Close(n) => {
            if let Some(key) = nth_invoice(n) {
                let _ = Billing::close_invoice(signed(ANYONE), key);
            }
        }
        Op::PruneInvoice(n) => {
            if let Some(key) = nth_invoice(n) {
                let _ = Billing::prune_invoice(signed(ANYONE), key);
            }
        }
        Op::PruneAgreement(id) => {
            let id = pick(id, |_, s| matches!(s, AgreementState::Settled { .. }));
            let _ = Billing::prune_agreement(signed(ANYONE), id);
        }
        Op::Claim(id, who) => drop(Escrow::claim(signed(ANYONE), id, who)),
        Op::Freeze(true) => drop(Assets::freeze_asset(signed(ISSUER), 7)),
        Op::Freeze(false) => drop(Assets::thaw_asset(signed(ISSUER), 7)),
        Op::Poor(true) => {
            let all = Balances::free_balance(OWNER).saturating_sub(ED);
            let _ = Balances::transfer_keep_alive(signed(OWNER), ISSUER, all);
        }
        Op::Poor(false) => drop(Balances::transfer_keep_alive(signed(ISSUER), OWNER, 9_999)),
        Op::Retire(plan) => {
            let owner = if plan == 2 { OWNER2 } else { OWNER };
            let plan = plan.into();
            if Billing::retire_plan(signed(owner), plan).is_ok() {
                // There is always a plan of that number to do business under.
                let asset = if plan == COIN_PLAN { COIN } else { NATIVE };
                let _ = Billing::publish_plan(signed(owner), terms(asset));
            }
        }
        Op::Blocks(n) => jump_to(System::block_number() + n),
        Op::Polled(n) => go_to(System::block_number() + n),
        Op::Seconds(n) => set_time(Timestamp::get() + n * 1_000),
        Op::Days(n) => set_time(Timestamp::get() + n * DAY),
    }
}

/// What agreements cost by their invoices: usage less credit notes, less what was forgiven after it had been paid.
fn invoiced(id: u64) -> i128 {
    Lines::<Test>::iter()
        .filter(|(_, _, stored)| stored.line.agreement == id)
        .map(|(_, _, stored)| match stored.line.kind {
            LineKind::Usage => stored.line.amount as i128 + stored.forgiven as i128,
            LineKind::CreditNote { .. } => -(stored.line.amount as i128),
        })
        .sum()
}

/// Counts what happened, so that the test cannot pass because nothing ever succeeded.
fn count_events(seen: &RefCell<BTreeMap<String, u32>>) {
    for record in System::events() {
        if let RuntimeEvent::Billing(event) = record.event {
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
fn money_should_be_exact_and_come_home_by_time_alone_under_any_sequence() {
    let seen = RefCell::new(BTreeMap::new());
    let config = ProptestConfig {
        max_shrink_iters: 2_000,
        // A failing case is printed, with what led to it, and shrunk to its essence.
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let mut runner = TestRunner::new(config);
    let outcome = runner.run(&prop::collection::vec(op(), 1..250), |ops| {
        TakeRate::set(Perbill::from_parts(25_000_000));
        DisputeWindow::set(20);
        new_test_ext().execute_with(|| {
            Organisations::insert(PROVIDER2, (OWNER2, HOT2, GHOST, 0));
            let issued = || (Balances::total_issuance(), Assets::total_supply(7));
            let before = issued();
            let mut pruned = false;
            for op in ops {
                pruned |= matches!(op, Op::PruneInvoice(_) | Op::PruneAgreement(_));
                apply(op);
                check();
                assert_eq!(issued(), before, "money was made or lost");
                // What invoices say is what escrow did.
                for (id, a) in Agreements::<Test>::iter() {
                    if !pruned
                        && matches!(
                            a.state,
                            AgreementState::Ended { .. } | AgreementState::Settled { .. }
                        )
                    {
                        assert_eq!(
                            invoiced(id),
                            a.charged as i128,
                            "invoices differ from escrow"
                        );
                    }
                }
            }

            count_events(&seen);
            // Whoever opened agreements ends them; from there on nobody does anything.
            for id in 0..2 * IDS {
                if Agreements::<Test>::contains_key(id) {
                    end(id, Fault::Silence);
                }
            }
            go_to(System::block_number() + 60);
            check();
            let mut live = 0;
            for (id, a) in Agreements::<Test>::iter() {
                assert!(
                    matches!(a.state, AgreementState::Settled { .. }),
                    "{id} did not settle"
                );
                let ledger = Escrow::ledger(id).unwrap();
                assert!(ledger.closed);
                // Every unit of it is paid or given back, but for what nobody could receive.
                assert_eq!(ledger.paid + ledger.refunded + ledger.credited, a.ceiling);
                live += 1;
            }
            assert_eq!(Organisations::iter().map(|(_, o)| o.3).sum::<u32>(), 0);

            // And what could not be received is there for the asking once it can.
            let _ = Assets::thaw_asset(signed(ISSUER), 7);
            let _ = Balances::transfer_allow_death(signed(ISSUER), GHOST, ED);
            for (id, who, _) in pallet_escrow::Credits::<Test>::iter().collect::<Vec<_>>() {
                assert_ok!(Escrow::claim(signed(ANYONE), id, who));
            }
            for who in [ALICE, BOB] {
                assert_eq!(Balances::total_balance_on_hold(&who), 0);
                assert_eq!(AssetsHolder::total_balance_on_hold(7, &who), 0);
            }
            go_to(System::block_number() + 100);
            for id in 0..2 * IDS {
                if Agreements::<Test>::contains_key(id) {
                    assert_ok!(Billing::prune_agreement(signed(ANYONE), id));
                    live -= 1;
                }
            }
            assert_eq!(live, 0);
            check();
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
        "Reassigned",
        "Started",
        "Reported",
        "LineSealed",
        "Ended",
        "Released",
        "Disputed",
        "EvidenceOpened",
        "DisputeResolved",
        "Settled",
        "CreditNoteIssued",
        "InvoiceClosed",
        "AgreementPruned",
        "InvoicePruned",
        "PlanRetired",
    ] {
        let times = seen.get(name).copied().unwrap_or(0);
        assert!(times > 0, "{name} happened only {times} times: {seen:?}");
    }
}
