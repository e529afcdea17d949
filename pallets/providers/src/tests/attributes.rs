//! Attributes and attestations.

use super::*;

fn set(text: &str, val: &str) {
    assert_ok!(Providers::set_attribute(
        signed(ALICE),
        key(text),
        value(val)
    ));
}

fn attest(attestor: u64, text: &str, val: &str, expires_at: u64) -> sp_runtime::DispatchResult {
    let hash = blake2_256(val.as_bytes());
    Providers::attest(signed(attestor), 0, key(text), hash, expires_at)
}

#[test]
fn set_attribute_should_store_when_well_formed() {
    run(|| {
        organisation(ALICE);
        set("domain", "a.example");
        assert_eq!(
            last_event(),
            Event::AttributeSet {
                provider: 0,
                key: key("domain"),
                value: value("a.example")
            }
            .into()
        );
        assert_eq!(
            Providers::attributes(0),
            vec![(key("domain"), value("a.example"))]
        );
        for bad in ["", "Domain", "do main", "d\u{f6}main"] {
            assert_noop!(
                Providers::set_attribute(signed(ALICE), key(bad), value("x")),
                Error::<Test>::InvalidAttributeKey
            );
        }
        let noise: AttributeValue = vec![0xff].try_into().unwrap();
        for bad in [AttributeValue::default(), value("a\nb"), noise] {
            assert_noop!(
                Providers::set_attribute(signed(ALICE), key("x"), bad),
                Error::<Test>::InvalidAttributeValue
            );
        }
        set("region", "eu");
        set("tier-4.level_x", "yes");
        assert_noop!(
            Providers::set_attribute(signed(ALICE), key("more"), value("x")),
            Error::<Test>::TooManyAttributes
        );
        // Changing one needs no room.
        set("region", "us");
        assert_ok!(Providers::clear_attribute(signed(ALICE), key("region")));
        assert_eq!(
            last_event(),
            Event::AttributeCleared {
                provider: 0,
                key: key("region")
            }
            .into()
        );
        assert_noop!(
            Providers::clear_attribute(signed(ALICE), key("region")),
            Error::<Test>::AttributeNotFound
        );
        set("more", "x");
        assert_eq!(AttributeCount::<Test>::get(0), 3);
    });
}

#[test]
fn attest_should_count_until_exactly_the_expiry() {
    run(|| {
        organisation(ALICE);
        set("domain", "a.example");
        assert_eq!(Providers::attested(0, key("domain"), 0), 0);
        assert_ok!(attest(WITNESSES[0], "domain", "a.example", 2_000));
        assert_eq!(
            last_event(),
            Event::Attested {
                provider: 0,
                key: key("domain"),
                attestor: WITNESSES[0],
                value_hash: blake2_256(b"a.example"),
                expires_at: 2_000
            }
            .into()
        );
        assert_ok!(attest(WITNESSES[1], "domain", "a.example", 3_000));
        let count = |now| Providers::attested(0, key("domain"), now);
        assert_eq!(
            (count(1_999), count(2_000), count(2_999), count(3_000)),
            (2, 1, 1, 0)
        );
        // Vouching again replaces.
        assert_ok!(attest(WITNESSES[0], "domain", "a.example", 5_000));
        assert_eq!(
            (
                count(4_999),
                Attestations::<Test>::get(0, key("domain")).len()
            ),
            (1, 2)
        );
        assert_eq!(Providers::attested(0, key("other"), 0), 0);
        assert_eq!(Providers::attested(9, key("domain"), 0), 0);
    });
}

#[test]
fn attest_should_refuse_when_wrong() {
    run(|| {
        organisation(ALICE);
        set("domain", "a.example");
        assert_noop!(
            attest(BOB, "domain", "a.example", 2_000),
            Error::<Test>::NotAttestor
        );
        assert_noop!(
            attest(ALICE, "domain", "a.example", 2_000),
            Error::<Test>::NotAttestor
        );
        let attestor = WITNESSES[0];
        assert_noop!(
            attest(attestor, "other", "x", 2_000),
            Error::<Test>::AttributeNotFound
        );
        assert_noop!(
            Providers::attest(signed(attestor), 9, key("domain"), blake2_256(b"x"), 2_000),
            Error::<Test>::AttributeNotFound
        );
        assert_noop!(
            attest(attestor, "domain", "b.example", 2_000),
            Error::<Test>::ValueMismatch
        );
        assert_noop!(
            attest(attestor, "domain", "a.example", 1_000),
            Error::<Test>::AlreadyExpired
        );
        suspend(attestor);
        assert_noop!(attest(attestor, "domain", "a.example", 2_000), SUSPENDED);
    });
}

