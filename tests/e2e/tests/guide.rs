//! Scripts that people start on a real SLURM: the provider's guide, command by command, and the demo.

use anyhow::{ensure, Result};
use std::{path::Path, process::Command};
use virtengine_e2e::{free_ports, run_script, TestDir};

/// Whether the machine has users whose names begin so.
fn has_users(prefix: &str) -> Result<bool> {
    let users = Command::new("getent").arg("passwd").output()?;
    let users = String::from_utf8(users.stdout)?;
    Ok(users.lines().any(|user| user.starts_with(prefix)))
}

#[test]
fn the_providers_guide_should_lead_to_a_paid_job_when_every_command_is_run_as_written() -> Result<()>
{
    let port = free_ports(24).to_string();
    let shown = run_script(&["docs/run-guide.sh"], &[("GUIDE_PORT", &port)])?;
    ensure!(
        shown.contains("from an existing SLURM to the first paid job: "),
        "{shown}"
    );
    ensure!(!has_users(&format!("ve-guide{port}-"))?, "users are left");
    Ok(())
}

#[test]
fn the_demo_should_leave_nothing_behind_when_it_has_run_once_on_slurm() -> Result<()> {
    let dir = TestDir::new("demo-slurm")?;
    on_slurm(dir.path()).inspect_err(|_| dir.keep())
}

fn on_slurm(dir: &Path) -> Result<()> {
    let port = free_ports(24).to_string();
    let shown = run_script(
        &["scripts/demo.sh", "--slurm", "--once"],
        &[
            ("VE_DEMO_PORT", &port),
            ("VE_DEMO_DIR", &dir.to_string_lossy()),
        ],
    )?;
    ensure!(shown.contains("the invoice holds"), "{shown}");
    let users = format!("ve-demo{port}-");
    // A job in accounting ran as a member of the pool.
    ensure!(
        shown
            .lines()
            .any(|line| line.contains(&users) && line.contains("COMPLETED")),
        "{shown}"
    );
    ensure!(!has_users(&users)?, "users are left");
    ensure!(!dir.join("slurm").exists(), "SLURM's folder is left");
    Ok(())
}
