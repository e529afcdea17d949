//! Tables, bars and JSON.

use comfy_table::{
    presets, Attribute, Cell, CellAlignment, ContentArrangement, Table, TableComponent,
};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;
use std::{io::IsTerminal, time::Duration};

/// Prints a line to standard output, as `println!` does; see [`write()`].
#[macro_export]
macro_rules! out {
    () => { $crate::ui::write("\n") };
    ($($argument:tt)*) => { $crate::ui::write(&format!("{}\n", format_args!($($argument)*))) };
}

/// Writes to standard output. When nobody reads it any more (`ve jobs | head`) the program ends quietly: its work is
/// done by then.
pub fn write(text: &str) {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    if out
        .write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .is_err()
    {
        std::process::exit(0);
    }
}

/// Whether colours may be used on standard output.
pub fn colours() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

/// A table with a line below its heads (bold in a terminal) and no frame around the cells.
pub fn table(heads: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_preset(presets::NOTHING)
        .set_style(TableComponent::HeaderLines, '─')
        .set_style(TableComponent::MiddleHeaderIntersections, '─')
        .set_content_arrangement(ContentArrangement::Dynamic);
    if !colours() {
        table.force_no_tty();
    }
    if !heads.is_empty() {
        table.set_header(heads.iter().map(|h| {
            let cell = Cell::new(h);
            if colours() {
                cell.add_attribute(Attribute::Bold)
            } else {
                cell
            }
        }));
    }
    table
}

/// A cell that is aligned right, for numbers.
pub fn right(text: impl ToString) -> Cell {
    Cell::new(text.to_string()).set_alignment(CellAlignment::Right)
}

/// Prints a table without trailing blanks.
pub fn print(table: &Table) {
    crate::out!("{}", table.trim_fmt());
}

/// Names and values, two columns.
pub fn facts(rows: &[(&str, String)]) {
    let width = rows.iter().map(|r| r.0.chars().count()).max().unwrap_or(0);
    for (name, value) in rows {
        let pad = " ".repeat(width - name.chars().count());
        crate::out!("{name}{pad}  {value}");
    }
}

/// Prints JSON for programs.
pub fn json(value: &Value) {
    // A `Value` always serialises.
    crate::out!(
        "{}",
        serde_json::to_string_pretty(value).unwrap_or_default()
    );
}

/// A bar that only spins; nothing if standard error is no terminal.
pub fn spinner(text: impl Into<String>) -> ProgressBar {
    let text = text.into();
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner().with_message(text);
    bar.set_style(
        ProgressStyle::with_template("{spinner} {msg} ({elapsed})")
            .unwrap_or_else(|_| ProgressStyle::default_spinner()),
    );
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

/// A bar over bytes; nothing if standard error is no terminal.
pub fn bytes_bar(text: impl Into<String>, length: u64) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(length).with_message(text.into());
    bar.set_style(
        ProgressStyle::with_template("{msg} {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}")
            .unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    bar
}

/// A bar over the steps of a job's life; nothing if standard error is no terminal.
pub fn steps_bar(steps: u64) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(steps);
    bar.set_style(
        ProgressStyle::with_template("{bar:24} {msg} ({elapsed})")
            .unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// Says on standard error that something was done (never mixed with output for programs).
pub fn note(text: impl AsRef<str>) {
    eprintln!("{}", text.as_ref());
}

/// Text from outside, safe for a terminal: characters that would steer it are replaced.
pub fn clean(text: &[u8]) -> String {
    String::from_utf8_lossy(text)
        .chars()
        .map(|c| if deceives(c) { '\u{fffd}' } else { c })
        .collect()
}

/// Whether a character steers a terminal, or turns the order of what is shown around (`fdp.exe` for `exe.pdf`).
pub fn deceives(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
