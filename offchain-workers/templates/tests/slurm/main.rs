//! Every template on a real SLURM, from rendering to its documented result. Needs Debian and root (or sudo): the
//! cluster and what templates need are installed from its packages, up to 200 MB.

mod cluster;

use cluster::{wait_for, Cluster};
use std::process::Command;
use ve_templates::Wanted;

fn cpus(cpus: u32) -> Wanted {
    Wanted {
        cpus: Some(cpus),
        ..Wanted::default()
    }
}

fn is_png(bytes: &[u8]) -> bool {
    let mut reader = png::Decoder::new(std::io::Cursor::new(bytes))
        .read_info()
        .unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    reader.next_frame(&mut pixels).unwrap();
    let colours: std::collections::BTreeSet<_> = pixels.chunks(3).collect();
    colours.len() > 20
}

#[test]
fn templates_should_give_their_documented_results_when_a_real_slurm_runs_them() {
    let cluster = Cluster::start(27100, &["flow"]);
    // All at once: it is a cluster.
    let checkpoint = cluster.submit("checkpoint", &["limit=10000000"], cpus(1), &[]);
    let fit = cluster.submit("fit", &["degree=2"], cpus(1), &["points.csv"]);
    let sweep = cluster.submit(
        "sweep",
        &["tasks=3", "columns=480", "rows=240", "iterations=200"],
        cpus(1),
        &[],
    );
    let flows = [1, 2].map(|n| cluster.submit("flow", &["height=48", "steps=300"], cpus(n), &[]));
    let two = Wanted {
        gpus: Some(2),
        ..Wanted::default()
    };
    let gpu = cluster.submit("gpu", &[], two, &[]);
    let pipeline = cluster.submit(
        "pipeline",
        &["side=12", "temperatures=9", "sweeps=300"],
        cpus(2),
        &[],
    );
    let heat = cluster.submit(
        "heat",
        &["size=32", "steps=200", "image=480"],
        cpus(2),
        &["mesh.dat"],
    );

    fit.expect(0);
    for (index, truth) in [1.5, 12.0, -4.905].into_iter().enumerate() {
        let found = fit.number("fit.json", &format!("/coefficients/{index}"));
        let error = fit.number("fit.json", &format!("/standard_errors/{index}"));
        assert!(
            (found - truth).abs() < 4.0 * error,
            "{index}: {found} +- {error}"
        );
    }
    sweep.expect(0);
    assert!(is_png(&sweep.output("sweep.png")));
    for flow in &flows {
        flow.expect(0);
        assert!(is_png(&flow.output("flow.png")));
        let drag = flow.number("flow.json", "/mean_drag");
        assert!(drag > 1.0, "{drag}");
    }
    let [one, two] = &flows;
    for name in ["flow.png", "forces.csv", "flow.json"] {
        assert!(
            one.output(name) == two.output(name),
            "{name} depends on the number of threads"
        );
    }
    gpu.expect(0);
    assert_eq!(
        (
            gpu.number("gpu.json", "/bought"),
            gpu.number("gpu.json", "/given")
        ),
        (2.0, 2.0)
    );
    pipeline.expect(0);
    let deviation = pipeline.number("magnet.json", "/greatest_deviation_below_2");
    assert!(deviation < 0.05, "{deviation}");
    let peak = pipeline.number("magnet.json", "/greatest_fluctuation_at");
    assert!((2.1..=2.8).contains(&peak), "{peak}");
    heat.expect(0);
    assert!(is_png(&heat.output("heat.png")));
    checkpoint.expect(0);
    // OEIS A006880.
    assert_eq!(checkpoint.number("primes.json", "/primes"), 664_579.0);
    for job in [
        &checkpoint,
        &fit,
        &sweep,
        &flows[0],
        &flows[1],
        &gpu,
        &pipeline,
        &heat,
    ] {
        job.check_outputs();
    }
}

