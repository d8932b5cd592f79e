//! Charts as a reader sees them: no label touches another, type is large enough for the back of a room, stand-ins are stamped, holes
//! are said. Read back from the SVG itself, on a whole run, in both widths.

mod fixture;

use fixture::runs::all_four;
use loadgen::record::Purpose;
use reports::charts::style::text_width;
use reports::charts::{Chart, Charts, charts};
use reports::findings::analyse;

/// A text with its box.
#[derive(Debug)]
struct Label {
    text: String,
    size: f64,
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

fn attribute<'s>(tag: &'s str, name: &str) -> &'s str {
    let start = tag.find(&format!(" {name}=\"")).expect("the attribute is there") + name.len() + 3;
    tag[start..].split('"').next().expect("an attribute ends")
}

/// Every text of a figure; bold ones are a tenth wider.
fn labels(svg: &str) -> Vec<Label> {
    let texts = svg.split("<text").skip(1).map(|rest| rest.split_once('>').expect("a tag ends"));
    texts
        .map(|(tag, rest)| {
            let text = rest.split("</text>").next().expect("a text ends").trim().to_owned();
            let number = |name| attribute(tag, name).parse::<f64>().expect("a number");
            let (x, y, size) = (number("x"), number("y"), number("font-size"));
            let plain = text.replace("&apos;", "'").replace("&amp;", "&");
            let width = text_width(&plain, size) * if tag.contains("bold") { 1.05 } else { 1.0 };
            let left = match attribute(tag, "text-anchor") {
                "start" => x,
                "middle" => x - width / 2.0,
                _ => x - width,
            };
            let (top, bottom) = (y - size * 0.5, y + size * 0.5);
            Label { text, size, left, right: left + width, top, bottom }
        })
        .collect()
}

fn figures(charts: &Charts) -> Vec<&Chart> {
    charts.experiments.iter().flatten().flat_map(|a| a.all()).chain([&charts.map]).collect()
}

#[test]
fn labels_neither_touch_nor_leave_the_sheet_and_are_large_enough() {
    for seed in [1, 2026] {
        let (record, trials) = all_four(seed);
        let charts = charts(&analyse(&record, &trials));
        for chart in figures(&charts) {
            for (svg, smallest) in [(&chart.wide, 16.0), (&chart.narrow, 13.0)] {
                let width: f64 = attribute(svg.split('>').next().expect("a root"), "width")
                    .parse()
                    .expect("a width");
                let labels = labels(svg);
                assert!(labels.len() > 5, "{}: only {} labels", chart.file, labels.len());
                for (index, a) in labels.iter().enumerate() {
                    assert!(a.size >= smallest, "{}: {a:?} is too small", chart.file);
                    assert!(
                        a.left >= 0.0 && a.right <= width,
                        "{}, {width}: {a:?} leaves the sheet",
                        chart.file
                    );
                    for b in &labels[index + 1..] {
                        let apart = a.right <= b.left
                            || b.right <= a.left
                            || a.bottom <= b.top
                            || b.bottom <= a.top;
                        assert!(apart, "{}, {width} wide: {a:?} touches {b:?}", chart.file);
                    }
                }
            }
        }
    }
}

#[test]
fn what_rests_on_stand_ins_is_stamped() {
    let (record, trials) = all_four(3);
    let charts = charts(&analyse(&record, &trials));
    let stamped = |chart: &Chart, word: &str| labels(&chart.wide).iter().any(|l| l.text == word);
    for (experiment, arrows) in record.experiments.iter().zip(&charts.experiments) {
        for chart in arrows.iter().flat_map(|a| a.all()) {
            let simulated = experiment.id != "framework";
            assert_eq!(stamped(chart, "SIMULATED"), simulated, "{}", chart.file);
            assert_eq!(stamped(chart, "REAL"), !simulated, "{}", chart.file);
        }
    }
    assert!(stamped(&charts.map, "SIMULATED"));
}

#[test]
fn an_empty_run_draws_what_is_missing_instead_of_nothing() {
    let (record, mut trials) = all_four(4);
    trials.retain(|t| t.record.purpose == Purpose::WarmUp);
    let charts = charts(&analyse(&record, &trials));
    let says =
        |chart: &Chart, part: &str| labels(&chart.wide).iter().any(|l| l.text.contains(part));
    for arrows in charts.experiments.iter().flatten() {
        assert!(says(&arrows.latency, "No level was measured."));
        assert!(says(&arrows.capacity, "No rate was held at any count."));
        assert!(says(&arrows.pairs, "NOT COMPARABLE"));
    }
    assert!(says(&charts.map, "Not on the map"));
}
