//! Each template, run for real as a scheduler runs it.

use super::*;
use nix::{sys::signal, unistd::Pid};
use serde_json::Value;
use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::process::ExitStatusExt,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

/// A job in a directory of its own.
pub(crate) struct Job {
    folder: tempfile::TempDir,
    script: PathBuf,
}

impl Job {
    pub(crate) fn new(
        template: &str,
        parameters: &[&str],
        cpus: u32,
        inputs: &[(&str, &[u8])],
    ) -> Self {
        let library = library();
        let template = library.find(template).unwrap();
        let parameters = template.parse_cli_params(parameters).unwrap();
        let mut resources = resources(cpus, template.tasks(&parameters));
        resources.gpus = template.manifest().resources.gpus.default as u32;
        let names = inputs.iter().map(|(name, _)| name.to_string()).collect();
        let rendered = template
            .render(
                &parameters,
                &JobContext {
                    resources,
                    walltime: 60,
                    inputs: names,
                },
            )
            .unwrap();
        let folder = tempfile::tempdir().unwrap();
        let script = rendered.place(folder.path()).unwrap();
        for (name, content) in inputs {
            fs::write(folder.path().join(INPUT_DIR).join(name), content).unwrap();
        }
        Self { folder, script }
    }

    /// A heat job over the example's geometry, small enough for a test.
    fn heat(more: &[&str], cpus: u32) -> Self {
        let mesh = library()
            .find("heat")
            .unwrap()
            .example("mesh.dat")
            .unwrap()
            .to_vec();
        let mut parameters = vec!["size=40", "image=480", "checkpoint_every=100"];
        parameters.extend(more);
        Self::new("heat", &parameters, cpus, &[("mesh.dat", &mesh)])
    }

