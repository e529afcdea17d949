//! How queue and latency went while jobs were taken up, from the worker's own metrics.

use crate::worker::scrape;
use anyhow::{anyhow, Result};
use plotters::prelude::*;
use std::{
    path::Path,
    time::{Duration, Instant},
};
use virtengine_e2e::Market;

/// Between two looks.
const LOOK: Duration = Duration::from_millis(500);
/// Of so many looks, SLURM is asked in one what it has: that costs it as much as some jobs do.
const ASKED: usize = 4;

/// Phases of [`Point::phases`], as the worker names them.
const PHASES: [&str; 5] = ["new", "admitted", "staged", "submitting", "submitted"];
const COLOURS: [RGBColor; 5] = [
    RGBColor(148, 163, 184),
    RGBColor(234, 179, 8),
    RGBColor(249, 115, 22),
    RGBColor(220, 38, 38),
    RGBColor(37, 99, 235),
];

/// One look.
#[derive(Clone, Debug)]
struct Point {
    /// Seconds since the first.
    at: f64,
    /// Jobs in each of [`PHASES`].
    phases: [f64; PHASES.len()],
    /// Jobs that SLURM has; where it was not asked, at least so many.
    in_slurm: u32,
    /// Sum and number of the times from first sight to hand-over, in seconds.
    hand_over: (f64, f64),
    /// Sum and number of the durations of reconciliations, in seconds.
    round: (f64, f64),
}

/// How jobs came into SLURM.
pub struct Flow {
    /// Seconds from the first look until one was seen there.
    pub until_first: f64,
    /// Jobs that came after those that were seen first.
    pub jobs: u32,
    /// Seconds that they took.
    pub seconds: f64,
}

/// All looks.
#[derive(Default)]
pub struct Series(Vec<Point>);

impl Series {
    /// Looks until it is dropped, or something does not answer: that is returned. When the first after `before` others comes
    /// and when SLURM has `all`, every look is at both.
    pub async fn watch(
        &mut self,
        market: &Market,
        (before, all): (u32, u32),
        in_slurm: impl Fn() -> Result<u32>,
    ) -> anyhow::Error {
        let begun = Instant::now();
        loop {
            let there = |handed_over: u32| {
                let between = before < handed_over && handed_over < all;
                match self.0.last() {
                    Some(last) if between && !self.0.len().is_multiple_of(ASKED) => {
                        Ok(last.in_slurm.max(handed_over))
                    }
                    _ => in_slurm(),
                }
            };
            match Point::take(market, begun, there) {
                Ok(point) => self.0.push(point),
                Err(error) => return error,
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// How jobs came in, from the first after `before` others until SLURM had `all`; `None` if it never had.
    pub fn flow(&self, before: u32, all: u32) -> Option<Flow> {
        let first = self.0.iter().find(|point| point.in_slurm > before)?;
        let last = self.0.iter().find(|point| point.in_slurm >= all)?;
        Some(Flow {
            until_first: first.at,
            jobs: all.saturating_sub(first.in_slurm),
            seconds: last.at - first.at,
        })
    }

    /// Draws it as SVG: above, jobs by phase; below, how long things took.
    pub fn draw(&self, file: &Path, title: &str) -> Result<()> {
        let last = self.0.last().map_or(1.0, |point| point.at).max(1.0);
        let root = SVGBackend::new(file, (960, 640)).into_drawing_area();
        let drawn = self.draw_on(&root, last, title);
        drawn.map_err(|error| anyhow!("{}: {error}", file.display()))
    }

    fn draw_on<B: DrawingBackend>(
        &self,
        root: &DrawingArea<B, plotters::coord::Shift>,
        last: f64,
        title: &str,
    ) -> Result<(), DrawingAreaErrorKind<B::ErrorType>> {
        root.fill(&WHITE)?;
        let (above, below) = root.split_vertically(380);
        let most = self.0.iter().map(Point::most).fold(1.0, f64::max);
        let mut jobs = ChartBuilder::on(&above)
            .caption(title, ("sans-serif", 18))
            .margin(10)
            .x_label_area_size(20)
            .y_label_area_size(60)
            .build_cartesian_2d(0.0..last, 0.0..most)?;
        jobs.configure_mesh().y_desc("jobs").draw()?;
        for (n, (phase, colour)) in PHASES.iter().zip(COLOURS).enumerate() {
            let points = self.0.iter().map(|point| (point.at, point.phases[n]));
            jobs.draw_series(LineSeries::new(points, colour.stroke_width(2)))?
                .label(*phase)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour));
        }
        let slurm = self.0.iter().map(|p| (p.at, f64::from(p.in_slurm)));
        jobs.draw_series(LineSeries::new(slurm, BLACK.stroke_width(1)))?
            .label("in SLURM")
            .legend(|(x, y)| PathElement::new([(x, y), (x + 16, y)], BLACK));
        jobs.configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .background_style(WHITE.mix(0.8))
            .border_style(BLACK.mix(0.3))
            .draw()?;

        let hand_over = self.means(|point| point.hand_over);
        let round = self.means(|point| point.round);
        let longest = hand_over.iter().chain(&round).map(|(_, s)| *s);
        let longest = longest.fold(0.1, f64::max);
        let mut times = ChartBuilder::on(&below)
            .margin(10)
            .x_label_area_size(36)
            .y_label_area_size(60)
            .build_cartesian_2d(0.0..last, 0.0..longest)?;
        times
            .configure_mesh()
            .x_desc("seconds since the first order")
            .y_desc("seconds, mean")
            .draw()?;
        for (name, points, colour) in [
            ("first sight to hand-over", hand_over, COLOURS[4]),
            ("one reconciliation", round, COLOURS[2]),
        ] {
            times
                .draw_series(LineSeries::new(points, colour.stroke_width(2)))?
                .label(name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour));
        }
        times
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .background_style(WHITE.mix(0.8))
            .border_style(BLACK.mix(0.3))
            .draw()?;
        root.present()
    }

