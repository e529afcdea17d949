//! The same over SSH: a real sshd on loopback, its key pinned.

use std::{
    fs,
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use ve_slurm::{
    cli::{Access, Ssh},
    conformance::{final_rows, wait_end, Bed},
    slurm::Identity,
    EndState, Health, Scheduler, SlurmCli, SlurmCliConfig, SubmitError,
};

use crate::{
    bed::CliBed,
    cluster::Cluster,
    real::{me, truth},
};

struct Sshd {
    process: Child,
    directory: PathBuf,
    port: u16,
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn key(path: &Path) {
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(path)
        .stdin(Stdio::null())
        .status();
    assert!(made.expect("ssh-keygen runs").success());
}

impl Sshd {
    fn start(cluster: &Cluster) -> Self {
        let directory = cluster.home.path().join("ssh");
        fs::create_dir(&directory).expect("directory");
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o700)).expect("mode");
        for name in ["host", "other", "client"] {
            key(&directory.join(name));
        }
        let port = TcpListener::bind("127.0.0.1:0")
            .expect("port")
            .local_addr()
            .expect("port")
            .port();
        let at = directory.display();
        let config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {at}/host\nAuthorizedKeysFile {at}/client.pub\n\
             StrictModes no\nUsePAM no\nPidFile none\nPermitRootLogin yes\nPasswordAuthentication no\n"
        );
        fs::write(directory.join("config"), config).expect("written");
        for (file, host) in [("known", "host"), ("wrong", "other")] {
            let public = fs::read_to_string(directory.join(format!("{host}.pub"))).expect("key");
            fs::write(directory.join(file), format!("[127.0.0.1]:{port} {public}"))
                .expect("written");
        }
        if me() == "root" {
            // Where Debian's sshd locks its unprivileged part in.
            let _ = fs::create_dir("/run/sshd");
            let _ = fs::set_permissions("/run/sshd", fs::Permissions::from_mode(0o755));
        }
        let log = fs::File::create(directory.join("log")).expect("log");
        let process = Command::new("/usr/sbin/sshd")
            .args(["-D", "-e", "-f"])
            .arg(directory.join("config"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("log"))
            .stderr(log)
            .spawn()
            .expect("sshd runs: scripts/setup.sh tests installs openssh-server");
        Self {
            process,
            directory,
            port,
        }
    }

    fn access(&self, cluster: &Cluster, known_hosts: &str) -> Access {
        Access {
            ssh: Some(Ssh {
                host: "127.0.0.1".into(),
                port: self.port,
                user: me(),
                key: self.directory.join("client"),
                known_hosts: self.directory.join(known_hosts),
            }),
            ..cluster.access(&cluster.user)
        }
    }
}

pub async fn works_over_ssh(bed: &CliBed) {
    let sshd = Sshd::start(&bed.cluster);
    let client = |known_hosts: &str| {
        SlurmCli::new(SlurmCliConfig {
            access: sshd.access(&bed.cluster, known_hosts),
            identity: Identity::default(),
            state_dir: bed.cluster.home.path().join("submissions"),
        })
        .expect("directory")
    };
    let spec = bed.job("exit 4");
    let wrong = client("wrong").submit(&spec).await;
    assert!(
        matches!(&wrong, Err(SubmitError::Unavailable(_))),
        "{wrong:?}"
    );
    let cli = client("known");
    let until = std::time::Instant::now() + bed.patience();
    while cli.health().await != Health::Ok {
        let log = fs::read_to_string(sshd.directory.join("log")).unwrap_or_default();
        assert!(
            std::time::Instant::now() < until,
            "{:?} {log}",
            cli.health().await
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let id = cli.submit(&spec).await.expect("submitted");
    let end = wait_end(&cli, &id, bed.patience()).await.expect("ends");
    assert_eq!(end, EndState::Failed { exit_code: 4 });
    let rows = final_rows(&cli, &id).await.expect("rows");
    truth::assert_equal(bed.cluster.daemons(), &id, &rows);
}
