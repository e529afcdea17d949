//! The binary as a person or a script meets it, without a chain: what it says, where, and with which exit code.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        let home = Self(tempfile::tempdir().unwrap());
        let library = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../slurm-templates");
        home.write(
            "ve.toml",
            &format!(
                "url = \"ws://127.0.0.1:9\"\nkeystore = \"keys\"\ntemplates = {:?}\nartifacts = \"file://{}\"\n",
                library,
                home.path("artifacts").display()
            ),
        );
        home
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn ve(&self, line: &str) -> Output {
        Command::new(env!("CARGO_BIN_EXE_ve"))
            .args(line.split(' '))
            .env_clear()
            .env("HOME", self.0.path())
            .env("VE_CONFIG", self.path("ve.toml"))
            .env("VE_PASSPHRASE", "secret")
            .env("NO_COLOR", "1")
            .current_dir(self.0.path())
            .output()
            .unwrap()
    }

    /// Runs and expects an exit code; returns standard output and error with this home's path as HOME.
    fn expect(&self, line: &str, code: i32) -> (String, String) {
        let output = self.ve(line);
        let text = |bytes: &[u8]| {
            String::from_utf8_lossy(bytes).replace(&self.0.path().display().to_string(), "HOME")
        };
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "ve {line}\n{out}\n{err}");
        (out, err)
    }
}

#[test]
fn help_should_name_every_command_and_the_exit_codes() {
    let (out, _) = Home::new().expect("--help", 0);
    for word in [
        "doctor",
        "key",
        "send",
        "role",
        "provider",
        "plan",
        "cluster",
        "clusters",
        "template",
        "quote",
        "run",
        "jobs",
        "job",
        "wait",
        "logs",
        "get",
        "cancel",
        "money",
        "invoice",
        "dispute",
        "disputes",
        "evidence",
        "decide",
        "settle",
        "completions",
        "--url",
        "--key",
        "--artifacts",
        "--templates",
        "--json",
        "--config",
        "6 verification failed",
    ] {
        assert!(out.contains(word), "{word}");
    }
}

#[test]
fn completions_should_be_written_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let (out, _) = Home::new().expect(&format!("completions {shell}"), 0);
        assert!(out.contains("invoice"), "{shell}");
    }
}

#[test]
fn node_should_be_said_to_be_unreachable_when_it_is() {
    let home = Home::new();
    let (out, err) = home.expect("clusters", 5);
    assert_eq!(out, "");
    assert!(
        err.starts_with("error: the node at ws://127.0.0.1:9 cannot be reached: "),
        "{err}"
    );
    assert!(
        err.contains("\n  start the node or give its address with --url"),
        "{err}"
    );
    let (_, err) = home.expect("--json clusters", 5);
    let value: serde_json::Value = serde_json::from_str(&err).unwrap();
    assert_eq!(value["code"], 5);
    home.expect("--url http://127.0.0.1:9 clusters", 2);
}

#[test]
fn place_should_be_named_when_the_configuration_is_malformed() {
    let home = Home::new();
    home.write("ve.toml", "url = \"ws://a\"\nkye = \"alice\"\n");
    let (_, err) = home.expect("clusters", 2);
    assert!(
        err.starts_with("error: configuration HOME/ve.toml:2:1: unknown field `kye`"),
        "{err}"
    );
    let (_, err) = home.expect("--config none.toml clusters", 2);
    assert!(err.contains("none.toml"), "{err}");
}

#[test]
fn key_should_be_made_listed_and_exported() {
    let home = Home::new();
    let (out, err) = home.expect("key list", 0);
    assert_eq!((out.as_str(), err.contains("no key yet")), ("", true));
    home.expect("--json key new alice --from-uri //Alice", 0);
    let (out, _) = home.expect("--json key list", 0);
    let keys: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        keys[0]["account"],
        "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"
    );
    assert_eq!(keys[0]["in_use"], true);
    let (out, _) = home.expect("key export alice --secret signing", 0);
    assert_eq!(out, "//Alice\n");
    home.expect("key export alice -o worker.json", 0);
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(
        fs::metadata(home.path("worker.json"))
            .unwrap()
            .permissions()
            .mode()
            & 0o777,
        0o600
    );
    let (_, err) = home.expect("key export alice -o worker.json", 1);
    assert!(err.contains("worker.json is there already"), "{err}");
    let (out, _) = home.expect("--json key export alice -o again.json", 0);
    let said: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(said["file"], "again.json");
    let secrets = fs::read_to_string(home.path("again.json")).unwrap();
    let secrets: serde_json::Value = serde_json::from_str(&secrets).unwrap();
    assert_eq!(secrets["signing"], "//Alice");
    let (_, err) = home.expect("key new alice", 2);
    assert!(err.contains("there is a key \"alice\" already"), "{err}");
    let (_, err) = home.expect("key export bob", 3);
    assert!(
        err.contains("there is no key \"bob\" (known: alice)"),
        "{err}"
    );
    home.write("empty", "\n");
    let (_, err) = home.expect("--passphrase-file empty key new unguarded", 2);
    assert!(err.contains("passphrase: it is empty"), "{err}");
    home.expect("key export unguarded", 3);
    home.write("wrong", "not the passphrase\n");
    let (_, err) = home.expect("--passphrase-file wrong key export alice", 2);
    assert!(
        err.contains("the passphrase does not open \"alice\""),
        "{err}"
    );
    let (_, err) = home.expect("key new x --from-uri nonsense", 2);
    assert!(
        !err.contains("nonsense"),
        "a secret must not be echoed: {err}"
    );
}

