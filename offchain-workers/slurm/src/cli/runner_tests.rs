use super::*;

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[tokio::test]
async fn command_should_say_what_it_did_when_it_ends() {
    let runner = Runner::new(Access::here("nobody"), "/c".into());
    let said = runner
        .run(
            &[("A", "b c")],
            &words(&["sh", "-c", "cat; env | sort; echo bad >&2; exit 3"]),
            b"in\n",
        )
        .await
        .unwrap();
    assert!(!said.ok);
    assert!(
        said.out.starts_with("in\nA=b c\nLC_ALL=C\n"),
        "{}",
        said.out
    );
    assert_eq!(said.complaint, "bad");
}

#[tokio::test]
async fn command_should_be_lost_when_it_does_not_end() {
    let mut access = Access::here("nobody");
    access.limit = Duration::from_secs(1);
    let runner = Runner::new(access, "/c".into());
    let lost = runner.run(&[], &words(&["sleep", "60"]), b"").await;
    assert!(matches!(lost, Err(Trouble::Lost(_))), "{lost:?}");
    let none = runner.run(&[], &words(&["ve-no-such-program"]), b"").await;
    assert!(matches!(none, Err(Trouble::NotRun(_))), "{none:?}");
}

fn told(answers: Vec<Result<Said, Trouble>>) -> Vec<String> {
    let tell = |answer| match answer {
        Ok(Said { ok, out, complaint }) => format!("{ok} {out:?} {complaint:?}"),
        Err(trouble) => format!("{trouble:?}"),
    };
    answers.into_iter().map(tell).collect()
}

#[tokio::test]
async fn programs_should_run_one_after_the_other_until_one_fails() {
    let directory = tempfile::tempdir().unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    std::fs::set_permissions(directory.path(), mode).unwrap();
    let mark = directory.path().join("mark").display().to_string();
    let echo = |say: &str| {
        let script = format!("cat; printf %s \"$0\"; echo 'so $so' >&2; {say}");
        words(&["sh", "-c", &script, "it's `$HOME`"])
    };
    let long = "a line of text\n".repeat(20_000);
    let programs = [
        (echo("true"), "in\n$IN\n"),
        (words(&["sh", "-c", "wc -c"]), long.as_str()),
        (echo("exit 3"), "no end of line"),
        (words(&["touch", &mark]), ""),
    ];
    for sudo in [false, nix::unistd::geteuid().is_root()] {
        let mut access = Access::here("nobody");
        access.sudo = sudo;
        let runner = Runner::new(access, "/c".into());
        let answers = runner.run_each(&programs).await.unwrap();
        let expected = [
            "true \"in\\n$IN\\nit's `$HOME`\" \"so $so\"",
            "true \"300000\\n\" \"\"",
            "false \"no end of line\\nit's `$HOME`\" \"so $so\"",
        ];
        assert_eq!(told(answers), expected);
        assert!(!std::path::Path::new(&mark).exists(), "it was begun");
        let answers = runner.run_each(&programs[3..]).await.unwrap();
        assert_eq!(told(answers), ["true \"\" \"\""]);
        std::fs::remove_file(&mark).unwrap();
    }
}

#[tokio::test]
async fn program_that_does_not_end_should_be_lost_and_killed_and_the_next_not_begun() {
    let directory = tempfile::tempdir().unwrap();
    let mut access = Access::here("nobody");
    access.path = format!("{}:/usr/bin:/bin", directory.path().display());
    let mark = format!("PATH={}", access.path);
    access.limit = Duration::from_secs(1);
    let file = directory.path().join("begun").display().to_string();
    let programs = [
        (words(&["echo", "1"]), ""),
        (words(&["sh", "-c", "trap '' TERM; exec sleep 600"]), ""),
        (words(&["touch", &file]), ""),
    ];
    for sudo in [false, nix::unistd::geteuid().is_root()] {
        access.sudo = sudo;
        let runner = Runner::new(access.clone(), "/c".into());
        let answers = runner.run_each(&programs).await.unwrap();
        let lost = "Lost(\"echo did not end within 1 s\")";
        assert_eq!(told(answers)[..], ["true \"1\\n\" \"\"", lost]);
        until("it is gone", || processes(&mark).is_empty()).await;
        assert!(!std::path::Path::new(&file).exists(), "it was begun");
    }
}

