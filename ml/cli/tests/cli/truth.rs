//! What bad evidence is worth, with the shipped networks and weights.

use crate::folders::{caps, folder, landscape, png, score, LICENCE, NOW, NO_LICENCE};
use schnorrkel::{signing_context, Keypair, MiniSecretKey};
use ve_ml_pipeline::{
    capture::{Capture, PublicKey},
    stages::blake2_256,
};
use ve_ml_score::{Assessment, Reason, Slot};

const WEB: &str = "web = [\"web-email\", \"web-phone\", \"web-sign-on\", \"web-domain\"]\n";

#[test]
fn score_should_be_in_the_lowest_band_when_the_document_is_none() {
    let mut seed = 88_172_645_463_325_252u64;
    let random: Vec<u8> = (0..50_000)
        .map(|_| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed as u8
        })
        .collect();
    let noise = png(320, 240, |x, y| {
        let at = 3 * (y * 320 + x) % 49_000;
        [random[at], random[at + 1], random[at + 2]]
    });
    let blank = png(400, 300, |_, _| [250; 3]);
    let request = format!("{NOW}{WEB}");
    for (what, bytes, found) in [
        ("random bytes", random.as_slice(), Some(Reason::NotAPicture)),
        ("a picture of noise", &noise, None),
        ("a landscape", &landscape(), None),
        ("a blank page", &blank, None),
        ("nothing at all", &[], Some(Reason::NotAPicture)),
    ] {
        let files = [
            ("request.toml", request.as_bytes()),
            ("document.jpg", bytes),
            ("back.png", bytes),
            ("selfie.jpg", bytes),
        ];
        let (outcome, assessment) = score(folder(&files).path());
        assert!(assessment.score <= 10, "{what}: {}", assessment.score);
        assert!(
            caps(&assessment, Reason::DocumentNotFound),
            "{what}: {:?}",
            assessment.caps
        );
        assert!(caps(&assessment, Reason::SelfieWithoutFace), "{what}");
        assert!(
            found.is_none_or(|reason| outcome.reasons.contains(&reason)),
            "{what}: {:?}",
            outcome.reasons
        );
    }
}

#[test]
fn reason_should_be_that_evidence_is_missing_when_the_folder_has_only_a_request() {
    let (outcome, assessment) = score(folder(&[("request.toml", NOW.as_bytes())]).path());
    assert_eq!(assessment.score, 0);
    for reason in [
        Reason::DocumentMissing,
        Reason::SelfieMissing,
        Reason::ChallengeMissing,
        Reason::CaptureMissing,
    ] {
        assert!(caps(&assessment, reason), "{reason:?}");
        assert!(outcome.reasons.contains(&reason), "{reason:?}");
    }
}

#[test]
fn licence_should_be_judged_by_the_day_of_the_request_when_its_barcode_is_read() {
    // Time of the request, dates possible, days to expiry, age, reason.
    let day = 24 * 60 * 60 * 1000u64;
    let expiry = 1_956_441_600_000; // 31 December 2031
    #[rustfmt::skip]
    let table = [
        (1_795_651_200_000, 1, 1861, 36, None),
        (expiry, 1, 0, 41, None),
        (expiry + day - 1, 1, 0, 41, None),
        (expiry + day, 1, -1, 41, Some(Reason::DocumentExpired)),
        // Before it was issued, and before its holder was of age.
        (1_686_700_800_000, 0, 3122, 33, Some(Reason::DatesImpossible)),
        (1_100_000_000_000, 0, 9913, 14, Some(Reason::HolderTooYoung)),
    ];
    for (now, possible, days, age, reason) in table {
        let request = format!("time_ms = {now}\n");
        let (outcome, assessment) = score(
            folder(&[
                ("request.toml", request.as_bytes()),
                ("document.png", &landscape()),
                ("back.png", LICENCE),
            ])
            .path(),
        );
        let slots = [
            Slot::BarcodeFound,
            Slot::BarcodeLicence,
            Slot::BarcodeFields,
            Slot::DatesPossible,
            Slot::DaysToExpiry,
            Slot::HolderAge,
        ];
        assert_eq!(
            slots.map(|slot| outcome.features.get(slot)),
            [2, 1, 10, possible, days, age],
            "{now}"
        );
        match reason {
            Some(reason) => assert!(
                caps(&assessment, reason) && assessment.score <= 10,
                "{now}: {:?}",
                assessment.caps
            ),
            // A licence's data without a face are capped, and say why.
            None => assert!(
                caps(&assessment, Reason::PortraitNotFound)
                    && (11..=25).contains(&assessment.score),
                "{now}"
            ),
        }
    }
}