#[test]
fn library_should_be_listed_shown_and_checked() {
    let home = Home::new();
    let (out, _) = home.expect("--json template list", 0);
    let all: serde_json::Value = serde_json::from_str(&out).unwrap();
    let names: Vec<&str> = all
        .as_array()
        .unwrap()
        .iter()
        .map(|t| t["name"].as_str().unwrap())
        .collect();
    assert!(
        names.contains(&"heat") && names.contains(&"sweep"),
        "{names:?}"
    );
    let (out, _) = home.expect("template show heat", 0);
    for word in [
        "steps",
        "processors (-n)",
        "input (--in)",
        "output",
        "hash 0x",
    ] {
        assert!(out.contains(word), "{word}: {out}");
    }
    let (_, err) = home.expect("template show heet", 3);
    assert!(
        err.contains("choose one of") && err.contains("heat"),
        "{err}"
    );
    home.write("broken/template.toml", "schema = 1\nname = broken\n");
    let (_, err) = home.expect("template check broken", 2);
    assert!(err.contains("template.toml:2:8"), "{err}");
    let (_, err) = home.expect("--templates nowhere template list", 3);
    assert!(err.contains("nowhere is no folder"), "{err}");
}

#[test]
fn field_should_be_named_when_a_job_is_asked_for_wrongly() {
    let home = Home::new();
    home.expect("key new alice", 0);
    home.write("mesh.dat", "x");
    for (line, words) in [
        ("quote heat -p steps=many", "steps"),
        ("quote heat -p stpes=10", "did you mean steps?"),
        ("quote heat --array 4", "--array: heat is not an array"),
        ("run heat --in no-such-file", "no-such-file"),
        ("run heat --in mesh.dat --in mesh.dat", "given twice"),
        (
            "jobs --state sleeping",
            "--state: \"sleeping\" is not a state",
        ),
        (
            "decide 1 --to-provider 140%",
            "\"140%\" is not a share; write it like 40%",
        ),
        ("decide 1 --to-provider half", "write it like 2VE"),
        (
            "dispute 1 --amount much --grounds why.txt",
            "\"much\" is not an amount",
        ),
        ("dispute 1 --amount 1VE --grounds why.txt", "why.txt"),
        ("send nobody 1VE", "account: \"nobody\" is neither"),
    ] {
        let output = home.ve(line);
        let err = String::from_utf8_lossy(&output.stderr).to_string();
        assert!(err.contains(words), "ve {line}: {err}");
        assert!(
            matches!(output.status.code(), Some(2 | 3)),
            "ve {line}: {:?}",
            output.status
        );
    }
    let (_, err) = home.expect("run heat --max 1EUR", 2);
    assert!(err.contains("1EUR") && err.contains("2VE"), "{err}");
}

#[test]
fn doctor_should_say_what_is_wrong_and_what_to_do() {
    let home = Home::new();
    let (out, err) = home.expect("doctor", 5);
    for words in [
        "✗  node",
        "✓  artifact store",
        "✓  templates",
        "✗  key",
        "ve key new",
    ] {
        let flat: String = out.split_whitespace().collect::<Vec<_>>().join(" ");
        let wanted: String = words.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat.contains(&wanted), "{words}: {out}");
    }
    assert!(err.contains("checks failed"), "{err}");
    let (out, _) = home.expect("--json doctor", 5);
    let value: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(value["ok"], false);
}

#[test]
fn invoice_file_should_be_refused_when_it_is_none() {
    let home = Home::new();
    home.write("invoice.json", "{ \"asset\": 5 }");
    // The node is asked first; without one nothing can be verified.
    home.expect("invoice verify 2026-11 --file invoice.json", 5);
    let (_, err) = home.expect("invoice verify 2026-13", 2);
    assert!(err.contains("2026-13"), "{err}");
}
