//! The queue: first come, first served, on one machine.

use std::{
    fs::OpenOptions,
    io,
    process::{Command, Stdio},
};

use super::{
    dir::JobDir, glance::Glances, judge::Phase, records::ShimCommand, steps::Step, Capacity,
};

/// Tasks of a job that can run at once on the whole machine; 0 if not even one fits.
pub(crate) fn parallel(capacity: &Capacity, cpus: u32, memory_mib: u64, tasks: u32) -> u32 {
    let by_cpu = capacity.cpus.checked_div(cpus).unwrap_or(0);
    let by_memory = capacity.memory_mib.checked_div(memory_mib).unwrap_or(0);
    tasks
        .min(by_cpu)
        .min(u32::try_from(by_memory).unwrap_or(u32::MAX))
}

/// Starts what fits, in order of submission; nothing overtakes. The caller holds the queue's lock.
///
/// A job whose records cannot be read is left alone: the others go on. Returns what went wrong, for `health`.
pub(crate) fn advance(
    jobs: &[JobDir],
    glances: &Glances,
    cluster: &str,
    capacity: &Capacity,
    shim: &ShimCommand,
) -> Vec<String> {
    let mut trouble = Vec::new();
    let (mut cpus, mut memory) = (u64::from(capacity.cpus), capacity.memory_mib);
    let mut waiting = Vec::new();
    for dir in jobs {
        match glances.at(dir, cluster) {
            Ok(None) => {}
            Ok(Some((glance, _))) => match glance.phase {
                Phase::Waiting { attempt } => waiting.push((dir, glance, attempt)),
                Phase::Starting | Phase::Running { .. } => {
                    cpus = cpus.saturating_sub(glance.cpus);
                    memory = memory.saturating_sub(glance.memory_mib);
                }
                Phase::Ended(_) => {}
            },
            Err(error) => trouble.push(format!("job {}: {error}", dir.handle())),
        }
    }
    glances.keep(jobs);
    waiting.sort_by_cached_key(|(dir, glance, _)| (glance.submitted, dir.handle()));
    for (dir, glance, attempt) in waiting {
        let (c, m) = (glance.cpus, glance.memory_mib);
        if c > cpus || m > memory {
            break;
        }
        if let Err(error) = launch(dir, shim, attempt) {
            tracing::warn!(job = %dir.handle(), %error, "a job could not be started; it stays in the queue");
            trouble.push(format!(
                "job {} could not be started: {error}",
                dir.handle()
            ));
            break;
        }
        cpus = cpus.saturating_sub(c);
        memory = memory.saturating_sub(m);
    }
    trouble
}

/// Starts the shim; its first process ends when the start is durable. If this process dies anywhere in here, the next client
/// starts another shim; the job's lock and the start record see to it that only one of them runs the job.
fn launch(dir: &JobDir, shim: &ShimCommand, attempt: u32) -> io::Result<()> {
    (dir.observer)(Step::Launching)?;
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .open(dir.shim_log())?;
    let status = Command::new(&shim.program)
        .args(&shim.args)
        .arg(&dir.path)
        .arg("start")
        .arg(attempt.to_string())
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .status()
        .map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", shim.program.display())))?;
    if !status.success() {
        return Err(io::Error::other(format!(
            "the shim did not start ({status}); see {}",
            dir.shim_log().display()
        )));
    }
    (dir.observer)(Step::Launched)?;
    // Without a record it was cancelled in between.
    if dir.started(attempt)?.is_none() && dir.cancel()?.is_none() {
        return Err(io::Error::other(format!(
            "the shim left no record of its start; see {}",
            dir.shim_log().display()
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parallel_should_be_bounded_by_the_scarcer_resource_when_tasks_are_many() {
        let machine = Capacity {
            cpus: 8,
            memory_mib: 4096,
        };
        assert_eq!(parallel(&machine, 2, 512, 100), 4);
        assert_eq!(parallel(&machine, 1, 1024, 100), 4);
        assert_eq!(parallel(&machine, 1, 1, 3), 3);
        assert_eq!(parallel(&machine, 9, 1, 1), 0);
        assert_eq!(parallel(&machine, 1, 4097, 1), 0);
    }
}
