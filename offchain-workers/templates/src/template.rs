//! A template as it lies in its folder, and a folder of them.

use crate::{check, Manifest, Problem, Problems};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fmt, fs, io,
    path::{Path, PathBuf},
};
use virtengine_primitives::{blake2_256, TemplateHash};

/// Most bytes of all files of a template.
pub const MAX_TEMPLATE_BYTES: u64 = 16 << 20;
pub(crate) const MANIFEST: &str = "template.toml";
pub(crate) const BODY: &str = "job.sh";

/// Files of a template by path, with `/` between its parts.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// A template that passed every check.
pub struct Template {
    manifest: Manifest,
    files: Files,
    hash: TemplateHash,
    schema: Value,
    validator: jsonschema::Validator,
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Template({} {} {:?})",
            self.name(),
            self.version(),
            self.hash
        )
    }
}

/// Whether a file or folder of that name is no part of a template: hidden ones, and what interpreters leave behind.
fn is_ignored(name: &str) -> bool {
    name.starts_with('.') || name == "__pycache__"
}

fn read_below(
    root: &Path,
    at: &Path,
    files: &mut Files,
    problems: &mut Vec<Problem>,
) -> io::Result<()> {
    let mut entries = fs::read_dir(at)?.collect::<Result<Vec<_>, _>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let kind = entry.file_type()?;
        let Some(name) = entry.file_name().to_str().map(str::to_owned) else {
            let shown = path.display().to_string();
            problems.push(Problem::new(&shown, "its name is not UTF-8", "rename it"));
            continue;
        };
        if is_ignored(&name) {
            continue;
        }
        let relative = path
            .strip_prefix(root)
            .ok()
            .and_then(Path::to_str)
            .unwrap_or(&name)
            .replace('\\', "/");
        if kind.is_symlink() || !(kind.is_file() || kind.is_dir()) {
            problems.push(Problem::new(
                &relative,
                "is neither a file nor a folder",
                "put a plain file in its place",
            ));
        } else if kind.is_dir() {
            read_below(root, &path, files, problems)?;
        } else {
            let total: u64 = files.values().map(|f| f.len() as u64).sum();
            if total.saturating_add(entry.metadata()?.len()) > MAX_TEMPLATE_BYTES {
                let message = format!(
                    "the template is larger than {} MiB",
                    MAX_TEMPLATE_BYTES >> 20
                );
                problems.push(Problem::new(
                    &relative,
                    message,
                    "pass large data as an input",
                ));
                continue;
            }
            files.insert(relative, fs::read(&path)?);
        }
    }
    Ok(())
}

/// Reads all files of a template's folder.
pub(crate) fn read(dir: &Path) -> (Files, Vec<Problem>) {
    let (mut files, mut problems) = (Files::new(), Vec::new());
    if let Err(error) = read_below(dir, dir, &mut files, &mut problems) {
        let shown = dir.display().to_string();
        problems.push(Problem::new(
            &shown,
            error.to_string(),
            "give the folder of a template",
        ));
    }
    (files, problems)
}

/// Blake2b-256 of the canonical form: the line `virtengine/template/1`, then for every file, in the order of the bytes
/// of its path: length of the path as u32 little-endian, the path with `/` between its parts, length of the content as
/// u64 little-endian, the content.
pub(crate) fn hash(files: &Files) -> TemplateHash {
    let mut bytes = b"virtengine/template/1\n".to_vec();
    for (path, content) in files {
        bytes.extend_from_slice(&(path.len() as u32).to_le_bytes());
        bytes.extend_from_slice(path.as_bytes());
        bytes.extend_from_slice(&(content.len() as u64).to_le_bytes());
        bytes.extend_from_slice(content);
    }
    blake2_256(&bytes)
}

impl Template {
    /// Loads the template in a folder; everything that [`check()`] would say is an error.
    pub fn load(dir: &Path) -> Result<Self, Problems> {
        let (files, mut problems) = read(dir);
        if problems.is_empty() {
            match check::examine(&files, dir.file_name().and_then(|n| n.to_str())) {
                Ok((manifest, schema, validator)) => {
                    let hash = hash(&files);
                    return Ok(Self {
                        manifest,
                        files,
                        hash,
                        schema,
                        validator,
                    });
                }
                Err(more) => problems = more,
            }
        }
        Err(Problems(problems))
    }

