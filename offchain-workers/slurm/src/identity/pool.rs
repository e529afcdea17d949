//! What a pool consists of.

use super::{is_name, Identity};
use std::path::{Path, PathBuf};

/// Most members of a pool.
pub const MAX_MEMBERS: u16 = 1000;

/// A pool of identities: members `PREFIX000`, `PREFIX001`, …, each a unix user with an account of the same name below
/// the pool's account, and a directory that nobody else may enter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    prefix: String,
    size: u16,
    dir: PathBuf,
    account: String,
    qos: Option<String>,
    jobs_each: u32,
}

/// What is wrong with the description of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PoolError {
    /// Not a name for users.
    #[error("users: must be 1 to 24 of a-z 0-9 - _ and begin with a letter; numbers are put behind it, as vejob gives vejob000")]
    Prefix,
    /// No members, or too many.
    #[error("size: must be between 1 and {MAX_MEMBERS}; it is how many customers can have jobs on the cluster at a time")]
    Size,
    /// Not a directory for the members' directories.
    #[error("dir: must be an absolute path without spaces, quotes or `..`, on a file system that every node mounts")]
    Dir,
    /// Not a name of an account.
    #[error("account: must be 1 to 24 of a-z 0-9 - _ and begin with a letter")]
    Account,
    /// Not a name of a QoS.
    #[error("qos: must be 1 to 24 of a-z 0-9 - _ and begin with a letter")]
    Qos,
    /// Nobody could run anything.
    #[error("jobs_each: must be at least 1; it is how many jobs and array tasks one customer may have queued and running")]
    JobsEach,
}

impl Pool {
    /// Describes a pool. `prefix`: what the members' names begin with; `size`: how many there are; `dir`: where their
    /// directories lie; `account`: above theirs in the scheduler's accounting; `jobs_each`: most jobs and array tasks
    /// that one of them may have queued and running.
    pub fn new(
        prefix: &str,
        size: u16,
        dir: &Path,
        account: &str,
        qos: Option<&str>,
        jobs_each: u32,
    ) -> Result<Self, PoolError> {
        let plain = |text: &str| {
            text.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"/._-".contains(&b))
        };
        let names_a_place = dir.to_str().is_some_and(plain)
            && dir.is_absolute()
            && dir.components().all(|c| c.as_os_str() != "..")
            && dir.parent().is_some();
        match () {
            () if !is_name(prefix) => Err(PoolError::Prefix),
            () if !(1..=MAX_MEMBERS).contains(&size) => Err(PoolError::Size),
            () if !names_a_place => Err(PoolError::Dir),
            () if !is_name(account) => Err(PoolError::Account),
            () if !qos.is_none_or(is_name) => Err(PoolError::Qos),
            () if jobs_each == 0 => Err(PoolError::JobsEach),
            () => Ok(Self {
                prefix: prefix.to_owned(),
                size,
                dir: dir.to_owned(),
                account: account.to_owned(),
                qos: qos.map(str::to_owned),
                jobs_each,
            }),
        }
    }

    /// Number of members.
    pub fn size(&self) -> u16 {
        self.size
    }

    /// The members, in order.
    pub fn members(&self) -> impl Iterator<Item = Identity> + '_ {
        (0..self.size).map(|n| self.member(format!("{}{n:03}", self.prefix)))
    }

    /// The member of that unix user; one that was in the pool when it was larger is known too, so that what it still
    /// has can be cleared away.
    pub fn known(&self, user: &str) -> Option<Identity> {
        let number = user.strip_prefix(&self.prefix)?;
        let digits = number.len() == 3 && number.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| self.member(user.to_owned()))
    }

    fn member(&self, user: String) -> Identity {
        Identity {
            account: user.clone(),
            user,
            qos: self.qos.clone(),
        }
    }

    /// The directory of a member.
    pub fn home(&self, member: &Identity) -> PathBuf {
        self.dir.join(&member.user)
    }

    /// The unix group that all members are in.
    pub fn group(&self) -> &str {
        &self.prefix
    }

    /// Where the members' directories lie.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The account above those of the members.
    pub fn account(&self) -> &str {
        &self.account
    }

    /// The QoS of all jobs, if the scheduler is told one.
    pub fn qos(&self) -> Option<&str> {
        self.qos.as_deref()
    }

    /// Most jobs and array tasks that one member may have queued and running.
    pub fn jobs_each(&self) -> u32 {
        self.jobs_each
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool() -> Pool {
        Pool::new(
            "vejob",
            3,
            Path::new("/srv/ve"),
            "virtengine",
            Some("paid"),
            100,
        )
        .unwrap()
    }

    #[test]
    fn members_should_be_distinct_and_each_have_a_directory() {
        let pool = pool();
        let users: Vec<_> = pool.members().map(|m| m.user).collect();
        assert_eq!(users, ["vejob000", "vejob001", "vejob002"]);
        let first = pool.members().next().unwrap();
        assert_eq!(pool.home(&first), Path::new("/srv/ve/vejob000"));
        assert_eq!(
            (first.account.as_str(), first.qos.as_deref()),
            ("vejob000", Some("paid"))
        );
    }

    #[test]
    fn known_should_refuse_what_is_no_member_of_any_size() {
        let pool = pool();
        assert!(pool.known("vejob999").is_some());
        for user in [
            "root",
            "vejob",
            "vejob1",
            "vejob0001",
            "vejob00a",
            "xvejob000",
        ] {
            assert_eq!(pool.known(user), None, "{user}");
        }
    }

    #[test]
    fn new_should_name_the_field_when_something_is_wrong() {
        let new = |prefix, size, dir: &str, account, qos, jobs| {
            Pool::new(prefix, size, Path::new(dir), account, qos, jobs)
        };
        assert_eq!(new("Root", 1, "/s", "a", None, 1), Err(PoolError::Prefix));
        assert_eq!(new("x; rm", 1, "/s", "a", None, 1), Err(PoolError::Prefix));
        assert_eq!(new("x", 0, "/s", "a", None, 1), Err(PoolError::Size));
        assert_eq!(new("x", 1001, "/s", "a", None, 1), Err(PoolError::Size));
        for dir in ["/", "s", "/a/../b", "/a b", "/a'b", "/a$b"] {
            assert_eq!(new("x", 1, dir, "a", None, 1), Err(PoolError::Dir), "{dir}");
        }
        assert_eq!(new("x", 1, "/s", "a,b", None, 1), Err(PoolError::Account));
        assert_eq!(new("x", 1, "/s", "a", Some(""), 1), Err(PoolError::Qos));
        assert_eq!(new("x", 1, "/s", "a", None, 0), Err(PoolError::JobsEach));
    }
}