#[tokio::test]
async fn programs_should_all_be_lost_when_what_they_said_did_not_come_through() {
    let (directory, mut access) = silent_squeue();
    let mark = format!("PATH={}:", directory.path().display());
    access.limit = Duration::from_secs(1);
    let runner = Runner::new(access, "/c".into());
    // Something that it started goes on, with its output.
    let programs = [(words(&["echo", "1"]), ""), (words(&["squeue"]), "")];
    let none = runner.run_each(&programs).await;
    assert!(matches!(none, Err(Trouble::Lost(_))), "{none:?}");
    until("it is gone", || processes(&mark).is_empty()).await;
}

#[tokio::test]
async fn programs_should_not_be_run_when_nothing_can_be() {
    let mut access = Access::here("nobody");
    let runner = Runner::new(access.clone(), "/c".into());
    let programs = [(words(&["ve-no-such-program"]), ""); 1];
    let answers = runner.run_each(&programs).await.unwrap();
    assert!(
        matches!(answers[..], [Err(Trouble::NotRun(_))]),
        "{answers:?}"
    );
    access.path = "/nowhere".to_owned();
    let runner = Runner::new(access.clone(), "/c".into());
    let none = runner.run_each(&programs).await;
    assert!(matches!(none, Err(Trouble::NotRun(_))), "{none:?}");
    access.sudo = true;
    access.user = "ve-nobody-at-all".to_owned();
    let none = Runner::new(access, "/c".into()).run_each(&programs).await;
    assert!(matches!(none, Err(Trouble::NotRun(_))), "{none:?}");
}

/// A directory with a `squeue` that says nothing and does not end, nor does what it started.
fn silent_squeue() -> (tempfile::TempDir, Access) {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(directory.path(), mode.clone()).unwrap();
    let file = directory.path().join("squeue");
    let script = "#!/bin/sh\ntrap '' TERM INT HUP\nsleep 600 &\necho $$ $! >&2\nwait\n";
    std::fs::write(&file, script).unwrap();
    std::fs::set_permissions(&file, mode).unwrap();
    let mut access = Access::here("nobody");
    access.path = format!("{}:/usr/bin:/bin", directory.path().display());
    (directory, access)
}

/// The processes that have this in their environment.
fn processes(mark: &str) -> Vec<String> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        if String::from_utf8_lossy(&environment).contains(mark) {
            all.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    all
}

async fn until(what: &str, is: impl Fn() -> bool) {
    let end = std::time::Instant::now() + Duration::from_secs(10);
    while !is() {
        assert!(std::time::Instant::now() < end, "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn command_should_be_killed_with_all_it_started_when_nobody_waits_any_more() {
    let (directory, mut access) = silent_squeue();
    let mark = format!("PATH={}:", directory.path().display());
    // As another user as well, where this one may.
    let others = [false, nix::unistd::geteuid().is_root()];
    for sudo in others
        .into_iter()
        .collect::<std::collections::BTreeSet<_>>()
    {
        access.sudo = sudo;
        let runner = Runner::new(access.clone(), "/c".into());
        let asked = tokio::spawn(async move { runner.run(&[], &words(&["squeue"]), b"").await });
        // `timeout`, `squeue` and what that started.
        until("it runs", || processes(&mark).len() >= 3).await;
        asked.abort();
        assert!(asked.await.unwrap_err().is_cancelled());
        until("it is gone", || processes(&mark).is_empty()).await;
    }
}

#[test]
fn remote_command_should_be_one_quoted_line_when_it_goes_over_ssh() {
    let mut access = Access::here("ve-job-1");
    access.sudo = true;
    access.ssh = Some(Ssh {
        host: "login".into(),
        port: 22,
        user: "ve".into(),
        key: "/k".into(),
        known_hosts: "/h".into(),
    });
    let argv = Runner::new(access, "/c".into()).argv(
        &[],
        Stop::Kill,
        &words(&["squeue", "--name=a'; rm -rf /"]),
    );
    let line = argv.last().unwrap();
    assert!(line.starts_with("'sudo' '-n' '-u' 've-job-1' '--' '/usr/bin/env' '-i'"));
    assert!(
        line.ends_with(r"'squeue' '--name=a'\''; rm -rf /'"),
        "{line}"
    );
    assert!(argv.contains(&"StrictHostKeyChecking=yes".to_owned()));
    assert!(argv.contains(&"GlobalKnownHostsFile=/dev/null".to_owned()));
}
