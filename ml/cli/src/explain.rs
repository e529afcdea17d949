//! An outcome, for people and for programs.

use comfy_table::{presets, Cell, CellAlignment, ContentArrangement, Table, TableComponent};
use serde_json::{json, Value};
use ve_ml_pipeline::{stages::Stage, Outcome};
use ve_ml_score::{Assessment, Reason, Slot, Source};

/// What `ve-score` says about a folder.
pub struct Explanation<'a> {
    /// What the pipeline found.
    pub outcome: &'a Outcome,
    /// What the scorer made of it.
    pub assessment: &'a Assessment,
}

/// A table with a line below its heads and no frame around the cells.
pub fn table(heads: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_preset(presets::NOTHING)
        .set_style(TableComponent::HeaderLines, '─')
        .set_style(TableComponent::MiddleHeaderIntersections, '─')
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(heads);
    table
}

/// A number's cell.
pub fn right(text: impl ToString) -> Cell {
    Cell::new(text.to_string()).set_alignment(CellAlignment::Right)
}

impl Explanation<'_> {
    /// Reasons of the pipeline and of the scorer, each once, by their codes.
    pub fn reasons(&self) -> Vec<Reason> {
        let caps = self.assessment.caps.iter().map(|cap| cap.reason);
        let mut reasons: Vec<Reason> = self.outcome.reasons.iter().copied().chain(caps).collect();
        reasons.sort_unstable();
        reasons.dedup();
        reasons
    }

    /// Most that the score can be because of a reason.
    fn cap(&self, reason: Reason) -> Option<u8> {
        self.assessment
            .caps
            .iter()
            .find(|cap| cap.reason == reason)
            .map(|cap| cap.most)
    }

    /// Tables: features with their points, reasons with their caps, digests, and the score at the end.
    pub fn text(&self, all: bool) -> String {
        let mut features = table(&["feature", "value", "unit", "points", "of"]);
        let line = |source: Source| {
            self.assessment
                .lines
                .iter()
                .find(|line| line.source == source)
        };
        for slot in Slot::ALL {
            let about = slot.about();
            let (value, line) = (self.outcome.features.get(*slot), line(Source::Slot(*slot)));
            if line.is_none() && value == about.absent && !all {
                continue;
            }
            let points = line.map_or([String::new(), String::new()], |l| {
                [l.points, l.most].map(|n| n.to_string())
            });
            let [points, most] = points.map(right);
            features.add_row([
                Cell::new(about.name),
                right(value),
                Cell::new(about.unit),
                points,
                most,
            ]);
        }
        for line in &self.assessment.lines {
            if let Source::Scope(scope) = line.source {
                features.add_row([
                    Cell::new(scope),
                    right(line.value),
                    Cell::new("flag"),
                    right(line.points),
                    right(line.most),
                ]);
            }
        }
        let mut reasons = table(&["reason", "at most", "what to do"]);
        for reason in self.reasons() {
            let cap = self
                .cap(reason)
                .map_or(String::new(), |most| most.to_string());
            reasons.add_row([
                right(reason.code()),
                right(cap),
                Cell::new(reason.sentence()),
            ]);
        }
        let mut stages = table(&["stage", "digest"]);
        for (stage, digest) in Stage::ALL.iter().zip(&self.outcome.digests) {
            stages.add_row([format!("{stage:?}").to_lowercase(), hex::encode(digest)]);
        }
        let mut parts = vec![features.trim_fmt()];
        if reasons.row_count() > 0 {
            parts.push(reasons.trim_fmt());
        }
        parts.push(stages.trim_fmt());
        let sum: u32 = self
            .assessment
            .lines
            .iter()
            .map(|l| u32::from(l.points))
            .sum();
        let cap = self.assessment.caps.iter().map(|cap| cap.most).min();
        let cap = cap.map_or(String::new(), |most| {
            format!(", at most {most} for the reasons above")
        });
        parts.push(format!(
            "score {} of 100, {}: {sum} points{cap}",
            self.assessment.score, self.assessment.band
        ));
        parts.join("\n\n")
    }

    /// The same as JSON.
    pub fn json(&self) -> Value {
        let slots = Slot::ALL.iter();
        let features: serde_json::Map<_, _> = slots
            .map(|slot| {
                (
                    slot.about().name.to_string(),
                    json!(self.outcome.features.get(*slot)),
                )
            })
            .collect();
        let lines: Vec<_> = self
            .assessment
            .lines
            .iter()
            .map(|l| json!({ "source": l.source.to_string(), "value": l.value, "points": l.points, "most": l.most }))
            .collect();
        let reasons: Vec<_> = self
            .reasons()
            .into_iter()
            .map(|r| json!({ "code": r.code(), "sentence": r.sentence(), "most": self.cap(r) }))
            .collect();
        let digests: serde_json::Map<_, _> = Stage::ALL
            .iter()
            .zip(&self.outcome.digests)
            .map(|(stage, digest)| {
                (
                    format!("{stage:?}").to_lowercase(),
                    json!(hex::encode(digest)),
                )
            })
            .collect();
        json!({
            "score": self.assessment.score,
            "band": self.assessment.band.name(),
            "features": features,
            "points": lines,
            "reasons": reasons,
            "digests": digests,
        })
    }
}
