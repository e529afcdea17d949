//! What SLURM's commands print.
//!
//! Owners choose the names and comments of their jobs, line breaks and separators included. Fields are therefore separated by
//! a word that nobody can guess, the first and the last field of every line are SLURM's own, and nothing that an
//! owner writes can pass for a line.

use std::{
    collections::HashMap,
    hash::{BuildHasher, Hasher, RandomState},
};

use crate::slurm::{tres, Diagnosis, Record, Row, TaskSet};

/// A separator that nobody can guess.
pub(super) fn separator() -> String {
    // Keyed with secrets of this process; two, for 128 bits.
    let word = || RandomState::new().build_hasher().finish();
    format!("<{:016x}{:016x}>", word(), word())
}

/// `squeue --format`.
pub(super) fn queue_format(separator: &str) -> String {
    ["%F", "%K", "%T", "%r", "%V", "%S", "%j", "%k", "%A"].join(separator)
}

/// `sacct --format`.
pub(super) const ROW_FORMAT: &str = "JobID,State,ExitCode,Submit,Start,End,ElapsedRaw,Suspended,\
                                     AllocTRES,Cluster,JobName,Comment,SubmitLine,JobIDRaw,UID";

/// Lines of `n` fields each.
fn lines(text: &str, separator: &str, n: usize) -> Result<Vec<Vec<String>>, String> {
    let bad = || "its output has a line with too few or too many fields".to_owned();
    let text = text.strip_suffix('\n').unwrap_or(text);
    if text.is_empty() {
        return Ok(Vec::new());
    }
    // Where one line ends and the next begins, both fields are SLURM's own, without a line break in them.
    let mut fields: Vec<String> = Vec::new();
    let parts: Vec<&str> = text.split(separator).collect();
    let between = n.saturating_sub(1).max(1);
    for (index, part) in parts.iter().enumerate() {
        let joint = index > 0 && index % between == 0 && index + 1 < parts.len();
        if joint {
            let (last, first) = part.split_once('\n').ok_or_else(bad)?;
            fields.extend([last.to_owned(), first.to_owned()]);
        } else {
            fields.push((*part).to_owned());
        }
    }
    if !fields.len().is_multiple_of(n) {
        return Err(bad());
    }
    Ok(fields.chunks(n).map(<[String]>::to_vec).collect())
}

/// slurmctld's records.
pub(super) fn records(text: &str, separator: &str) -> Result<Vec<Record>, String> {
    let mut all = Vec::new();
    for line in lines(text, separator, 9)? {
        let [job, task, state, reason, submitted, started, name, comment, raw] = line.as_slice()
        else {
            continue;
        };
        all.push(Record {
            job: number("ARRAY_JOB_ID", job)?,
            raw: number("JOBID", raw)?,
            tasks: match task.as_str() {
                "N/A" => TaskSet::Plain,
                list => one_or_more(list)?,
            },
            name: name.clone(),
            comment: comment.clone(),
            words: vec![state.clone()],
            reason: reason.clone(),
            submitted: time("SUBMIT_TIME", submitted)?.ok_or("SUBMIT_TIME is empty".to_owned())?,
            started: time("START_TIME", started)?,
            restarts: None,
        });
    }
    Ok(all)
}

/// `squeue --Format`: what no owner can write, so that blanks separate it.
pub(super) const RESTARTS_FORMAT: &str = "JobID:16,RestartCnt:16";

/// How often jobs were started again, by job.
pub(super) fn restarts(text: &str) -> Result<HashMap<u32, u32>, String> {
    let line = |line: &str| {
        let mut words = line.split_whitespace();
        let mut next = |field| number(field, words.next().unwrap_or_default());
        Ok((next("JOBID")?, next("RESTART_COUNT")?))
    };
    text.lines().map(line).collect()
}

/// slurmdbd's rows. Those of jobs that we cannot have made (several components) are left out.
pub(super) fn rows(text: &str, separator: &str) -> Result<Vec<Row>, String> {
    let mut all = Vec::new();
    for line in lines(text, separator, 15)? {
        let [job, state, exit, submitted, started, ended, elapsed, suspended, tres, cluster, name, comment, submit_line, raw, uid] =
            line.as_slice()
        else {
            continue;
        };
        if job.contains('+') {
            continue;
        }
        let (job, tasks) = match job.split_once('_') {
            None => (job.as_str(), TaskSet::Plain),
            Some((job, task)) => match task.strip_prefix('[').and_then(|t| t.strip_suffix(']')) {
                Some(list) => (job, TaskSet::read(list)?),
                None => (job, TaskSet::One(number("JobID", task)?)),
            },
        };
        let (status, signal) = exit.split_once(':').unwrap_or((exit.as_str(), "0"));
        all.push(Row {
            cluster: cluster.clone(),
            job: number("JobID", job)?,
            raw: number("JobIDRaw", raw)?,
            tasks,
            name: name.clone(),
            comment: comment.clone(),
            submit_line: submit_line.clone(),
            words: vec![state.clone()],
            by_owner: state.strip_prefix("CANCELLED by ") == Some(uid.as_str()),
            exit: (number("ExitCode", status)?, number("ExitCode", signal)?),
            submitted: time("Submit", submitted)?.ok_or("Submit is empty".to_owned())?,
            started: time("Start", started)?,
            ended: time("End", ended)?,
            elapsed_s: number("ElapsedRaw", elapsed)?,
            suspended_s: duration(suspended)?,
            allocated: tres::read(tres)?,
        });
    }
    Ok(all)
}

