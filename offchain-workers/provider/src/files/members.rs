//! Members of a pool whose agents fell silent: none of them holds up more than one step at a time.

use super::exchange::nudge;
use std::{
    collections::HashMap,
    io,
    process::Child,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Longest time for which a silent member is not asked again, in multiples of the silence that is allowed.
const LONGEST: u32 = 16;
/// Processes of one member that do not end, above which no more are started as it.
const MOST_LEFT: usize = 4;

/// What is known of members that fell silent.
#[derive(Debug, Default)]
pub(super) struct Members(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    silent: HashMap<String, Silent>,
    /// Processes that were told to end and did not.
    left: Vec<(String, Child)>,
}

#[derive(Debug)]
struct Silent {
    pause: Duration,
    again: Instant,
}

fn silent(why: String) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, why)
}

impl Members {
    fn known<T>(&self, work: impl FnOnce(&mut Known) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether a member may be asked now. One that fell silent is left alone for a while, and then asked once.
    pub(super) fn ask(&self, user: &str) -> io::Result<()> {
        self.known(|known| {
            known.left.retain_mut(|(_, child)| !nudge(child));
            let theirs = known.left.iter().filter(|(whose, _)| whose == user);
            if theirs.count() >= MOST_LEFT {
                return Err(silent(format!(
                    "{MOST_LEFT} processes that were to serve {user} do not end: `ps -u {user} -o pid,stat,args`; \
                     end them with `sudo -u {user} kill -9 -1`"
                )));
            }
            let Some(found) = known.silent.get_mut(user) else {
                return Ok(());
            };
            let now = Instant::now();
            if now < found.again {
                let seconds = (found.again - now).as_secs().saturating_add(1);
                return Err(silent(format!(
                    "{user} gave no answer lately and is asked again in {seconds} s"
                )));
            }
            found.again = now + found.pause;
            Ok(())
        })
    }

    /// A member gave an answer.
    pub(super) fn heard(&self, user: &str) {
        self.known(|known| known.silent.remove(user));
    }

    /// A member gave none: what to say of it. `limit`: the silence that is allowed; `ended`: its process was ended instead.
    pub(super) fn fell_silent(&self, user: &str, limit: Duration, ended: bool) -> io::Error {
        self.known(|known| {
            let pause = known.silent.get(user).map_or(limit, |s| s.pause * 2);
            let pause = pause.min(limit * LONGEST);
            let again = Instant::now() + pause;
            known
                .silent
                .insert(user.to_owned(), Silent { pause, again });
        });
        let what = match ended {
            true => format!("was ended; a job of {user} may have done so, or memory ran out"),
            false => format!(
                "did nothing for {} s, or too little before the job was to end; a job of {user} may have stopped it, or the file \
                 system hangs",
                limit.as_secs()
            ),
        };
        silent(format!(
            "a process that serves {user} {what}: `ps -u {user} -o pid,stat,args`"
        ))
    }

    /// A process that does not end.
    pub(super) fn left(&self, user: &str, child: Child) {
        self.known(|known| known.left.push((user.to_owned(), child)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(2);

    #[test]
    fn member_should_be_asked_once_in_a_while_when_it_fell_silent() {
        let members = Members::default();
        members.ask("a").unwrap();
        members.fell_silent("a", LIMIT, false);
        assert!(members.ask("a").is_err());
        members.ask("b").unwrap();
        while members.ask("a").is_err() {
            std::thread::sleep(LIMIT / 20);
        }
        let error = members.ask("a").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut, "one asks already");
        members.heard("a");
        members.ask("a").unwrap();
    }

    #[test]
    fn pause_should_grow_and_stay_bounded() {
        let members = Members::default();
        let pauses: Vec<_> = (0..8)
            .map(|_| {
                members.fell_silent("a", LIMIT, false);
                members.known(|known| known.silent["a"].pause / LIMIT.as_millis() as u32)
            })
            .map(|pause| pause.as_millis())
            .collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 16, 16, 16]);
    }
}
