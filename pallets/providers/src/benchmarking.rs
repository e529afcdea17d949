//! One benchmark per call, each in its worst case.

use crate::*;
use alloc::{vec, vec::Vec};
use frame_benchmarking::v2::*;
use frame_support::traits::{fungible::Inspect, fungible::Mutate, Get};
use frame_system::RawOrigin;
use sp_core::H256;
use virtengine_primitives::{
    blake2_256,
    providers::Attestation,
    traits::{AccountStanding, ProviderRegistry},
    Balance, Moment, Name, ProviderId, Role,
};

fn longest_name() -> Name {
    vec![b'x'; 64].try_into().unwrap_or_default()
}

fn key(index: u32) -> AttributeKey {
    let mut key = alloc::format!("{index:032}").into_bytes();
    key.truncate(32);
    key.try_into().unwrap_or_default()
}

fn longest_value(letter: u8) -> AttributeValue {
    vec![letter; 256].try_into().unwrap_or_default()
}

/// Many times the minimum bond, and something to live on.
fn fund<T: Config>(who: &T::AccountId) {
    let amount = T::MinimumBond::get()
        .saturating_mul(2_000)
        .saturating_add(T::Currency::minimum_balance().saturating_mul(10));
    let _ = T::Currency::mint_into(who, amount);
}

fn approved<T: Config>(name: &'static str) -> T::AccountId {
    let who: T::AccountId = account(name, 0, 0);
    T::Standing::benchmark_grant(&who, Role::Provider);
    fund::<T>(&who);
    who
}

/// See [`ProviderRegistry::benchmark_register`]. The bond is a thousand times the minimum, so that work can be accepted.
pub(crate) fn register<T: Config>(owner: &T::AccountId, worker: &T::AccountId) -> ProviderId {
    let provider = OwnerOf::<T>::get(owner).unwrap_or_else(|| {
        T::Standing::benchmark_grant(owner, Role::Provider);
        fund::<T>(owner);
        let provider = Pallet::<T>::do_register(owner.clone(), longest_name(), owner.clone())
            .expect("a funded and approved account registers");
        let bond: Balance = T::MinimumBond::get().saturating_mul(1_000).max(1);
        Pallet::<T>::do_bond_more(provider, bond).expect("the owner is funded");
        provider
    });
    if Pallet::<T>::worker_of(worker) != Some(provider) {
        Pallet::<T>::do_add_hot_key(provider, worker.clone()).expect("the worker serves nobody");
    }
    provider
}

fn organisation<T: Config>() -> (T::AccountId, ProviderId) {
    let owner: T::AccountId = account("owner", 0, 0);
    let provider = register::<T>(&owner, &account("worker", 0, 0));
    (owner, provider)
}

fn fill_hot_keys<T: Config>(provider: ProviderId, until: u32) -> Result<(), BenchmarkError> {
    for i in HotKeys::<T>::get(provider).len() as u32..until {
        Pallet::<T>::do_add_hot_key(provider, account("worker", i, 0))?;
    }
    Ok(())
}

fn fill_agents<T: Config>(provider: ProviderId, until: u32) -> Result<(), BenchmarkError> {
    for i in 0..until {
        Pallet::<T>::do_add_support_agent(provider, account("agent", i, 0))?;
    }
    Ok(())
}

/// As many attestations as may be, that expire at the given moment.
fn fill_attestations<T: Config>(provider: ProviderId, index: u32, expires_at: Moment) {
    let value_hash =
        Attributes::<T>::get(provider, key(index)).map_or(H256::zero(), |v| blake2_256(&v));
    let all: Vec<_> = (0..T::MaxAttestations::get())
        .map(|i| {
            let attestor: T::AccountId = account("attestor", i, 0);
            T::Standing::benchmark_grant(&attestor, Role::Attestor);
            Attestation {
                attestor,
                value_hash,
                expires_at,
            }
        })
        .collect();
    Attestations::<T>::insert(
        provider,
        key(index),
        frame_support::BoundedVec::truncate_from(all),
    );
}

