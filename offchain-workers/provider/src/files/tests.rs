use super::{
    layout::{lay_out_all, partial, requests, LayOut},
    *,
};
use std::{
    io::Cursor,
    path::Path,
    time::{Duration, Instant},
};
use ve_slurm::identity::Identity;

fn text(files: &dyn JobFiles, path: &str, offset: u64, most: u64) -> Vec<u8> {
    let wanted = [Wanted {
        path: path.into(),
        offset,
        most,
    }];
    let mut bytes = Vec::new();
    files
        .read(&wanted, &mut |_, content| {
            content?.read_to_end(&mut bytes).map(drop)
        })
        .unwrap();
    bytes
}

#[test]
fn file_should_appear_only_when_it_is_whole_and_committed() {
    let directory = tempfile::tempdir().unwrap();
    let files = Direct::new(&directory.path().join("job"));
    files.lay_out(&["work/in"], &[]).unwrap();
    let begin = || files.put("work/in/a", 3, "mark", true).unwrap().0;
    let mut put = begin();
    put.write_all(b"ab").unwrap();
    assert!(put.commit().is_err(), "a byte is missing");
    assert!(begin().write_all(b"abcd").is_err(), "a byte too many");
    begin().write_all(b"abc").unwrap();
    assert_eq!(files.length("work/in/a").unwrap(), None);
    let mut put = begin();
    put.write_all(b"abc").unwrap();
    put.commit().unwrap();
    assert_eq!(files.length("work/in/a").unwrap(), Some(3));
    assert_eq!(text(&files, "work/in/a", 1, 9), b"bc");
    files.remove().unwrap();
    files.remove().unwrap();
    assert_eq!(files.length("work/in/a").unwrap(), None);
}

fn placed(path: &str, bytes: &[u8], executable: bool) -> PlacedFile {
    PlacedFile {
        path: path.into(),
        bytes: bytes.into(),
        executable,
    }
}

#[test]
fn directory_should_be_laid_out_over_what_is_there() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("job");
    let files = Direct::new(&root);
    let script = placed("work/ve/run", b"first", true);
    let data = placed("work/data", b"data", false);
    files.lay_out(&["logs"], &[script, data.clone()]).unwrap();
    // What an interrupted call leaves behind, and what a job may make of the place where files lie until they are whole.
    let outside = directory.path().join("outside");
    std::fs::write(&outside, "mine").unwrap();
    std::os::unix::fs::symlink(&outside, root.join(partial(0))).unwrap();
    let script = placed("work/ve/run", b"again", true);
    files.lay_out(&["logs", "work/in"], &[script]).unwrap();
    let mode = |path: &str| std::fs::metadata(root.join(path)).unwrap().permissions();
    for (path, expected) in [
        ("work/ve/run", 0o700),
        ("work/data", 0o600),
        ("work/ve", 0o700),
        ("work/in", 0o700),
        ("logs", 0o700),
    ] {
        assert_eq!(mode(path).mode() & 0o777, expected, "{path}");
    }
    assert_eq!(text(&files, "work/ve/run", 0, 9), b"again");
    assert_eq!(text(&files, "work/data", 0, 9), data.bytes);
    assert_eq!(std::fs::read(&outside).unwrap(), b"mine");
    assert!(!root.join(partial(0)).exists());
}

#[test]
fn lay_outs_should_fail_by_themselves_when_they_are_done_together() {
    let home = tempfile::tempdir().unwrap();
    let files: Vec<_> = (0..40)
        .map(|n| placed(&format!("work/{n}/data"), &[n; 1000], false))
        .collect();
    let wanted = |name: &str, path: &str| {
        let mut files = files.clone();
        files.push(placed(path, b"last", true));
        LayOut::new(name, &["logs"], &files)
    };
    std::fs::write(home.path().join("c"), b"no directory").unwrap();
    let all = [
        wanted("a", "last"),
        wanted("b", "work/../../a/last"),
        wanted("../d", "last"),
        wanted("c", "last"),
        wanted("d", "work"),
        wanted("e", "last"),
    ];
    let done = lay_out_all(home.path(), &all);
    let done: Vec<bool> = done.iter().map(io::Result::is_ok).collect();
    assert_eq!(done, [true, false, false, false, false, true]);
    for name in ["a", "e"] {
        let job = Direct::new(&home.path().join(name));
        for file in &files {
            assert_eq!(text(&job, &file.path, 0, 2000), file.bytes);
        }
        assert_eq!(text(&job, "last", 0, 9), b"last");
        let left = std::fs::read_dir(home.path().join(name)).unwrap();
        assert_eq!(left.count(), 3, "{name} has logs, work and last");
    }
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 4);
    assert!(lay_out_all(home.path(), &[]).is_empty());
}