    pub(crate) fn command(&self, task: u32) -> Command {
        let mut command = Command::new(&self.script);
        command
            .current_dir(self.folder.path())
            .env_clear()
            .env("VE_TASK", task.to_string());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(crate) fn run(&self) -> Output {
        self.command(0).output().unwrap()
    }

    pub(crate) fn finish(&self) {
        let output = self.run();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    pub(crate) fn output(&self, name: &str) -> Vec<u8> {
        fs::read(self.folder.path().join(OUTPUT_DIR).join(name))
            .unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    pub(crate) fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&self.output(name)).unwrap()
    }

    pub(crate) fn outputs(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path().join(OUTPUT_DIR)).unwrap();
        let mut names: Vec<_> = entries
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    pub(crate) fn checkpoint(&self, name: &str) -> PathBuf {
        self.folder.path().join(CHECKPOINT_DIR).join(name)
    }
}

/// Starts a job and waits until it has written its checkpoint.
fn started(job: &Job, checkpoint: &str) -> Child {
    let child = job.command(0).spawn().unwrap();
    let began = Instant::now();
    while !job.checkpoint(checkpoint).exists() {
        assert!(began.elapsed() < Duration::from_secs(60), "no checkpoint");
        std::thread::sleep(Duration::from_millis(5));
    }
    child
}

fn send(child: &Child, what: signal::Signal) {
    signal::kill(Pid::from_raw(child.id() as i32), what).unwrap();
}

fn picture(bytes: &[u8]) -> (u32, u32, usize) {
    let mut reader = png::Decoder::new(std::io::Cursor::new(bytes))
        .read_info()
        .unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    let colours: std::collections::BTreeSet<_> = pixels.chunks(3).collect();
    (info.width, info.height, colours.len())
}

#[test]
fn heat_should_draw_the_plate_when_run() {
    let job = Job::heat(&["steps=400"], 1);
    let output = job.run();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let log = String::from_utf8(output.stdout).unwrap();
    assert!(log.contains("step 400/400  100 %"), "{log}");
    assert_eq!(job.outputs(), ["heat.json", "heat.png", "history.csv"]);
    let (width, height, colours) = picture(&job.output("heat.png"));
    assert!(
        width > 480 && height > 480 && colours > 300,
        "{width} x {height}, {colours} colours"
    );
    let summary = job.json("heat.json");
    assert_eq!(
        (summary["steps"].as_u64(), summary["complete"].as_bool()),
        (Some(400), Some(true))
    );
    assert_eq!(summary["greatest_c"].as_f64(), Some(900.0));
    let history = String::from_utf8(job.output("history.csv")).unwrap();
    let means: Vec<f64> = history
        .lines()
        .skip(1)
        .map(|l| l.split(',').nth(3).unwrap().parse().unwrap())
        .collect();
    assert_eq!(means.len(), 101);
    assert!(
        means.windows(2).all(|w| w[0] < w[1]),
        "a heated plate gets warmer"
    );
}

#[test]
fn heat_should_give_the_same_bytes_when_seed_is_the_same_and_processors_differ() {
    let all = |more: &[&str], cpus| {
        let job = Job::heat(more, cpus);
        job.finish();
        ["heat.png", "heat.json", "history.csv"].map(|name| job.output(name))
    };
    let first = all(&["steps=150", "noise=40"], 1);
    assert!(
        first == all(&["steps=150", "noise=40"], 1),
        "same seed, other bytes"
    );
    assert!(
        first == all(&["steps=150", "noise=40"], 3),
        "the answer depends on the number of processors"
    );
    assert!(
        first[0] != all(&["steps=150", "noise=40", "seed=2"], 1)[0],
        "the seed changes nothing"
    );
}

#[test]
fn heat_should_conserve_energy_when_nothing_is_held_at_a_temperature() {
    let mesh = b"heat-mesh 1\nambient 50\nmaterial copper 8\ndisc copper 0.5 0.5 0.3\n";
    let job = Job::new(
        "heat",
        &["size=32", "steps=500", "noise=100", "image=480"],
        2,
        &[("mesh.dat", mesh)],
    );
    job.finish();
    let history = String::from_utf8(job.output("history.csv")).unwrap();
    let column = |i: usize| -> Vec<f64> {
        history
            .lines()
            .skip(1)
            .map(|l| l.split(',').nth(i).unwrap().parse().unwrap())
            .collect()
    };
    let mean = column(3);
    assert!(
        mean.iter().all(|m| (m - mean[0]).abs() < 1e-3),
        "{} became {}",
        mean[0],
        mean[mean.len() - 1]
    );
    let (least, greatest) = (column(2), column(4));
    assert!(
        least.windows(2).all(|w| w[0] <= w[1] + 1e-9)
            && greatest.windows(2).all(|w| w[0] + 1e-9 >= w[1])
    );
}

#[test]
fn heat_should_go_on_from_its_checkpoint_when_warned_and_when_killed() {
    let whole = Job::heat(&["steps=3000"], 1);
    whole.finish();
    for (what, cpus) in [
        (signal::SIGUSR1, 1),
        (signal::SIGUSR1, 2),
        (signal::SIGKILL, 1),
        (signal::SIGKILL, 2),
    ] {
        let job = Job::heat(&["steps=3000"], cpus);
        let mut child = started(&job, "heat.state");
        send(&child, what);
        let status = child.wait().unwrap();
        if what == signal::SIGUSR1 {
            assert_eq!(status.code(), Some(75));
            assert_eq!(job.json("heat.json")["complete"], Value::Bool(false));
            picture(&job.output("heat.png"));
        } else {
            assert_eq!(status.signal(), Some(9));
            assert_eq!(job.outputs(), [""; 0]);
        }
        let output = job.run();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(String::from_utf8_lossy(&output.stdout).contains("going on from the checkpoint"));
        for name in ["heat.png", "heat.json", "history.csv"] {
            assert!(
                job.output(name) == whole.output(name),
                "{name} differs after {what}"
            );
        }
    }
}

#[test]
fn heat_should_name_line_and_remedy_when_the_geometry_is_wrong() {
    for (mesh, say) in [
        (
            &b""[..],
            "mesh.dat: is empty; the first line must be: heat-mesh 1",
        ),
        (b"heat-mesh 2\n", "mesh.dat:1: the first line must be"),
        (
            b"heat-mesh 1\nambient warm\n",
            "mesh.dat:2: warm: a number was expected",
        ),
        (
            b"heat-mesh 1\nbox iron 0 0 1 1\n",
            "mesh.dat:2: write: <figure> <material> <numbers>; materials so far: none yet",
        ),
        (
            b"heat-mesh 1\n\nmaterial a 1\nbox a 1 0 0 1\n",
            "mesh.dat:4: box needs x0 y0 x1 y1",
        ),
        (
            b"heat-mesh 1\nmaterial a 1\nstar a 1 0 0 1\n",
            "mesh.dat:3: star is no figure; there are: box, disc",
        ),
        (
            b"heat-mesh 1\nmaterial a nan\n",
            "mesh.dat:2: numbers must be finite",
        ),
        (b"\xff\xfe", "mesh.dat: is not UTF-8 text"),
    ] {
        let job = Job::new("heat", &["steps=1"], 1, &[("mesh.dat", mesh)]);
        let output = job.run();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(65), "{said}");
        assert!(said.starts_with(say), "{said}");
        assert!(job.outputs().is_empty());
    }
}

