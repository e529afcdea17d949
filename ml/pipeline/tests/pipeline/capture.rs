//! Metadata of a capture: what they prove, and what they stop proving when anything is changed.

use std::sync::LazyLock;
use ve_ml_pipeline::{
    capture::{judge, Capture, Expected, PublicKey},
    stages::{blake2_256, Digest},
    Features, Reason, Slot,
};

const NOW: u64 = 1_800_000_000_000;
const MINUTE: u64 = 60_000;
const FILES: [&[u8]; 2] = [b"document", b"selfie"];

fn client() -> ed25519_zebra::SigningKey {
    [7; 32].into()
}

fn user() -> schnorrkel::Keypair {
    let seed = schnorrkel::MiniSecretKey::from_bytes(&[9; 32]).unwrap();
    seed.expand_to_keypair(schnorrkel::ExpansionMode::Ed25519)
}

fn client_key() -> PublicKey {
    PublicKey::Ed25519(ed25519_zebra::VerificationKey::from(&client()).into())
}

fn user_key() -> PublicKey {
    PublicKey::Sr25519(user().public.to_bytes())
}

fn signed(change: impl Fn(&mut Capture)) -> Capture {
    let mut capture = Capture {
        client: client_key(),
        salt: [1; 32],
        challenge: [2; 32],
        taken_ms: NOW - 5 * MINUTE,
        files: FILES.map(blake2_256).to_vec(),
        client_signature: [0; 64],
        user_signature: [0; 64],
    };
    change(&mut capture);
    let payload = capture.payload();
    capture.client_signature = client().sign(&payload).into();
    capture.user_signature = user().sign_simple(b"substrate", &payload).to_bytes();
    capture
}

fn judged(capture: Option<&Capture>, change: impl Fn(&mut Expected)) -> (Features, Vec<Reason>) {
    let clients = [client_key()];
    let mut expected = Expected {
        clients: &clients,
        user: user_key(),
        salt: [1; 32],
        challenge: [2; 32],
        now_ms: NOW,
        seen: &[],
    };
    change(&mut expected);
    let (mut features, mut reasons) = (Features::absent(), Vec::new());
    judge(capture, &FILES, &expected, &mut features, &mut reasons);
    (features, reasons)
}

const FLAGS: [Slot; 4] = [
    Slot::CaptureClient,
    Slot::CaptureUser,
    Slot::CaptureSalt,
    Slot::CaptureChallenge,
];

#[test]
fn capture_should_prove_everything_when_nothing_was_changed() {
    let (features, reasons) = judged(Some(&signed(|_| {})), |_| {});
    assert_eq!(reasons, []);
    assert_eq!(FLAGS.map(|slot| features.get(slot)), [1; 4]);
    assert_eq!(features.get(Slot::CaptureAge), 5);
    assert_eq!(features.get(Slot::CaptureReplayed), 0);
}

#[test]
fn capture_should_prove_nothing_when_a_signed_byte_is_changed() {
    let changes: [fn(&mut Capture); 6] = [
        |c| c.salt[31] ^= 1,
        |c| c.challenge[0] ^= 1,
        |c| c.taken_ms += 1,
        |c| c.files[1][5] ^= 1,
        |c| c.files.swap(0, 1),
        |c| c.client = PublicKey::Sr25519([3; 32]),
    ];
    for change in changes {
        let mut capture = signed(|_| {});
        change(&mut capture);
        let (features, reasons) = judged(Some(&capture), |_| {});
        assert_eq!(FLAGS.map(|slot| features.get(slot)), [0; 4]);
        assert!(reasons.contains(&Reason::CaptureClientUnproven));
        assert!(reasons.contains(&Reason::CaptureUserUnproven));
        assert_eq!(features.get(Slot::CaptureAge), -1);
    }
}

#[test]
fn signatures_should_be_told_apart_when_one_of_them_is_wrong() {
    let mut capture = signed(|_| {});
    capture.client_signature[10] ^= 1;
    let (features, reasons) = judged(Some(&capture), |_| {});
    assert_eq!(FLAGS.map(|slot| features.get(slot)), [0, 1, 0, 0]);
    assert!(!reasons.contains(&Reason::CaptureUserUnproven));
    let mut capture = signed(|_| {});
    capture.user_signature = [0xff; 64];
    let (features, _) = judged(Some(&capture), |_| {});
    assert_eq!(FLAGS.map(|slot| features.get(slot)), [1, 0, 0, 0]);
}

#[test]
fn capture_should_be_refused_when_it_is_of_another_request() {
    let of = |capture: &Capture| judged(Some(capture), |_| {});
    let (features, reasons) = of(&signed(|c| c.salt = [8; 32]));
    assert_eq!(reasons, [Reason::CaptureForAnotherRequest]);
    assert_eq!(FLAGS.map(|slot| features.get(slot)), [1, 1, 0, 1]);
    let (features, reasons) = of(&signed(|c| c.challenge = [8; 32]));
    assert_eq!(reasons, [Reason::CaptureOtherChallenge]);
    assert_eq!(FLAGS.map(|slot| features.get(slot)), [1, 1, 1, 0]);
    let (features, reasons) = of(&signed(|c| c.files.truncate(1)));
    assert_eq!(FLAGS.map(|slot| features.get(slot)), [0; 4]);
    assert!(reasons.contains(&Reason::CaptureClientUnproven));
}

#[test]
fn capture_should_be_refused_when_the_program_or_the_account_is_not_expected() {
    let capture = signed(|_| {});
    let (features, reasons) = judged(Some(&capture), |e| e.clients = &[]);
    assert_eq!(features.get(Slot::CaptureClient), 0);
    assert!(reasons.contains(&Reason::CaptureClientUnproven));
    let (features, reasons) = judged(Some(&capture), |e| e.user = client_key());
    assert_eq!(features.get(Slot::CaptureUser), 0);
    assert!(reasons.contains(&Reason::CaptureUserUnproven));
}

#[test]
fn capture_should_be_too_old_when_its_time_is_far_from_now() {
    for (taken, age, old) in [
        (NOW, 0, false),
        (NOW + MINUTE, 0, false),
        (NOW + 3 * MINUTE, -1, true),
        (NOW - 60 * MINUTE, 60, false),
        (NOW - 61 * MINUTE, 61, true),
        (0, 32767, true),
        (u64::MAX, -1, true),
    ] {
        let (features, reasons) = judged(Some(&signed(|c| c.taken_ms = taken)), |_| {});
        assert_eq!(features.get(Slot::CaptureAge), age, "{taken}");
        assert_eq!(reasons.contains(&Reason::CaptureTooOld), old, "{taken}");
    }
}

#[test]
fn upload_should_be_replayed_when_a_file_was_seen_before() {
    static SEEN: LazyLock<[Digest; 1]> = LazyLock::new(|| [blake2_256(b"selfie")]);
    for capture in [Some(signed(|_| {})), None] {
        let (features, reasons) = judged(capture.as_ref(), |e| e.seen = &*SEEN);
        assert_eq!(features.get(Slot::CaptureReplayed), 1);
        assert!(reasons.contains(&Reason::UploadReplayed));
    }
    let (_, reasons) = judged(None, |_| {});
    assert_eq!(reasons, [Reason::CaptureMissing]);
}