fn one_or_more(list: &str) -> Result<TaskSet, String> {
    match list.parse() {
        Ok(task) => Ok(TaskSet::One(task)),
        Err(_) => TaskSet::read(list),
    }
}

fn number<T: std::str::FromStr>(field: &str, text: &str) -> Result<T, String> {
    text.parse()
        .map_err(|_| format!("{field} is {text:?}, not a number"))
}

/// Unix seconds (`SLURM_TIME_FORMAT=%s`).
fn time(field: &str, text: &str) -> Result<Option<u64>, String> {
    match text {
        "" | "N/A" | "NONE" | "None" | "Unknown" | "0" => Ok(None),
        seconds => number(field, seconds).map(Some),
    }
}

/// `[days-]hours:minutes:seconds`, perhaps with a fraction.
fn duration(text: &str) -> Result<u64, String> {
    if text.is_empty() {
        return Ok(0);
    }
    let bad = || format!("Suspended is {text:?}, not a duration");
    let (days, clock) = text.split_once('-').unwrap_or(("0", text));
    let clock = clock.split('.').next().unwrap_or_default();
    let mut seconds = 0u64;
    for part in clock.split(':') {
        let part: u64 = part.parse().map_err(|_| bad())?;
        seconds = seconds
            .checked_mul(60)
            .and_then(|s| s.checked_add(part))
            .ok_or_else(bad)?;
    }
    let days: u64 = days.parse().map_err(|_| bad())?;
    days.checked_mul(86_400)
        .and_then(|d| d.checked_add(seconds))
        .ok_or_else(bad)
}

/// What `sdiag` prints.
pub(super) fn diagnosis(text: &str) -> Option<Diagnosis> {
    let now = text
        .lines()
        .find(|line| line.starts_with("sdiag output at "))?
        .rsplit_once('(')?
        .1
        .trim_end()
        .strip_suffix(')')?
        .parse()
        .ok()?;
    let waiting = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("DBD Agent queue size:"))?
        .trim()
        .parse()
        .ok()?;
    Some(Diagnosis {
        now: Some(now),
        waiting,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const S: &str = "<s>";

    #[test]
    fn rows_should_be_as_sacct_prints_them_when_jobs_differ() {
        // From a 22.05 cluster.
        let text = [
            "3_[0-30:2]|CANCELLED by 1002|0:0|1795727802|None|1795727806|0|00:00:00||vetest|wrap|xx|sbatch --hold|3|1002",
            "7|SUSPENDED|0:0|1795727806|1795727806|Unknown|2|1-00:00:05|billing=1,cpu=1,mem=100M,node=1|vetest|wrap|||7|1002",
            "2_1|FAILED|9:0|1795727802|1795727803|1795727804|1|00:00:00|cpu=1,mem=100M,node=1|vetest|wrap|||5|1002",
            "9+0|RUNNING|0:0|1|1|Unknown|1|00:00:00||vetest|wrap|||9|1002",
        ]
        .join("\n")
        .replace('|', S);
        let rows = rows(&text, S).unwrap();
        assert_eq!(rows.len(), 3);
        assert_eq!((rows[0].job, rows[0].raw), (3, 3));
        assert!(rows[0].tasks.has(30) && !rows[0].tasks.has(3));
        assert_eq!((rows[0].started, rows[0].allocated), (None, None));
        let by_owner: Vec<bool> = rows.iter().map(|row| row.by_owner).collect();
        assert_eq!(by_owner, [true, false, false]);
        assert_eq!((rows[1].suspended_s, rows[1].ended), (86_405, None));
        assert_eq!((rows[2].exit, &rows[2].tasks), ((9, 0), &TaskSet::One(1)));
        assert!(super::rows("1|2\n", "|").is_err());
    }

    #[test]
    fn diagnosis_should_be_read_when_sdiag_answers() {
        let text = "****\nsdiag output at Thu Nov 26 21:15:39 2026 (1795727739)\n\nDBD Agent queue size: 12\n";
        let expected = Diagnosis {
            now: Some(1_795_727_739),
            waiting: 12,
        };
        assert_eq!(diagnosis(text), Some(expected));
        assert_eq!(diagnosis("sdiag: error"), None);
    }

    proptest! {
        #[test]
        fn line_should_not_be_forged_when_an_owner_chooses_name_and_comment(name in "(.|\n){0,40}", comment in "(.|\n|[|,]){0,40}") {
            let line = |job: u32| format!("{job}{S}N/A{S}RUNNING{S}None{S}10{S}11{S}{name}{S}{comment}{S}{job}");
            let all = records(&format!("{}\n{}\n", line(5), line(6)), S).unwrap();
            prop_assert_eq!(all.len(), 2);
            prop_assert_eq!((all[0].job, &all[0].name, &all[0].comment), (5, &name, &comment));
            prop_assert_eq!(all[1].job, 6);
        }

        #[test]
        fn output_should_be_read_or_refused_when_it_is_anything(text in "([0-9a-zA-Z:_,=\\[\\]-]|<s>|\n){0,200}") {
            let _ = (records(&text, S), rows(&text, S), diagnosis(&text));
        }
    }
}
