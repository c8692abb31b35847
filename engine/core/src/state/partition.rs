//! One partition: the stream's time, its patients, their timers, and what all of it was before the transaction at hand.
//!
//! Timers are looked at lazily: each patient has one entry at a moment that is not later than any of its timers. What is
//! found there when its time has come decides, and the entry moves on. So a reading that puts a silence off costs nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{Layout, Patient, Pause};
use crate::operator::episode::{Episode, Place};

/// One partition.
#[derive(Debug)]
pub(crate) struct Partition {
    number: i32,
    pub(crate) own: Own,
    index: HashMap<Box<str>, u32>,
    slots: Vec<Option<Patient>>,
    free: Vec<u32>,
    timers: BTreeSet<(i64, Box<str>)>,
    /// Entries that were taken out since the last commit.
    taken: Vec<(i64, Box<str>)>,
    /// The patients that have changed since the last commit.
    before: BTreeMap<Box<str>, Before>,
    own_before: Option<Own>,
}

/// What a patient was at the last commit.
#[derive(Debug, Default)]
struct Before {
    /// `None` was not there.
    image: Option<Patient>,
    /// The patient that the image was made of, if it has been removed since: its windows know the way back.
    gone: Option<Patient>,
}

/// What belongs to the partition and to none of its patients.
#[derive(Debug, Clone, Default)]
pub(crate) struct Own {
    /// The stream's time, once a reading has come.
    pub(crate) time: Option<i64>,
    pub(crate) pauses: Vec<Pause>,
    /// Episodes that were told of and have ended during a pause, by patient, rule, and where they began: a rule that a reload
    /// has given another name, which no pause is of, can owe more than one.
    pub(crate) owed: BTreeMap<(Box<str>, u32, Place), Owed>,
}

/// An ended episode whose end is still to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owed {
    pub(crate) episode: Episode,
    /// Whether it ended because the patient was forgotten.
    pub(crate) forgotten: bool,
}

impl Partition {
    pub(crate) fn new(number: i32) -> Self {
        Self {
            number,
            own: Own::default(),
            index: HashMap::new(),
            slots: Vec::new(),
            free: Vec::new(),
            timers: BTreeSet::new(),
            taken: Vec::new(),
            before: BTreeMap::new(),
            own_before: None,
        }
    }

    pub(crate) fn number(&self) -> i32 {
        self.number
    }

    /// The stream's time.
    pub(crate) fn time(&self) -> Option<i64> {
        self.own.time
    }

    /// The patients' names in order.
    pub(crate) fn ids(&self) -> Vec<&str> {
        let mut ids: Vec<&str> = self.index.keys().map(|id| &**id).collect();
        ids.sort_unstable();
        ids
    }

    pub(crate) fn touched(&self) -> impl Iterator<Item = &str> {
        self.before.keys().map(|id| &**id)
    }

    pub(crate) fn slot(&self, id: &str) -> Option<u32> {
        self.index.get(id).copied()
    }

    pub(crate) fn patient(&self, slot: u32) -> Option<&Patient> {
        self.slots.get(slot as usize)?.as_ref()
    }

    /// The patient, to be changed: [`Self::touch`] it first.
    pub(crate) fn patient_mut(&mut self, slot: u32) -> Option<&mut Patient> {
        self.slots.get_mut(slot as usize)?.as_mut()
    }

    /// All patients, in no order that may show.
    pub(crate) fn patients(&self) -> impl Iterator<Item = &Patient> {
        self.slots.iter().flatten()
    }

    /// The same, to be changed.
    pub(crate) fn patients_mut(&mut self) -> impl Iterator<Item = &mut Patient> {
        self.slots.iter_mut().flatten()
    }

    /// The slot of a patient, who is new if not there.
    pub(crate) fn enter(&mut self, id: &str, layout: &Layout) -> u32 {
        if let Some(slot) = self.slot(id) {
            self.touch(slot);
            return slot;
        }
        self.before.entry(id.into()).or_default();
        let mut patient = Patient::new(id, layout);
        patient.touched = true;
        self.put(patient)
    }

