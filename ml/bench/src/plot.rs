//! The distributions of cosines and the trade-off of errors, as SVG.

use crate::pairs::Pair;
use std::fmt::Write;

/// Size of a panel, and what is left around it for axes.
const PANEL: [f64; 2] = [420.0, 260.0];
const MARGIN: [f64; 2] = [60.0, 50.0];
/// Bars from cosine -1 to 1.
const BARS: usize = 80;

/// Both sides' pairs, and the threshold of decisions.
pub fn draw(engine: &[Pair], float: &[Pair], threshold: f64) -> String {
    let (width, height) = (
        2.0 * (PANEL[0] + MARGIN[0]) + 20.0,
        PANEL[1] + 2.0 * MARGIN[1],
    );
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"white\"/>\n"
    );
    panel(&mut svg, MARGIN[0], "cosine of a pair", "share of pairs");
    histogram(&mut svg, engine, float, threshold);
    let left = 2.0 * MARGIN[0] + PANEL[0];
    panel(&mut svg, left, "false matches", "false non-matches");
    trade_off(&mut svg, left, engine, float);
    svg.push_str("</svg>\n");
    svg
}

fn text(svg: &mut String, x: f64, y: f64, anchor: &str, what: &str) {
    let _ = writeln!(
        svg,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{what}</text>"
    );
}

/// Frame and names of the axes.
fn panel(svg: &mut String, left: f64, across: &str, up: &str) {
    let [w, h] = PANEL;
    let top = MARGIN[1];
    let _ = writeln!(
        svg,
        "<rect x=\"{left}\" y=\"{top}\" width=\"{w}\" height=\"{h}\" fill=\"none\" stroke=\"#888\"/>"
    );
    text(svg, left + w / 2.0, top + h + 34.0, "middle", across);
    text(svg, left, top - 8.0, "start", up);
}

fn line(svg: &mut String, points: &[[f64; 2]], style: &str) {
    let points: Vec<_> = points
        .iter()
        .map(|[x, y]| format!("{x:.1},{y:.1}"))
        .collect();
    let _ = writeln!(
        svg,
        "<polyline points=\"{}\" fill=\"none\" {style}/>",
        points.join(" ")
    );
}

fn histogram(svg: &mut String, engine: &[Pair], float: &[Pair], threshold: f64) {
    let shares = |pairs: &[Pair], genuine: bool| {
        let mut bars = vec![0.0; BARS];
        let of_kind: Vec<_> = pairs.iter().filter(|p| p.genuine() == genuine).collect();
        for pair in &of_kind {
            let bar = ((pair.score + 1.0) / 2.0 * BARS as f64) as usize;
            bars[bar.min(BARS - 1)] += 1.0 / of_kind.len() as f64;
        }
        bars
    };
    let kinds = [(false, "#d95f02", "impostor"), (true, "#1b9e77", "genuine")];
    let all: Vec<_> = kinds
        .iter()
        .map(|(genuine, ..)| [shares(engine, *genuine), shares(float, *genuine)])
        .collect();
    let most = all
        .iter()
        .flatten()
        .flatten()
        .fold(0.0f64, |a, b| a.max(*b));
    let x = |bar: f64| MARGIN[0] + PANEL[0] * bar / BARS as f64;
    let y = |share: f64| MARGIN[1] + PANEL[1] * (1.0 - share / most / 1.15);
    for ((_, colour, name), [ours, theirs]) in kinds.iter().zip(&all) {
        let mut outline = Vec::new();
        for (bar, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
            let (from, to) = (x(bar as f64), x(bar as f64 + 1.0));
            if *ours > 0.0 {
                let _ = writeln!(
                    svg,
                    "<rect x=\"{from:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{colour}\" fill-opacity=\"0.5\"/>",
                    y(*ours), to - from, y(0.0) - y(*ours)
                );
            }
            outline.extend([[from, y(*theirs)], [to, y(*theirs)]]);
        }
        line(svg, &outline, &format!("stroke=\"{colour}\""));
        let at = if *name == "genuine" { 0.98 } else { 0.02 };
        let anchor = if *name == "genuine" { "end" } else { "start" };
        let what = format!("<tspan fill=\"{colour}\">{name}</tspan>");
        text(
            svg,
            MARGIN[0] + at * PANEL[0],
            MARGIN[1] + 18.0,
            anchor,
            &what,
        );
    }
    let at = x((threshold + 1.0) / 2.0 * BARS as f64);
    line(
        svg,
        &[[at, MARGIN[1]], [at, MARGIN[1] + PANEL[1]]],
        "stroke=\"#333\" stroke-dasharray=\"4 3\"",
    );
    for tick in [-1.0, -0.5, 0.0, 0.5, 1.0] {
        text(
            svg,
            x((tick + 1.0) / 2.0 * BARS as f64),
            MARGIN[1] + PANEL[1] + 16.0,
            "middle",
            &tick.to_string(),
        );
    }
    let legend = "filled: engine, outlined: onnxruntime, dashed: threshold";
    text(svg, MARGIN[0] + PANEL[0], MARGIN[1] - 24.0, "end", legend);
}

