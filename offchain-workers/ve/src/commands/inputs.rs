//! Input files: checked before anything is sent, sealed and uploaded in constant memory.

use crate::{
    failure::{Failure, Result},
    ui, units,
};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};
use ve_envelope::{Binding, BodySealer};
use ve_store::Artifacts;
use ve_templates::Template;
use virtengine_primitives::hpc::{InputRef, MAX_INPUTS};

/// Input files by the name under which the template finds them, checked before anything is sent.
pub fn inputs(template: &Template, given: &[String]) -> Result<Vec<(String, PathBuf, u64)>> {
    let specs = &template.manifest().inputs;
    let known = || {
        specs
            .iter()
            .map(|s| s.name.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    };
    let mut all: BTreeMap<String, (PathBuf, u64)> = BTreeMap::new();
    for text in given {
        let (name, path) = match text.split_once('=') {
            Some((name, path)) if specs.iter().any(|s| s.name == name) => {
                (name.to_string(), PathBuf::from(path))
            }
            _ => {
                let path = PathBuf::from(text);
                let file = path
                    .file_name()
                    .and_then(|n| n.to_str())
                    .unwrap_or_default()
                    .to_string();
                match specs.as_slice() {
                    [] => {
                        return Err(Failure::usage(
                            format!("--in: {} takes no input", template.name()),
                            "leave it out",
                        ))
                    }
                    [only] => (only.name.clone(), path),
                    _ if specs.iter().any(|s| s.name == file) => (file, path),
                    _ => {
                        return Err(Failure::usage(
                            format!(
                                "--in: {} takes several inputs and {text:?} names none of them",
                                template.name()
                            ),
                            format!("write NAME=FILE with one of {}", known()),
                        ))
                    }
                }
            }
        };
        let meta =
            std::fs::metadata(&path).map_err(|e| Failure::file("--in: reading", &path, &e))?;
        let most = specs
            .iter()
            .find(|s| s.name == name)
            .map_or(u64::MAX, |s| s.max_bytes);
        if !meta.is_file() || meta.len() == 0 {
            return Err(Failure::usage(
                format!("--in: {} is empty or no file", path.display()),
                "give a file with content",
            ));
        }
        if meta.len() > most {
            return Err(Failure::usage(
                format!(
                    "--in: {} has {}, the template takes at most {}",
                    path.display(),
                    units::bytes(meta.len()),
                    units::bytes(most)
                ),
                "make it smaller",
            ));
        }
        if all.insert(name.clone(), (path, meta.len())).is_some() {
            return Err(Failure::usage(
                format!("--in: {name} is given twice"),
                "give it once",
            ));
        }
    }
    if let Some(spec) = specs
        .iter()
        .find(|s| s.required && !all.contains_key(&s.name))
    {
        return Err(Failure::usage(
            format!(
                "--in: {} needs the input {} ({})",
                template.name(),
                spec.name,
                spec.summary
            ),
            format!("give it with --in {}=FILE", spec.name),
        ));
    }
    if all.len() > MAX_INPUTS as usize {
        return Err(Failure::usage(
            format!("--in: {} inputs, at most {MAX_INPUTS}", all.len()),
            "pack some of them together",
        ));
    }
    Ok(all
        .into_iter()
        .map(|(name, (path, length))| (name, path, length))
        .collect())
}

/// Seals a file under a content key of its own and uploads it, in constant memory. Interrupted, it begins again: to go on
/// it would have to keep that key on disk, and what was uploaded is of no use to anybody.
pub async fn upload(
    artifacts: &Artifacts,
    path: &Path,
    length: u64,
    binding: &Binding,
) -> Result<(InputRef, ve_envelope::ContentKey, u64)> {
    use tokio::io::AsyncReadExt;
    let bar = ui::bytes_bar(format!("sealing {}", path.display()), length);
    let failed = |e: &std::io::Error| Failure::file("--in: reading", path, e);
    let mut file = tokio::fs::File::open(path).await.map_err(|e| failed(&e))?;
    let mut writer = artifacts.writer().await?;
    let mut sealer = BodySealer::new(binding)?;
    let (mut chunk, mut out) = (vec![0u8; 1 << 20], Vec::new());
    loop {
        let n = file.read(&mut chunk).await.map_err(|e| failed(&e))?;
        if n == 0 {
            break;
        }
        sealer.update(chunk.get(..n).unwrap_or_default(), &mut out)?;
        writer.write(&out).await?;
        out.clear();
        bar.inc(n as u64);
    }
    let (key, sealed) = sealer.finish(&mut out)?;
    writer.write(&out).await?;
    let artifact = writer.finish().await?;
    bar.finish_and_clear();
    if artifact.hash != sealed.hash {
        return Err(Failure::local(
            format!(
                "{}: the upload does not have the expected hash",
                path.display()
            ),
            "try again",
        ));
    }
    Ok((
        InputRef {
            hash: sealed.hash.into(),
            length: sealed.length,
        },
        key,
        sealed.plain_length,
    ))
}
