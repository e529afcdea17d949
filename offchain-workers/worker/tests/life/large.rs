//! Inputs and outputs that fit into no memory, and workers that are killed while they carry them.
//!
//! `VE_FILES_LONG=1`: with 5 GiB, which takes minutes and 16 GiB of disk.

use crate::{
    chain::GENESIS,
    kill::spawn,
    world::{secret, Order, World, CUSTOMER},
};
use std::{
    fs,
    io::{Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use ve_envelope::{open_stream, seal_stream_with_key, Binding, ContentKey, SealedBody};
use ve_provider::files::STEP;
use virtengine_primitives::{hpc::EndReason, AgreementId};

const JOB: u64 = 77;

/// Bytes without end of which no two pieces are alike, always the same. The number of those that were read.
#[derive(Default)]
pub struct Noise(u64);

impl Read for Noise {
    fn read(&mut self, mut buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = buffer.len();
        while !buffer.is_empty() {
            let seed = (self.0 / 8).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let mixed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let word = (mixed ^ (mixed >> 27)).to_le_bytes();
            let word = &word[(self.0 % 8) as usize..];
            let (now, later) = buffer.split_at_mut(word.len().min(buffer.len()));
            now.copy_from_slice(&word[..now.len()]);
            self.0 += now.len() as u64;
            buffer = later;
        }
        Ok(length)
    }
}

impl World {
    /// Uploads so many bytes of noise, in constant memory.
    pub fn seal_noise(&self, length: u64) -> (ContentKey, SealedBody) {
        let binding = Binding::input(GENESIS, &CUSTOMER, 0);
        let noise = Noise::default().take(length);
        let made = self.root.join("made");
        let file = fs::File::create(&made).unwrap();
        let (key, sealed) = seal_stream_with_key(noise, file, &binding).unwrap();
        fs::create_dir_all(self.root.join("artifacts/blobs")).unwrap();
        fs::rename(made, self.blob(&sealed.hash)).unwrap();
        (key, sealed)
    }

    /// Whether the result of a job, opened with the customer's key in constant memory, has that many bytes of noise.
    pub fn gives_back(&self, id: AgreementId, length: u64) -> bool {
        let header = self.end(id).unwrap().result.expect("a result");
        let customer = secret(&self.root.join("customer.key"));
        let mut tar = Command::new("tar")
            .args(["-xOf", "-", "words.txt"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (stdin, stdout) = (tar.stdin.take().unwrap(), tar.stdout.take().unwrap());
        let same = std::thread::spawn(move || {
            let mut pieces = (vec![0; 1 << 20], vec![0; 1 << 20]);
            let (mut stdout, mut noise, mut seen) = (stdout, Noise::default(), 0);
            while seen < length {
                let most = pieces.0.len().min((length - seen) as usize);
                let (a, b) = (&mut pieces.0[..most], &mut pieces.1[..most]);
                if stdout.read_exact(a).is_err() || noise.read_exact(b).is_err() || a != b {
                    return false;
                }
                seen += most as u64;
            }
            stdout.read(&mut [0]).unwrap() == 0
        });
        let body = fs::File::open(self.blob(header.hash.as_bytes())).unwrap();
        let binding = Binding::result(GENESIS, id);
        let opened = open_stream(&header, body, stdin, &customer, &binding);
        let same = same.join().unwrap();
        opened.unwrap();
        tar.wait().unwrap().success() && same
    }
}

struct Size {
    bytes: u64,
    /// Most memory that a worker may ever have had, in KiB.
    memory_kib: u64,
    patience: Duration,
}

fn size() -> Size {
    match std::env::var_os("VE_FILES_LONG") {
        Some(_) => Size {
            bytes: (5 << 30) + 12_345,
            memory_kib: 150 << 10,
            patience: Duration::from_secs(1800),
        },
        None => Size {
            bytes: (192 << 20) + 12_345,
            memory_kib: 64 << 10,
            patience: Duration::from_secs(180),
        },
    }
}

/// The most memory that a process has had so far, in KiB.
fn memory_kib(of: &Child) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", of.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap()
}

fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |data| data.len())
}

/// The only file of a directory whose name begins so, if it is there.
fn found(directory: &Path, prefix: &str) -> Option<PathBuf> {
    let entries = fs::read_dir(directory).ok()?;
    let name = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().starts_with(prefix);
    let mut all = entries.flatten().filter(name).map(|entry| entry.path());
    let first = all.next();
    assert_eq!(all.next(), None, "only one");
    first
}

impl Size {
    /// Waits for something, without a pause that it could pass in.
    fn wait<T>(&self, what: &str, mut is: impl FnMut() -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            if let Some(is) = is() {
                return is;
            }
            assert!(begun.elapsed() < self.patience, "{what}");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Kills a worker when a file has got so long; returns how long it was then.
    fn kill_at(&self, mut worker: Child, least: u64, file: impl Fn() -> Option<PathBuf>) -> u64 {
        let path = self.wait("the file grows", || file().filter(|p| length(p) >= least));
        let memory = memory_kib(&worker);
        worker.kill().unwrap();
        worker.wait().unwrap();
        assert!(memory < self.memory_kib, "{memory} KiB");
        eprintln!(
            "killed at {} bytes, had {memory} KiB at most",
            length(&path)
        );
        length(&path)
    }
}

async fn ordered(bytes: u64) -> (tempfile::TempDir, World) {
    let directory = tempfile::tempdir().unwrap();
    let world = World::create(directory.path());
    let order = Order {
        large: Some(bytes),
        ..Order::default()
    };
    world.order(JOB, &order).await;
    (directory, world)
}

fn input(world: &World) -> PathBuf {
    world.blob(
        world.chain.read().jobs[&JOB].request.inputs[0]
            .hash
            .as_bytes(),
    )
}

fn overwrite(file: &Path, at: u64, length: u64) {
    let mut file = fs::OpenOptions::new().write(true).open(file).unwrap();
    file.seek(SeekFrom::Start(at)).unwrap();
    let zeros = vec![0; 1 << 20];
    for _ in 0..length >> 20 {
        file.write_all(&zeros).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn large_job_should_pass_through_little_memory_and_repeat_little_when_workers_are_killed() {
    let size = size();
    let (_directory, world) = ordered(size.bytes).await;
    let home = world.home(JOB);
    // Killed while the input is on its way, twice.
    let mut came = 0;
    for n in [1, 3] {
        came = size.kill_at(spawn(&world, None), (n * 2 + 1) * STEP, || {
            found(&home, "partial-")
        });
        assert!(came < size.bytes);
    }
    // Proof that it is gone on with: what was fetched before is not there to be fetched again.
    let there = (came - 1) / STEP * STEP;
    overwrite(&input(&world), 0, there);

    // Killed while the output is stored.
    let worker = spawn(&world, None);
    size.wait("the input is there", || {
        (home.join("work").exists() && found(&home, "partial-").is_none()).then_some(())
    });
    fs::write(input(&world), "").unwrap();
    let staging = world.root.join("artifacts/staging");
    size.kill_at(worker, size.bytes / 3, || found(&staging, ""));
    // Proof that the outputs are not collected again.
    fs::remove_file(home.join("work/out/words.txt")).unwrap();

    let mut worker = spawn(&world, None);
    size.wait("it ends", || {
        world.chain.read().jobs[&JOB].ended_at.map(drop)
    });
    let memory = memory_kib(&worker);
    eprintln!("the last worker had {memory} KiB at most");
    assert!(memory < size.memory_kib, "{memory} KiB");
    fs::write(world.root.join("stop"), "").unwrap();
    assert!(worker.wait().unwrap().success());

    assert_eq!(world.end(JOB).unwrap().reason, EndReason::Completed);
    for call in ["accept", "complete"] {
        assert_eq!(world.done(JOB, call), 1, "{call}");
    }
    assert_eq!(found(&staging, ""), None, "nothing is left of the upload");
    assert!(world.gives_back(JOB, size.bytes));
}

#[tokio::test(flavor = "multi_thread")]
async fn input_should_be_fetched_whole_before_anybody_is_blamed_when_the_rest_of_it_does_not_open()
{
    let size = Size {
        bytes: 96 << 20,
        ..size()
    };
    let (_directory, world) = ordered(size.bytes).await;
    let home = world.home(JOB);
    size.kill_at(spawn(&world, None), 2 * STEP, || found(&home, "partial-"));
    overwrite(&input(&world), 95 << 20, 1 << 20);
    world
        .run_until(size.patience, |state| state.jobs[&JOB].ended_at.is_some())
        .await;
    assert_eq!(world.end(JOB).unwrap().reason, EndReason::BadInput);
    let result = world.result(JOB).await;
    let summary: serde_json::Value = serde_json::from_slice(&result["result.json"]).unwrap();
    let why = summary["explanation"].as_str().unwrap();
    assert!(why.contains("does not match its hash"), "{why}");
}
