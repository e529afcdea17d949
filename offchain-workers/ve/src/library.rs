//! The template library, with failures as people are told them.

use crate::failure::{code, Failure, Result};
use std::path::{Path, PathBuf};
use ve_templates::{ParameterErrors, Problems, Template};

/// A folder of templates.
pub struct Library {
    inner: ve_templates::Library,
    folder: PathBuf,
}

impl Library {
    /// Opens a folder.
    pub fn open(folder: &Path) -> Result<Self> {
        if !folder.is_dir() {
            return Err(Failure::missing(
                format!("templates: {} is no folder", folder.display()),
                "give the folder of the template library with --templates, or `templates` in the configuration",
            ));
        }
        let inner = ve_templates::Library::open(folder).map_err(problems)?;
        Ok(Self {
            inner,
            folder: folder.into(),
        })
    }

    /// All templates.
    pub fn iter(&self) -> impl Iterator<Item = &Template> {
        self.inner.iter()
    }

    /// A template by name, `name@version` or hash.
    pub fn find(&self, name: &str) -> Result<&Template> {
        self.inner.find(name).ok_or_else(|| {
            let mut known: Vec<&str> = self.iter().map(Template::name).collect();
            known.sort_unstable();
            Failure::missing(
                format!(
                    "template: there is no template {name:?} in {}",
                    self.folder.display()
                ),
                if known.is_empty() {
                    "the folder has none; give another with --templates".into()
                } else {
                    format!("choose one of {}", known.join(", "))
                },
            )
        })
    }
}

/// Everything that is wrong with templates.
pub fn problems(problems: Problems) -> Failure {
    let first = problems
        .0
        .first()
        .map(|p| p.remedy.clone())
        .unwrap_or_default();
    Failure::new(code::USAGE, format!("template: {problems}"), first)
}

/// Everything that is wrong with what was asked for.
pub fn parameters(errors: ParameterErrors) -> Failure {
    let what: Vec<String> = errors
        .0
        .iter()
        .map(|e| format!("{}: {}", e.field, e.message))
        .collect();
    let remedy: Vec<String> = errors
        .0
        .iter()
        .map(|e| format!("{}: {}", e.field, e.remedy))
        .collect();
    Failure::usage(what.join("\n       "), remedy.join("\n  "))
}