fn fill_attributes<T: Config>(provider: ProviderId, until: u32) -> Result<(), BenchmarkError> {
    for i in 0..until {
        Pallet::<T>::do_set_attribute(provider, key(i), longest_value(b'a'))?;
        fill_attestations::<T>(provider, i, Moment::MAX);
    }
    Ok(())
}

#[benchmarks]
mod benchmarks {
    use super::*;

    #[benchmark]
    fn register() {
        let who = approved::<T>("who");

        #[extrinsic_call]
        _(RawOrigin::Signed(who.clone()), longest_name(), who.clone());

        assert!(Pallet::<T>::owned_by(&who).is_some());
    }

    #[benchmark]
    fn set_payout() {
        let (owner, provider) = organisation::<T>();
        let payout: T::AccountId = account("payout", 0, 0);

        #[extrinsic_call]
        _(RawOrigin::Signed(owner), payout.clone());

        assert_eq!(Pallet::<T>::payout(provider), Some(payout));
    }

    #[benchmark]
    fn set_name() {
        let (owner, provider) = organisation::<T>();
        let name: Name = vec![b'y'; 64].try_into().unwrap_or_default();

        #[extrinsic_call]
        _(RawOrigin::Signed(owner), name.clone());

        assert_eq!(Pallet::<T>::provider(provider).map(|p| p.name), Some(name));
    }

    #[benchmark]
    fn add_hot_key() -> Result<(), BenchmarkError> {
        let (owner, provider) = organisation::<T>();
        fill_hot_keys::<T>(provider, T::MaxHotKeys::get().saturating_sub(1))?;
        let who: T::AccountId = account("new", 0, 0);

        #[extrinsic_call]
        _(RawOrigin::Signed(owner), who.clone());

        assert_eq!(Pallet::<T>::worker_of(&who), Some(provider));
        Ok(())
    }

    #[benchmark]
    fn remove_hot_key() -> Result<(), BenchmarkError> {
        let (owner, provider) = organisation::<T>();
        fill_hot_keys::<T>(provider, T::MaxHotKeys::get())?;
        let who: T::AccountId = account("worker", 0, 0);

        #[extrinsic_call]
        _(RawOrigin::Signed(owner), who.clone());

        assert_eq!(Pallet::<T>::worker_of(&who), None);
        Ok(())
    }

    #[benchmark]
    fn bond_more() {
        let (owner, provider) = organisation::<T>();
        let before = Pallet::<T>::provider(provider).map_or(0, |p| p.bond);

        #[extrinsic_call]
        _(RawOrigin::Signed(owner), 1);

        assert_eq!(
            Pallet::<T>::provider(provider).map(|p| p.bond),
            Some(before + 1)
        );
    }

    #[benchmark]
    fn withdraw_bond() {
        let (owner, provider) = organisation::<T>();
        let before = Pallet::<T>::provider(provider).map_or(0, |p| p.bond);

        #[extrinsic_call]
        _(RawOrigin::Signed(owner), 1);

        assert_eq!(
            Pallet::<T>::provider(provider).map(|p| p.bond),
            Some(before - 1)
        );
    }

    #[benchmark]
    fn offer_transfer() {
        let (owner, provider) = organisation::<T>();
        let to: T::AccountId = account("to", 0, 0);

        #[extrinsic_call]
        _(RawOrigin::Signed(owner), to.clone());

        assert_eq!(Offers::<T>::get(provider), Some(to));
    }

    #[benchmark]
    fn cancel_transfer() -> Result<(), BenchmarkError> {
        let (owner, provider) = organisation::<T>();
        Pallet::<T>::do_offer_transfer(provider, account("to", 0, 0))?;

        #[extrinsic_call]
        _(RawOrigin::Signed(owner));

        assert_eq!(Offers::<T>::get(provider), None);
        Ok(())
    }

    #[benchmark]
    fn accept_transfer() -> Result<(), BenchmarkError> {
        let (_, provider) = organisation::<T>();
        let to = approved::<T>("to");
        Pallet::<T>::do_offer_transfer(provider, to.clone())?;

        #[extrinsic_call]
        _(RawOrigin::Signed(to.clone()), provider);

        assert_eq!(Pallet::<T>::owner(provider), Some(to));
        Ok(())
    }