#[test]
fn request_should_not_be_taken_for_whole_when_it_is_cut() {
    let files = [placed("a", b"some bytes", true), placed("b", b"", false)];
    let wanted = || LayOut::new("job", &["work"], &files);
    let one = requests(&[wanted(), wanted()]).collect::<Vec<_>>();
    let [(2, request)] = &one[..] else {
        panic!("{one:?}")
    };
    let whole = LayOut::read(&mut &request[..]).unwrap();
    assert_eq!(whole.len(), 2);
    for whole in whole {
        assert_eq!(whole.name, "job");
        assert_eq!(whole.directories, ["work"]);
        assert_eq!(whole.files, files);
    }
    for cut in 0..request.len() {
        assert!(LayOut::read(&mut &request[..cut]).is_err(), "{cut}");
    }
}

#[test]
fn request_should_be_divided_when_it_is_too_long() {
    let long = |bytes: usize| LayOut::new("job", &[], &[placed("a", &vec![0; bytes], false)]);
    let wanted = [
        long(1),
        long(9 << 20),
        long(9 << 20),
        long(40 << 20),
        long(1),
        long(1),
    ];
    let counts: Vec<_> = requests(&wanted).map(|(count, _)| count).collect();
    assert_eq!(counts, [2, 1, 1, 2]);
    assert_eq!(requests(&[]).count(), 0);
}

#[test]
fn answer_should_be_heard_as_it_was_given() {
    let long = vec![7u8; 200_000];
    let mut line = Vec::new();
    let all = |bytes: &[u8], to: &mut dyn Write| to.write_all(bytes);
    wire::answer(&mut line, Ok(&long[..]), all).unwrap();
    wire::answer(&mut line, Err(io::ErrorKind::NotFound.into()), all).unwrap();
    wire::answer(&mut line, Err(io::Error::other("no")), all).unwrap();
    wire::answer(&mut line, Ok(&b"end"[..]), all).unwrap();
    let mut from = Cursor::new(&line);
    let mut heard = Vec::new();
    let first = wire::listen(&mut from).unwrap();
    first.unwrap().read_to_end(&mut heard).unwrap();
    assert_eq!(heard, long);
    let missing = wire::listen(&mut from).unwrap().err().unwrap();
    assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    let refused = wire::listen(&mut from).unwrap().err().unwrap();
    assert_eq!(refused.to_string(), "no");
    let mut heard = Vec::new();
    let last = wire::listen(&mut from).unwrap();
    last.unwrap().read_to_end(&mut heard).unwrap();
    assert_eq!(heard, b"end");
}

#[test]
fn answer_should_not_be_taken_for_whole_when_it_is_cut() {
    let mut line = Vec::new();
    let all = |bytes: &[u8], to: &mut dyn Write| to.write_all(bytes);
    wire::answer(&mut line, Ok(&b"some bytes"[..]), all).unwrap();
    for cut in 0..line.len() {
        let mut from = Cursor::new(&line[..cut]);
        let Ok(Ok(mut content)) = wire::listen(&mut from) else {
            continue;
        };
        let mut heard = Vec::new();
        assert!(content.read_to_end(&mut heard).is_err(), "cut after {cut}");
    }
}

