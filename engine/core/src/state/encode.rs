//! A patient's state, and a partition's own, to bytes and back. Cells are written under what their expressions are called,
//! episodes under their rules' names, so that another rule set finds what it shares; what it does not know is left out.
//!
//! A new format is read one release before it is written.

use super::codec::{Reader, StateError, Writer};
use super::partition::Own;
use super::{Layout, Owed, Patient, Pause, Scope, Silence};
use crate::graph::CellName;
use crate::operator::episode::{Episode, Place, Said};
use crate::operator::{Cell, CellKind, Run, Sequence, Window};

/// The format that is written.
const FORMAT: u8 = 1;

/// Under what acknowledgements are kept that are still to be told: as a cell of an expression that there is not, so that a
/// version that knows nothing of them leaves them out.
const UNTOLD: CellName = CellName(*b"acknowledgements");

/// The bytes of a patient without the name, which is the key they are kept under.
pub(crate) fn encode_patient(patient: &Patient, layout: &Layout) -> Vec<u8> {
    let mut out = Writer::default();
    out.byte(FORMAT);
    write_place(patient.last.unwrap_or(Place { offset: 0, time: 0 }), &mut out);
    out.number(patient.heard_at);
    let silences = || patient.silences.iter().zip(&layout.silences).filter(|(silence, _)| silence.since.is_some());
    out.count(silences().count() as u64);
    for (silence, plan) in silences() {
        out.name(plan.name.0);
        write_place(silence.since.unwrap_or(Place { offset: 0, time: 0 }), &mut out);
        out.byte(u8::from(silence.fired));
    }
    let name = |rule: u32| layout.rules.get(rule as usize).map(|rule| rule.name.as_str());
    let episodes = || patient.episodes.iter().filter_map(|(rule, episode)| Some((name(*rule)?, episode)));
    out.count(episodes().count() as u64);
    for (name, episode) in episodes() {
        out.blob(name.as_bytes());
        write_episode(episode, &mut out);
    }
    let cells = || patient.cells.iter().zip(&layout.cells).filter(|(cell, _)| !is_fresh(cell));
    let untold = untold(patient, layout);
    out.count(cells().count() as u64 + u64::from(untold.is_some()));
    for (cell, plan) in cells() {
        out.name(plan.name.0);
        let mut content = Writer::default();
        write_cell(cell, &mut content);
        out.blob(&content.bytes);
    }
    if let Some(content) = untold {
        out.name(UNTOLD.0);
        out.blob(&content);
    }
    out.bytes
}

/// Rules, and who acknowledged; none if there is nothing to tell.
fn untold(patient: &Patient, layout: &Layout) -> Option<Vec<u8>> {
    let untold = |(rule, episode): &'_ (u32, Episode)| {
        let by = episode.untold_by.as_deref()?;
        Some((layout.rules.get(*rule as usize)?.name.clone(), by.to_owned()))
    };
    let untold: Vec<(String, String)> = patient.episodes.iter().filter_map(untold).collect();
    if untold.is_empty() {
        return None;
    }
    let mut out = Writer::default();
    out.count(untold.len() as u64);
    for (rule, by) in untold {
        out.blob(rule.as_bytes());
        out.blob(by.as_bytes());
    }
    Some(out.bytes)
}

fn read_untold(bytes: &[u8], layout: &Layout, patient: &mut Patient) -> Result<(), StateError> {
    let mut input = Reader::new(bytes);
    for _ in 0..input.items(2)? {
        let (rule, by) = (layout.rule(input.text()?), input.text()?);
        if let Some(episode) = rule.and_then(|rule| patient.episode(rule)) {
            episode.untold_by = Some(by.into());
        }
    }
    input.end()
}