#[test]
fn sweep_should_give_the_same_answer_when_shared_among_tasks_that_run_at_once() {
    let run = |tasks: u32| {
        let tasks_argument = format!("tasks={tasks}");
        let job = Job::new(
            "sweep",
            &[&tasks_argument, "columns=480", "rows=240", "iterations=400"],
            1,
            &[],
        );
        let children: Vec<_> = (0..tasks)
            .map(|task| job.command(task).spawn().unwrap())
            .collect();
        for child in children {
            let output = child.wait_with_output().unwrap();
            assert!(
                output.status.success(),
                "{}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
        job
    };
    let (one, five) = (run(1), run(5));
    for name in ["sweep.png", "sweep.csv"] {
        assert!(one.output(name) == five.output(name), "{name}");
    }
    assert_eq!(five.outputs().len(), 7, "{:?}", five.outputs());
    let (width, height, colours) = picture(&five.output("sweep.png"));
    assert_eq!((width, height), (480, 240));
    assert!(colours > 50, "{colours}");
    // Known: one fixed point at 1 - 1/r while r < 3; chaos (a positive exponent, ln 2) at r = 4.
    let table = String::from_utf8(five.output("sweep.csv")).unwrap();
    let rows: Vec<Vec<f64>> = table
        .lines()
        .skip(1)
        .map(|l| l.split(',').map(|v| v.parse().unwrap()).collect())
        .collect();
    assert!(
        (rows[0][1] - (1.0 - 1.0 / rows[0][0])).abs() < 1e-6 && rows[0][2] < 0.0,
        "{:?}",
        rows[0]
    );
    assert!(
        (rows[479][2] - std::f64::consts::LN_2).abs() < 0.1,
        "{:?}",
        rows[479]
    );
}

#[test]
fn sweep_should_not_join_when_a_part_is_missing() {
    let job = Job::new(
        "sweep",
        &["tasks=2", "columns=480", "iterations=100"],
        1,
        &[],
    );
    assert!(job.command(1).status().unwrap().success());
    assert_eq!(job.outputs(), ["part-0001.json"]);
    assert!(job.command(0).status().unwrap().success());
    assert_eq!(
        job.outputs(),
        ["part-0000.json", "part-0001.json", "sweep.csv", "sweep.png"]
    );
    let bad = Job::new("sweep", &["tasks=1", "r_from=3", "r_to=2"], 1, &[]).run();
    assert_eq!(bad.status.code(), Some(65));
    assert!(String::from_utf8_lossy(&bad.stderr).contains("r_from must be less than r_to"));
}

#[test]
fn checkpoint_should_count_right_when_it_is_not_stopped() {
    // Counts of primes and twin primes below 10^n are tabulated: OEIS A006880 and A007508.
    for (limit, primes, twins) in [
        (1000, 168, 35),
        (1_000_000, 78_498, 8_169),
        (10_000_000, 664_579, 58_980),
    ] {
        let job = Job::new("checkpoint", &[&format!("limit={limit}")], 1, &[]);
        job.finish();
        let found = job.json("primes.json");
        assert_eq!(
            (found["primes"].as_u64(), found["twin_pairs"].as_u64()),
            (Some(primes), Some(twins))
        );
        assert_eq!(job.outputs(), ["primes.json"]);
    }
}

#[test]
fn checkpoint_should_go_on_when_killed_warned_and_given_to_another_job() {
    let limit = ["limit=60000000", "checkpoint_s=0.02"];
    let whole = Job::new("checkpoint", &limit, 1, &[]);
    whole.finish();

    let job = Job::new("checkpoint", &limit, 1, &[]);
    let mut child = started(&job, "state.json");
    send(&child, signal::SIGKILL);
    child.wait().unwrap();
    let mut child = job.command(0).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().starts_with("going on at"));
    send(&child, signal::SIGUSR1);
    assert_eq!(child.wait().unwrap().code(), Some(75));
    assert_eq!(job.outputs(), ["state.json"]);

    let heir = Job::new(
        "checkpoint",
        &limit,
        1,
        &[("state.json", &job.output("state.json"))],
    );
    let output = heir.run();
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("going on at"));
    assert!(heir.output("primes.json") == whole.output("primes.json"));
    job.finish();
    assert!(job.output("primes.json") == whole.output("primes.json"));
    assert_eq!(job.outputs(), ["primes.json"], "nothing stale is left");

    let wrong = Job::new("checkpoint", &limit, 1, &[("state.json", b"{")]).run();
    assert_eq!(wrong.status.code(), Some(65));
}
