//! A real SLURM cluster beside a market, and a worker that runs its jobs there as members of a pool.

use crate::{binary, described, free_ports, repository, Market};
use anyhow::{ensure, Context, Result};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

/// Members of the pool.
pub const MEMBERS: u16 = 3;

/// How the worker speaks to SLURM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// By its commands.
    Commands,
    /// Through slurmrestd.
    Rest,
}

/// A cluster of its own for one market; gone with it.
pub struct Slurm {
    home: PathBuf,
    port: u16,
    /// What the names of the pool's users begin with: tests that run side by side share the machine's users.
    users: String,
    cloud: u32,
    /// Where members of the pool have their directories.
    pub pool: PathBuf,
}

impl Slurm {
    /// Starts a cluster in the market's directory, makes the pool, and has the market's worker use it.
    pub fn beside(market: &mut Market, by: By, users: &str) -> Result<Self> {
        Self::with_cloud(market, by, users, 0)
    }

    /// The same, with so many further nodes in a partition `cloud`, which are started when a job needs them.
    pub fn with_cloud(market: &mut Market, by: By, users: &str, cloud: u32) -> Result<Self> {
        // SLURM's daemons and the members of the pool pass through; what they may not see has a mode of its own.
        fs::set_permissions(market.dir.path(), fs::Permissions::from_mode(0o711))?;
        let slurm = Self {
            home: market.path("slurm"),
            port: free_ports(20),
            users: users.to_owned(),
            cloud,
            pool: market.path("pool"),
        };
        slurm.cluster(&["up"])?;
        let program = market.path("bin/virtengine-worker");
        fs::create_dir_all(market.path("bin"))?;
        fs::copy(binary("virtengine-worker"), &program)?;
        slurm.configure(market, by, &program)?;
        let made = slurm.make_pool(market, &program)?;
        ensure!(
            made.status.success(),
            "making the pool: {}",
            described(&made)
        );
        Ok(slurm)
    }

    /// `virtengine-worker pool --apply`.
    pub fn make_pool(&self, market: &Market, program: &Path) -> Result<Output> {
        Command::new(program)
            .args(["pool", "--apply", "--worker-user", "root", "--config"])
            .arg(market.path("worker.toml"))
            .output()
            .context("running virtengine-worker pool")
    }

    /// Changes the worker's configuration from the local scheduler to this cluster.
    pub fn configure(&self, market: &Market, by: By, program: &Path) -> Result<()> {
        let file = market.path("worker.toml");
        let text = fs::read_to_string(&file)?;
        let before = text
            .split("[[provider.clusters]]")
            .next()
            .context("the market's configuration")?;
        let (scheduler, rest) = match by {
            By::Commands => ("slurm-cli", String::new()),
            By::Rest => (
                "slurm-rest",
                format!(
                    "[provider.clusters.rest]\nurl = \"http://127.0.0.1:{}\"\ncluster = \"vetest\"\nkey_file = \"{}\"\n",
                    self.port + 2,
                    self.home.join("etc/jwt_hs256.key").display()
                ),
            ),
        };
        let text = format!(
            "{before}[[provider.clusters]]\nid = 1\nscheduler = \"{scheduler}\"\nwork_dir = \"{}\"\nslurm_conf = \"{}\"\n\
             [provider.clusters.pool]\nusers = \"{}\"\nsize = {MEMBERS}\ndir = \"{}\"\njobs_each = 2000\n\
             worker_program = \"{}\"\n{rest}",
            market.path("worker-jobs").display(),
            self.conf().display(),
            self.users,
            self.pool.display(),
            program.display(),
        );
        Ok(fs::write(file, text)?)
    }

    fn conf(&self) -> PathBuf {
        self.home.join("etc/slurm.conf")
    }

