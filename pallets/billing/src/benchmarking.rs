//! Benchmarks. Everything outside this pallet is reached through the helpers of the seam traits.

use crate::*;
use alloc::vec::Vec;
use codec::Encode;
use frame_benchmarking::v2::*;
use frame_support::{traits::Get, weights::WeightMeter, BoundedVec};
use frame_system::RawOrigin;
use sp_core::H256;
use sp_runtime::{traits::BlockNumberProvider, Perbill};
use virtengine_primitives::{
    billing::{
        AgreementState, Allocation, Component, Fault, Invoice, InvoiceKey, InvoiceLine, LineKind,
        Month, PricePlan, Quantities, Rate, UsageReport,
    },
    calendar::{end_of, start_of},
    mmr,
    traits::{AccountStanding, Billing as BillingSeam, Escrow, ProviderRegistry},
    AgreementId, Balance, PlanId, ProviderId, Role,
};

const CEILING: Balance = 1_000_000_000_000_000;
const AGREEMENT: AgreementId = 7;
/// January 2027.
const FIRST: Month = 2027 * 12;

/// As many components as a plan can have, sorted.
fn components() -> Vec<Component> {
    let mut all = Vec::from([Component::CpuSeconds, Component::MemoryMibSeconds]);
    all.extend((0..6).map(Component::GpuSeconds));
    all.push(Component::NodeSeconds);
    all.extend((0..5).map(Component::LicenceSeconds));
    all.extend([Component::StorageMibSeconds, Component::EgressMib]);
    all
}

fn terms<T: Config>() -> PricePlan {
    let rate = |component| Rate {
        component,
        price_per_million: 1_000_000,
    };
    PricePlan {
        asset: T::Escrow::benchmark_asset(),
        rates: BoundedVec::truncate_from(components().into_iter().map(rate).collect()),
        minimum_charge: 1_000,
    }
}

/// Publishes a plan with every component priced.
pub(crate) fn full_plan<T: Config>(provider: ProviderId) -> PlanId {
    Pallet::<T>::insert_plan(provider, terms::<T>()).unwrap_or_default()
}

fn quantities(each: u128) -> Quantities {
    BoundedVec::truncate_from(components().into_iter().map(|c| (c, each)).collect())
}

struct Parties<T: Config> {
    owner: T::AccountId,
    worker: T::AccountId,
    payer: T::AccountId,
    arbiter: T::AccountId,
    provider: ProviderId,
    plan: PlanId,
}

fn parties<T: Config>() -> Parties<T> {
    let owner: T::AccountId = account("owner", 0, 0);
    let worker: T::AccountId = account("worker", 0, 0);
    let payer: T::AccountId = account("payer", 0, 0);
    let arbiter: T::AccountId = account("arbiter", 0, 0);
    for who in [&owner, &worker, &payer, &arbiter, &T::TakePot::get()] {
        T::Escrow::benchmark_endow(who, CEILING.saturating_mul(2));
    }
    let provider = T::Providers::benchmark_register(&owner, &worker);
    T::Standing::benchmark_grant(&arbiter, Role::Arbiter);
    T::BenchmarkHelper::set_time(start_of(FIRST));
    T::BlockNumberProvider::set_block_number(1);
    let plan = full_plan::<T>(provider);
    Parties {
        owner,
        worker,
        payer,
        arbiter,
        provider,
        plan,
    }
}

type Seam<T> = Pallet<T>;

fn open<T: Config>(p: &Parties<T>) -> Result<(), BenchmarkError> {
    let allocation = Allocation {
        per_second: quantities(100),
        walltime: 1_000,
    };
    <Seam<T> as BillingSeam<T::AccountId>>::open(
        AGREEMENT, &p.payer, p.provider, p.plan, CEILING, allocation,
    )?;
    <Seam<T> as BillingSeam<T::AccountId>>::start(AGREEMENT, start_of(FIRST))?;
    Ok(())
}

/// The `n`-th report, ten seconds in the `n`-th month (counted from 1).
fn report(n: u32) -> UsageReport {
    let from = start_of(FIRST.saturating_add(n).saturating_sub(1));
    UsageReport {
        sequence: n,
        from,
        until: from.saturating_add(10_000),
        quantities: quantities(1_000),
        evidence: H256::repeat_byte(7),
    }
}

/// Sets the clock to a day after the `n`-th report's.
fn at_report<T: Config>(n: u32) {
    T::BenchmarkHelper::set_time(report(n).until.saturating_add(86_400_000));
}