#[test]
fn barcode_should_be_refused_when_it_is_not_a_licence_or_not_there() {
    for (back, found, reason) in [
        (NO_LICENCE, 2, Reason::BarcodeNotALicence),
        (&landscape(), 0, Reason::BarcodeNotFound),
    ] {
        let (outcome, assessment) = score(
            folder(&[
                ("request.toml", NOW.as_bytes()),
                ("document.png", &landscape()),
                ("back.png", back),
            ])
            .path(),
        );
        assert_eq!(outcome.features.get(Slot::BarcodeFound), found);
        assert!(outcome.reasons.contains(&reason), "{:?}", outcome.reasons);
        assert!(assessment.score <= 10);
    }
}

fn key(keypair: &Keypair) -> String {
    format!("sr25519:{}", hex::encode(keypair.public.to_bytes()))
}

fn keypair(seed: u8) -> Keypair {
    let secret = MiniSecretKey::from_bytes(&[seed; 32]).expect("32 bytes");
    secret.expand_to_keypair(schnorrkel::ExpansionMode::Ed25519)
}

/// `request.toml` and `capture.toml` for files, signed by the client and the user of the request or by somebody else.
fn signed(files: &[&[u8]], salt: [u8; 32], by: u8) -> (String, String) {
    let (client, user) = (keypair(1), keypair(2));
    let mut capture = Capture {
        client: PublicKey::Sr25519(client.public.to_bytes()),
        salt,
        challenge: [9; 32],
        taken_ms: 1_795_651_100_000,
        files: files.iter().map(|file| blake2_256(file)).collect(),
        client_signature: [0; 64],
        user_signature: [0; 64],
    };
    let payload = capture.payload();
    let sign = |keypair: &Keypair| {
        keypair
            .sign(signing_context(b"substrate").bytes(&payload))
            .to_bytes()
    };
    capture.client_signature = sign(&client);
    capture.user_signature = sign(&keypair(by));
    let files: Vec<_> = capture
        .files
        .iter()
        .map(|f| format!("\"{}\"", hex::encode(f)))
        .collect();
    let request = format!(
        "{NOW}salt = \"{}\"\nchallenge = \"{}\"\nuser = \"{}\"\nclients = [\"{}\"]\n",
        hex::encode([7; 32]),
        hex::encode([9; 32]),
        key(&user),
        key(&client)
    );
    let toml = format!(
        "client = \"{}\"\nsalt = \"{}\"\nchallenge = \"{}\"\ntaken_ms = {}\nfiles = [{}]\nclient_signature = \"{}\"\nuser_signature = \"{}\"\n",
        key(&client), hex::encode(salt), hex::encode(capture.challenge), capture.taken_ms, files.join(", "),
        hex::encode(capture.client_signature), hex::encode(capture.user_signature)
    );
    (request, toml)
}

/// What was earned, whatever the caps say.
fn points(assessment: &Assessment) -> u32 {
    let points = assessment.lines.iter().map(|line| u32::from(line.points));
    points.sum()
}

