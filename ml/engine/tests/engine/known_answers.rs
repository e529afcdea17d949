//! The shipped networks: one answer for every instruction set and every number of threads. `ml/guest` has the same for
//! WebAssembly.

use crate::pinned::{artefact, digest, pinned};
use ve_ml_engine::{sample::picture, Execution, Kernels, Net};

#[test]
fn networks_should_give_the_known_answers_when_run_natively() {
    let mut other = Vec::new();
    for (model, number, expected) in pinned() {
        let artefact = artefact(&model);
        let net = Net::parse(&artefact).expect("a shipped artefact is valid");
        let pixels = picture(number, net.shape(0).unwrap());
        for kernels in Kernels::available() {
            for threads in [1, 2] {
                let answer = net
                    .run(&pixels, Execution { kernels, threads })
                    .unwrap()
                    .concat();
                if digest(&answer) != expected {
                    other.push(format!(
                        "{model} {number} {} {kernels:?} {threads}",
                        digest(&answer)
                    ));
                }
            }
        }
    }
    assert!(
        other.is_empty(),
        "other answers than the known ones:\n{}",
        other.join("\n")
    );
}
