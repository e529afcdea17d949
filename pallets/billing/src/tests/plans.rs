//! Price plans.

use crate::{mock::*, Error, Event, Plans};
use frame_support::{assert_noop, assert_ok};
use virtengine_primitives::{
    billing::{Allocation, PricePlan, Rate},
    traits::Billing as Seam,
    AssetKind, Balance,
};

#[test]
fn publish_should_store_the_terms_and_tell_everybody() {
    run(|| {
        assert_ok!(Billing::publish_plan(signed(OWNER), terms(COIN)));
        System::assert_last_event(
            Event::PlanPublished {
                plan: 3,
                provider: PROVIDER,
                terms: terms(COIN),
            }
            .into(),
        );
        assert_eq!(Billing::plan(3), Some((PROVIDER, terms(COIN))));
    });
}

#[test]
fn publish_should_be_refused_when_the_account_or_the_plan_is_wrong() {
    run(|| {
        for who in [ALICE, HOT, PAYOUT, ARBITER] {
            assert_noop!(
                Billing::publish_plan(signed(who), terms(NATIVE)),
                Error::<Test>::NotAuthorized
            );
        }
        let mut unsorted = terms(NATIVE);
        let swapped: Vec<Rate> = unsorted.rates.iter().rev().copied().collect();
        unsorted.rates = swapped.try_into().unwrap();
        assert_noop!(
            Billing::publish_plan(signed(OWNER), unsorted),
            Error::<Test>::PlanMalformed
        );
        assert_noop!(
            Billing::publish_plan(signed(OWNER), terms(AssetKind::Asset(99))),
            Error::<Test>::UnknownAsset
        );
        Suspended::insert(OWNER, ());
        assert!(Billing::publish_plan(signed(OWNER), terms(NATIVE)).is_err());
    });
}

#[test]
fn retire_should_remove_the_plan_when_nobody_needs_it() {
    run(|| {
        assert_noop!(
            Billing::retire_plan(signed(OWNER2), PLAN),
            Error::<Test>::NotAuthorized
        );
        assert_ok!(Billing::retire_plan(signed(OWNER), PLAN));
        assert_eq!(Billing::plan(PLAN), None);
        assert_noop!(
            Billing::retire_plan(signed(OWNER), PLAN),
            Error::<Test>::NotFound
        );
    });
}

#[test]
fn retire_should_keep_the_plan_when_an_agreement_or_a_candidate_needs_it() {
    run(|| {
        open(1);
        assert_ok!(<Billing as Seam<_>>::pin_plan(PLAN2));
        assert_ok!(Billing::retire_plan(signed(OWNER), PLAN));
        assert_ok!(Billing::retire_plan(signed(OWNER2), PLAN2));
        assert_noop!(
            Billing::retire_plan(signed(OWNER), PLAN),
            Error::<Test>::PlanRetired
        );
        // No new business under it.
        assert_eq!(Billing::quote(PLAN, allocation(1)), None);
        assert_noop!(
            <Billing as Seam<_>>::pin_plan(PLAN),
            Error::<Test>::PlanRetired
        );
        assert_noop!(
            <Billing as Seam<_>>::open(2, &ALICE, PROVIDER, PLAN, 1, allocation(1)),
            Error::<Test>::PlanRetired
        );
        // The candidate that was promised it gets it all the same.
        assert_ok!(<Billing as Seam<_>>::reassign(1, PROVIDER2, PLAN2));
        assert_eq!(Billing::plan(PLAN), None, "nobody needed it any more");
        <Billing as Seam<_>>::unpin_plan(PLAN2);
        assert_eq!(Plans::<Test>::get(PLAN2).unwrap().users, 1);
    });
}

#[test]
fn the_price_of_a_running_agreement_should_not_change_when_the_provider_raises_its_prices() {
    run(|| {
        started(1);
        assert_ok!(Billing::retire_plan(signed(OWNER), PLAN));
        let dearer = PricePlan {
            minimum_charge: 1_000_000,
            ..terms(NATIVE)
        };
        assert_ok!(Billing::publish_plan(signed(OWNER), dearer));
        use_seconds(1, 10);
        assert_eq!(agreement(1).charged, 140);
    });
}

#[test]
fn quote_should_be_the_most_that_an_allocation_costs() {
    run(|| {
        let seam =
            |plan, provider| <Billing as Seam<u64>>::quote(plan, provider, &allocation(1_000));
        assert_eq!(seam(PLAN, PROVIDER), Some((NATIVE, 14_000)));
        assert_eq!(seam(COIN_PLAN, PROVIDER), Some((COIN, 14_000)));
        assert_eq!(seam(PLAN, PROVIDER2), None, "of another provider");
        assert_eq!(seam(9, PROVIDER), None, "unknown");
        assert_eq!(Billing::quote(PLAN, allocation(1)), Some((NATIVE, 100)));
        let absurd = Allocation {
            per_second: cpu_mem(u128::MAX / 2, 0),
            walltime: 10,
        };
        assert_eq!(Billing::quote(PLAN, absurd.clone()), None, "overflow");
        assert_noop!(
            <Billing as Seam<_>>::open(1, &ALICE, PROVIDER, PLAN, Balance::MAX, absurd),
            Error::<Test>::PriceOverflow
        );
    });
}
