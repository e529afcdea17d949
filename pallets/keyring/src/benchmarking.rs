//! One benchmark per call, each in its worst case.

use crate::*;
use alloc::{vec, vec::Vec};
use frame_benchmarking::v2::*;
use frame_support::traits::{Consideration, Get};
use frame_system::RawOrigin;
use sp_runtime::traits::BlockNumberProvider;
use virtengine_primitives::{
    blake2_256,
    envelope::{key_id, Algorithm, EnvelopeHeader, Recipient, MAX_RECIPIENTS},
    traits::{AccountStanding, EnvelopePolicy},
    Name, Role,
};

fn public(seed: &[u8]) -> [u8; 32] {
    let mut public = blake2_256(seed).0;
    // Below the field prime: sound but for a chance of 2^-250.
    public[31] &= 0x3f;
    public
}

fn longest_label() -> Name {
    vec![b'x'; 64].try_into().unwrap_or_default()
}

fn funded<T: Config>(name: &'static str, index: u32) -> T::AccountId {
    let who: T::AccountId = account(name, index, 0);
    // Customers are what most callers are; the role matters to nobody here, being active does.
    T::Standing::benchmark_grant(&who, Role::Customer);
    fund::<T>(&who);
    who
}

/// Enough for two keys.
fn fund<T: Config>(who: &T::AccountId) {
    T::Consideration::ensure_successful(who, footprint());
    T::Consideration::ensure_successful(who, footprint());
}

/// Registers a key for the account if it has none.
fn ensure_key<T: Config>(who: &T::AccountId) -> KeyId {
    use codec::Encode;
    if let Some(id) = KeysOf::<T>::iter_key_prefix(who).next() {
        return id;
    }
    fund::<T>(who);
    let public = public(&who.encode());
    Pallet::<T>::do_register(who, public, longest_label()).expect("a funded account registers");
    key_id(&public)
}

/// A header with the most recipients, the required ones among them.
pub(crate) fn header<T: Config>(required: &[T::AccountId]) -> EnvelopeHeader {
    let mut keys: Vec<KeyId> = required.iter().map(ensure_key::<T>).collect();
    let fill = MAX_RECIPIENTS.saturating_sub(keys.len() as u32);
    keys.extend((0..fill).map(|i| ensure_key::<T>(&account("recipient", i, 0))));
    keys.sort();
    keys.dedup();
    let recipients: Vec<Recipient> = keys
        .into_iter()
        .map(|key| Recipient {
            key,
            encapsulated: [1; 32],
            wrapped: vec![2; 48].try_into().unwrap_or_default(),
        })
        .collect();
    EnvelopeHeader {
        version: EnvelopeHeader::VERSION,
        algorithm: Algorithm::X25519Aes256Gcm,
        recipients: recipients.try_into().expect("at most the most recipients"),
        hash: blake2_256(b"body"),
        length: 1 << 20,
    }
}

/// Registers all keys but one that an account may have.
fn fill<T: Config>(who: &T::AccountId) -> Result<(), BenchmarkError> {
    for i in 1..T::MaxKeys::get() {
        fund::<T>(who);
        Pallet::<T>::do_register(who, public(&i.to_le_bytes()), longest_label())?;
    }
    fund::<T>(who);
    Ok(())
}

#[benchmarks]
mod benchmarks {
    use super::*;

    #[benchmark]
    fn register_key() -> Result<(), BenchmarkError> {
        let who = funded::<T>("who", 0);
        fill::<T>(&who)?;
        let public = public(b"new");

        #[extrinsic_call]
        _(RawOrigin::Signed(who.clone()), public, longest_label());

        assert_eq!(Pallet::<T>::key_owner(key_id(&public)), Some(who));
        Ok(())
    }

    #[benchmark]
    fn rotate_key() -> Result<(), BenchmarkError> {
        let who = funded::<T>("who", 0);
        fill::<T>(&who)?;
        let (old, new) = (public(b"old"), public(b"new"));
        Pallet::<T>::do_register(&who, old, longest_label())?;
        fund::<T>(&who);

        #[extrinsic_call]
        _(
            RawOrigin::Signed(who.clone()),
            key_id(&old),
            new,
            longest_label(),
        );

        assert_eq!(Pallet::<T>::key_owner(key_id(&new)), Some(who));
        Ok(())
    }

    #[benchmark]
    fn revoke_key() -> Result<(), BenchmarkError> {
        let who = funded::<T>("who", 0);
        let old = public(b"old");
        Pallet::<T>::do_register(&who, old, longest_label())?;

        #[extrinsic_call]
        _(RawOrigin::Signed(who.clone()), key_id(&old));

        assert!(RevokedOf::<T>::contains_key(&who, key_id(&old)));
        Ok(())
    }

    #[benchmark]
    fn forget_key() -> Result<(), BenchmarkError> {
        let who = funded::<T>("who", 0);
        let old = public(b"old");
        Pallet::<T>::do_register(&who, old, longest_label())?;
        Pallet::<T>::do_revoke(&who, key_id(&old))?;
        T::BlockNumberProvider::set_block_number(
            T::BlockNumberProvider::current_block_number() + T::Retention::get(),
        );

        #[extrinsic_call]
        _(RawOrigin::Signed(who), key_id(&old));

        assert_eq!(Pallet::<T>::key_owner(key_id(&old)), None);
        Ok(())
    }

    #[benchmark]
    fn ensure_sealed_to() -> Result<(), BenchmarkError> {
        let who = funded::<T>("who", 0);
        let header = Pallet::<T>::benchmark_header(core::slice::from_ref(&who));
        assert_eq!(header.recipients.len() as u32, MAX_RECIPIENTS);

        #[block]
        {
            Pallet::<T>::ensure_sealed_to(&header, &[who])?;
        }
        Ok(())
    }

    impl_benchmark_test_suite!(Pallet, crate::mock::new_bench_ext(), crate::mock::Test);
}
