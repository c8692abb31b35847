//! Where comments go between the lines.
//!
//! A comment behind a line stays behind it. One on a line of its own, or inside something that becomes one line, goes
//! above the next line that is printed. Each is taken exactly once, in order.

use super::layout::{Line, Place};
use super::written::Written;

/// The text of `lines` with the comments of the file they were parsed from.
pub(super) fn weave(lines: Vec<Line>, written: &Written<'_>) -> String {
    let mut page = Page { written, out: String::new(), at: 0, fresh: true };
    let mut comments = written.comments().peekable();
    for mut line in lines {
        if line.place == Place::Opens {
            line.end = written.behind_brace(line.end);
        }
        let mut above = Vec::new();
        while let Some(comment) = comments.next_if(|(start, _)| *start < line.end) {
            above.push(comment);
        }
        page.line(&line, &above);
    }
    let rest: Vec<(usize, &str)> = comments.collect();
    page.above(&rest, 0, usize::MAX);
    page.finish()
}

struct Page<'a, 't> {
    written: &'a Written<'t>,
    out: String,
    /// One past the last byte of the file that is on the page.
    at: usize,
    /// Whether nothing stands yet on the page or in the block, so that no empty line may come.
    fresh: bool,
}

impl Page<'_, '_> {
    fn line(&mut self, line: &Line, comments: &[(usize, &str)]) {
        let starts = self.written.next_token(self.at).unwrap_or(self.at);
        let indent = if line.place == Place::Closes { line.indent + 2 } else { line.indent };
        let lifted = self.above(comments, indent, starts);
        if !lifted && line.place != Place::Closes {
            self.space(starts);
        }
        line.write(&mut self.out);
        self.at = line.end;
        self.fresh = line.place == Place::Opens;
    }

    /// Puts comments above a line whose first token is at `starts`. Says whether one came from behind that token: then
    /// the empty line before the token is already there.
    fn above(&mut self, comments: &[(usize, &str)], indent: usize, starts: usize) -> bool {
        let mut lifted = false;
        for (at, (start, comment)) in comments.iter().enumerate() {
            if at == 0 && *start < starts && !self.out.is_empty() && !self.written.starts_line(*start) {
                self.out.truncate(self.out.trim_end().len());
                self.out.extend(["  ", *comment, "\n"]);
                continue;
            }
            match (*start < starts, lifted) {
                (true, _) => self.space(*start),
                (false, false) => self.space(starts),
                (false, true) => {}
            }
            lifted |= *start >= starts;
            self.out.extend([" ".repeat(indent).as_str(), *comment, "\n"]);
            self.fresh = false;
        }
        lifted
    }

    /// An empty line, if one stands in the file right before `place`.
    fn space(&mut self, place: usize) {
        if !self.fresh && self.written.follows_empty_line(place) {
            self.out.push('\n');
        }
    }

    fn finish(self) -> String {
        self.out
    }
}
