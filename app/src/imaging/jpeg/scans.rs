//! JPEGs that tell their coefficients in several scans, or in one that the streaming decoder is not made for: progressive ones, printing inks, RGB, rare
//! samplings. All scans are read into [`Gathered`] first.
//!
//! A progressive picture is whole when its end marker comes, or, where the marker is missing, when no bit is missing; any other one when each component has had its scan.

use super::Damage;
use super::coefficients::Gathered;
use super::entropy::{Bits, Scan, Tables};
use super::headers::{Headers, ScanHeader};
use super::passes::{Pass, State};
use crate::imaging::probe::JpegSegments;

/// A progressive JPEG of more scans than this is an attack on CPU time (ten are usual).
const SCANS_MAX: usize = 64;

/// Reads all scans of a file.
pub(super) fn gather(bytes: &[u8]) -> Result<Gathered, Damage> {
    let mut headers = Headers::default();
    let mut segments = JpegSegments::new(bytes);
    let mut gathered: Option<Gathered> = None;
    let mut scans = 0;
    loop {
        let segment = segments.next_segment();
        let is_whole = gathered.as_ref().is_some_and(Gathered::is_whole);
        let has_all = gathered.as_ref().is_some_and(Gathered::has_all_components);
        match segment {
            // A scan that comes when nothing is missing any more is not looked at.
            Some((0xDA, _)) if is_whole => break,
            Some((0xDA, body)) => {
                scans += 1;
                if scans > SCANS_MAX {
                    return Err(Damage::Wrong("it comes in more parts than a picture has"));
                }
                let scan = headers.scan(body)?;
                let into = match &mut gathered {
                    Some(gathered) => gathered,
                    none => none.insert(Gathered::new(&headers)?),
                };
                take(into, &headers, &scan, segments.rest())?;
                if !headers.is_progressive && into.has_all_components() {
                    break;
                }
            }
            Some((0xD9, _)) if has_all => break,
            None if is_whole => break,
            Some((0xD9, _)) | None => return Err(Damage::Ended),
            // What comes when nothing is missing any more does no harm.
            Some((marker, body)) => match headers.take(marker, body) {
                Err(_) if is_whole => break,
                done => done?,
            },
        }
    }
    gathered.ok_or(Damage::Ended)
}

/// Adds one scan, whose bits `data` begins with.
fn take(
    gathered: &mut Gathered,
    headers: &Headers<'_>,
    scan: &ScanHeader,
    data: &[u8],
) -> Result<(), Damage> {
    let pass = Pass::new(scan, headers.is_progressive)?;
    for selected in &scan.components {
        let steps = headers.quantization(selected.component)?;
        gathered.components[selected.component].begin(pass, steps);
    }
    // A scan of one component has no MCUs but blocks, whatever its sampling says.
    let (across, down) = match scan.components[..] {
        [] => return Err(Damage::Wrong("its headers make no sense")),
        [one] => {
            let component = &gathered.components[one.component];
            (component.columns, component.rows)
        }
        _ => gathered.mcus(),
    };
    let interval = match headers.restart_interval {
        0 => across * down,
        interval => interval,
    };
    let tables = Tables::new(&headers.dc_codes, &headers.ac_codes);
    let source = Scan::new(data, (across * down).div_ceil(interval.max(1)))?;
    let mut segments = source.segments();
    let (mut bits, mut until_restart) = (Bits::default(), 0);
    let mut states = vec![State::default(); scan.components.len()];
    for row in 0..down {
        for column in 0..across {
            if until_restart == 0 {
                bits.check()?;
                bits = segments.next().ok_or(Damage::Ended)?;
                until_restart = interval;
                states.fill(State::default());
            }
            until_restart -= 1;
            mcu(gathered, scan, &tables, (column, row), pass, &mut bits, &mut states)?;
        }
        bits.check()?;
    }
    Ok(())
}

/// The blocks of one MCU.
fn mcu(
    gathered: &mut Gathered,
    scan: &ScanHeader,
    tables: &Tables,
    (column, row): (usize, usize),
    pass: Pass,
    bits: &mut Bits<'_>,
    states: &mut [State],
) -> Result<(), Damage> {
    let is_alone = scan.components.len() == 1;
    for (selected, state) in scan.components.iter().zip(states) {
        let component = &mut gathered.components[selected.component];
        let (across, down) = if is_alone { (1, 1) } else { (component.across, component.down) };
        let codes = (&tables.dc[selected.dc_table], &tables.ac[selected.ac_table]);
        for v in 0..down {
            let first = (row * down + v) * component.stride + column * across;
            for block in &mut component.blocks[first..first + across] {
                pass.read(bits, codes, state, block)?;
            }
        }
    }
    Ok(())
}