#[test]
fn attest_should_make_room_only_from_what_no_longer_counts() {
    run(|| {
        organisation(ALICE);
        set("domain", "a.example");
        assert_ok!(attest(WITNESSES[0], "domain", "a.example", 2_000));
        assert_ok!(attest(WITNESSES[1], "domain", "a.example", 3_000));
        assert_noop!(
            attest(WITNESSES[2], "domain", "a.example", 4_000),
            Error::<Test>::TooManyAttestations
        );
        Now::set(2_000);
        assert_ok!(attest(WITNESSES[2], "domain", "a.example", 4_000));
        let attestors: Vec<_> = Attestations::<Test>::get(0, key("domain"))
            .iter()
            .map(|a| a.attestor)
            .collect();
        assert_eq!(attestors, vec![WITNESSES[1], WITNESSES[2]]);
        // Who is no attestor any more takes no room either, nor counts.
        Attestors::mutate(|all| all.remove(&WITNESSES[1]));
        assert_eq!(Providers::attested(0, key("domain"), 2_000), 1);
        assert_ok!(attest(WITNESSES[0], "domain", "a.example", 4_000));
        assert_eq!(Providers::attested(0, key("domain"), 2_000), 2);
    });
}

#[test]
fn set_attribute_should_void_only_its_own_attestations_when_the_value_changes() {
    run(|| {
        organisation(ALICE);
        set("domain", "a.example");
        set("region", "eu");
        assert_ok!(attest(WITNESSES[0], "domain", "a.example", 2_000));
        assert_ok!(attest(WITNESSES[0], "region", "eu", 2_000));
        // The same value again changes nothing.
        set("domain", "a.example");
        assert_eq!(Providers::attested(0, key("domain"), 1_000), 1);
        set("domain", "b.example");
        assert_eq!(Providers::attested(0, key("domain"), 1_000), 0);
        assert_eq!(Providers::attested(0, key("region"), 1_000), 1);
        // Nor does the old one come back with its value.
        set("domain", "a.example");
        assert_eq!(Providers::attested(0, key("domain"), 1_000), 0);
        assert_ok!(Providers::clear_attribute(signed(ALICE), key("region")));
        set("region", "eu");
        assert_eq!(Providers::attested(0, key("region"), 1_000), 0);
    });
}

#[test]
fn revoke_attestation_should_work_when_attestor_lost_the_role() {
    run(|| {
        organisation(ALICE);
        set("domain", "a.example");
        assert_ok!(attest(WITNESSES[0], "domain", "a.example", 2_000));
        assert_ok!(attest(WITNESSES[1], "domain", "a.example", 2_000));
        let revoke = |who| Providers::revoke_attestation(signed(who), 0, key("domain"));
        assert_noop!(revoke(ALICE), Error::<Test>::AttestationNotFound);
        assert_noop!(revoke(WITNESSES[2]), Error::<Test>::AttestationNotFound);
        Attestors::mutate(|all| all.clear());
        assert_ok!(revoke(WITNESSES[0]));
        assert_eq!(
            last_event(),
            Event::AttestationRevoked {
                provider: 0,
                key: key("domain"),
                attestor: WITNESSES[0]
            }
            .into()
        );
        assert_noop!(revoke(WITNESSES[0]), Error::<Test>::AttestationNotFound);
        assert_ok!(revoke(WITNESSES[1]));
        assert!(!Attestations::<Test>::contains_key(0, key("domain")));
    });
}

#[test]
fn try_state_should_fail_when_storage_is_corrupt() {
    let broken = |corrupt: fn()| {
        new_test_ext().execute_with(|| {
            organisation(ALICE);
            assert_ok!(Providers::add_hot_key(signed(ALICE), WORKERS[0]));
            assert_ok!(Providers::lock_bond(0, 1, 100));
            set("domain", "a.example");
            assert_ok!(attest(WITNESSES[0], "domain", "a.example", 2_000));
            assert_ok!(Providers::do_try_state());
            corrupt();
            assert!(Providers::do_try_state().is_err());
        })
    };
    fn record(change: fn(&mut virtengine_primitives::providers::Provider<u64>)) {
        Organisations::<Test>::mutate(0, |p| change(p.as_mut().unwrap()))
    }
    broken(|| record(|p| p.bond += 1));
    broken(|| record(|p| p.locked += 1));
    broken(|| record(|p| p.owner = BOB));
    broken(|| BondLocks::<Test>::insert(0, 2, 1));
    broken(|| BondLocks::<Test>::insert(0, 1, 2_000));
    broken(|| BondLocks::<Test>::insert(3, 1, 0));
    broken(|| NextProviderId::<Test>::put(0));
    broken(|| OwnerOf::<Test>::insert(BOB, 0));
    broken(|| OwnerOf::<Test>::insert(WORKERS[0], 0));
    broken(|| WorkerOf::<Test>::remove(WORKERS[0]));
    broken(|| WorkerOf::<Test>::insert(WORKERS[1], 0));
    broken(|| HotKeys::<Test>::remove(0));
    broken(|| Offers::<Test>::insert(3, ALICE));
    broken(|| AttributeCount::<Test>::insert(0, 2));
    broken(|| Attributes::<Test>::insert(0, key("domain"), value("b.example")));
    broken(|| Attributes::<Test>::remove(0, key("domain")));
    broken(|| {
        Attestations::<Test>::mutate(0, key("domain"), |all| {
            all.try_push(all[0].clone()).unwrap()
        })
    });
}
