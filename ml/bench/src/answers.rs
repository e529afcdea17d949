//! Digests of answers, one line each, for whoever reads several executions side by side: `answer EXECUTOR WHAT OF DIGEST`, for
//! a network its name and the picture's number.

use crate::models::{input, sha256, Models, NETWORKS};
use anyhow::{ensure, Result};
use std::collections::BTreeMap;
use ve_ml_engine::{sample::picture, Execution, Kernels};

/// Runs every known picture through the engine with every instruction set (or the fastest) and one and two threads.
pub fn print(models: &Models, fastest_only: bool) -> Result<()> {
    let pinned = models.answers(NETWORKS)?;
    for model in models.all()? {
        let net = model.net()?;
        let shape = input(&net)?;
        for number in pinned.get(&model.name).into_iter().flat_map(|p| p.keys()) {
            let pixels = picture(number.parse()?, shape);
            for kernels in Kernels::available().filter(|k| !fastest_only || *k == Kernels::best()) {
                for threads in [1, 2] {
                    let found = net.run(&pixels, Execution { kernels, threads })?.concat();
                    let bytes: Vec<u8> = found.iter().flat_map(|a| a.to_le_bytes()).collect();
                    println!(
                        "answer {},{threads} {} {number} {}",
                        kernels.name(),
                        model.name,
                        sha256(&bytes)
                    );
                }
            }
        }
    }
    Ok(())
}

/// Answers of one executor: for each network the digests by picture, or for each kind of stage the digests by what went in.
pub type Answers = BTreeMap<String, BTreeMap<String, String>>;

/// Collects the lines of a program's output that are answers, by executor in the order of their first line.
pub fn parse(output: &str) -> Result<Vec<(String, Answers)>> {
    let mut executors: Vec<(String, Answers)> = Vec::new();
    for line in output.lines() {
        // The test runner may have begun the line.
        let words: Vec<_> = line
            .split_whitespace()
            .skip_while(|word| *word != "answer")
            .collect();
        let ["answer", executor, what, of, digest] = words[..] else {
            continue;
        };
        let at = match executors.iter().position(|(name, _)| name == executor) {
            Some(at) => at,
            None => {
                executors.push((executor.into(), Answers::new()));
                executors.len() - 1
            }
        };
        let answers = executors[at].1.entry(what.into()).or_default();
        let before = answers.insert(of.into(), digest.into());
        ensure!(before.is_none(), "{executor} answers twice: {line}");
    }
    Ok(executors)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_should_be_grouped_by_executor_when_other_lines_surround_them() {
        let output = "running 1 test\ntest guest ... answer avx2,1 sface 0 aa\nanswer plain,1 sface 0 bb\nanswer avx2,1 yunet 3 cc\nok";
        let found = parse(output).unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].0, "avx2,1");
        assert_eq!(found[0].1["sface"]["0"], "aa");
        assert_eq!(found[0].1["yunet"]["3"], "cc");
        assert_eq!(found[1].1["sface"]["0"], "bb");
    }

    #[test]
    fn answers_should_be_refused_when_an_executor_contradicts_itself() {
        assert!(parse("answer a sface 0 aa\nanswer a sface 0 bb").is_err());
    }
}
