//! Exchanges with another process, in which nothing is waited for without limit.

use nix::{
    errno::Errno,
    fcntl::{fcntl, FcntlArg, OFlag},
    poll::{poll, PollFd, PollFlags, PollTimeout},
    sys::signal::{killpg, Signal},
    unistd::Pid,
};
use std::{
    io::{self, Read, Write},
    os::fd::{AsFd, BorrowedFd},
    process::Child,
    time::{Duration, Instant},
};

/// How long a process that should end may take, before and after it is made to.
pub(super) const GRACE: Duration = Duration::from_secs(2);
/// Pauses between two looks whether a process has ended, the first and the longest.
const LOOKS: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(50));

/// One end of a pipe. Reading and writing fail with `TimedOut` when the other end does nothing for a while.
pub(super) struct Pipe<P> {
    pipe: P,
    silence: Duration,
    until: Option<Instant>,
}

impl<P: AsFd> Pipe<P> {
    /// `silence`: the longest time for which no byte moves. A full pipe moves when the reader has taken 4 KiB. `until`: when
    /// it is over even if bytes move.
    pub(super) fn new(pipe: P, silence: Duration, until: Option<Instant>) -> io::Result<Self> {
        // A pipe that has a little room would otherwise wait for ever with more than that.
        let flags = OFlag::from_bits_truncate(fcntl(pipe.as_fd(), FcntlArg::F_GETFL)?);
        fcntl(pipe.as_fd(), FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
        Ok(Self {
            pipe,
            silence,
            until,
        })
    }

    /// Repeats what would have to wait for the other end.
    fn patiently(
        &mut self,
        what: PollFlags,
        mut attempt: impl FnMut(&mut P) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let limit = Instant::now() + self.silence;
        let limit = self.until.map_or(limit, |until| limit.min(until));
        loop {
            wait(self.pipe.as_fd(), what, limit)?;
            match attempt(&mut self.pipe) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return done,
            }
        }
    }
}

/// Waits until something can be done with a pipe, be it that it fails.
fn wait(pipe: BorrowedFd<'_>, what: PollFlags, limit: Instant) -> io::Result<()> {
    loop {
        let left = limit.saturating_duration_since(Instant::now());
        // Up to the next millisecond, so that none of it is waited through in a loop.
        let left = left.as_millis().saturating_add(1);
        let left = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        match poll(&mut [PollFd::new(pipe, what)], left) {
            Ok(0) if Instant::now() >= limit => return Err(io::ErrorKind::TimedOut.into()),
            Ok(0) | Err(Errno::EINTR) => {}
            Ok(_) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

impl<P: AsFd + Read> Read for Pipe<P> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.patiently(PollFlags::POLLIN, |pipe| pipe.read(buffer))
    }
}

impl<P: AsFd + Write> Write for Pipe<P> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.patiently(PollFlags::POLLOUT, |pipe| pipe.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether a process ends within a time.
pub(super) fn ends_within(child: &mut Child, limit: Duration) -> bool {
    let until = Instant::now() + limit;
    let mut pause = LOOKS.0;
    loop {
        // One that cannot be waited for is not there.
        if !matches!(child.try_wait(), Ok(None)) {
            return true;
        }
        if Instant::now() >= until {
            return false;
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(LOOKS.1);
    }
}

/// Makes a process end that leads a group of its own and whose pipes are closed. `false`: it is still there.
///
/// `sudo` runs as root, so it cannot be killed by whoever started it; and it stops itself when its command is stopped.
/// But everybody may let processes of his own session go on: then both see that nobody listens any more.
pub(super) fn end(child: &mut Child) -> bool {
    signal(child, &[Signal::SIGCONT]);
    ends_within(child, GRACE) || {
        nudge(child);
        ends_within(child, GRACE)
    }
}

/// As [`end`], without waiting for it.
pub(super) fn nudge(child: &mut Child) -> bool {
    signal(child, &[Signal::SIGKILL, Signal::SIGCONT]);
    ends_within(child, Duration::ZERO)
}

fn signal(child: &Child, signals: &[Signal]) {
    if let Ok(group) = i32::try_from(child.id()) {
        for signal in signals {
            let _ = killpg(Pid::from_raw(group), *signal);
        }
    }
}

/// Waits for a process whose pipes are closed, at most a while, then makes it end. `false`: it is still there.
pub(super) fn conclude(child: &mut Child) -> bool {
    ends_within(child, GRACE) || end(child)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        os::unix::process::CommandExt,
        process::{Command, Stdio},
    };

    const SILENCE: Duration = Duration::from_secs(2);

    fn shell(script: &str) -> Child {
        Command::new("sh")
            .args(["-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap()
    }

    #[test]
    fn pipe_should_give_up_when_the_other_end_is_stopped() {
        let mut child = shell("printf ab; kill -STOP $$; printf c");
        let mut stdout = Pipe::new(child.stdout.take().unwrap(), SILENCE, None).unwrap();
        let mut two = [0; 2];
        stdout.read_exact(&mut two).unwrap();
        let begun = Instant::now();
        let error = stdout.read(&mut two).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(begun.elapsed() >= SILENCE);
        let mut stdin = Pipe::new(child.stdin.take().unwrap(), SILENCE, None).unwrap();
        // More than any pipe holds.
        let error = stdin.write_all(&vec![0; 4 << 20]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop((stdin, stdout));
        assert!(
            end(&mut child),
            "it is let go on, and killed if that does not help"
        );
    }

    #[test]
    fn pipe_should_be_patient_when_the_other_end_is_slow_but_steady() {
        // Several times as long as the silence that is allowed.
        let mut child = shell("for n in 1 2 3 4 5 6 7 8 9 10 11 12; do printf x; sleep 0.5; done");
        let mut stdout = Pipe::new(child.stdout.take().unwrap(), SILENCE, None).unwrap();
        let mut text = String::new();
        stdout.read_to_string(&mut text).unwrap();
        assert_eq!(text, "x".repeat(12));
        assert!(conclude(&mut child));

        let mut child =
            shell("while head -c 65536 | grep -q .; do sleep 0.25; done; exec cat >/dev/null");
        let mut stdin = Pipe::new(child.stdin.take().unwrap(), SILENCE, None).unwrap();
        stdin.write_all(&vec![b'x'; 1 << 20]).unwrap();
        drop(stdin);
        assert!(conclude(&mut child));
    }

    #[test]
    fn pipe_should_keep_to_its_end_when_the_other_side_trickles_for_ever() {
        let mut child = shell("while printf x; do sleep 0.05; done");
        let until = Instant::now() + SILENCE * 2;
        let mut stdout = Pipe::new(child.stdout.take().unwrap(), SILENCE, Some(until)).unwrap();
        let error = io::copy(&mut stdout, &mut io::sink()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(stdout);
        assert!(conclude(&mut child));
    }
}
