// A real sshd on loopback whose key is pinned. Included by the tests of several crates (`#[path]`), so that each needs
// nothing else.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use ve_slurm::cli::Ssh;

/// Lets whoever runs it log in as himself. Ended when dropped.
pub struct Sshd {
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
    /// Starts one that keeps its files in a new directory, and waits until it listens.
    pub fn start(directory: &Path) -> Self {
        fs::create_dir(directory).expect("directory");
        fs::set_permissions(directory, fs::Permissions::from_mode(0o700)).expect("mode");
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
        let sshd = Self {
            process,
            directory: directory.to_owned(),
            port,
        };
        let until = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < until, "sshd: {}", sshd.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        sshd
    }

    /// How to reach it. The key in `known` is its own, the one in `wrong` is not.
    pub fn ssh(&self, known_hosts: &str) -> Ssh {
        Ssh {
            host: "127.0.0.1".into(),
            port: self.port,
            user: me(),
            key: self.directory.join("client"),
            known_hosts: self.directory.join(known_hosts),
        }
    }

    /// What it said.
    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.join("log")).unwrap_or_default()
    }
}

/// The unix user of this process.
fn me() -> String {
    let output = Command::new("id").arg("-un").output().expect("id runs");
    String::from_utf8(output.stdout)
        .expect("UTF-8")
        .trim()
        .to_owned()
}
