//! How a pool is made.

use super::Pool;
use std::path::Path;

const BODY: &str = include_str!("setup.sh");

impl Pool {
    /// A shell script that makes the pool: users, directories, the worker's right to act as them, accounts and limits.
    /// It says what it changes; run a second time it changes nothing.
    ///
    /// `worker`: the unix user that the worker runs as, a plain name. `slurm_conf`: the cluster's configuration file if
    /// it is not where SLURM looks for it.
    pub fn setup(&self, worker: &str, slurm_conf: Option<&Path>) -> String {
        let members: Vec<_> = self.members().map(|m| m.user).collect();
        let quoted = |text: &str| format!("'{}'", text.replace('\'', r"'\''"));
        let conf = slurm_conf.map_or(String::new(), |path| {
            format!("export SLURM_CONF={}\n", quoted(&path.to_string_lossy()))
        });
        format!(
            "#!/bin/sh\n\
             # Makes the identity pool {group} of a VirtEngine provider. Run it again: it changes nothing.\n\
             set -eu\n\
             {conf}GROUP={group}\nDIR={dir}\nACCOUNT={account}\nQOS={qos}\nJOBS={jobs}\nWORKER={worker}\nCOUNT={count}\n\
             MEMBERS={members}\n\n{BODY}",
            group = self.group(),
            dir = quoted(&self.dir().to_string_lossy()),
            account = quoted(self.account()),
            qos = quoted(self.qos().unwrap_or_default()),
            jobs = self.jobs_each(),
            worker = quoted(worker),
            count = self.size(),
            members = quoted(&members.join(" ")),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn setup_should_be_a_script_that_a_shell_can_read() {
        let pool = Pool::new(
            "vejob",
            3,
            Path::new("/srv/ve"),
            "virtengine",
            Some("paid"),
            100,
        );
        let script = pool
            .unwrap()
            .setup("virtengine", Some(Path::new("/etc/it's/slurm.conf")));
        assert!(
            script.contains("MEMBERS='vejob000 vejob001 vejob002'"),
            "{script}"
        );
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("setup.sh");
        std::fs::write(&file, script).unwrap();
        let read = std::process::Command::new("sh")
            .arg("-n")
            .arg(&file)
            .output()
            .unwrap();
        assert!(
            read.status.success(),
            "{}",
            String::from_utf8_lossy(&read.stderr)
        );
    }
}