    #[benchmark]
    fn leave() -> Result<(), BenchmarkError> {
        let (owner, provider) = organisation::<T>();
        fill_hot_keys::<T>(provider, T::MaxHotKeys::get())?;
        fill_agents::<T>(provider, T::MaxSupportAgents::get())?;
        fill_attributes::<T>(provider, T::MaxAttributes::get())?;
        Pallet::<T>::do_offer_transfer(provider, account("to", 0, 0))?;

        #[extrinsic_call]
        _(RawOrigin::Signed(owner));

        assert_eq!(Pallet::<T>::provider(provider), None);
        Ok(())
    }

    #[benchmark]
    fn set_attribute() -> Result<(), BenchmarkError> {
        let (owner, provider) = organisation::<T>();
        // A changed value removes attestations; a new one counts. The former writes more.
        fill_attributes::<T>(provider, 1)?;

        #[extrinsic_call]
        _(RawOrigin::Signed(owner), key(0), longest_value(b'b'));

        assert_eq!(
            Attributes::<T>::get(provider, key(0)),
            Some(longest_value(b'b'))
        );
        assert!(!Attestations::<T>::contains_key(provider, key(0)));
        Ok(())
    }

    #[benchmark]
    fn clear_attribute() -> Result<(), BenchmarkError> {
        let (owner, provider) = organisation::<T>();
        fill_attributes::<T>(provider, 1)?;

        #[extrinsic_call]
        _(RawOrigin::Signed(owner), key(0));

        assert_eq!(Attributes::<T>::get(provider, key(0)), None);
        Ok(())
    }

    #[benchmark]
    fn attest() -> Result<(), BenchmarkError> {
        let (_, provider) = organisation::<T>();
        fill_attributes::<T>(provider, 1)?;
        // The last to be asked has expired, so that all the others are asked for their role.
        Attestations::<T>::mutate(provider, key(0), |all| {
            if let Some(last) = all.last_mut() {
                last.expires_at = 0;
            }
        });
        let attestor: T::AccountId = account("new", 0, 0);
        T::Standing::benchmark_grant(&attestor, Role::Attestor);
        let hash = blake2_256(&longest_value(b'a'));

        #[extrinsic_call]
        _(
            RawOrigin::Signed(attestor),
            provider,
            key(0),
            hash,
            Moment::MAX,
        );

        assert_eq!(
            Attestations::<T>::get(provider, key(0)).len() as u32,
            T::MaxAttestations::get()
        );
        Ok(())
    }

    #[benchmark]
    fn revoke_attestation() -> Result<(), BenchmarkError> {
        let (_, provider) = organisation::<T>();
        fill_attributes::<T>(provider, 1)?;
        let attestor: T::AccountId = account("attestor", 0, 0);

        #[extrinsic_call]
        _(RawOrigin::Signed(attestor.clone()), provider, key(0));

        assert!(Attestations::<T>::get(provider, key(0))
            .iter()
            .all(|a| a.attestor != attestor));
        Ok(())
    }

    #[benchmark]
    fn add_support_agent() -> Result<(), BenchmarkError> {
        let (owner, provider) = organisation::<T>();
        fill_agents::<T>(provider, T::MaxSupportAgents::get().saturating_sub(1))?;
        let who: T::AccountId = account("new", 0, 0);

        #[extrinsic_call]
        _(RawOrigin::Signed(owner), who.clone());

        assert!(Pallet::<T>::support_agents(provider).contains(&who));
        Ok(())
    }

    #[benchmark]
    fn remove_support_agent() -> Result<(), BenchmarkError> {
        let (owner, provider) = organisation::<T>();
        fill_agents::<T>(provider, T::MaxSupportAgents::get())?;
        let who: T::AccountId = account("agent", 0, 0);

        #[extrinsic_call]
        _(RawOrigin::Signed(owner), who.clone());

        assert!(!Pallet::<T>::support_agents(provider).contains(&who));
        Ok(())
    }

    impl_benchmark_test_suite!(Pallet, crate::mock::new_bench_ext(), crate::mock::Test);
}
