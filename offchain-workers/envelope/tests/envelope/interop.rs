//! Interoperability with another implementation, both ways. Runs when `VE_INTEROP=1` and `npm ci` was done in
//! `tests/interop`; `scripts/test.sh` does both.

use super::*;
use serde_json::{json, Value};
use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

fn ask(request: Value) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop");
    let mut node = Command::new("node")
        .arg("interop.mjs")
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("VE_INTEROP=1 needs node");
    node.stdin
        .take()
        .unwrap()
        .write_all(request.to_string().as_bytes())
        .unwrap();
    let output = node.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "the other implementation failed; was `npm ci` done in tests/interop?"
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

fn field(answer: &Value, name: &str) -> Vec<u8> {
    hex::decode(answer[name].as_str().unwrap()).unwrap()
}

#[test]
fn envelope_should_open_both_ways_when_the_other_side_is_another_implementation() {
    if std::env::var("VE_INTEROP").as_deref() != Ok("1") {
        println!("skipped: VE_INTEROP is not 1");
        return;
    }
    let secret = key();
    let public = secret.public();
    let binding = Binding::evidence([5; 32], 77, 2);
    let aad = hex::encode(binding.aad());
    for length in [
        0,
        1,
        255,
        256,
        70_000,
        SEGMENT - 1,
        SEGMENT,
        SEGMENT + 1,
        2 * SEGMENT + 300,
    ] {
        let plain = noise(length);

        let (header, body) = seal(&plain, &[public], &binding).unwrap();
        let recipient = &header.recipients[0];
        let theirs = ask(json!({
            "do": "open", "secretKey": hex::encode(secret.to_bytes().as_slice()), "aad": aad,
            "encapsulated": hex::encode(recipient.encapsulated), "wrapped": hex::encode(&recipient.wrapped[..]),
            "body": hex::encode(&body),
        }));
        assert!(
            field(&theirs, "plaintext") == plain,
            "they read another text of {length} bytes"
        );

        let theirs = ask(json!({
            "do": "seal", "publicKey": hex::encode(public.to_bytes()), "aad": aad, "plaintext": hex::encode(&plain),
        }));
        let body = field(&theirs, "body");
        let recipient = Recipient {
            key: public.key_id(),
            encapsulated: field(&theirs, "encapsulated").try_into().unwrap(),
            wrapped: field(&theirs, "wrapped").try_into().unwrap(),
        };
        let header = EnvelopeHeader {
            version: 1,
            algorithm: Algorithm::X25519Aes256Gcm,
            recipients: vec![recipient].try_into().unwrap(),
            hash: virtengine_primitives::blake2_256(&body),
            length: body.len() as u64,
        };
        assert!(
            open(&header, &body, &secret, &binding).unwrap() == plain,
            "we read another text of {length} bytes"
        );
    }
}