#[test]
fn templates_that_need_more_packages_should_give_their_documented_results_when_a_real_slurm_runs_them(
) {
    let cluster = Cluster::start(27200, &["patterns", "python", "notebook", "water"]);
    let nodes = |nodes, cpus| Wanted {
        nodes: Some(nodes),
        cpus: Some(cpus),
        ..Wanted::default()
    };
    let small = ["size=128", "steps=300"];
    let spread = [nodes(2, 4), nodes(1, 1)].map(|wanted| {
        let job = cluster.submit("patterns", &small, wanted, &[]);
        job.expect(0);
        job
    });
    let [two, one] = &spread;
    assert_eq!(two.number("patterns.json", "/processes"), 4.0);
    let ran = two.json("patterns.json");
    assert_eq!(ran["nodes"].as_object().map(|n| n.len()), Some(2), "{ran}");
    assert!(is_png(&two.output("patterns.png")));
    assert!(
        two.output("patterns.png") == one.output("patterns.png"),
        "it depends on the number of processes"
    );

    // Taken off its node, as when that is lost, it goes on from its checkpoint; SLURM waits two minutes before that.
    let checkpoint = cluster.submit(
        "checkpoint",
        &["limit=150000000", "checkpoint_s=0.05"],
        cpus(1),
        &[],
    );
    wait_for("checkpoint", || {
        checkpoint.has_checkpoint("state.json").then_some(())
    });
    checkpoint.control("requeue");
    // Beside other tests its threads wait for each other much longer than by themselves.
    let unhurried = Wanted {
        walltime: Some(360),
        ..cpus(2)
    };
    let water = cluster.submit(
        "water",
        &["picoseconds=4", "frames=80"],
        unhurried,
        &["box.gro"],
    );
    let python = cluster.submit(
        "python",
        &["arguments=[\"500\"]", "expected_s=5"],
        cpus(1),
        &["program.py", "requirements.txt"],
    );
    let notebook = cluster.submit("notebook", &["hours=0.1"], cpus(1), &[]);
    let warned = cluster.submit("notebook", &["hours=0.1", "listen=loopback"], cpus(1), &[]);

    notebook.wait_log("press Quit");
    let service = notebook.json("service.json");
    let (address, token) = (
        service["address"].as_str().unwrap(),
        service["token"].as_str().unwrap(),
    );
    assert!(notebook.log().contains(token) && token.len() == 64);
    let ask = |method: &str, path: &str, token: &str| {
        let output = Command::new("curl")
            .args([
                "--silent",
                "--insecure",
                "--output",
                "/dev/null",
                "--write-out",
                "%{http_code}",
            ])
            .args([
                "--request",
                method,
                "--header",
                &format!("Authorization: token {token}"),
            ])
            .arg(format!("{address}{path}"))
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert_eq!(ask("GET", "api/status", token), "200");
    assert_eq!(ask("GET", "api/status", "guessed"), "403");
    assert_eq!(ask("POST", "api/shutdown", token), "200");
    notebook.expect(0);
    warned.wait_log("press Quit");
    warned.warn("TERM");
    warned.expect(0);
    assert!(
        warned.log().contains("time is nearly up"),
        "{}",
        warned.log()
    );

    python.expect(0);
    let shares = python.json("axes.json")["shares"].as_array().unwrap().len();
    assert_eq!((python.number("axes.json", "/points"), shares), (500.0, 10));
    assert!(String::from_utf8(python.output("environment.txt"))
        .unwrap()
        .contains("numpy=="));

    water.expect(0);
    assert_eq!(water.number("water.json", "/simulated_ps"), 4.0);
    // SPC/E at 300 K and 1 bar: -46.7 kJ/mol before the correction for polarisation, 0.998 g/cm3 (Berendsen et al., 1987).
    let energy = water.number("water.json", "/potential_kj_mol_per_molecule/mean");
    assert!((-47.7..=-45.7).contains(&energy), "{energy}");
    let density = water.number("water.json", "/density_kg_m3/mean");
    assert!((970.0..=1030.0).contains(&density), "{density}");

    // Warned of its limit it stops at a checkpoint, with a result so far.
    let long = cluster.submit(
        "water",
        &["picoseconds=40", "frames=80"],
        cpus(2),
        &["box.gro"],
    );
    long.wait_log("simulating");
    wait_for("simulation", || {
        long.has_checkpoint("run.xtc").then_some(())
    });
    long.warn("TERM");
    long.expect(75);
    assert!(long.number("water.json", "/simulated_ps") < 40.0);
    checkpoint.expect(0);
    assert!(
        checkpoint.log().contains("going on at"),
        "{}",
        checkpoint.log()
    );
    // pi(150,000,000), counted independently by Legendre's formula.
    assert_eq!(checkpoint.number("primes.json", "/primes"), 8_444_396.0);
    for job in [two, one, &water, &python, &notebook, &warned, &long] {
        job.check_outputs();
    }
}