fn trade_off(svg: &mut String, left: f64, engine: &[Pair], float: &[Pair]) {
    // Rates below one of the pairs are zero; they lie on the axes.
    let decades = (engine.len().max(10) as f64).log10().ceil();
    let at = |rate: f64| (rate.max(10f64.powf(-decades)).log10() + decades) / decades;
    let place = |[accepted, rejected]: [f64; 2]| {
        [
            left + PANEL[0] * at(accepted),
            MARGIN[1] + PANEL[1] * (1.0 - at(rejected)),
        ]
    };
    for decade in 0..=decades as i32 {
        let rate = 10f64.powi(-decade);
        let [x, y] = place([rate, rate]);
        let name = if decade == 0 {
            "1".into()
        } else {
            format!("1e-{decade}")
        };
        text(svg, x, MARGIN[1] + PANEL[1] + 16.0, "middle", &name);
        text(svg, left - 4.0, y + 4.0, "end", &name);
    }
    for (pairs, style, name, row) in [
        (
            float,
            "stroke=\"#7570b3\" stroke-width=\"3\" stroke-opacity=\"0.5\"",
            "onnxruntime",
            1.0,
        ),
        (engine, "stroke=\"black\"", "engine", 0.0),
    ] {
        let points: Vec<_> = rates(pairs).into_iter().map(place).collect();
        line(svg, &points, style);
        let y = MARGIN[1] + 18.0 + 16.0 * row;
        line(
            svg,
            &[
                [left + PANEL[0] - 120.0, y - 4.0],
                [left + PANEL[0] - 95.0, y - 4.0],
            ],
            style,
        );
        text(svg, left + PANEL[0] - 90.0, y, "start", name);
    }
    if separable(engine) && separable(float) {
        let middle = left + PANEL[0] / 2.0;
        let what = "both separate all pairs: no curve at this number of pairs";
        text(svg, middle, MARGIN[1] + PANEL[1] / 2.0, "middle", what);
    }
}

/// Whether some threshold makes no error.
fn separable(pairs: &[Pair]) -> bool {
    rates(pairs).contains(&[0.0, 0.0])
}

/// False matches and false non-matches at every threshold.
fn rates(pairs: &[Pair]) -> Vec<[f64; 2]> {
    let mut sorted: Vec<_> = pairs.iter().collect();
    sorted.sort_by(|a, b| a.score.total_cmp(&b.score));
    let genuine = pairs.iter().filter(|p| p.genuine()).count() as f64;
    let impostor = pairs.len() as f64 - genuine;
    let (mut accepted, mut rejected) = (impostor, 0.0);
    let mut rates = vec![[1.0, 0.0]];
    for pair in sorted {
        if pair.genuine() {
            rejected += 1.0;
        } else {
            accepted -= 1.0;
        }
        rates.push([accepted / impostor, rejected / genuine]);
    }
    rates
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs() -> Vec<Pair> {
        let scores = [(0.1, 0, 1), (0.5, 0, 0), (0.3, 1, 2), (0.9, 1, 1)];
        scores
            .map(|(score, a, b)| Pair {
                persons: [a, b],
                score,
            })
            .into()
    }

    #[test]
    fn rates_should_go_from_accepting_all_to_rejecting_all_when_the_threshold_rises() {
        assert_eq!(
            rates(&pairs()),
            [[1.0, 0.0], [0.5, 0.0], [0.0, 0.0], [0.0, 0.5], [0.0, 1.0]]
        );
    }

    #[test]
    fn drawing_should_have_one_outline_for_each_side_and_kind_when_there_are_pairs() {
        let svg = draw(&pairs(), &pairs(), 0.363);
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
        // Two outlines and the threshold; two curves and their legend.
        assert_eq!(svg.matches("<polyline").count(), 7);
    }
}
