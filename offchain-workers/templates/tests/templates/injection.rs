//! No value is ever code: 100,000 random values come back through a shell as they were.

use super::*;
use rand::{rngs::StdRng, Rng, SeedableRng};
use serde_json::{Map, Value};
use std::process::Command;

/// Pieces that mean something to a shell, to a scheduler, or to a careless quoter.
const NASTY: &[&str] = &[
    "'",
    "\"",
    "\\",
    "\\'",
    "'\\''",
    "$",
    "$(touch pwned)",
    "`touch pwned`",
    "${IFS}",
    "$'\\x41'",
    "\n",
    "\r\n",
    "\t",
    " ",
    ";",
    "&",
    "&&",
    "|",
    "||",
    ">",
    ">pwned",
    "<",
    "<<EOF\n",
    "EOF\n",
    "*",
    "?",
    "[a]",
    "~",
    "#",
    "!",
    "!!",
    "{a,b}",
    "%",
    "%a",
    "=",
    "-",
    "--",
    "-rf /",
    "\n#SBATCH --account=root\n",
    "#!/bin/sh\n",
    "\u{1}",
    "\u{7f}",
    "\u{80}",
    "\u{81}",
    "\u{88}",
    "\u{85}",
    "\u{a0}",
    "\u{feff}",
    "\u{2028}",
    "\u{202e}",
    "é",
    "ß",
    "汉",
    "😀",
    "\u{10ffff}",
    "'; touch pwned; '",
    "\u{1b}[2J",
];

fn nasty(rng: &mut StdRng) -> String {
    let mut text = String::new();
    for _ in 0..rng.random_range(0..12) {
        match rng.random_range(0..4) {
            0 => text.push(char::from(rng.random_range(1u8..128))),
            1 => text.extend(char::from_u32(rng.random_range(1..0x11_0000))),
            _ => text.push_str(NASTY[rng.random_range(0..NASTY.len())]),
        }
    }
    text
}

fn rng() -> StdRng {
    let seed = std::env::var("VE_SEED")
        .ok()
        .and_then(|s| s.parse().ok())
        .unwrap_or_else(|| rand::rng().random());
    println!("VE_SEED={seed}");
    StdRng::seed_from_u64(seed)
}

#[test]
fn value_should_come_back_through_a_shell_when_it_is_quoted() {
    let mut rng = rng();
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("values.sh");
    let mut count = 0;
    while count < 100_000 {
        let values: Vec<String> = (0..5_000).map(|_| nasty(&mut rng)).collect();
        let lines = values
            .iter()
            .map(|v| format!("v={}\nprintf '%s\\0' \"$v\"\n", quote(v)));
        std::fs::write(&script, lines.collect::<String>()).unwrap();
        let output = Command::new("/bin/sh")
            .arg(&script)
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(
            output.status.success() && output.stderr.is_empty(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let mut read = output.stdout.split(|b| *b == 0);
        for value in &values {
            assert_eq!(read.next(), Some(value.as_bytes()), "{value:?}");
            assert_eq!(
                shlex::split(&quote(value)),
                Some(vec![value.clone()]),
                "{value:?}"
            );
        }
        assert_eq!((read.next(), read.next()), (Some(&b""[..]), None));
        count += values.len();
    }
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        1,
        "a value became a command"
    );
    println!("{count} values through /bin/sh");
}

#[test]
fn parameters_should_reach_the_program_as_they_are_when_the_whole_job_is_run() {
    let mut rng = rng();
    let job = JobContext {
        resources: resources(1, 1),
        walltime: 60,
        inputs: vec![],
    };
    let reader = "#!/usr/bin/env python3\nimport json, os, sys\n\
        given = json.load(open(os.environ['VE_PARAMS_FILE'], encoding='utf-8'))\n\
        seen = {k[9:]: v for k, v in os.environ.items() if k.startswith('VE_PARAM_')}\n\
        assert given == seen, (given, seen)\n\
        json.dump(seen, open(os.environ['VE_OUTPUT_DIR'] + '/seen.json', 'w'))\n";
    let mut script = None;
    for _ in 0..40 {
        let folder = tempfile::tempdir().unwrap();
        let parameters: Map<String, Value> = (0..150)
            .map(|i| (format!("p{i}"), nasty(&mut rng).into()))
            .collect();
        let rendered = render_script(reader, &parameters, &job).unwrap();
        assert_eq!(
            *script.get_or_insert(rendered.script.clone()),
            rendered.script,
            "a value is in the script"
        );
        let path = rendered.place(folder.path()).unwrap();
        let output = Command::new(path)
            .current_dir(folder.path())
            .env_clear()
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(output.stdout.is_empty() && output.stderr.is_empty());
        let seen: Value =
            serde_json::from_slice(&std::fs::read(folder.path().join("out/seen.json")).unwrap())
                .unwrap();
        assert_eq!(seen, Value::Object(parameters));
        let mut left: Vec<_> = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|e| e.unwrap().file_name())
            .collect();
        left.sort();
        assert_eq!(
            left,
            ["checkpoint", "in", "out", "ve"],
            "a value became a command"
        );
    }
}

#[test]
fn value_should_be_refused_when_no_variable_can_hold_it() {
    let job = JobContext {
        resources: resources(1, 1),
        walltime: 60,
        inputs: vec![],
    };
    let refused = |name: &str, value: &str| {
        let parameters = Map::from_iter([(name.to_string(), Value::from(value))]);
        render_script("#!/bin/sh\n", &parameters, &job)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(refused("x", "a\0b"), "x: holds a NUL character; remove it");
    assert!(refused("x", &"y".repeat(5000)).contains("pass long text as an input file"));
    for name in [
        "",
        "a b",
        "a=b",
        "A",
        "1a",
        "a\n",
        "ä",
        "a;touch pwned",
        &"a".repeat(65),
    ] {
        assert!(
            refused(name, "v").contains("is not a possible name"),
            "{name:?}"
        );
    }
    let no_interpreter = render_script("echo hello\n", &Map::new(), &job)
        .unwrap_err()
        .to_string();
    assert!(
        no_interpreter.starts_with("script: does not begin with #!"),
        "{no_interpreter}"
    );
}