    fn cluster(&self, arguments: &[&str]) -> Result<()> {
        // Not through a pipe: what it starts may hold on to it.
        let log = self.home.with_extension("log");
        let status = Command::new("bash")
            .arg(repository().join("scripts/slurm-cluster.sh"))
            .args(arguments)
            .env("VE_SLURM_HOME", &self.home)
            .env("VE_SLURM_PORT", self.port.to_string())
            .env("VE_SLURM_CLOUD", self.cloud.to_string())
            .stdin(Stdio::null())
            .stdout(fs::File::create(&log)?)
            .stderr(fs::File::options().append(true).open(&log)?)
            .status()?;
        let shown = arguments.join(" ");
        let said = fs::read_to_string(&log)?;
        ensure!(status.success(), "slurm-cluster.sh {shown}: {said}");
        Ok(())
    }

    /// Runs one of SLURM's commands as root and returns what it prints.
    pub fn ask(&self, command: &[&str]) -> Result<String> {
        let (program, arguments) = command.split_first().context("a command")?;
        let output = Command::new(program)
            .args(arguments)
            .env("SLURM_CONF", self.conf())
            .env("TZ", "UTC")
            .output()?;
        ensure!(
            output.status.success(),
            "{}: {}",
            command.join(" "),
            described(&output)
        );
        Ok(String::from_utf8(output.stdout)?)
    }

    /// The pool's first member: as whom the jobs of the market's first customer run.
    pub fn member(&self) -> String {
        format!("{}000", self.users)
    }

    /// Runs a line of shell as that member.
    pub fn as_member(&self, line: &str) -> Result<()> {
        let output = Command::new("sudo")
            .args(["-n", "-u", &self.member(), "env"])
            .arg(format!("SLURM_CONF={}", self.conf().display()))
            .args(["sh", "-c", line])
            .current_dir("/")
            .output()?;
        ensure!(output.status.success(), "{line}: {}", described(&output));
        Ok(())
    }

    /// Tells the chain what the cluster really has: its two nodes, and those of the cloud.
    pub fn promise(&self, market: &Market) -> Result<()> {
        let file = market.path("cluster.toml");
        let text = fs::read_to_string(&file)?;
        let (head, partition) = text
            .split_once("[[partitions]]")
            .context("the market's cluster has a partition")?;
        let plan = partition
            .lines()
            .find(|line| line.starts_with("plan = "))
            .context("a partition has a plan")?;
        let one = |name: &str, nodes: u32, gpus: u32| {
            format!(
                "[[partitions]]\nname = \"{name}\"\nnodes = {nodes}\ncpus_per_node = 8\nmemory_per_node = \"7GiB\"\n\
                 gpus_per_node = {gpus}\nmax_walltime = \"1h\"\n{plan}\n"
            )
        };
        let mut all = head.to_owned() + &one("main", 2, 2);
        if self.cloud > 0 {
            all += &one("cloud", self.cloud, 0);
        }
        fs::write(&file, all)?;
        let updated = market.ve_as("bob", &["cluster", "update", "1", &file.to_string_lossy()])?;
        ensure!(updated.status.success(), "{}", described(&updated));
        Ok(())
    }

    /// What accounting says of all attempts of a job of that handle, one in a line: fields as `sacct --format` names them.
    pub fn accounting(&self, handle: &str, format: &str) -> Result<Vec<Vec<String>>> {
        let rows = self.ask(&[
            "sacct",
            "-X",
            "-D",
            "-P",
            "-n",
            "-a",
            "-S",
            "2020-01-01",
            "--name",
            handle,
            "-o",
            format,
        ])?;
        let fields = |line: &str| line.split('|').map(str::to_owned).collect();
        Ok(rows.lines().map(fields).collect())
    }
}

impl Drop for Slurm {
    fn drop(&mut self) {
        if let Err(error) = self.cluster(&["wipe"]) {
            eprintln!("the SLURM cluster of this test could not be removed: {error:#}");
        }
        let removed = Command::new("bash")
            .args(["-c", ". scripts/lib/slurm.sh && remove_pool \"$1\"", "bash"])
            .arg(&self.pool)
            .current_dir(repository())
            .status();
        if !removed.is_ok_and(|status| status.success()) {
            eprintln!("the members of this test's pool could not be removed");
        }
    }
}