#[test]
fn long_file_should_be_gone_on_with_behind_what_is_surely_on_disk() {
    let directory = tempfile::tempdir().unwrap();
    let files = Direct::new(&directory.path().join("job"));
    files.lay_out(&["work"], &[]).unwrap();
    let step = STEP as usize;
    let content: Vec<u8> = (0..2 * step + 5).map(|n| (n / 7) as u8).collect();
    let length = content.len() as u64;
    let begin = |mark, afresh| files.put("work/a", length, mark, afresh).unwrap();
    // How far an earlier try came, and from where the next goes on.
    for (came, goes_on) in [
        (0, 0),
        (1, 0),
        (step, 0),
        (step + 1, step),
        (2 * step, step),
        (2 * step + 1, 2 * step),
        (2 * step + 5, 2 * step),
    ] {
        let (mut put, from) = begin("one", true);
        assert_eq!(from, 0);
        put.write_all(&content[..came]).unwrap();
        drop(put);
        assert_eq!(begin("another", false).1, 0);
        let (mut put, from) = begin("one", false);
        assert_eq!(from, goes_on as u64, "{came}");
        put.write_all(&content[goes_on..]).unwrap();
        assert!(put.write_all(b"x").is_err(), "a byte too many");
        put.commit().unwrap();
        assert!(text(&files, "work/a", 0, u64::MAX) == content, "{came}");
    }
    // What is longer than it may be is something else.
    std::fs::write(directory.path().join("job/partial-one"), vec![0; step * 3]).unwrap();
    assert_eq!(begin("one", false).1, 0);
    // And nothing is written through a link, or to a file that has another name.
    let outside = directory.path().join("outside");
    std::fs::write(&outside, "mine").unwrap();
    std::os::unix::fs::symlink(&outside, directory.path().join("job/partial-link")).unwrap();
    std::fs::hard_link(&outside, directory.path().join("job/partial-name")).unwrap();
    for mark in ["link", "name"] {
        assert!(files.put("work/a", 3, mark, true).is_err(), "{mark}");
    }
    assert_eq!(std::fs::read(&outside).unwrap(), b"mine");
}

#[test]
fn answer_should_be_waited_for_when_the_agent_says_that_it_is_at_work() {
    let mut line = Vec::new();
    wire::working(&mut line).unwrap();
    wire::working(&mut line).unwrap();
    let all = |bytes: &[u8], to: &mut dyn Write| to.write_all(bytes);
    wire::answer(&mut line, Ok(&b"done"[..]), all).unwrap();
    let mut from = Cursor::new(&line);
    let mut heard = String::new();
    let content = wire::listen(&mut from).unwrap();
    content.unwrap().read_to_string(&mut heard).unwrap();
    assert_eq!(heard, "done");
}

const SILENCE: Duration = Duration::from_secs(3);

/// An agent whose part a shell script plays.
fn played_by(script: &str) -> Agent {
    let words = ["sh", "-c", script].map(Into::into);
    Agent::new("agent".into(), words.into()).with_silence(SILENCE)
}

fn member() -> Identity {
    Identity {
        user: "vejob1".into(),
        account: "vejob1".into(),
        qos: None,
    }
}

fn assert_silent<T: std::fmt::Debug>(result: io::Result<T>) {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut, "{error}");
    let text = error.to_string();
    assert!(text.contains("vejob1 may have stopped it"), "{text}");
    assert!(text.contains("ps -u vejob1"), "{text}");
}

/// Asserts that the process whose number a script wrote there is not there any more.
fn assert_gone(number: &Path) {
    let number = std::fs::read_to_string(number).unwrap();
    assert!(!Path::new("/proc").join(number.trim()).exists());
}

