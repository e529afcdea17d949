//! Which tasks of a job a record or a row is about.

/// Most tasks that an expression may stand for: SLURM's own largest `MaxArraySize`.
const MOST: u32 = 4_000_001;

/// The tasks that one record or row stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskSet {
    /// The only one: not an array.
    Plain,
    /// One task of an array.
    One(u32),
    /// Tasks that were not started; ascending.
    Many(Vec<u32>),
    /// Tasks that were not started; SLURM cut the list short. All that no other row names.
    Rest,
}

impl TaskSet {
    /// Reads an array expression as SLURM writes it: `4`, `0-3`, `0-30:2`, `1,3,5-7%2`, `0-3,7,...`.
    pub fn read(expression: &str) -> Result<Self, String> {
        let bad = || format!("{expression:?} is not a list of array tasks");
        let list = expression.split('%').next().unwrap_or_default();
        if list.contains("...") {
            return Ok(Self::Rest);
        }
        let mut tasks = Vec::new();
        for part in list.split(',') {
            let (range, step) = match part.split_once(':') {
                Some((range, step)) => (range, step.parse::<u32>().map_err(|_| bad())?),
                None => (part, 1),
            };
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let first = first.parse::<u32>().map_err(|_| bad())?;
            let last = last.parse::<u32>().map_err(|_| bad())?;
            if step == 0 || first > last || last >= MOST {
                return Err(bad());
            }
            tasks.extend((first..=last).step_by(usize::try_from(step).map_err(|_| bad())?));
        }
        tasks.sort_unstable();
        tasks.dedup();
        Ok(Self::Many(tasks))
    }

    /// Whether the task may be among them.
    pub fn has(&self, task: u32) -> bool {
        match self {
            Self::Plain => task == 0,
            Self::One(one) => *one == task,
            Self::Many(tasks) => tasks.binary_search(&task).is_ok(),
            Self::Rest => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn expression_should_name_its_tasks_when_slurm_wrote_it() {
        let many = |tasks: &[u32]| Ok(TaskSet::Many(tasks.to_vec()));
        assert_eq!(TaskSet::read("4"), many(&[4]));
        assert_eq!(TaskSet::read("0-3%2"), many(&[0, 1, 2, 3]));
        assert_eq!(TaskSet::read("0-6:3,9"), many(&[0, 3, 6, 9]));
        assert_eq!(TaskSet::read("0,2,4-..."), Ok(TaskSet::Rest));
        for bad in ["", "x", "3-1", "1-2:0", "0-4294967295", "-1"] {
            assert!(TaskSet::read(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn expression_should_keep_every_task_when_written_as_a_list(mut tasks in prop::collection::vec(0u32..10_000, 1..50)) {
            let text: Vec<String> = tasks.iter().map(u32::to_string).collect();
            tasks.sort_unstable();
            tasks.dedup();
            prop_assert_eq!(TaskSet::read(&text.join(",")), Ok(TaskSet::Many(tasks)));
        }

        #[test]
        fn expression_should_be_read_or_refused_when_it_is_anything(text in "[0-9,:%.-]{0,20}") {
            let _ = TaskSet::read(&text);
        }
    }
}
