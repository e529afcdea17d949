//! `on_poll`: everything falls due by itself, within the weight that a block has left.

use crate::{mock::*, Cursor, Deadlines, Pallet, WeightInfo};
use frame_support::weights::{Weight, WeightMeter};
use virtengine_primitives::billing::Fault;

/// Polls with twice what so much takes, of which it may use half.
fn drain(settlements: u64, buckets: u64) -> Weight {
    let half = <() as WeightInfo>::settle()
        .saturating_mul(settlements)
        .saturating_add(<() as WeightInfo>::poll_bucket().saturating_mul(buckets));
    let mut meter = WeightMeter::with_limit(half * 2);
    Pallet::<Test>::drain_deadlines(&mut meter);
    assert!(meter.consumed().all_lte(half));
    meter.consumed()
}

fn settled_count() -> usize {
    SettledCount::iter().count()
}

/// Ten agreements that fall due in the same block.
fn ten() -> u32 {
    for id in 1..=10 {
        open(id);
        end(id, Fault::Payer);
    }
    release_at(1)
}

#[test]
fn on_poll_should_do_nothing_when_there_is_no_weight_left() {
    run(|| {
        let at = ten();
        jump_to(at);
        assert_eq!(drain(0, 0), Weight::zero());
        assert_eq!(settled_count(), 0);
    });
}

#[test]
fn on_poll_should_go_on_in_the_next_block_when_the_weight_runs_out() {
    run(|| {
        let at = ten();
        jump_to(at);
        let skipped = u64::from(at);
        drain(3, skipped + 2);
        assert_eq!(settled_count(), 3);
        assert_eq!(Cursor::<Test>::get(), Some(at));
        check();
        jump_to(at + 1);
        drain(100, 10);
        assert_eq!(settled_count(), 10);
        assert_eq!(Cursor::<Test>::get(), Some(at + 2));
        assert_eq!(Deadlines::<Test>::iter().count(), 0);
    });
}

#[test]
fn on_poll_should_leave_half_of_a_block_to_others_when_more_is_due_than_fits() {
    run(|| {
        let at = ten();
        jump_to(at);
        // Room for eight, and four are taken: whoever ends many agreements at once stops nobody else's transactions.
        let block = <() as WeightInfo>::settle().saturating_mul(8)
            + <() as WeightInfo>::poll_bucket().saturating_mul(2 * (u64::from(at) + 2));
        let mut meter = WeightMeter::with_limit(block);
        Pallet::<Test>::drain_deadlines(&mut meter);
        assert_eq!(settled_count(), 4);
        assert!(meter.remaining().all_gte(block / 2));
    });
}

#[test]
fn on_poll_should_walk_over_blocks_that_were_skipped() {
    run(|| {
        let at = ten();
        jump_to(at + 1_000);
        let mut blocks = 0;
        while Cursor::<Test>::get() != Some(at + 1_001) {
            drain(2, 100);
            blocks += 1;
            check();
            assert!(blocks < 100);
        }
        assert_eq!(settled_count(), 10);
    });
}

#[test]
fn a_deadline_in_a_bucket_already_emptied_should_move_to_the_next() {
    run(|| {
        DisputeWindow::set(0);
        open(1);
        go_to(5);
        // Block 5 has been polled; what falls due in it is done in block 6.
        end(1, Fault::Payer);
        assert_eq!(release_at(1), 5);
        check();
        next_block();
        assert!(is_settled(1));
    });
}

#[test]
fn an_empty_chain_should_cost_two_looks_a_block() {
    run(|| {
        go_to(50);
        jump_to(51);
        let looked = drain(10, 10);
        assert_eq!(looked, <() as WeightInfo>::poll_bucket().saturating_mul(2));
    });
}
