//! What is wrong with a template, and where.

use std::fmt;
use toml::de::{DeTable, DeValue};
use toml::Spanned;

/// One thing that is wrong with a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// File, from the template's folder on.
    pub file: String,
    /// Line, from 1, where known.
    pub line: Option<usize>,
    /// Column in characters, from 1, where known.
    pub column: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if let Some(column) = self.column {
            write!(f, ":{column}")?;
        }
        write!(f, ": {}; {}", self.message, self.remedy)
    }
}

/// Everything that is wrong with one or several templates.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.0.iter().enumerate() {
            write!(f, "{}{problem}", if i == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

impl Problem {
    pub(crate) fn new(file: &str, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            line: None,
            column: None,
            message: message.into(),
            remedy: remedy.into(),
        }
    }

    pub(crate) fn at_line(mut self, line: usize) -> Self {
        self.line = Some(line);
        self
    }

    /// At a byte of `text`.
    pub(crate) fn at_byte(mut self, text: &str, byte: usize) -> Self {
        let before = text.get(..byte).unwrap_or(text);
        self.line = Some(before.matches('\n').count() + 1);
        self.column = Some(before.rsplit('\n').next().map_or(0, |l| l.chars().count()) + 1);
        self
    }

    /// At a key of a TOML document, as deep along `path` as it exists.
    pub(crate) fn at_key(self, text: &str, path: &[&str]) -> Self {
        match locate(text, path) {
            Some(byte) => self.at_byte(text, byte),
            None => self,
        }
    }
}

/// Byte at which the deepest existing part of `path` begins: keys by name, items of an array by index.
fn locate(text: &str, path: &[&str]) -> Option<usize> {
    let root = DeTable::parse(text).ok()?;
    let mut found = None;
    let mut table = Some(root.get_ref());
    let mut array: Option<&[Spanned<DeValue<'_>>]> = None;
    for part in path {
        let value = if let Some(items) = array {
            let item = items.get(part.parse::<usize>().ok()?)?;
            found = Some(item.span().start);
            item
        } else if let Some((key, value)) =
            table.and_then(|t| t.iter().find(|(k, _)| k.get_ref() == part))
        {
            found = Some(key.span().start);
            value
        } else {
            break;
        };
        (table, array) = match value.get_ref() {
            DeValue::Table(inner) => (Some(inner), None),
            DeValue::Array(inner) => (None, Some(&inner[..])),
            _ => (None, None),
        };
    }
    found
}
