//! The curve as SVG, by hand: the vain alarms that are left, and the episodes missed or late, over the hold.

use std::fmt::Write;

use crate::judgement::Judgement;
use crate::report::percent;

// The drawing area, in pixels.
const LEFT: f64 = 70.0;
const TOP: f64 = 60.0;
const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 300.0;

/// What a delay left of the ignored and ineffective alarms of an intensive care unit, in seconds and percent (Goerges 2009).
const GOERGES: [(f64, f64); 2] = [(14.0, 50.0), (19.0, 33.0)];

const LINES: [(&str, &str, Share); 3] = [
    ("#1f4e79", "vain alarms that are left", |judgement, all| percent(judgement.vain, all.vain)),
    ("#b03a2e", "hypotension missed (0.5 to 8 min)", |judgement, _| {
        percent(judgement.short.missed, judgement.short.episodes)
    }),
    ("#c77c11", "episodes alarmed more than 30 s late", |judgement, all| percent(judgement.late, all.episodes)),
];

/// A line's value at a hold, in percent; beside it the judgement without a hold.
type Share = fn(&Judgement, &Judgement) -> f64;

/// The picture of judgements in order of their holds, the first of them without one.
pub(crate) fn draw(judgements: &[Judgement]) -> String {
    let (Some(all), Some(last)) = (judgements.first(), judgements.last()) else { return String::new() };
    let longest = last.hold as f64;
    let mut svg = String::from(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 680 430\" width=\"680\" height=\"430\" \
         font-family=\"sans-serif\" font-size=\"13\">\n<rect width=\"680\" height=\"430\" fill=\"white\"/>\n",
    );
    text(&mut svg, (LEFT, 28.0), "start", "A longer hold: fewer alarms in vain, and what it costs");
    axes(&mut svg, longest);
    for (number, (colour, label, share)) in LINES.iter().enumerate() {
        let points = judgements.iter().map(|judgement| place(judgement.hold as f64, share(judgement, all), longest));
        line(&mut svg, colour, &points.collect::<Vec<_>>());
        legend(&mut svg, number, colour, label);
    }
    for (hold, left) in GOERGES {
        let (x, y) = place(hold, left, longest);
        push(
            &mut svg,
            &format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"5\" fill=\"none\" stroke=\"black\" stroke-width=\"2\"/>"),
        );
    }
    let y = TOP + 15.0 + 20.0 * LINES.len() as f64;
    push(
        &mut svg,
        &format!("<circle cx=\"385\" cy=\"{y}\" r=\"5\" fill=\"none\" stroke=\"black\" stroke-width=\"2\"/>"),
    );
    text(&mut svg, (400.0, y + 4.0), "start", "left in an ICU (Goerges 2009)");
    svg.push_str("</svg>\n");
    svg
}

/// Where a hold and a share lie.
fn place(hold: f64, share: f64, longest: f64) -> (f64, f64) {
    (LEFT + WIDTH * hold / longest, TOP + HEIGHT * (1.0 - share / 100.0))
}

fn axes(svg: &mut String, longest: f64) {
    for share in [0, 20, 40, 60, 80, 100] {
        let (x, y) = place(0.0, f64::from(share), longest);
        let right = x + WIDTH;
        push(svg, &format!("<line x1=\"{x}\" y1=\"{y}\" x2=\"{right}\" y2=\"{y}\" stroke=\"#dddddd\"/>"));
        text(svg, (x - 8.0, y + 4.0), "end", &format!("{share} %"));
    }
    for hold in (0..).step_by(10).take_while(|hold| f64::from(*hold) <= longest) {
        let (x, y) = place(f64::from(hold), 0.0, longest);
        let below = y + 5.0;
        push(svg, &format!("<line x1=\"{x:.1}\" y1=\"{y}\" x2=\"{x:.1}\" y2=\"{below}\" stroke=\"black\"/>"));
        text(svg, (x, y + 20.0), "middle", &hold.to_string());
    }
    let ((left, bottom), (right, _)) = (place(0.0, 0.0, longest), place(longest, 0.0, longest));
    push(svg, &format!("<line x1=\"{left}\" y1=\"{bottom}\" x2=\"{right}\" y2=\"{bottom}\" stroke=\"black\"/>"));
    text(
        svg,
        (LEFT + WIDTH / 2.0, bottom + 42.0),
        "middle",
        "how long a condition must hold, in seconds (a reading every 5 s)",
    );
}

fn line(svg: &mut String, colour: &str, points: &[(f64, f64)]) {
    let mut path = String::new();
    for (x, y) in points {
        // Writing to a string cannot fail.
        let _ = write!(path, "{x:.1},{y:.1} ");
        push(svg, &format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"/>"));
    }
    let path = path.trim_end();
    push(svg, &format!("<polyline points=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>"));
}

fn legend(svg: &mut String, number: usize, colour: &str, label: &str) {
    let y = TOP + 15.0 + 20.0 * number as f64;
    push(svg, &format!("<line x1=\"375\" y1=\"{y}\" x2=\"395\" y2=\"{y}\" stroke=\"{colour}\" stroke-width=\"2\"/>"));
    text(svg, (400.0, y + 4.0), "start", label);
}

fn text(svg: &mut String, (x, y): (f64, f64), anchor: &str, words: &str) {
    push(svg, &format!("<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{words}</text>"));
}

fn push(svg: &mut String, element: &str) {
    svg.push_str(element);
    svg.push('\n');
}
