//! Tests of the workload library's public face, over the templates of this repository.

mod checks;
mod injection;
mod library;
mod parameters;
mod payload;
mod run;

use std::path::{Path, PathBuf};
use ve_templates::*;
use virtengine_primitives::hpc::Resources;

/// The repository's own library.
fn library_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../slurm-templates")
}

fn library() -> Library {
    Library::open(&library_path()).unwrap_or_else(|problems| panic!("{problems}"))
}

fn resources(cpus: u32, array_tasks: u32) -> Resources {
    Resources {
        nodes: 1,
        cpus,
        memory_mib: 256,
        gpus: 0,
        gpu_type: 0,
        array_tasks,
    }
}
