//! The templates that need only `python3`, run as the local scheduler runs them. `tests/slurm` runs all on a real SLURM.

use super::*;
use crate::run::Job;
use std::fs;

#[test]
fn shared_files_should_be_the_same_in_all_templates_that_carry_them() {
    for name in ["plot.py", "image.py"] {
        let copies: Vec<_> = library()
            .iter()
            .filter_map(|t| fs::read(library_path().join(t.name()).join(name)).ok())
            .collect();
        assert!(copies.len() > 1, "{name}");
        assert!(copies.iter().all(|copy| *copy == copies[0]), "{name}");
    }
}

#[test]
fn fit_should_find_the_polynomial_when_the_points_lie_on_one() {
    // 2 - x + 0.5 x^3, exactly.
    let points: String = (0..20)
        .map(|i| f64::from(i) / 4.0)
        .map(|x| format!("{x},{}\n", 2.0 - x + 0.5 * x.powi(3)))
        .collect();
    let job = Job::new(
        "fit",
        &["degree=3"],
        1,
        &[("points.csv", points.as_bytes())],
    );
    job.finish();
    assert_eq!(job.outputs(), ["curve.csv", "fit.json", "fit.svg"]);
    let found = job.json("fit.json");
    for (k, truth) in [2.0, -1.0, 0.0, 0.5].into_iter().enumerate() {
        let value = found["coefficients"][k].as_f64().unwrap();
        assert!((value - truth).abs() < 1e-9, "{k}: {found}");
    }
    assert!(found["r_squared"].as_f64().unwrap() > 1.0 - 1e-12);
}

#[test]
fn fit_should_say_what_is_wrong_with_the_points() {
    for (points, say) in [
        (
            &b"x,y\n1,2\n3;x\n"[..],
            "points.csv:3: write two numbers, x,y",
        ),
        (b"1,2\n3,nan\n", "points.csv:2: numbers must be finite"),
        (
            b"1,2\n",
            "points.csv: has 1 points, but degree 2 needs at least 4",
        ),
        (
            b"1,2\n1,3\n1,4\n1,5\n",
            "points.csv: too few different x for this degree",
        ),
        (b"\xff", "points.csv: is not UTF-8 text"),
    ] {
        let job = Job::new("fit", &["degree=2"], 1, &[("points.csv", points)]);
        let output = job.run();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(65), "{said}");
        assert!(said.starts_with(say), "{said}");
    }
}

#[test]
fn pipeline_should_give_the_same_answer_on_any_number_of_processors_and_when_started_again() {
    let small = ["side=8", "temperatures=7", "sweeps=60"];
    let one = Job::new("pipeline", &small, 1, &[]);
    let three = Job::new("pipeline", &small, 3, &[]);
    one.finish();
    three.finish();
    for name in ["samples.csv", "magnet.json", "magnet.svg"] {
        assert!(one.output(name) == three.output(name), "{name}");
    }
    // Started again after its node was lost it takes what is done: one temperature is told to be another.
    let kept = one.checkpoint("temperature-000.json");
    let state = fs::read_to_string(&kept).unwrap();
    fs::write(&kept, state.replace("\"row\": [1.2,", "\"row\": [1.3,")).unwrap();
    one.finish();
    let table = String::from_utf8(one.output("samples.csv")).unwrap();
    assert!(table.lines().nth(1).unwrap().starts_with("1.3,"), "{table}");
}

#[test]
fn gpu_should_report_what_it_was_given_and_fail_when_that_is_less_than_bought() {
    let run = |set: &[(&str, &str)]| {
        let job = Job::new("gpu", &["details=false"], 1, &[]);
        let status = job.command(0).envs(set.iter().copied()).status().unwrap();
        (status.code(), job.json("gpu.json"))
    };
    let (code, report) = run(&[("CUDA_VISIBLE_DEVICES", "3")]);
    assert_eq!((code, &report["devices"][0]), (Some(0), &"3".into()));
    let (code, report) = run(&[("SLURM_GPUS_ON_NODE", "1")]);
    assert_eq!((code, &report["counted_only"]), (Some(0), &true.into()));
    let (code, report) = run(&[]);
    assert_eq!((code, &report["given"]), (Some(70), &0.into()));
}
