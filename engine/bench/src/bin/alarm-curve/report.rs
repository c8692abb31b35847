//! The table in `docs/alarm-curve.md`, between two marks, and the picture beside it.

use std::fmt::Write;
use std::io;
use std::path::{Path, PathBuf};

use crate::judgement::Judgement;
use crate::{bed_days, picture};

const BEGIN: &str = "<!-- make alarm-curve: begin -->\n";
const END: &str = "<!-- make alarm-curve: end -->\n";

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReportError {
    #[error("{path}: {source}", path = path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{path}: the marks `{BEGIN}` and `{END}` are not there", path = path.display())]
    NoMarks { path: PathBuf },
}

pub(crate) fn write(docs: &Path, judgements: &[Judgement], readings: i64) -> Result<(), ReportError> {
    let (page, svg) = (docs.join("alarm-curve.md"), docs.join("alarm-curve.svg"));
    let failed = |path: &PathBuf| {
        let path = path.clone();
        move |source| ReportError::Io { path, source }
    };
    let text = std::fs::read_to_string(&page).map_err(failed(&page))?;
    let inside = table(judgements, readings);
    let replaced = replace(&text, &inside).ok_or_else(|| ReportError::NoMarks { path: page.clone() })?;
    std::fs::write(&page, replaced).map_err(failed(&page))?;
    std::fs::write(&svg, picture::draw(judgements)).map_err(failed(&svg))
}

/// The page with that between its marks.
fn replace(page: &str, inside: &str) -> Option<String> {
    let (before, rest) = page.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}{inside}{END}{after}"))
}

fn table(judgements: &[Judgement], readings: i64) -> String {
    let Some(all) = judgements.first() else { return String::new() };
    let (episodes, short) = (all.episodes, all.short.episodes);
    let mut text = format!(
        "{readings} readings in {:.0} bed-days, {episodes} episodes, {short} of them hypotension.\n\n\
         | hold | alarms a bed and day | in vain | of those without a hold | missed | late | hypotension missed | late |\n\
         |--:|--:|--:|--:|--:|--:|--:|--:|\n",
        bed_days()
    );
    for judgement in judgements {
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "| {} s | {:.1} | {:.1} | {:.0} % | {:.1} % | {:.1} % | {:.1} % | {:.1} % |",
            judgement.hold,
            judgement.alarms as f64 / bed_days(),
            judgement.vain as f64 / bed_days(),
            percent(judgement.vain, all.vain),
            percent(judgement.missed, episodes),
            percent(judgement.late, episodes),
            percent(judgement.short.missed, short),
            percent(judgement.short.late, short),
        );
    }
    text
}

/// The share of `part` in `whole`, 0 if there is no whole.
pub(crate) fn percent(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { 100.0 * part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_between_the_marks_is_replaced() {
        let page = format!("before\n{BEGIN}old\n{END}after\n");
        assert_eq!(replace(&page, "new\n"), Some(format!("before\n{BEGIN}new\n{END}after\n")));
        assert_eq!(replace("no marks\n", "new\n"), None);
    }
}
