//! The largest pictures fit into the memory that a verifier has. A test of its own process: what is measured is the most
//! memory that the process ever had.
#![cfg(target_os = "linux")]

#[path = "pipeline/large.rs"]
mod large;

use large::{deep, progressive};
use std::{fs, time::Instant};
use ve_ml_pipeline::{
    decode,
    outline::{Outline, Printed},
    Reason,
};

/// Most resident memory of this process until now, in KiB.
fn peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux has it");
    let line = status
        .lines()
        .find(|l| l.starts_with("VmHWM:"))
        .expect("Linux says it");
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn memory_should_stay_below_256_mib_when_the_largest_pictures_are_looked_at() {
    for (name, file) in large::pictures() {
        let start = Instant::now();
        let picture = decode(&file).unwrap_or_else(|reason| panic!("{name}: {reason:?}"));
        let decoded = start.elapsed();
        assert_eq!((picture.width(), picture.height()), (5000, 5000), "{name}");
        assert!(Outline::find(&picture, &Printed::default()).is_none());
        let found = start.elapsed() - decoded;
        drop(picture);
        println!("{name}: decoded in {decoded:?}, outline looked for in {found:?}");
        println!("{name}: {} KiB at most until now", peak_kib());
        assert!(peak_kib() <= 256 << 10, "{name}: {} KiB", peak_kib());
    }
    assert_eq!(
        decode(&progressive(5001)).err(),
        Some(Reason::PictureTooLarge)
    );
    assert_eq!(decode(&deep(5001)).err(), Some(Reason::PictureTooLarge));
}
