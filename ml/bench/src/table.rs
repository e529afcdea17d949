//! All executions in one place: the integer networks and the stages around them, which must agree, and float runtimes, which
//! need not.

use crate::{
    answers::{parse, Answers},
    models::{input, sha256, Models, NETWORKS, STAGES},
    onnx::{Onnx, Settings},
};
use anyhow::{ensure, Context, Result};
use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};
use ve_ml_engine::sample::picture;

/// Processors that are emulated: without AVX, with AVX2 and FMA, and everything the emulator knows.
/// What the emulator would warn of, once for each thread, because it does not have it, is switched off.
const PROCESSORS: [(&str, &str); 3] = [
    ("Nehalem", "Nehalem"),
    (
        "Haswell",
        "Haswell,-pcid,-x2apic,-tsc-deadline,-hle,-rtm,-invpcid",
    ),
    ("max", "max"),
];
/// Pictures that the float runtimes run: under emulation each costs seconds.
const FLOAT_PICTURES: [u32; 2] = [2, 4];

/// What runs beside this program.
#[derive(clap::Args)]
pub struct Programs {
    #[command(flatten)]
    onnx: Onnx,
    /// The user-mode emulator.
    #[arg(long, default_value = "qemu-x86_64")]
    qemu: PathBuf,
    /// `ve-ml-reference`, which runs networks with candle.
    #[arg(long)]
    reference: PathBuf,
    /// Output of the tests of ml/guest.
    #[arg(long)]
    guest: PathBuf,
    /// The program of ml/pipeline's tests.
    #[arg(long)]
    pipeline: PathBuf,
}

/// An execution, and for each network, or kind of stage, one digest of its answers.
struct Row {
    name: String,
    digests: BTreeMap<String, String>,
}

/// One digest for each network or kind of stage.
fn fold(answers: &Answers) -> BTreeMap<String, String> {
    let digest = |digests: &BTreeMap<String, String>| {
        let lines: String = digests
            .iter()
            .map(|(n, digest)| format!("{n} {digest}\n"))
            .collect();
        sha256(lines.as_bytes())[..12].into()
    };
    answers
        .iter()
        .map(|(model, pictures)| (model.clone(), digest(pictures)))
        .collect()
}

/// Runs a program and names its answers' rows.
fn rows(command: &mut Command, name: impl Fn(&str) -> String) -> Result<Vec<Row>> {
    let shown = format!("{command:?}");
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output();
    let output = output.with_context(|| format!("starting {shown}"))?;
    ensure!(output.status.success(), "{shown} failed: {}", output.status);
    let rows = of_text(&String::from_utf8(output.stdout)?, name)?;
    ensure!(!rows.is_empty(), "{shown} printed no answers");
    Ok(rows)
}

fn of_text(text: &str, name: impl Fn(&str) -> String) -> Result<Vec<Row>> {
    let executors = parse(text)?.into_iter();
    Ok(executors
        .map(|(executor, answers)| Row {
            name: name(&executor),
            digests: fold(&answers),
        })
        .collect())
}

/// "avx2,1" as people read it.
fn named(machine: &str, executor: &str) -> String {
    match executor.split_once(',') {
        Some((what, "1")) => format!("{machine}, {what}, 1 thread"),
        Some((what, threads)) => format!("{machine}, {what}, {threads} threads"),
        None => format!("{machine}, {executor}"),
    }
}

/// Prints the tables; fails when an integer network or a stage has another answer anywhere than the pinned one.
pub fn print(models: &Models, programs: &Programs) -> Result<()> {
    let networks = networks(models, programs)?;
    println!();
    let stages = stages(models, programs)?;
    println!();
    floats(models, programs)?;
    ensure!(
        networks && stages,
        "executions of the integer networks or of the stages have other answers than the pinned ones"
    );
    Ok(())
}

/// Executions that must have the pinned answers.
struct Table {
    names: Vec<String>,
    pinned: BTreeMap<String, String>,
    rows: Vec<Row>,
}

