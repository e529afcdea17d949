//! Everything that needs real processes. Its tests mostly wait for blocks, so several run side by side:
//! `cargo nextest run --workspace --test e2e`, by `.config/nextest.toml`.

mod assets;
mod chain_gone;
mod disk;
mod dispute;
mod failures;
mod guide;
mod killed;
mod load;
mod main_job;
mod network;
mod operator;
mod readme;
mod secrets;
mod slurm;
mod tally;
mod upgrade;

/// A file that is not listed above would never run.
#[test]
fn every_file_should_be_part_of_this_binary() {
    let listed = include_str!("main.rs");
    for entry in std::fs::read_dir(virtengine_e2e::repository().join("tests/e2e/tests")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        assert!(
            name == "main" || listed.contains(&format!("mod {name};")),
            "{}: add `mod {name};` to tests/e2e/tests/main.rs",
            path.display()
        );
    }
}