#[test]
fn every_request_should_end_when_its_agent_is_stopped() {
    let stopped = |before: &str, number: &Path| {
        let agent = played_by(&format!(
            "echo $$ >{}; {before} kill -STOP $$",
            number.display()
        ));
        AsMember::new(agent, member(), "/srv/job".into(), None)
    };
    let wanted = [Wanted {
        path: "a".into(),
        offset: 0,
        most: 100,
    }];
    type Request<'a> = &'a (dyn Fn(&AsMember) -> io::Result<()> + Sync);
    let long = vec![0; 1 << 20];
    let write = |mut put: Box<dyn Put>| {
        put.write_all(&long)?;
        put.commit()
    };
    let requests: [(&str, Request<'_>); 7] = [
        ("", &|files| files.lay_out(&["work"], &[])),
        ("", &|files| files.lay_out(&[], &[placed("a", &long, true)])),
        ("", &|files| files.length("a").map(drop)),
        ("", &|files| files.walk("work").map(drop)),
        ("", &|files| files.remove()),
        // It says that it has nothing, takes a little, and stops.
        (
            r"printf '\0\0\0\0\1\0\0\0000\0\0\0\0'; head -c 100 >/dev/null;",
            &|files| write(files.put("a", 1 << 20, "mark", false)?.0),
        ),
        // It begins to answer, and stops.
        (r"printf '\0\0\0\0\4\0\0\0ab';", &|files| {
            files.read(&wanted, &mut |_, content| {
                io::copy(content?, &mut io::sink()).map(drop)
            })
        }),
    ];
    let check = &|before: &str, request: Request<'_>| {
        let directory = tempfile::tempdir().unwrap();
        let number = directory.path().join("number");
        let files = stopped(before, &number);
        let begun = Instant::now();
        assert_silent(request(&files));
        assert!(begun.elapsed() >= SILENCE);
        assert_gone(&number);
        // Who comes next does not wait.
        let again = files.remove().unwrap_err();
        assert_eq!(again.kind(), io::ErrorKind::TimedOut);
        assert!(again.to_string().contains("is asked again in"), "{again}");
    };
    std::thread::scope(|scope| {
        for (before, request) in requests {
            scope.spawn(move || check(before, request));
        }
    });
}

#[test]
fn agent_should_be_taken_for_silent_when_it_is_ended() {
    for script in [
        "kill -KILL $$",
        "exit 137",
        r"printf '\0\0'; kill -TERM $$",
        r"printf '\0\0\0\0\4\0\0\0{'; kill -KILL $$",
    ] {
        let files = AsMember::new(played_by(script), member(), "/srv/job".into(), None);
        let error = files.walk("work").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut, "{error}");
        assert!(error.to_string().contains("was ended"), "{error}");
    }
    // Who refuses is not ended, and says why.
    let refused = played_by("echo not allowed >&2; exit 1");
    let files = AsMember::new(refused, member(), "/srv/job".into(), None);
    let error = files.walk("work").unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::Other, "{error}");
    assert!(error.to_string().contains("not allowed"), "{error}");
}

#[test]
fn command_should_end_when_it_is_stopped_or_never_done() {
    let directory = tempfile::tempdir().unwrap();
    let number = directory.path().join("number");
    for script in [
        "kill -STOP $$",
        "while printf x; do sleep 0.05; done",
        "sleep 60 >&-",
    ] {
        let agent = played_by(&format!("echo $$ >{}; {script}", number.display()));
        assert_silent(agent.output(&member(), &["date".into()]));
        assert_gone(&number);
    }
    let said = played_by("echo good").output(&member(), &[]);
    assert_eq!(said.unwrap(), "good\n");
    let failed = played_by("echo bad >&2; exit 1").output(&member(), &["date".into()]);
    assert_eq!(failed.unwrap_err().to_string(), "date: bad");
}

#[test]
fn answer_should_be_taken_when_it_comes_slowly_and_steadily() {
    // `WORKING` for longer than the silence that is allowed, then `Some(12)`, byte by byte.
    let script = r"
        for n in 1 2 3 4 5 6 7 8; do printf '\376\377\377\377'; sleep 0.5; done
        for byte in 000 000 000 000 002 000 000 000 061 062 000 000 000 000; do printf '\'$byte; sleep 0.1; done
    ";
    let files = AsMember::new(played_by(script), member(), "/srv/job".into(), None);
    assert_eq!(files.length("a").unwrap(), Some(12));
}

#[test]
fn agent_should_be_believed_no_further_than_a_step() {
    // It says that it has 5 bytes.
    let script = r"printf '\0\0\0\0\1\0\0\0005\0\0\0\0'; cat >/dev/null";
    let files = AsMember::new(played_by(script), member(), "/srv/job".into(), None);
    let error = files.put("a", 9, "mark", false).err().unwrap();
    assert!(
        error.to_string().contains("vejob1 says that it has 5"),
        "{error}"
    );
}