impl Table {
    /// Begins with the pinned answers of a file.
    fn begin(title: &str, models: &Models, file: &str) -> Result<Self> {
        let pinned = Row {
            name: format!("pinned (ml/models/{file})"),
            digests: fold(&models.answers(file)?),
        };
        let names: Vec<_> = pinned.digests.keys().cloned().collect();
        header(title, &names);
        show(&pinned, &names, &pinned.digests);
        Ok(Self {
            names,
            pinned: pinned.digests,
            rows: Vec::new(),
        })
    }

    fn add(&mut self, rows: Vec<Row>) {
        for row in &rows {
            show(row, &self.names, &self.pinned);
        }
        self.rows.extend(rows);
    }

    /// Whether all answers are as pinned.
    fn end(&self) -> bool {
        summary(&self.rows, &self.names, Some(&self.pinned));
        self.rows.iter().all(|row| row.digests == self.pinned)
    }
}

/// A command on an emulated processor.
fn emulated(programs: &Programs, cpu: &str, command: &Command) -> Command {
    let mut emulated = Command::new(&programs.qemu);
    emulated.args(["-cpu", cpu]).arg(command.get_program());
    emulated.args(command.get_args());
    emulated
}

fn webassembly(executor: &str) -> String {
    match executor {
        "wasmtime" => "WebAssembly without SIMD, wasmtime".into(),
        "sc-executor" => "WebAssembly in the node's executor".into(),
        other => other.into(),
    }
}

fn networks(models: &Models, programs: &Programs) -> Result<bool> {
    let mut table = Table::begin("integer networks", models, NETWORKS)?;
    let mut own = Command::new(env::current_exe()?);
    own.arg("--models").arg(&models.0).arg("answers");
    table.add(rows(&mut own, |executor| named("native", executor))?);
    own.arg("--fastest");
    for (processor, cpu) in PROCESSORS {
        let machine = format!("qemu {processor}");
        let mut own = emulated(programs, cpu, &own);
        table.add(rows(&mut own, |executor| named(&machine, executor))?);
    }
    let guest = fs::read_to_string(&programs.guest)
        .with_context(|| format!("reading {}", programs.guest.display()))?;
    table.add(of_text(&guest, webassembly)?);
    table.add(rows(&mut candle(programs, models, "exact", 1), |_| {
        "candle, integers in floats".into()
    })?);
    Ok(table.end())
}

/// Every stage with every instruction set that a processor has, on one thread and on two, and as WebAssembly.
fn stages(models: &Models, programs: &Programs) -> Result<bool> {
    let mut table = Table::begin("stages of the pipeline", models, STAGES)?;
    let tests = |part: &str| {
        let mut tests = Command::new(&programs.pipeline);
        tests.args([part, "--nocapture", "--test-threads", "1"]);
        tests
    };
    let mut answers = tests("answers::");
    table.add(rows(&mut answers, |executor| named("native", executor))?);
    for (processor, cpu) in PROCESSORS {
        let machine = format!("qemu {processor}");
        let mut answers = emulated(programs, cpu, &answers);
        table.add(rows(&mut answers, |executor| named(&machine, executor))?);
    }
    table.add(rows(&mut tests("webassembly::"), webassembly)?);
    Ok(table.end())
}

