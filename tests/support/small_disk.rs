// A disk that can be filled. Included by the tests of several crates (`#[path]`), so that each needs nothing else.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

/// A small file system of its own; unmounted at the end.
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts `mib` MiB there; `None`, with a word about it, for users who may not.
    pub fn mount(at: &Path, mib: u32) -> Option<Self> {
        fs::create_dir_all(at).expect("mount point");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={mib}m"), "tmpfs"])
            .arg(at)
            .output()
            .is_ok_and(|output| output.status.success());
        if !mounted {
            eprintln!("not run: mounting a small file system needs root");
        }
        mounted.then(|| Self(at.to_owned()))
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        &self.0
    }

    fn ballast(&self) -> PathBuf {
        self.0.join("ballast")
    }

    /// Writes until there is no room for another byte.
    pub fn fill(&self) {
        let mut file = File::create(self.ballast()).expect("ballast");
        let mut piece = vec![1u8; 1 << 20];
        while !piece.is_empty() {
            if file.write_all(&piece).is_err() {
                piece.truncate(piece.len() / 2);
            }
        }
    }

    /// Gives the room back.
    pub fn make_room(&self) {
        fs::remove_file(self.ballast()).expect("ballast");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