    /// Means between two looks, where there was something between them.
    fn means(&self, of: impl Fn(&Point) -> (f64, f64)) -> Vec<(f64, f64)> {
        let pairs = self.0.iter().zip(self.0.iter().skip(1));
        pairs
            .filter_map(|(before, after)| {
                let ((sum, count), (more, all)) = (of(before), of(after));
                (all > count).then(|| (after.at, (more - sum) / (all - count)))
            })
            .collect()
    }
}

/// How long the steps took that the worker did until now, in words.
pub fn steps(market: &Market) -> Result<String> {
    let metrics = scrape(market)?;
    let prefix = "virtengine_provider_step_seconds_count{step=\"";
    let steps = metrics.iter().filter_map(|(name, count)| {
        let step = name.strip_prefix(prefix)?.strip_suffix("\"}")?;
        let sum = metrics.get(&name.replace("_count{", "_sum{"))?;
        let mean = sum / count * 1000.0;
        (*count > 0.0).then(|| format!("{step} {mean:.0} ms ({count})"))
    });
    Ok(steps.collect::<Vec<_>>().join(", "))
}

impl Point {
    /// `in_slurm`: how many jobs SLURM has, if the worker says that it has handed over so many.
    fn take(
        market: &Market,
        begun: Instant,
        in_slurm: impl Fn(u32) -> Result<u32>,
    ) -> Result<Self> {
        let metrics = scrape(market)?;
        let value = |name: &str| metrics.get(name).copied().unwrap_or_default();
        let both = |name: &str| {
            let name = format!("virtengine_provider_{name}_seconds");
            (
                value(&format!("{name}_sum")),
                value(&format!("{name}_count")),
            )
        };
        let phases =
            PHASES.map(|phase| value(&format!("virtengine_provider_jobs{{phase=\"{phase}\"}}")));
        let [.., handed_over] = phases;
        Ok(Self {
            at: begun.elapsed().as_secs_f64(),
            phases,
            in_slurm: in_slurm(handed_over as u32)?,
            hand_over: both("hand_over"),
            round: both("reconcile"),
        })
    }

    fn most(&self) -> f64 {
        self.phases.iter().copied().fold(0.0, f64::max)
    }
}
