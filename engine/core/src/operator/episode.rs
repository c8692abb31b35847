//! Alerts as episodes: what is raised stays open until it is over. Knows no bytes of alerts and no timers; it decides what a
//! reading, a silence or a person does to an episode.

/// Where a reading stands in its partition, and its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) offset: i64,
    /// In epoch milliseconds.
    pub(crate) time: i64,
}

/// What a rule asks of its episodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Terms {
    /// Milliseconds between two times that it is told.
    pub(crate) repeat: Option<i64>,
    /// To whom, and how many milliseconds after it was raised.
    pub(crate) escalate: Option<(String, i64)>,
    /// Whether it waits for somebody to acknowledge it.
    pub(crate) latch: bool,
}

/// An open episode.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact by itself")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Episode {
    /// The reading that began it, or from which the silence is counted.
    pub(crate) began: Place,
    /// When it was raised.
    pub(crate) since: i64,
    /// When it was last raised or repeated.
    pub(crate) last: i64,
    pub(crate) acknowledged: bool,
    pub(crate) escalated: bool,
    /// Whether it was due to be escalated while its alerts are paused. Not kept: what is restored is due again.
    pub(crate) held: bool,
    /// Whether the last reading that decided it asked for its end.
    pub(crate) asks_end: bool,
    /// Whether it was sent: not while its alerts are paused.
    pub(crate) told: bool,
    /// Who acknowledged it while its alerts were paused, until that is told.
    pub(crate) untold_by: Option<Box<str>>,
    /// The rule that its id names, if that goes by another name now: an id stays what it is.
    pub(crate) named: Option<Box<str>>,
    pub(crate) said: Said,
}

/// What the last `raised` or `repeated` said, which later states say again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Said {
    /// The message, then the values, each as the inside of JSON.
    pub(crate) bytes: Box<[u8]>,
    /// The length of the message.
    pub(crate) message: u32,
}

impl Said {
    pub(crate) fn message(&self) -> &[u8] {
        self.bytes.get(..self.message as usize).unwrap_or_default()
    }

    pub(crate) fn values(&self) -> &[u8] {
        self.bytes.get(self.message as usize..).unwrap_or_default()
    }
}

/// What a reading says about an episode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Whether the rule matches; `None` is unknown.
    pub(crate) matches: Option<bool>,
    /// Whether it asks for the end; `None` is undecided.
    pub(crate) asks_end: Option<bool>,
}

/// What becomes of an episode at a reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Nothing,
    Raised,
    Repeated,
    Resolved,
}

impl Verdict {
    /// Of a rule without `clear when`: a false condition ends it.
    pub(crate) fn new(matches: Option<bool>) -> Self {
        Self { matches, asks_end: matches.map(|matches| !matches) }
    }

    /// Of a rule with `clear when`: the clause alone decides about the end.
    pub(crate) fn cleared_by(self, clear: Option<bool>) -> Self {
        Self { asks_end: clear, ..self }
    }

    /// What the reading at `time` does to the rule's episode.
    pub(crate) fn apply(self, open: Option<&mut Episode>, terms: &Terms, time: i64) -> Change {
        let Some(episode) = open else {
            let begins = self.matches == Some(true) && self.asks_end != Some(true);
            return if begins { Change::Raised } else { Change::Nothing };
        };
        if let Some(asks_end) = self.asks_end {
            episode.asks_end = asks_end;
        }
        if self.asks_end == Some(true) {
            let held = terms.latch && !episode.acknowledged;
            return if held { Change::Nothing } else { Change::Resolved };
        }
        let due = terms.repeat.is_some_and(|every| time.saturating_sub(episode.last) >= every);
        if self.matches == Some(true) && due && !episode.acknowledged {
            return Change::Repeated;
        }
        Change::Nothing
    }
}

