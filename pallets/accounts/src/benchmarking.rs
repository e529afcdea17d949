//! One benchmark per call, each in its worst case.

use crate::*;
use alloc::vec;
use frame_benchmarking::v2::*;
use frame_support::traits::EnsureOrigin;
use frame_system::RawOrigin;
use virtengine_primitives::{traits::AccountStanding, AccountState, Role};

fn holder<T: Config>(name: &'static str, role: Role) -> T::AccountId {
    let who: T::AccountId = account(name, 0, 0);
    frame_system::Pallet::<T>::inc_providers(&who);
    Pallet::<T>::benchmark_grant(&who, role);
    who
}

fn longest_reason() -> Reason {
    vec![b'x'; 256].try_into().unwrap_or_default()
}

#[benchmarks]
mod benchmarks {
    use super::*;

    #[benchmark]
    fn nominate() {
        let signer = holder::<T>("administrator", Role::Administrator);
        let who: T::AccountId = account("who", 0, 0);

        #[extrinsic_call]
        _(RawOrigin::Signed(signer), who.clone(), Role::Attestor);

        assert!(Pallet::<T>::has_role(&who, Role::Attestor));
    }

    #[benchmark]
    fn revoke() {
        let signer = holder::<T>("administrator", Role::Administrator);
        let who = holder::<T>("who", Role::Attestor);

        #[extrinsic_call]
        _(RawOrigin::Signed(signer), who.clone(), Role::Attestor);

        assert!(!Pallet::<T>::has_role(&who, Role::Attestor));
    }

    #[benchmark]
    fn resign() {
        // The count of Genesis accounts is touched only by this role.
        holder::<T>("other", Role::Genesis);
        let who = holder::<T>("who", Role::Genesis);

        #[extrinsic_call]
        _(RawOrigin::Signed(who.clone()), Role::Genesis);

        assert!(!Pallet::<T>::has_role(&who, Role::Genesis));
    }

    #[benchmark]
    fn register() {
        let who: T::AccountId = account("who", 0, 0);
        frame_system::Pallet::<T>::inc_providers(&who);

        #[extrinsic_call]
        _(RawOrigin::Signed(who.clone()));

        assert!(Pallet::<T>::has_role(&who, Role::Customer));
    }

    #[benchmark]
    fn unregister() -> Result<(), BenchmarkError> {
        let who: T::AccountId = account("who", 0, 0);
        frame_system::Pallet::<T>::inc_providers(&who);
        Pallet::<T>::do_register(who.clone())?;

        #[extrinsic_call]
        _(RawOrigin::Signed(who.clone()));

        assert!(!Pallet::<T>::has_role(&who, Role::Customer));
        Ok(())
    }

    #[benchmark]
    fn suspend() {
        let signer = holder::<T>("moderator", Role::Moderator);
        let who: T::AccountId = account("who", 0, 0);

        #[extrinsic_call]
        _(RawOrigin::Signed(signer), who.clone(), longest_reason());

        assert_eq!(States::<T>::get(&who), AccountState::Suspended);
    }

    #[benchmark]
    fn reactivate() -> Result<(), BenchmarkError> {
        let signer = holder::<T>("administrator", Role::Administrator);
        let who: T::AccountId = account("who", 0, 0);
        Pallet::<T>::do_suspend(Authority::Governance, who.clone(), longest_reason())?;

        #[extrinsic_call]
        _(RawOrigin::Signed(signer), who.clone());

        assert_eq!(States::<T>::get(&who), AccountState::Active);
        Ok(())
    }

    #[benchmark]
    fn terminate() -> Result<(), BenchmarkError> {
        holder::<T>("other", Role::Genesis);
        let who = holder::<T>("who", Role::Moderator);
        Pallet::<T>::do_register(who.clone())?;
        for role in Role::ALL {
            Pallet::<T>::benchmark_grant(&who, role);
        }
        let origin =
            T::AdminOrigin::try_successful_origin().map_err(|_| BenchmarkError::Weightless)?;

        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, who.clone(), longest_reason());

        assert_eq!(
            Pallet::<T>::account(who),
            (AccountState::Terminated, vec![])
        );
        Ok(())
    }

    impl_benchmark_test_suite!(Pallet, crate::mock::new_bench_ext(), crate::mock::Test);
}