/// The patient of those bytes, with what the layout knows of it.
pub(crate) fn decode_patient(id: &str, bytes: &[u8], layout: &Layout) -> Result<Patient, StateError> {
    let mut input = Reader::new(bytes);
    format(&mut input)?;
    let mut patient = Patient::new(id, layout);
    patient.last = Some(read_place(&mut input)?);
    patient.heard_at = input.number()?;
    for _ in 0..input.items(19)? {
        let name = CellName(input.name()?);
        let silence = Silence { since: Some(read_place(&mut input)?), fired: input.flag()? };
        for (own, plan) in patient.silences.iter_mut().zip(&layout.silences) {
            if plan.name == name {
                *own = silence;
            }
        }
    }
    for _ in 0..input.items(8)? {
        let rule = layout.rule(input.text()?);
        let episode = read_episode(&mut input)?;
        if let Some(rule) = rule.filter(|rule| layout.terms(*rule).is_some()) {
            patient.open(rule, episode);
        }
    }
    for _ in 0..input.items(18)? {
        let name = CellName(input.name()?);
        let content = input.blob()?;
        if name == UNTOLD {
            read_untold(content, layout, &mut patient)?;
        } else if let Some(index) = layout.cells.iter().position(|plan| plan.name == name) {
            let mut content = Reader::new(content);
            patient.cells[index] = read_cell(layout.cells[index].kind, layout.window_room(), &mut content)?;
            content.end()?;
        }
    }
    input.end()?;
    Ok(patient)
}

/// The bytes of what is the partition's own.
pub(crate) fn encode_own(own: &Own, layout: &Layout) -> Vec<u8> {
    let mut out = Writer::default();
    out.byte(FORMAT);
    out.optional(own.time);
    out.count(own.pauses.len() as u64);
    for pause in &own.pauses {
        let (kind, of) = match &pause.scope {
            Scope::Rule(rule) => (0, rule),
            Scope::Patient(patient) => (1, patient),
        };
        out.byte(kind);
        out.blob(of.as_bytes());
        out.number(pause.until);
        out.blob(pause.by.as_bytes());
        out.blob(pause.why.as_bytes());
    }
    let name = |rule: u32| layout.rules.get(rule as usize).map(|rule| rule.name.as_str());
    let owed = || own.owed.iter().filter_map(|((patient, rule, _), owed)| Some((patient, name(*rule)?, owed)));
    out.count(owed().count() as u64);
    for (patient, rule, owed) in owed() {
        out.blob(patient.as_bytes());
        out.blob(rule.as_bytes());
        out.byte(u8::from(owed.forgotten));
        write_episode(&owed.episode, &mut out);
    }
    out.bytes
}

/// What is a partition's own, from its bytes.
pub(crate) fn decode_own(bytes: &[u8], layout: &Layout) -> Result<Own, StateError> {
    let mut input = Reader::new(bytes);
    format(&mut input)?;
    let mut own = Own { time: input.optional()?, ..Own::default() };
    for _ in 0..input.items(5)? {
        let kind = input.flag()?;
        let of = input.text()?.to_owned();
        let scope = if kind { Scope::Patient(of) } else { Scope::Rule(of) };
        let until = input.number()?;
        own.pauses.push(Pause { scope, until, by: input.text()?.to_owned(), why: input.text()?.to_owned() });
    }
    for _ in 0..input.items(10)? {
        let patient: Box<str> = input.text()?.into();
        let rule = layout.rule(input.text()?);
        let owed = Owed { forgotten: input.flag()?, episode: read_episode(&mut input)? };
        if let Some(rule) = rule {
            own.owed.insert((patient, rule, owed.episode.began), owed);
        }
    }
    input.end()?;
    Ok(own)
}

fn format(input: &mut Reader<'_>) -> Result<(), StateError> {
    match input.byte()? {
        FORMAT => Ok(()),
        other => Err(StateError::Format(other)),
    }
}

fn write_place(place: Place, out: &mut Writer) {
    out.number(place.offset);
    out.number(place.time);
}

fn read_place(input: &mut Reader<'_>) -> Result<Place, StateError> {
    Ok(Place { offset: input.number()?, time: input.number()? })
}

