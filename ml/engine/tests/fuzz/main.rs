//! Strangers' artefacts, made by damaging good ones: none may make the engine panic, hang, or take more memory than its
//! bytes pay for, and one that is accepted gives the same answers with every kind of kernels.
//!
//! A fixed set of cases by default; `scripts/ml-fuzz.sh` sets `VE_FUZZ_SECONDS` and goes on for as long, from a new seed.
//! A failure names its case: `VE_FUZZ_CASE=... cargo test -p ve-ml-engine --test fuzz` repeats it.

mod damage;
mod memory;
#[path = "../engine/random.rs"]
mod random;

use damage::{artefact, bytes, fields};
use memory::most;
use random::Random;
use std::{
    env, fs,
    panic::resume_unwind,
    path::Path,
    sync::mpsc::{channel, RecvTimeoutError::Timeout},
    thread,
    time::{Duration, Instant, SystemTime},
};
use ve_ml_engine::{Execution, Kernels, Net};

/// Cases of the default run.
const CASES: u64 = 3000;
/// No case takes a thousandth of this on an idle machine.
const HANG: Duration = Duration::from_secs(120);
/// Steps of a run that a case may cost, so that many cases are seen.
const WORK: u64 = 3_000_000;
/// Bytes that reading and proving may take: so many for each byte of the artefact, and a sum for its operators, whose number
/// is limited.
const PER_BYTE: u64 = 4;
const AT_LEAST: u64 = 1 << 20;
/// Bytes of a run beyond what the proof says: lists, not activations.
const LISTS: u64 = 1 << 17;

/// Reads bytes as an artefact, and runs what is accepted.
fn survive(bytes: &[u8], pixels: &mut Random) {
    let (net, memory) = most(|| Net::parse(bytes));
    let allowed = PER_BYTE * bytes.len() as u64 + AT_LEAST;
    assert!(
        memory <= allowed,
        "{memory} bytes of memory for {} of artefact",
        bytes.len()
    );
    let Ok(net) = net else { return };
    assert!(net.graph().encode() == bytes, "one network, two encodings");
    let input = net.shape(0).expect("a network has an input").elements();
    if net.work() > WORK || input > WORK {
        return;
    }
    let pixels = pixels.bytes(input as usize);
    let run = |kernels, threads| net.run(&pixels, Execution { kernels, threads });
    let (plain, memory) = most(|| run(Kernels::PLAIN, 1));
    let plain = plain.expect("an accepted network runs");
    let allowed = net.peak_bytes() + LISTS;
    assert!(
        memory <= allowed,
        "{memory} bytes of memory, {allowed} are allowed"
    );
    assert_eq!(run(Kernels::best(), 1), Ok(plain.clone()));
    assert_eq!(run(Kernels::best(), 2), Ok(plain));
}

fn case(number: u64, shipped: &[u8]) {
    let mut r = Random(number);
    let damaged = match r.range(0, 99) {
        // The shipped network is much larger than the random ones.
        0 => bytes(shipped.to_vec(), &mut r),
        1..=40 => bytes(artefact(&mut r), &mut r),
        _ => fields(&mut r),
    };
    survive(&damaged, &mut r);
}

#[test]
fn engine_should_survive_when_artefacts_are_damaged() {
    let number = |name| env::var(name).ok().map(|n| n.parse().expect("a number"));
    let seconds: Option<u64> = number("VE_FUZZ_SECONDS");
    let only: Option<u64> = number("VE_FUZZ_CASE");
    let first = match (only, seconds) {
        (Some(case), _) => case,
        (None, None) => 0,
        (None, Some(_)) => {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
            now.map_or(1, |now| now.as_nanos() as u64)
        }
    };
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/yunet.veml");
    let shipped = fs::read(file).expect("the artefact is committed");
    let (begins, begun) = channel();
    let worker = thread::spawn(move || {
        let start = Instant::now();
        for done in 0.. {
            let end = match (only, seconds) {
                (Some(_), _) => done == 1,
                (None, Some(seconds)) => start.elapsed().as_secs() >= seconds,
                (None, None) => done == CASES,
            };
            if end {
                return done;
            }
            let number = first.wrapping_add(done);
            // The other side is gone only after a hang.
            let _ = begins.send(number);
            case(number, &shipped);
        }
        0
    });
    let mut last = first;
    loop {
        match begun.recv_timeout(HANG) {
            Ok(case) => last = case,
            Err(Timeout) => panic!("VE_FUZZ_CASE={last} takes longer than {HANG:?}"),
            Err(_) => break,
        }
    }
    match worker.join() {
        Ok(done) => {
            println!("{done} cases from {first} on, none panicked, hung or took too much memory")
        }
        Err(panic) => {
            eprintln!("the case was VE_FUZZ_CASE={last}");
            resume_unwind(panic);
        }
    }
}