fn floats(models: &Models, programs: &Programs) -> Result<()> {
    let networks: Vec<_> = models.answers(NETWORKS)?.into_keys().collect();
    header(
        "float networks, for contrast: pictures 2 and 4 only",
        &networks,
    );
    let mut float = Vec::new();
    let mut found = |row: Row| {
        show(&row, &networks, &BTreeMap::new());
        float.push(row);
    };
    for threads in [1, 2] {
        let mut native = candle(programs, models, "float", threads);
        rows(&mut native, |_| {
            named("candle f32", &format!("native,{threads}"))
        })?
        .into_iter()
        .for_each(&mut found);
    }
    for (processor, cpu) in PROCESSORS {
        let candle = candle(programs, models, "float", 1);
        rows(&mut emulated(programs, cpu, &candle), |_| {
            format!("candle f32, qemu {processor}, 1 thread")
        })?
        .into_iter()
        .for_each(&mut found);
    }
    let native: [(&str, Vec<&OsStr>, Settings); 3] = [
        ("onnxruntime native, 1 thread", vec![], Settings::default()),
        (
            "onnxruntime native, 2 threads",
            vec![],
            Settings {
                threads: 2,
                ..Settings::default()
            },
        ),
        (
            "onnxruntime native, graph as it is",
            vec![],
            Settings {
                optimised: false,
                ..Settings::default()
            },
        ),
    ];
    for (name, under, how) in native {
        found(onnx(programs, models, name, &under, how)?);
    }
    for (processor, cpu) in PROCESSORS {
        let under = [programs.qemu.as_os_str(), "-cpu".as_ref(), cpu.as_ref()];
        found(onnx(
            programs,
            models,
            &format!("onnxruntime, qemu {processor}, 1 thread"),
            &under,
            Settings::default(),
        )?);
    }
    summary(&float, &networks, None);
    Ok(())
}

fn candle(programs: &Programs, models: &Models, mode: &str, threads: usize) -> Command {
    let mut command = Command::new(&programs.reference);
    command
        .arg("--manifest")
        .arg(models.0.join("manifest.toml"));
    command
        .arg("--sources")
        .arg(&programs.onnx.sources)
        .arg(mode);
    if mode == "float" {
        command
            .arg("--pictures")
            .args(FLOAT_PICTURES.map(|n| n.to_string()));
    }
    // The environment is inherited by an emulated child, too.
    command.env("RAYON_NUM_THREADS", threads.to_string());
    command
}

/// The public float networks of the models that have one, in onnxruntime.
fn onnx(
    programs: &Programs,
    models: &Models,
    name: &str,
    under: &[&OsStr],
    how: Settings,
) -> Result<Row> {
    let mut answers = Answers::new();
    for model in models.all()? {
        let Some(source) = &model.source else {
            continue;
        };
        let net = model.net()?;
        let shape = input(&net)?;
        let mut session = programs.onnx.start(under, Path::new(source), shape, how)?;
        for number in FLOAT_PICTURES {
            let digest = sha256(&session.run(&picture(number, shape))?.bytes);
            answers
                .entry(model.name.clone())
                .or_default()
                .insert(number.to_string(), digest);
        }
    }
    Ok(Row {
        name: name.into(),
        digests: fold(&answers),
    })
}

fn header(title: &str, models: &[String]) {
    print!("{title:<52}");
    for model in models {
        print!(" {model:<15}");
    }
    println!();
}

/// Prints a row as soon as it is known: emulation takes minutes.
fn show(row: &Row, models: &[String], pinned: &BTreeMap<String, String>) {
    print!("  {:<50}", row.name);
    for model in models {
        let digest = row.digests.get(model).map_or("-", String::as_str);
        let mark = match pinned.get(model) {
            Some(pinned) if pinned == digest => "=",
            Some(_) => "!",
            None => "",
        };
        print!(" {digest:<12} {mark:<2}");
    }
    println!();
}

fn summary(rows: &[Row], models: &[String], pinned: Option<&BTreeMap<String, String>>) {
    for model in models {
        let digests: Vec<_> = rows
            .iter()
            .filter_map(|row| row.digests.get(model))
            .collect();
        let different = digests.iter().collect::<BTreeSet<_>>().len();
        let agree = pinned.is_some_and(|p| digests.iter().all(|d| Some(*d) == p.get(model)));
        let verdict = match pinned {
            Some(_) if agree => ", all as pinned",
            Some(_) => ", NOT all as pinned",
            None => "",
        };
        println!(
            "  {model}: {different} different answers in {} executions{verdict}",
            digests.len()
        );
    }
}