/// An ended agreement with as many lines as one can have, all but one unit of it disputed.
fn disputed<T: Config>(p: &Parties<T>) -> Result<(), BenchmarkError> {
    open(p)?;
    for n in 1..=MAX_LINES {
        at_report::<T>(n);
        <Seam<T> as BillingSeam<T::AccountId>>::report(AGREEMENT, &report(n))?;
    }
    <Seam<T> as BillingSeam<T::AccountId>>::end(AGREEMENT, Fault::Silence);
    let (_, pending) = T::Escrow::balances(AGREEMENT).ok_or(BenchmarkError::Stop("no ledger"))?;
    let amount = pending.saturating_sub(1);
    Pallet::<T>::do_dispute(&p.payer, AGREEMENT, amount, H256::zero())?;
    Ok(())
}

/// Advances to the first block at which everything may be released.
fn at_release<T: Config>() -> Result<(), BenchmarkError> {
    let agreement = Agreements::<T>::get(AGREEMENT).ok_or(BenchmarkError::Stop("no agreement"))?;
    let AgreementState::Ended { release_at } = agreement.state else {
        return Err(BenchmarkError::Stop("not ended"));
    };
    T::BlockNumberProvider::set_block_number(release_at);
    Ok(())
}

fn key<T: Config>(p: &Parties<T>, month: Month) -> InvoiceKey<T::AccountId> {
    InvoiceKey {
        payer: p.payer.clone(),
        provider: p.provider,
        asset: T::Escrow::benchmark_asset(),
        month,
    }
}

#[benchmarks]
mod benches {
    use super::*;

    #[benchmark]
    fn publish_plan() {
        let p = parties::<T>();
        let plan = terms::<T>();

        #[extrinsic_call]
        _(RawOrigin::Signed(p.owner), plan);

        assert!(Plans::<T>::get(p.plan.saturating_add(1)).is_some());
    }

    #[benchmark]
    fn retire_plan() {
        let p = parties::<T>();

        #[extrinsic_call]
        _(RawOrigin::Signed(p.owner), p.plan);

        assert!(Plans::<T>::get(p.plan).is_none());
    }

    // The worst report is in a new month: it writes the line of the last one on an invoice that does not exist yet.
    #[benchmark]
    fn report() -> Result<(), BenchmarkError> {
        let p = parties::<T>();
        open(&p)?;
        at_report::<T>(1);
        Pallet::<T>::do_report(AGREEMENT, &super::report(1), None)?;
        at_report::<T>(2);

        #[extrinsic_call]
        _(RawOrigin::Signed(p.worker), AGREEMENT, super::report(2));

        assert_eq!(Books::<T>::get(AGREEMENT).lines.len(), 1);
        Ok(())
    }

    #[benchmark]
    fn settle() -> Result<(), BenchmarkError> {
        let p = parties::<T>();
        disputed(&p)?;
        at_release::<T>()?;
        let evidence_by = Disputes::<T>::get(AGREEMENT).map_or(0, |d| d.evidence_by);
        let now = T::BlockNumberProvider::current_block_number();
        T::BlockNumberProvider::set_block_number(now.max(evidence_by));

        #[extrinsic_call]
        _(RawOrigin::Signed(p.arbiter), AGREEMENT);

        assert!(matches!(
            Agreements::<T>::get(AGREEMENT).map(|a| a.state),
            Some(AgreementState::Settled { .. })
        ));
        Ok(())
    }

    #[benchmark]
    fn dispute() -> Result<(), BenchmarkError> {
        let p = parties::<T>();
        open(&p)?;
        <Seam<T> as BillingSeam<T::AccountId>>::end(AGREEMENT, Fault::Payer);

        #[extrinsic_call]
        _(RawOrigin::Signed(p.payer), AGREEMENT, 1, H256::zero());

        assert!(Disputes::<T>::contains_key(AGREEMENT));
        Ok(())
    }

    #[benchmark]
    fn open_evidence() -> Result<(), BenchmarkError> {
        let p = parties::<T>();
        disputed(&p)?;

        #[extrinsic_call]
        _(RawOrigin::Signed(p.worker), AGREEMENT, H256::zero());

        assert!(Disputes::<T>::get(AGREEMENT).is_some_and(|d| d.evidence.is_some()));
        Ok(())
    }

    // The evidence is written directly, because the release may be due after the window in which it could be opened.
    #[benchmark]
    fn decide() -> Result<(), BenchmarkError> {
        let p = parties::<T>();
        disputed(&p)?;
        at_release::<T>()?;
        let now = T::BlockNumberProvider::current_block_number();
        Disputes::<T>::mutate(AGREEMENT, |open| {
            if let Some(open) = open {
                open.evidence = Some(H256::zero());
                open.decide_by = now.saturating_add(1);
            }
        });

        #[extrinsic_call]
        _(RawOrigin::Signed(p.arbiter), AGREEMENT, 1);

        assert!(!Disputes::<T>::contains_key(AGREEMENT));
        Ok(())
    }