impl Episode {
    /// One that is raised now, and not told of yet.
    pub(crate) fn raised(began: Place, since: i64, said: Said) -> Self {
        Self {
            began,
            since,
            last: since,
            acknowledged: false,
            escalated: false,
            held: false,
            asks_end: false,
            told: false,
            untold_by: None,
            named: None,
            said,
        }
    }

    /// Goes on as an episode of a rule of another name.
    pub(crate) fn rename(&mut self, from: &str, to: &str) {
        let first = self.named.take().unwrap_or_else(|| from.into());
        self.named = (*first != *to).then_some(first);
    }

    /// Whether there is something that nobody could be told.
    pub(crate) fn has_untold(&self) -> bool {
        !self.told || self.untold_by.is_some() || self.owes_escalation()
    }

    /// Whether somebody is to come who was not called because of a pause.
    pub(crate) fn owes_escalation(&self) -> bool {
        self.held && self.may_escalate()
    }

    fn may_escalate(&self) -> bool {
        !self.acknowledged && !self.escalated
    }

    /// When it is due to be escalated, unless it was.
    pub(crate) fn escalation(&self, terms: &Terms) -> Option<i64> {
        let (_, after) = terms.escalate.as_ref().filter(|_| self.may_escalate() && !self.held)?;
        Some(self.since.saturating_add(*after))
    }

    /// Whether an acknowledgement ends it.
    pub(crate) fn ends_when_acknowledged(&self, terms: &Terms) -> bool {
        terms.latch && self.asks_end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn episode() -> Episode {
        Episode {
            began: Place { offset: 0, time: 0 },
            since: 0,
            last: 0,
            acknowledged: false,
            escalated: false,
            held: false,
            asks_end: false,
            told: true,
            untold_by: None,
            named: None,
            said: Said::default(),
        }
    }

    #[test]
    fn a_name_is_the_first_one_until_it_comes_back() {
        let mut renamed = episode();
        renamed.rename("a", "b");
        renamed.rename("b", "c");
        assert_eq!(renamed.named.as_deref(), Some("a"));
        renamed.rename("c", "a");
        assert_eq!(renamed.named, None);
    }

    const LATCHED: Terms = Terms { repeat: Some(10), escalate: None, latch: true };

    #[test]
    fn with_a_clause_the_clause_alone_decides() {
        let terms = Terms { latch: false, ..LATCHED };
        let apply = |matches, clear| Verdict::new(matches).cleared_by(clear).apply(Some(&mut episode()), &terms, 10);
        assert_eq!(apply(None, Some(true)), Change::Resolved);
        assert_eq!(apply(Some(false), Some(false)), Change::Nothing);
        assert_eq!(apply(Some(false), None), Change::Nothing);
        assert_eq!(apply(Some(true), Some(false)), Change::Repeated);
        assert_eq!(apply(Some(true), Some(true)), Change::Resolved);
        assert_eq!(Verdict::new(Some(true)).cleared_by(Some(true)).apply(None, &terms, 10), Change::Nothing);
        assert_eq!(Verdict::new(Some(true)).cleared_by(None).apply(None, &terms, 10), Change::Raised);
    }

    #[test]
    fn a_latch_holds_until_somebody_came() {
        let mut open = episode();
        assert_eq!(Verdict::new(Some(false)).apply(Some(&mut open), &LATCHED, 1), Change::Nothing);
        assert!(open.ends_when_acknowledged(&LATCHED));
        assert_eq!(Verdict::new(None).apply(Some(&mut open), &LATCHED, 2), Change::Nothing);
        assert!(open.ends_when_acknowledged(&LATCHED));
        assert_eq!(Verdict::new(Some(true)).apply(Some(&mut open), &LATCHED, 3), Change::Nothing);
        assert!(!open.ends_when_acknowledged(&LATCHED));
        open.acknowledged = true;
        assert_eq!(Verdict::new(Some(true)).apply(Some(&mut open), &LATCHED, 30), Change::Nothing);
        assert_eq!(Verdict::new(Some(false)).apply(Some(&mut open), &LATCHED, 31), Change::Resolved);
    }
}