    fn put(&mut self, patient: Patient) -> u32 {
        let slot = self.free.pop().unwrap_or(self.slots.len() as u32);
        self.index.insert(patient.id.clone(), slot);
        match self.slots.get_mut(slot as usize) {
            Some(place) => *place = Some(patient),
            None => self.slots.push(Some(patient)),
        }
        slot
    }

    /// Keeps an image of the patient before it changes.
    pub(crate) fn touch(&mut self, slot: u32) {
        if let Some(Some(patient)) = self.slots.get_mut(slot as usize)
            && !patient.touched
        {
            let image = Some(patient.image());
            self.before.insert(patient.id.clone(), Before { image, gone: None });
            patient.touched = true;
        }
    }

    /// Keeps an image of what is the partition's own before it changes.
    pub(crate) fn touch_own(&mut self) {
        if self.own_before.is_none() {
            self.own_before = Some(self.own.clone());
        }
    }

    pub(crate) fn remove(&mut self, slot: u32) {
        self.touch(slot);
        let Some(patient) = self.slots.get_mut(slot as usize).and_then(Option::take) else { return };
        self.index.remove(&patient.id);
        self.free.push(slot);
        if let Some(before) = self.before.get_mut(&patient.id)
            && before.image.is_some()
            && before.gone.is_none()
        {
            before.gone = Some(patient);
        }
    }

    /// Replaces a patient, as one that was read back.
    pub(crate) fn replace(&mut self, patient: Patient, layout: &Layout) {
        if let Some(slot) = self.slot(&patient.id) {
            self.remove(slot);
        }
        let slot = self.put(patient);
        self.queue(slot, layout);
    }

    /// The earliest moment at which a timer may be due.
    pub(crate) fn next_timer(&self) -> Option<i64> {
        self.timers.first().map(|(moment, _)| *moment)
    }

    /// Takes the first entry out.
    pub(crate) fn take_timer(&mut self) -> Option<(i64, u32)> {
        let (moment, id) = self.timers.pop_first()?;
        // The entry of a patient who is gone leads nowhere.
        let slot = self.slot(&id).unwrap_or(u32::MAX);
        if let Some(patient) = self.patient_mut(slot)
            && patient.queued == Some(moment)
        {
            patient.queued = None;
        }
        self.taken.push((moment, id));
        Some((moment, slot))
    }

    /// Sees to it that the patient has an entry that is not later than its timers.
    pub(crate) fn queue(&mut self, slot: u32, layout: &Layout) {
        let Some(Some(patient)) = self.slots.get_mut(slot as usize) else { return };
        let Some(due) = patient.due(layout) else { return };
        if patient.queued.is_none_or(|queued| queued > due) {
            patient.queued = Some(due);
            self.timers.insert((due, patient.id.clone()));
        }
    }

    /// Forgets all patients; there are no images of them.
    pub(crate) fn clear(&mut self) {
        let own = std::mem::take(&mut self.own);
        *self = Self { own, ..Self::new(self.number) };
    }

    pub(crate) fn commit(&mut self) {
        self.own_before = None;
        self.taken.clear();
        for id in std::mem::take(&mut self.before).into_keys() {
            if let Some(patient) = self.index.get(&id).and_then(|slot| self.slots[*slot as usize].as_mut()) {
                patient.settle();
            }
        }
    }

    pub(crate) fn rollback(&mut self) {
        if let Some(own) = self.own_before.take() {
            self.own = own;
        }
        for (id, before) in std::mem::take(&mut self.before) {
            let slot = self.index.remove(&id);
            let now = slot.and_then(|slot| self.slots[slot as usize].take());
            self.free.extend(slot);
            if let (Some(image), Some(patient)) = (before.image, before.gone.or(now)) {
                self.put(patient.go_back(image));
            }
        }
        // An entry too many is harmless: what is found there when its time has come decides.
        self.timers.extend(self.taken.drain(..));
    }

    /// Forgets every entry: what timers wait for has changed.
    pub(crate) fn queue_all(&mut self, layout: &Layout) {
        self.timers.clear();
        self.patients_mut().for_each(|patient| patient.queued = None);
        (0..self.slots.len() as u32).for_each(|slot| self.queue(slot, layout));
    }
}
