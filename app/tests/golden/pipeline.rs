//! Rendering with several cores, rendering called off, and the mark on every instruction set.

use std::sync::atomic::AtomicBool;

use photo_app::imaging::kernels::instruction_sets;
use photo_app::imaging::{
    Effort, ImagingError, RenderRequest, Watermark, encode, filters, landscape, render, watermark,
};
use photo_app::model::RenditionFormats;

use crate::{plain, test_card};

#[test]
fn several_cores_give_the_same_files() {
    let bytes = encode::jpeg(&landscape::paint(5, 900, 600)).expect("written");
    let one = RenderRequest {
        filter: filters::by_name("matinee").expect("a look"),
        watermark: Watermark::Tiled,
        formats: RenditionFormats::JpegWebp,
        ..plain(&bytes, &[160, 320, 900, 640, 320])
    };
    let alone = render(&one).expect("rendered");
    for cores in [0, 2, 3, 16] {
        let effort = Effort { cores, cancelled: None };
        let made = render(&RenderRequest { effort, ..one }).expect("rendered");
        assert_eq!(made, alone, "{cores} cores");
    }
}

#[test]
fn what_is_called_off_makes_nothing() {
    let bytes = encode::jpeg(&test_card(64, 48)).expect("written");
    let cancelled = AtomicBool::new(true);
    for cores in [1, 2] {
        let effort = Effort { cores, cancelled: Some(&cancelled) };
        let refused = render(&RenderRequest { effort, ..plain(&bytes, &[32]) });
        assert_eq!(refused, Err(ImagingError::Cancelled));
    }
    let cancelled = AtomicBool::new(false);
    let effort = Effort { cores: 1, cancelled: Some(&cancelled) };
    assert_eq!(
        render(&RenderRequest { effort, ..plain(&bytes, &[32]) }).map(|made| made.len()),
        Ok(1)
    );
}

#[test]
fn marks_are_the_same_on_every_instruction_set() {
    for (width, height) in [(1, 1), (7, 90), (321, 123), (900, 600)] {
        let card = test_card(width, height);
        for mark in [Watermark::Corner, Watermark::Tiled] {
            let mut best = card.clone();
            watermark::draw(&mut best, mark);
            for (set, level) in instruction_sets() {
                let mut other = card.clone();
                watermark::draw_with(level, &mut other, mark);
                assert!(best == other, "{mark:?} with {set} on {width} x {height}");
            }
            assert!(best != card, "{mark:?} is seen on {width} x {height}");
        }
    }
}
