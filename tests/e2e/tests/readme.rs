//! The first command of the README, and the README's claim about what it prints.
//!
//! After a change that was meant: `VE_BLESS=1 cargo test --workspace --test e2e readme`.

use anyhow::{ensure, Context, Result};
use std::fs;
use virtengine_e2e::{free_ports, repository, run_script, TestDir};

const BEGIN: &str = "<!-- demo:begin -->\n```text\n";
const END: &str = "```\n<!-- demo:end -->";

/// What two runs have in common: hashes, numbers, times and widths differ, and how often a state was seen. On a machine
/// that is slow today a job takes minutes, and its dispute window may be over when the demo looks.
fn normal(text: &str, dir: &str) -> Vec<String> {
    text.replace(dir, "demo")
        .lines()
        .map(|line| {
            let mut out = String::new();
            for c in line.chars() {
                let c = if c.is_ascii_digit() { '#' } else { c };
                let run = matches!(c, '#' | '─' | ' ') && out.ends_with(c);
                if !run {
                    out.push(c);
                }
            }
            for over in [
                "settlement due: anyone may `ve settle`",
                "settlement settled",
            ] {
                out = out.replace(over, "settlement may be disputed until block # (now #)");
            }
            out = out.replace("#m#s", "#s");
            let words: Vec<&str> = out
                .split_whitespace()
                .map(|w| {
                    if w.starts_with("#x") || w.ends_with('…') || w.contains("#.#") {
                        "#"
                    } else {
                        w
                    }
                })
                .collect();
            words.join(" ")
        })
        .filter(|line| {
            !line.starts_with("job #: ")
                && !line.contains("of at most # crates")
                && !line.is_empty()
        })
        .collect()
}

#[test]
fn the_demo_should_print_what_the_readme_shows() -> Result<()> {
    let dir = TestDir::new("demo")?;
    compare(&dir.path().to_string_lossy()).inspect_err(|_| dir.keep())
}

fn compare(dir: &str) -> Result<()> {
    let port = free_ports(4).to_string();
    // What a person sees: both streams, in the order of the script's own steps.
    let shown = run_script(
        &["scripts/demo.sh", "--once"],
        &[("VE_DEMO_DIR", dir), ("VE_DEMO_PORT", &port)],
    )?;
    let start = shown
        .find("starting a development chain on")
        .context("the demo names its first step")?;
    let start = shown[..start].rfind('\n').map_or(0, |at| at + 1);
    let shown = &shown[start..];

    let path = repository().join("README.md");
    let readme = fs::read_to_string(&path)?;
    let from = readme
        .find(BEGIN)
        .context("the README marks where the demo's output begins")?
        + BEGIN.len();
    let to = from
        + readme[from..]
            .find(END)
            .context("the README marks where the demo's output ends")?;
    if std::env::var_os("VE_BLESS").is_some() {
        let blessed = format!(
            "{}{}{}",
            &readme[..from],
            shown.replace(dir, "demo"),
            &readme[to..]
        );
        fs::write(&path, blessed)?;
        return Ok(());
    }
    let (now, then) = (normal(shown, dir), normal(&readme[from..to], dir));
    let missing: Vec<_> = then.iter().filter(|line| !now.contains(line)).collect();
    let new: Vec<_> = now.iter().filter(|line| !then.contains(line)).collect();
    ensure!(
        missing.is_empty() && new.is_empty(),
        "the README shows what the demo does not print: {missing:#?}\nand not what it prints: {new:#?}"
    );
    Ok(())
}
