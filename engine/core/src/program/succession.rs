//! Who succeeds whom from one rule set to the next: cells and silences by what they mean, episodes by the names of their
//! rules. Knows nothing of any state, so that a reload can be reported before it happens.

use std::collections::{HashMap, HashSet};

use super::Program;
use crate::graph::CellName;
use crate::state::{Layout, RuleLayout};

/// From one program to the next. Making it takes time in proportion to the cells and rules of both.
#[derive(Debug)]
pub struct Succession<'a> {
    pub(super) old: &'a Program,
    pub(super) new: &'a Program,
    /// By new cell: the old one.
    pub(super) cells: Vec<Option<usize>>,
    /// By new silence: the old one.
    pub(super) silences: Vec<Option<usize>>,
    /// By old rule: the new one that its episodes go to.
    pub(super) rules: Vec<Option<u32>>,
}

impl<'a> Succession<'a> {
    /// From `old` to `new`.
    pub fn between(old: &'a Program, new: &'a Program) -> Self {
        let (before, after) = (&old.layout, &new.layout);
        let names = |layout: &Layout| layout.cells.iter().map(|cell| cell.name).collect::<Vec<_>>();
        let silences = |layout: &Layout| layout.silences.iter().map(|silence| silence.name).collect::<Vec<_>>();
        Self {
            old,
            new,
            cells: found(&names(before), &names(after)),
            silences: found(&silences(before), &silences(after)),
            rules: successors(old, new),
        }
    }

    /// The expressions whose state goes on, as a person reads them.
    pub fn kept(&self) -> impl Iterator<Item = &'a str> {
        self.arriving(true)
    }

    /// The expressions that begin afresh.
    pub fn started(&self) -> impl Iterator<Item = &'a str> {
        self.arriving(false)
    }

    /// The expressions that nothing uses any more: their state is freed.
    pub fn dropped(&self) -> impl Iterator<Item = &'a str> {
        let layout = &self.old.layout;
        let cells = gone(&self.cells, layout.cells.iter().map(|cell| cell.text.as_str()));
        cells.chain(gone(&self.silences, layout.silences.iter().map(|silence| silence.text.as_str())))
    }

    /// The rules whose episodes go by another name from now on: the old one and the new one.
    pub fn renamed(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let (old, new) = (self.old, self.new);
        let pairs = old.layout.rules.iter().zip(&self.rules);
        let pairs = pairs.filter_map(|(rule, successor)| {
            Some((rule.name.as_str(), new.layout.rules.get((*successor)? as usize)?.name.as_str()))
        });
        pairs.filter(|(before, after)| before != after)
    }

    /// Whether every cell stays where it is.
    pub(super) fn keeps_cells_in_place(&self) -> bool {
        let same = self.cells.iter().enumerate().all(|(index, from)| *from == Some(index));
        same && self.cells.len() == self.old.layout.cells.len()
    }

    fn arriving(&self, kept: bool) -> impl Iterator<Item = &'a str> {
        let layout = &self.new.layout;
        let cells = layout.cells.iter().map(|cell| cell.text.as_str()).zip(&self.cells);
        let silences = layout.silences.iter().map(|silence| silence.text.as_str()).zip(&self.silences);
        let texts: Vec<&str> =
            cells.chain(silences).filter(|(_, from)| from.is_some() == kept).map(|(text, _)| text).collect();
        texts.into_iter()
    }
}

/// By name in `after`: where it stands in `before`.
fn found(before: &[CellName], after: &[CellName]) -> Vec<Option<usize>> {
    let places: HashMap<CellName, usize> = before.iter().enumerate().map(|(place, name)| (*name, place)).collect();
    after.iter().map(|name| places.get(name).copied()).collect()
}

/// The texts of those that nothing new is made of.
fn gone<'a>(from: &[Option<usize>], texts: impl Iterator<Item = &'a str>) -> impl Iterator<Item = &'a str> {
    let kept: HashSet<usize> = from.iter().flatten().copied().collect();
    texts.enumerate().filter(move |(index, _)| !kept.contains(index)).map(|(_, text)| text)
}

/// By old rule: the new one that its episodes go to. The one of its name, or, if there is none, the one new rule of its topic
/// with the same condition. Where two old rules would go to one, the first does.
fn successors(old: &Program, new: &Program) -> Vec<Option<u32>> {
    let (before, after) = (&old.layout, &new.layout);
    // New rules by topic and condition; of several that are alike none takes anything over.
    let mut arrived: HashMap<(Option<&str>, CellName), Option<u32>> = HashMap::new();
    for (index, rule) in after.rules.iter().enumerate().filter(|(_, rule)| before.rule(&rule.name).is_none()) {
        let only = arrived.entry((topic(new, index), rule.condition));
        only.and_modify(|only| *only = None).or_insert(Some(index as u32));
    }
    let mut successor = |index: usize, rule: &RuleLayout| {
        rule.episodes.as_ref()?;
        let new = match after.rule(&rule.name) {
            Some(same) => same,
            // Taken out: what one has taken over is nobody else's.
            None => arrived.get_mut(&(topic(old, index), rule.condition))?.take()?,
        };
        after.terms(new).map(|_| new)
    };
    before.rules.iter().enumerate().map(|(index, rule)| successor(index, rule)).collect()
}

fn topic(program: &Program, rule: usize) -> Option<&str> {
    let rule = program.listing.get(rule)?;
    Some(&program.topic(rule.topic).name)
}
