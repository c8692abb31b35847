//! A ward written to a file, with the times that its readings would have, as fast as it goes.

use std::io::{self, Write};

use super::ward::{Extent, Ward};

/// Writes the readings, a line each; how many they were.
pub(crate) fn write_readings(ward: &mut Ward, extent: &Extent, out: &mut dyn Write) -> io::Result<u64> {
    let begin = ward.begin();
    let mut written = 0;
    while let Some(due) = ward.next_due().filter(|due| extent.holds(written, *due)) {
        let Some(sample) = ward.next_sample(begin + due.as_millis() as i64) else { break };
        writeln!(out, "{}", sample.json)?;
        written += 1;
    }
    out.flush()?;
    Ok(written)
}

/// Writes the ground truth, an episode a line.
pub(crate) fn write_truth(ward: &Ward, out: &mut dyn Write) -> io::Result<()> {
    for episode in ward.episodes() {
        writeln!(out, "{}", episode.json())?;
    }
    out.flush()
}
