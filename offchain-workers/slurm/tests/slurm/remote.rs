//! The same over SSH: a real sshd on loopback, its key pinned.

#[path = "../../../../tests/support/sshd.rs"]
mod sshd;

use std::time::Duration;

use sshd::Sshd;
use ve_slurm::{
    cli::Access,
    conformance::{final_rows, wait_end, Bed},
    slurm::Identity,
    EndState, Health, Scheduler, SlurmCli, SlurmCliConfig, SubmitError,
};

use crate::{bed::CliBed, real::truth};

pub async fn works_over_ssh(bed: &CliBed) {
    let sshd = Sshd::start(&bed.cluster.home.path().join("ssh"));
    let client = |known_hosts: &str| {
        SlurmCli::new(SlurmCliConfig {
            access: Access {
                ssh: Some(sshd.ssh(known_hosts)),
                ..bed.cluster.access(&bed.cluster.user)
            },
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
        assert!(
            std::time::Instant::now() < until,
            "{:?} {}",
            cli.health().await,
            sshd.log()
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let id = cli.submit(&spec).await.expect("submitted");
    let end = wait_end(&cli, &id, bed.patience()).await.expect("ends");
    assert_eq!(end, EndState::Failed { exit_code: 4 });
    let rows = final_rows(&cli, &id).await.expect("rows");
    truth::assert_equal(bed.cluster.daemons(), &id, &rows);
}