fn write_episode(episode: &Episode, out: &mut Writer) {
    write_place(episode.began, out);
    out.number(episode.since);
    out.number(episode.last);
    let flags = [episode.acknowledged, episode.escalated, episode.asks_end, episode.told, episode.named.is_some()];
    out.byte(flags.iter().enumerate().map(|(bit, flag)| u8::from(*flag) << bit).sum());
    out.count(u64::from(episode.said.message));
    out.blob(&episode.said.bytes);
    if let Some(named) = &episode.named {
        out.blob(named.as_bytes());
    }
}

fn read_episode(input: &mut Reader<'_>) -> Result<Episode, StateError> {
    let began = read_place(input)?;
    let (since, last) = (input.number()?, input.number()?);
    let flags = input.byte()?;
    if flags > 31 {
        return Err(StateError::Corrupt("an episode has unknown marks"));
    }
    let flag = |bit: u8| flags >> bit & 1 == 1;
    let message = u32::try_from(input.count()?).map_err(|_| StateError::Corrupt("a message is too long"))?;
    let bytes = input.blob()?;
    let split = std::str::from_utf8(bytes).is_ok_and(|text| text.is_char_boundary(message as usize));
    if !split {
        return Err(StateError::Corrupt("an episode's words are no text"));
    }
    let said = Said { bytes: bytes.into(), message };
    let named = if flag(4) { Some(input.text()?.into()) } else { None };
    Ok(Episode {
        began,
        since,
        last,
        acknowledged: flag(0),
        escalated: flag(1),
        held: false,
        asks_end: flag(2),
        told: flag(3),
        untold_by: None,
        named,
        said,
    })
}

/// Whether a cell is as if its expression had never been evaluated.
fn is_fresh(cell: &Cell) -> bool {
    match cell {
        Cell::Window(window) => {
            let (times, _, dropped) = window.content();
            times.len() == 0 && dropped.is_none()
        }
        Cell::Previous(value) => value.is_none(),
        Cell::Run(run) => *run == Run::default(),
        Cell::Sequence(sequence) => *sequence == Sequence::default(),
    }
}

fn write_cell(cell: &Cell, out: &mut Writer) {
    match cell {
        Cell::Window(window) => {
            let (times, values, dropped) = window.content();
            out.optional(dropped);
            out.count(times.len() as u64);
            let mut last = 0;
            for time in times {
                out.number(time.wrapping_sub(last));
                last = time;
            }
            values.for_each(|value| out.float(value));
        }
        Cell::Previous(value) => out.float(value.unwrap_or(f64::NAN)),
        Cell::Run(run) => {
            let (since, count) = run.open.unwrap_or_default();
            out.number(since);
            out.count(count);
        }
        Cell::Sequence(sequence) => {
            out.optional(sequence.last);
            out.optional(sequence.before);
        }
    }
}

fn read_cell(kind: CellKind, room: usize, input: &mut Reader<'_>) -> Result<Cell, StateError> {
    match kind {
        CellKind::Window(plan) => {
            let dropped = input.optional()?;
            let count = input.items(1)?;
            let mut content = Vec::with_capacity(count);
            let mut time = 0_i64;
            for _ in 0..count {
                time = time.wrapping_add(input.number()?);
                content.push((time, 0.0));
            }
            if plan.function != crate::function::Windowed::Count {
                for (_, value) in &mut content {
                    *value = input.float()?;
                }
            }
            let window = Window::restore(plan, room, &content, dropped);
            window.map(Cell::Window).ok_or(StateError::Corrupt("a window's values are out of order, or no numbers"))
        }
        CellKind::Previous => {
            let value = input.float()?;
            if value.is_finite() {
                Ok(Cell::Previous(Some(value)))
            } else {
                Err(StateError::Corrupt("a value is no number"))
            }
        }
        CellKind::Run => {
            let since = input.number()?;
            Ok(Cell::Run(Run { open: Some((since, input.count()?)) }))
        }
        CellKind::Sequence => Ok(Cell::Sequence(Sequence { last: input.optional()?, before: input.optional()? })),
    }
}
