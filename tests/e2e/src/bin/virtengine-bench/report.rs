//! The rows, as a table for people and as JSON.

use crate::machine::Machine;
use anyhow::Result;
use serde_json::{json, Value};

/// Figures that the project wants to know and that one development market cannot show.
const NOT_HERE: [&str; 3] = [
    "transfers against a balances-only runtime",
    "weights against the time that they stand for (scripts/weights.sh measures them)",
    "block times at a million jobs",
];

/// A figure, and what it was taken beside.
pub struct Row {
    name: String,
    ratio: Option<f64>,
    figure: Option<(f64, String)>,
    beside: Option<(f64, String)>,
    target: Option<String>,
    note: String,
}

impl Row {
    /// `figure ÷ beside`, each with its unit.
    pub fn ratio(
        name: &str,
        ratio: f64,
        figure: (f64, impl Into<String>),
        beside: (f64, impl Into<String>),
    ) -> Self {
        Self {
            name: name.into(),
            ratio: Some(ratio),
            figure: Some((figure.0, figure.1.into())),
            beside: Some((beside.0, beside.1.into())),
            target: None,
            note: String::new(),
        }
    }

    /// A figure that is no ratio.
    pub fn value(name: &str, value: f64, unit: &str) -> Self {
        Self {
            name: name.into(),
            ratio: None,
            figure: Some((value, unit.into())),
            beside: None,
            target: None,
            note: String::new(),
        }
    }

    /// A figure that is not there, and why.
    pub fn missing(name: &str, why: String) -> Self {
        Self {
            name: name.into(),
            ratio: None,
            figure: None,
            beside: None,
            target: None,
            note: why,
        }
    }

    /// What the figure should be.
    pub fn target(mut self, target: &str) -> Self {
        self.target = Some(target.into());
        self
    }

    /// What has to be known to read it.
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }
}

/// Everything that was measured.
pub struct Report {
    machine: Machine,
    load_after: String,
    rows: Vec<Row>,
}

impl Report {
    /// Nothing yet.
    pub fn new(machine: Machine) -> Self {
        Self {
            machine,
            load_after: String::new(),
            rows: Vec::new(),
        }
    }

    /// Adds one row.
    pub fn row(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// Adds rows, or the reason why there are none.
    pub fn add(&mut self, rows: Result<Vec<Row>>, what: &str) {
        match rows {
            Ok(rows) => self.rows.extend(rows),
            Err(error) => {
                let why = format!("not measured: {error:#}");
                eprintln!("        {what}: {why}");
                self.rows.push(Row::missing(
                    what,
                    why.lines().next().unwrap_or_default().into(),
                ));
            }
        }
    }

    /// Notes how busy the machine was at the end.
    pub fn finish(&mut self) {
        self.load_after = Machine::this().load;
    }

    /// For people.
    pub fn table(&self) -> String {
        let number = |value: f64| match value.abs() {
            v if v >= 100.0 => format!("{value:.0}"),
            v if v >= 10.0 => format!("{value:.1}"),
            _ => format!("{value:.2}"),
        };
        let with_unit = |side: &Option<(f64, String)>| {
            side.as_ref().map_or("-".to_string(), |(value, unit)| {
                format!("{} {unit}", number(*value))
            })
        };
        let head = ["figure ÷ beside", "ratio", "figure", "beside", "target"].map(String::from);
        let mut lines = vec![head];
        lines.extend(self.rows.iter().map(|r| {
            [
                r.name.clone(),
                r.ratio.map_or("-".into(), |ratio| format!("{ratio:.2}")),
                with_unit(&r.figure),
                with_unit(&r.beside),
                r.target.clone().unwrap_or("-".into()),
            ]
        }));
        let width = |column: usize| {
            lines
                .iter()
                .map(|l| l[column].chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..5).map(width).collect();
        let pad = |line: &[String; 5]| {
            let mut cells = line
                .iter()
                .zip(&widths)
                .enumerate()
                .map(|(column, (text, width))| {
                    let space = " ".repeat(width.saturating_sub(text.chars().count()));
                    if column == 1 {
                        format!("{space}{text}")
                    } else {
                        format!("{text}{space}")
                    }
                });
            let text = cells.by_ref().collect::<Vec<_>>().join("  ");
            text.trim_end().to_string()
        };
        let m = &self.machine;
        let mut out = format!(
            "{}, {} cores, {} MiB; profile {}, commit {}; load {} before, {} after\n\n",
            m.processor, m.cores, m.memory_mib, m.profile, m.commit, m.load, self.load_after
        );
        let mut rows = lines.iter();
        if let Some(head) = rows.next() {
            out += &format!("{}\n", pad(head));
            out += &format!("{}\n", "-".repeat(widths.iter().sum::<usize>() + 8));
        }
        for (line, row) in rows.zip(&self.rows) {
            out += &format!("{}\n", pad(line));
            for line in wrapped(&row.note) {
                out += &format!("    {line}\n");
            }
        }
        out += "\nOne run on one machine; a busy machine moves both sides, rarely by the same amount.\nNot taken here: ";
        out + &NOT_HERE.join("; ")
    }

    /// For programs: the same, every number unrounded.
    pub fn json(&self) -> Result<String> {
        let side = |side: &Option<(f64, String)>| match side {
            Some((value, unit)) => json!({ "value": value, "unit": unit }),
            None => Value::Null,
        };
        let rows: Vec<Value> = self
            .rows
            .iter()
            .map(|r| {
                json!({
                    "name": r.name,
                    "ratio": r.ratio,
                    "figure": side(&r.figure),
                    "beside": side(&r.beside),
                    "target": r.target,
                    "note": r.note,
                })
            })
            .collect();
        let m = &self.machine;
        let all = json!({
            "machine": {
                "processor": m.processor,
                "cores": m.cores,
                "memory_mib": m.memory_mib,
                "profile": m.profile,
                "commit": m.commit,
                "load_before": m.load,
                "load_after": self.load_after,
            },
            "rows": rows,
            "not_taken_here": NOT_HERE,
        });
        Ok(serde_json::to_string_pretty(&all)?)
    }
}

/// Words of a text in lines of at most a hundred characters.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + word.chars().count() < 100 => {
                *line = format!("{line} {word}")
            }
            _ => lines.push(word.into()),
        }
    }
    lines
}

/// The middle value; the mean of the two in the middle if their number is even.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => sorted[n / 2],
        n => (sorted[n / 2 - 1] + sorted[n / 2]) / 2.0,
    }
}
