//! SLURM's commands played by scripts that answer what no healthy cluster answers.

use std::{fs, os::unix::fs::PermissionsExt, time::Duration};

use tempfile::TempDir;
use ve_slurm::{
    cli::Access, slurm::Identity, Health, Scheduler, SchedulerJobId, SlurmCli, SlurmCliConfig,
};

/// A client whose commands are these.
fn client(commands: &[(&str, &str)]) -> (TempDir, SlurmCli) {
    let home = TempDir::new().expect("directory");
    for (name, body) in commands {
        let path = home.path().join(name);
        fs::write(&path, format!("#!/bin/sh\n{body}\n")).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("mode");
    }
    let access = Access {
        path: format!("{}:/usr/bin:/bin", home.path().display()),
        limit: Duration::from_secs(20),
        ..Access::here("nobody")
    };
    let cli = SlurmCli::new(SlurmCliConfig {
        access,
        identity: Identity::default(),
        state_dir: home.path().join("state"),
    });
    (home, cli.expect("directory"))
}

#[tokio::test]
async fn cluster_should_not_be_healthy_when_its_clock_is_wrong() {
    for (ahead, healthy) in [("", true), (" + 3600", false), (" - 3600", false)] {
        let sdiag = format!(
            "echo \"sdiag output at then ($(($(date +%s){ahead})))\"; echo 'DBD Agent queue size: 0'"
        );
        let (_home, cli) = client(&[
            ("scontrol", "echo 'Slurmctld(primary) at here is UP'"),
            ("sacctmgr", "echo c"),
            ("sdiag", &sdiag),
        ]);
        match cli.health().await {
            Health::Ok => assert!(healthy, "{ahead}"),
            Health::Unknown(text) => {
                assert!(
                    !healthy && text.contains("clock") && text.contains("NTP"),
                    "{text}"
                );
            }
        }
    }
}

#[tokio::test]
async fn question_should_end_with_its_process_when_nobody_waits_for_it() {
    let (home, cli) = client(&[("squeue", "echo $$ >> $(dirname $0)/asked; exec sleep 600")]);
    let asked = home.path().join("asked");
    let id = SchedulerJobId("5:ve-0123abcd-7".into());
    let question = tokio::time::timeout(Duration::from_secs(10), async {
        tokio::select! {
            status = cli.status(&id) => panic!("{status:?}"),
            () = async {
                while fs::read_to_string(&asked).is_err() {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            } => {}
        }
    });
    question.await.expect("squeue is run");
    let process = fs::read_to_string(&asked).expect("asked");
    let process = format!("/proc/{}/stat", process.trim());
    let until = std::time::Instant::now() + Duration::from_secs(5);
    // A zombie has ended, whenever its parent takes notice.
    while fs::read_to_string(&process).is_ok_and(|stat| !stat.contains(") Z ")) {
        assert!(std::time::Instant::now() < until, "squeue goes on");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