#[test]
fn capture_should_count_when_it_is_signed_for_this_request_only() {
    let picture = landscape();
    let judge = |salt: [u8; 32], by: u8, seen: &str| {
        let (request, capture) = signed(&[&picture, LICENCE], salt, by);
        let request = format!("{request}{seen}");
        let files = [
            ("request.toml", request.as_bytes()),
            ("capture.toml", capture.as_bytes()),
            ("document.png", &picture),
            ("back.png", LICENCE),
        ];
        let (outcome, assessment) = score(folder(&files).path());
        let slots = [
            Slot::CaptureClient,
            Slot::CaptureUser,
            Slot::CaptureSalt,
            Slot::CaptureChallenge,
            Slot::CaptureAge,
            Slot::CaptureReplayed,
        ];
        (slots.map(|slot| outcome.features.get(slot)), assessment)
    };
    let (slots, good) = judge([7; 32], 2, "");
    assert_eq!(slots, [1, 1, 1, 1, 1, 0]);
    let (slots, forged) = judge([7; 32], 3, "");
    assert_eq!(slots, [1, 0, 0, 0, -1, 0]);
    assert!(caps(&forged, Reason::CaptureUserUnproven));
    // Both scores end at the cap for want of a face; the points differ, and there is a cap more.
    assert_eq!(points(&forged), points(&good) - 6);
    assert_eq!(forged.caps.len(), good.caps.len() + 1);
    let (slots, other) = judge([8; 32], 2, "");
    assert_eq!(slots, [1, 1, 0, 1, 1, 0]);
    assert!(caps(&other, Reason::CaptureForAnotherRequest) && other.score <= 10);
    let (slots, replayed) = judge(
        [7; 32],
        2,
        &format!("seen = [\"{}\"]\n", hex::encode(blake2_256(LICENCE))),
    );
    assert_eq!(slots, [1, 1, 1, 1, 1, 1]);
    assert!(caps(&replayed, Reason::UploadReplayed) && replayed.score == 0);
}

/// Data pages without a portrait; see `ml/documents/pictures/generate.py`.
const GENUINE: &[u8] = include_bytes!("../../../documents/pictures/genuine.png");
const BROKEN: &[u8] = include_bytes!("../../../documents/pictures/broken.png");
const EXPIRED: &[u8] = include_bytes!("../../../documents/pictures/expired.png");
const ANOTHER: &[u8] = include_bytes!("../../../documents/pictures/another.png");

/// What is tried, the document, its back, the features and the reasons.
type Judged = (
    &'static str,
    &'static [u8],
    Option<&'static [u8]>,
    [i16; 8],
    &'static [Reason],
);

#[test]
fn document_should_be_judged_by_its_zone_and_its_barcode_when_both_are_read() {
    let slots = [
        Slot::MrzFormat,
        Slot::MrzPresent,
        Slot::MrzValid,
        Slot::DatesPossible,
        Slot::CrossName,
        Slot::CrossBirth,
        Slot::CrossNumber,
        Slot::CrossExpiry,
    ];
    #[rustfmt::skip]
    let table: [Judged; 5] = [
        ("genuine", GENUINE, None, [3, 31, 31, 1, -1, -1, -1, -1], &[]),
        ("genuine, with the licence", GENUINE, Some(LICENCE), [3, 31, 31, 1, 1, 1, 1, 1], &[]),
        ("one wrong check digit", BROKEN, None, [3, 31, 15, 1, -1, -1, -1, -1], &[Reason::MrzCheckDigitWrong]),
        ("expired", EXPIRED, None, [3, 31, 31, 1, -1, -1, -1, -1], &[Reason::DocumentExpired]),
        ("another's licence", ANOTHER, Some(LICENCE), [3, 31, 31, 1, 1, 0, 0, 1], &[Reason::BirthDiffers, Reason::NumberDiffers]),
    ];
    for (what, document, back, values, reasons) in table {
        let mut files = vec![("request.toml", NOW.as_bytes()), ("document.png", document)];
        files.extend(back.map(|back| ("back.png", back)));
        let (outcome, assessment) = score(folder(&files).path());
        assert_eq!(
            slots.map(|slot| outcome.features.get(slot)),
            values,
            "{what}: {:?}",
            outcome.features
        );
        for reason in reasons {
            assert!(caps(&assessment, *reason), "{what}: {:?}", assessment.caps);
            assert!(
                outcome.reasons.contains(reason),
                "{what}: {:?}",
                outcome.reasons
            );
        }
        // There is no portrait, which caps the good ones.
        assert!(caps(&assessment, Reason::PortraitNotFound), "{what}");
        let highest = if reasons.is_empty() { 11..=25 } else { 0..=10 };
        assert!(
            highest.contains(&assessment.score),
            "{what}: {}",
            assessment.score
        );
    }
}
