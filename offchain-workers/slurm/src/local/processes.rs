//! Processes as `/proc` shows them.

use std::{collections::HashMap, fs, io};

use nix::{
    errno::Errno,
    sys::{
        signal::{kill, Signal},
        wait::{waitpid, WaitPidFlag},
    },
    unistd::Pid,
};

/// One process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pub pid: i32,
    pub parent: i32,
    pub session: i32,
    /// Start in ticks since boot; with the pid it names a process for ever.
    pub start_ticks: u64,
    pub zombie: bool,
}

/// Reads one process; `None` if it is gone or not readable.
pub(crate) fn read(pid: i32) -> Option<Process> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    parse(pid, &text)
}

/// Parses `/proc/<pid>/stat`. The name in parentheses may contain anything, so fields count from the last `)`.
fn parse(pid: i32, text: &str) -> Option<Process> {
    let rest = text.get(text.rfind(')')?.checked_add(1)?..)?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    Some(Process {
        pid,
        zombie: matches!(*fields.first()?, "Z" | "X"),
        parent: fields.get(1)?.parse().ok()?,
        session: fields.get(3)?.parse().ok()?,
        start_ticks: fields.get(19)?.parse().ok()?,
    })
}

/// All processes that can be seen.
pub(crate) fn all() -> io::Result<Vec<Process>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let Ok(entry) = entry else { continue };
        if let Some(pid) = entry.file_name().to_str().and_then(|n| n.parse().ok()) {
            found.extend(read(pid));
        }
    }
    Ok(found)
}

/// Children of a process, by the kernel's own list; `None` where the kernel keeps none.
fn children(pid: i32) -> Option<Vec<i32>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(format!("/proc/{pid}/task")).ok()? {
        let list = fs::read_to_string(entry.ok()?.path().join("children")).ok()?;
        found.extend(
            list.split_ascii_whitespace()
                .filter_map(|w| w.parse::<i32>().ok()),
        );
    }
    Some(found)
}

/// Everything below `root`, without `root`. Cheap where the kernel keeps lists of children; it may then miss a process
/// whose sibling ends at that instant, so use [`all_descendants`] where nothing may be missed.
pub(crate) fn descendants(root: i32) -> io::Result<Vec<Process>> {
    let Some(mut open) = children(root) else {
        return all_descendants(root);
    };
    let mut found = Vec::new();
    while let Some(pid) = open.pop() {
        if let Some(process) = read(pid) {
            found.push(process);
            open.extend(children(pid).unwrap_or_default());
        }
    }
    Ok(found)
}

/// Everything below `root`, out of the list of all processes.
pub(crate) fn all_descendants(root: i32) -> io::Result<Vec<Process>> {
    let mut by_parent: HashMap<i32, Vec<Process>> = HashMap::new();
    for process in all()? {
        by_parent.entry(process.parent).or_default().push(process);
    }
    let mut found = Vec::new();
    let mut open = vec![root];
    while let Some(pid) = open.pop() {
        for process in by_parent.remove(&pid).unwrap_or_default() {
            open.push(process.pid);
            found.push(process);
        }
    }
    Ok(found)
}

/// Resident memory in KiB; 0 if the process is gone.
pub(crate) fn resident_kib(pid: i32) -> u64 {
    let Ok(text) = fs::read_to_string(format!("/proc/{pid}/status")) else {
        return 0;
    };
    text.lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.split_ascii_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}

/// The value of a variable in the environment that a process was started with.
pub(crate) fn variable(pid: i32, name: &str) -> Option<String> {
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let prefix = format!("{name}=");
    environment
        .split(|b| *b == 0)
        .filter_map(|entry| std::str::from_utf8(entry).ok())
        .find_map(|entry| entry.strip_prefix(&prefix).map(str::to_owned))
}

/// Sends a signal to one process, unless its pid has been given to another one since.
pub(crate) fn signal(process: &Process, signal: Signal) {
    if read(process.pid).is_some_and(|now| now.start_ticks == process.start_ticks) {
        let _ = kill(Pid::from_raw(process.pid), signal);
    }
}

/// Reaps one child that has ended. Waits for nothing.
pub(crate) fn reap(pid: i32) {
    match waitpid(Pid::from_raw(pid), Some(WaitPidFlag::WNOHANG)) {
        Ok(_) | Err(Errno::ECHILD) => {}
        Err(error) => tracing::debug!(pid, %error, "a child could not be reaped"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn process_should_be_parsed_when_its_name_contains_parentheses_and_blanks() {
        let text = "42 (a) b (c) S 7 42 40 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 12345 99 3";
        let process = parse(42, text).expect("parses");
        assert_eq!(
            process,
            Process {
                pid: 42,
                parent: 7,
                session: 40,
                start_ticks: 12345,
                zombie: false
            }
        );
    }

    #[test]
    fn process_should_be_absent_when_the_line_is_short() {
        assert_eq!(parse(1, "1 (x) S 0"), None);
        assert_eq!(parse(1, ""), None);
    }

    #[test]
    fn descendants_should_agree_when_found_by_list_and_by_scan() {
        let mut child = std::process::Command::new("sleep")
            .arg("30")
            .spawn()
            .expect("sleep");
        let me = std::process::id() as i32;
        let pid = child.id() as i32;
        assert!(descendants(me).expect("list").iter().any(|p| p.pid == pid));
        assert!(all_descendants(me)
            .expect("scan")
            .iter()
            .any(|p| p.pid == pid));
        child.kill().expect("kill");
        child.wait().expect("wait");
    }
}