    // Two transfers of an asset, by its owner, touch more than an arbiter's, which come from the bond in the native
    // token.
    #[benchmark]
    fn credit_note() -> Result<(), BenchmarkError> {
        let p = parties::<T>();
        open(&p)?;
        <Seam<T> as BillingSeam<T::AccountId>>::end(AGREEMENT, Fault::Payer);
        at_release::<T>()?;
        Pallet::<T>::do_settle(AGREEMENT)?;
        // Another month, so that the note begins an invoice.
        T::BenchmarkHelper::set_time(start_of(FIRST.saturating_add(1)));

        #[extrinsic_call]
        _(RawOrigin::Signed(p.owner.clone()), key(&p, FIRST), 0, 1_000);

        let noted = Pallet::<T>::invoice(key(&p, FIRST.saturating_add(1)));
        assert_eq!(noted.map(|invoice| invoice.credited), Some(1_000));
        Ok(())
    }

    #[benchmark]
    fn close_invoice() -> Result<(), BenchmarkError> {
        let p = parties::<T>();
        open(&p)?;
        <Seam<T> as BillingSeam<T::AccountId>>::end(AGREEMENT, Fault::Payer);
        let late = end_of(FIRST).saturating_add(T::InvoiceGrace::get());
        T::BenchmarkHelper::set_time(late);

        #[extrinsic_call]
        _(RawOrigin::Signed(p.arbiter.clone()), key(&p, FIRST));

        assert!(Pallet::<T>::invoice(key(&p, FIRST)).is_some_and(|i| i.closed_at.is_some()));
        Ok(())
    }

    #[benchmark]
    fn prune_agreement() -> Result<(), BenchmarkError> {
        let p = parties::<T>();
        open(&p)?;
        <Seam<T> as BillingSeam<T::AccountId>>::end(AGREEMENT, Fault::Payer);
        at_release::<T>()?;
        Pallet::<T>::do_settle(AGREEMENT)?;
        let now = T::BlockNumberProvider::current_block_number();
        T::BlockNumberProvider::set_block_number(now.saturating_add(T::PruneAfter::get()));

        #[extrinsic_call]
        _(RawOrigin::Signed(p.arbiter), AGREEMENT);

        assert!(Agreements::<T>::get(AGREEMENT).is_none());
        Ok(())
    }

    #[benchmark]
    fn prune_invoice(n: Linear<0, PRUNE_BATCH>) -> Result<(), BenchmarkError> {
        let p = parties::<T>();
        let key = key(&p, FIRST);
        let mut invoice = Invoice {
            closed_at: Some(1),
            ..Default::default()
        };
        for index in 0..n {
            let line = InvoiceLine {
                agreement: index.into(),
                kind: LineKind::Usage,
                plan: p.plan,
                first_sequence: 1,
                last_sequence: 1,
                from: 0,
                until: 1,
                quantities: quantities(1),
                amount: 0,
                head: H256::zero(),
            };
            invoice.lines.append(mmr::leaf(&line.encode()));
            let stored = StoredLine {
                line,
                take_rate: Perbill::zero(),
                reverted: 0,
                forgiven: 0,
            };
            Lines::<T>::insert(&key, index, stored);
        }
        Invoices::<T>::insert(Pallet::<T>::parts(&key), invoice);
        Pallet::<T>::take_invoice_deposit(&key);
        assert!(InvoiceDeposits::<T>::contains_key(&key));
        let kept_until = FIRST.saturating_add(T::InvoiceRetention::get());
        T::BenchmarkHelper::set_time(end_of(kept_until));

        #[extrinsic_call]
        _(RawOrigin::Signed(p.arbiter), key.clone());

        assert!(Lines::<T>::iter_key_prefix(&key).next().is_none());
        Ok(())
    }

    #[benchmark]
    fn poll_bucket() {
        // The benchmark runs in a later block than its set-up: one or two buckets, never fewer.
        Cursor::<T>::put(T::BlockNumberProvider::current_block_number());

        #[block]
        {
            Pallet::<T>::drain_deadlines(&mut WeightMeter::new());
        }

        let now = T::BlockNumberProvider::current_block_number();
        assert_eq!(Cursor::<T>::get(), Some(now.saturating_add(1)));
    }

    impl_benchmark_test_suite!(Pallet, crate::mock::new_test_ext(), crate::mock::Test);
}
