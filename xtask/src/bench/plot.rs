//! Figures as pictures: the curve of cost over the size of a load, both axes logarithmic, and
//! bars beside those of a rival.

use super::workload::Measured;

/// A workload's name, what we took for a packet, and what the rival took.
pub(super) type Pair = (String, f64, f64);

const BAR: f64 = 20.0;
const LABELS: f64 = 90.0;

/// A named line: sizes, and what was measured at each.
type Series = (&'static str, Vec<(u32, Measured)>);

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 420.0;
const MARGIN: f64 = 60.0;
/// Ticks of the two axes; the ends are the limits.
const SIZES: [f64; 4] = [1.0, 10.0, 100.0, 1000.0];
const COSTS: [f64; 6] = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0];
const COLOURS: [&str; 3] = ["#0f766e", "#b45309", "#4338ca"];

/// Draws the series as SVG.
pub(super) fn draw(series: &[Series]) -> String {
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#fff\"/>\n"
    );
    for size in SIZES {
        let at = x(size);
        svg.push_str(&line((at, y(1.0)), (at, y(50.0)), "#ddd"));
        svg.push_str(&text((at, HEIGHT - MARGIN + 20.0), "middle", &format!("{size}")));
    }
    for cost in COSTS {
        let at = y(cost);
        svg.push_str(&line((x(1.0), at), (x(1000.0), at), "#ddd"));
        svg.push_str(&text((MARGIN - 8.0, at + 4.0), "end", &format!("{cost}")));
    }
    svg.push_str(&text((MARGIN, 28.0), "start", "µs of server CPU for each packet delivered"));
    svg.push_str(&text((WIDTH / 2.0, HEIGHT - 12.0), "middle", "how many"));
    for (number, (name, points)) in series.iter().enumerate() {
        let colour = COLOURS.get(number % COLOURS.len()).copied().unwrap_or("#000");
        let places: Vec<(f64, f64)> = points
            .iter()
            .map(|(size, measured)| (x((*size).into()), y(measured.cpu_us_per_packet)))
            .collect();
        let path: Vec<String> = places.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        svg.push_str(&format!(
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>\n",
            path.join(" ")
        ));
        for ((x, y), (_, measured)) in places.iter().zip(points) {
            svg.push_str(&format!(
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\" fill=\"{colour}\"/>\n"
            ));
            let label = format!("{:.1}", measured.cpu_us_per_packet);
            svg.push_str(&text((*x, y - 10.0), "middle", &label));
        }
        let row = 28.0 + 18.0 * number as f64;
        svg.push_str(&line((WIDTH - 210.0, row - 4.0), (WIDTH - 185.0, row - 4.0), colour));
        svg.push_str(&text((WIDTH - 178.0, row), "start", name));
    }
    svg.push_str("</svg>\n");
    svg
}

/// Draws bars of microseconds a packet, ours over the rival's for each workload.
pub(super) fn bars(pairs: &[Pair], names: [&str; 2]) -> String {
    let height = 60.0 + pairs.len() as f64 * (2.0 * BAR + 24.0);
    let most = pairs.iter().flat_map(|(_, ours, theirs)| [*ours, *theirs]).fold(1.0, f64::max);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#fff\"/>\n"
    );
    let title = "µs of server CPU for each packet delivered (rooms × talkers × listeners)";
    svg.push_str(&text((20.0, 28.0), "start", title));
    let mut top = 48.0;
    for (workload, ours, theirs) in pairs {
        svg.push_str(&text((LABELS, top + BAR + 5.0), "end", workload));
        for ((cost, name), colour) in [*ours, *theirs].iter().zip(names).zip(COLOURS) {
            let width = (WIDTH - LABELS - 150.0) * cost / most;
            svg.push_str(&format!(
                "<rect x=\"{:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{:.1}\" \
                 fill=\"{colour}\"/>\n",
                LABELS + 10.0,
                BAR - 2.0
            ));
            let label = format!("{cost:.1}  {name}");
            svg.push_str(&text((LABELS + 16.0 + width, top + BAR - 6.0), "start", &label));
            top += BAR;
        }
        top += 24.0;
    }
    svg.push_str("</svg>\n");
    svg
}

fn x(size: f64) -> f64 {
    MARGIN + (WIDTH - 2.0 * MARGIN) * size.max(1.0).log10() / 3.0
}

fn y(cost: f64) -> f64 {
    let share = cost.clamp(1.0, 50.0).ln() / 50.0_f64.ln();
    HEIGHT - MARGIN - (HEIGHT - 2.0 * MARGIN) * share
}

fn line(from: (f64, f64), to: (f64, f64), colour: &str) -> String {
    format!(
        "<line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" stroke=\"{colour}\"/>\n",
        from.0, from.1, to.0, to.1
    )
}

fn text(at: (f64, f64), anchor: &str, words: &str) -> String {
    format!(
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\" fill=\"#222\">{words}</text>\n",
        at.0, at.1
    )
}