    /// What its `template.toml` says.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.manifest.name
    }

    /// Its version.
    pub fn version(&self) -> &str {
        &self.manifest.version
    }

    /// Its identity: Blake2b-256 of the canonical form of all its files.
    pub fn hash(&self) -> TemplateHash {
        self.hash
    }

    /// JSON Schema (draft 2020-12) of its parameters.
    pub fn schema(&self) -> &Value {
        &self.schema
    }

    /// Parameters by name, each with its schema.
    pub fn properties(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.schema
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
    }

    pub(crate) fn property(&self, name: &str) -> Option<&Value> {
        self.schema.get("properties")?.get(name)
    }

    pub(crate) fn validator(&self) -> &jsonschema::Validator {
        &self.validator
    }

    /// The files that travel to the cluster: all but the manifest, the example and the explanation.
    pub(crate) fn program_files(&self) -> impl Iterator<Item = (&String, Vec<u8>)> {
        self.files
            .iter()
            .filter(|(path, _)| {
                *path != MANIFEST && *path != "README.md" && !path.starts_with("example/")
            })
            .map(|(path, bytes)| (path, bytes.clone()))
    }

    /// A file of its `example` folder, by name: inputs to try it with.
    pub fn example(&self, name: &str) -> Option<&[u8]> {
        self.files
            .get(&format!("example/{name}"))
            .map(Vec::as_slice)
    }
}

/// A folder of templates.
#[derive(Debug)]
pub struct Library {
    path: PathBuf,
    templates: Vec<Template>,
}

impl Library {
    /// Opens a folder: every folder in it that has a `template.toml` is a template. One that does not pass its checks
    /// is an error that names the template, so that nobody finds out at night.
    pub fn open(dir: &Path) -> Result<Self, Problems> {
        let shown = dir.display().to_string();
        let unreadable = |e: io::Error| {
            Problems(vec![Problem::new(
                &shown,
                e.to_string(),
                "give a folder that holds template folders",
            )])
        };
        let mut folders: Vec<PathBuf> = fs::read_dir(dir)
            .and_then(|entries| {
                entries
                    .map(|e| e.map(|e| e.path()))
                    .collect::<io::Result<Vec<_>>>()
            })
            .map_err(unreadable)?;
        folders.retain(|f| f.join(MANIFEST).is_file());
        folders.sort();
        let (mut templates, mut problems): (Vec<Template>, Vec<Problem>) = (Vec::new(), Vec::new());
        for folder in folders {
            match Template::load(&folder) {
                Ok(template) => templates.push(template),
                Err(Problems(found)) => {
                    let name = folder
                        .file_name()
                        .unwrap_or_default()
                        .to_string_lossy()
                        .into_owned();
                    problems.extend(found.into_iter().map(|p| Problem {
                        file: format!("{name}/{}", p.file),
                        ..p
                    }));
                }
            }
        }
        match problems.is_empty() {
            true => Ok(Self {
                path: dir.into(),
                templates,
            }),
            false => Err(Problems(problems)),
        }
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All templates, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Template> {
        self.templates.iter()
    }

    /// A template by name (`heat`), by name and version (`heat@1.0.0`), or by hash (`0x...`, 64 digits).
    pub fn find(&self, what: &str) -> Option<&Template> {
        let digits = what.strip_prefix("0x").unwrap_or(what);
        let mut bytes = [0u8; 32];
        if hex::decode_to_slice(digits, &mut bytes).is_ok() {
            return self.by_hash(&TemplateHash::from(bytes));
        }
        let (name, version) = what
            .split_once('@')
            .map_or((what, None), |(n, v)| (n, Some(v)));
        self.iter()
            .find(|t| t.name() == name && version.is_none_or(|v| v == t.version()))
    }

    /// A template by its identity.
    pub fn by_hash(&self, hash: &TemplateHash) -> Option<&Template> {
        self.iter().find(|t| t.hash() == *hash)
    }
}
