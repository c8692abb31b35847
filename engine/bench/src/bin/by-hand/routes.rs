//! The ten rules of `ward.rules` as plain `if`s, writing into one buffer that is used again for each reading.

use std::io::Write as _;
use std::ops::Range;

use serde::Serialize;

use crate::outputs::{
    Alert, Archive, Cardiology, CrisisValues, Diabete, Dyslipidemia, FeverValues, Origin, Place, Reading, Stroke,
    Vitals,
};

/// A record to send.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Output<'a> {
    pub(crate) topic: &'static str,
    pub(crate) key: &'a [u8],
    pub(crate) value: &'a [u8],
}

/// The buffers.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    bytes: Vec<u8>,
    written: Vec<(&'static str, Range<usize>, Range<usize>)>,
    rules: Vec<&'static str>,
    id: String,
    message: String,
}

impl Routes {
    /// What goes out for a reading, in order.
    pub(crate) fn judge(
        &mut self,
        value: &[u8],
        place: Place,
    ) -> Result<impl Iterator<Item = Output<'_>>, sonic_rs::Error> {
        self.bytes.clear();
        self.written.clear();
        let reading: Reading<'_> = sonic_rs::from_slice(value)?;
        let origin =
            Origin { topic: "research", partition: place.partition, offset: place.offset, ruleset: "by-hand-0000" };
        self.bytes.extend_from_slice(reading.patient.as_bytes());
        self.records(&reading, origin)?;
        self.alerts(&reading, origin)?;
        let bytes = &self.bytes;
        Ok(self.written.iter().map(|(topic, key, value)| Output {
            topic,
            key: &bytes[key.clone()],
            value: &bytes[value.clone()],
        }))
    }

    fn records(&mut self, reading: &Reading<'_>, origin: Origin) -> Result<(), sonic_rs::Error> {
        let key = 0..reading.patient.len();
        self.write("archive", key.clone(), &Archive::new(reading, &["archive.every"], origin))?;
        let stroke = [
            (
                reading.restecg == 1 || reading.restecg == 2 || reading.trestbps > 140 || reading.cp == 0,
                "stroke.suspected",
            ),
            (is_crisis(reading), "stroke.crisis"),
        ];
        if let Some(rules) = self.matched(stroke) {
            self.write("stroke", key.clone(), &Stroke::new(reading, &rules, origin))?;
            self.rules = rules;
        }
        let vitals = [
            (reading.trestbps > 140 || reading.temp > 38.0, "vitals.abnormal"),
            (is_high_fever(reading), "vitals.high_fever"),
            (reading.spo2 < 88, "vitals.oxygen"),
        ];
        if let Some(rules) = self.matched(vitals) {
            self.write("vitals", key.clone(), &Vitals::new(reading, &rules, origin))?;
            self.rules = rules;
        }
        let cardiology = [
            (reading.exang == 1 && reading.oldpeak >= 5.0, "cardiology.exercise"),
            (reading.ca == 3 && reading.thal == 3, "cardiology.vessels"),
        ];
        if let Some(rules) = self.matched(cardiology) {
            self.write("cardiology", key.clone(), &Cardiology::new(reading, &rules, origin))?;
            self.rules = rules;
        }
        if reading.fbs == 1 {
            self.write("diabete", key.clone(), &Diabete::new(reading, &["diabete.sugar"], origin))?;
        }
        if reading.chol > 240 {
            self.write("dyslipidemia", key, &Dyslipidemia::new(reading, &["dyslipidemia.high"], origin))?;
        }
        Ok(())
    }

    fn alerts(&mut self, reading: &Reading<'_>, origin: Origin) -> Result<(), sonic_rs::Error> {
        if is_crisis(reading) {
            self.message = format!("BP {} with {} angina", reading.trestbps, reading.cp);
            let values = CrisisValues { trestbps: reading.trestbps, cp: reading.cp };
            self.alert("alerts.stroke", "stroke.crisis", ["high", "emergency doctor"], values, reading, origin)?;
        }
        if is_high_fever(reading) {
            self.message = format!("temperature {:?}", reading.temp);
            let values = FeverValues { temp: reading.temp };
            self.alert("alerts.vitals", "vitals.high_fever", ["medium", "nurse"], values, reading, origin)?;
        }
        Ok(())
    }

    fn alert<V: Serialize>(
        &mut self,
        topic: &'static str,
        rule: &'static str,
        [priority, notify]: [&'static str; 2],
        values: V,
        reading: &Reading<'_>,
        origin: Origin,
    ) -> Result<(), sonic_rs::Error> {
        let (id, message) = (std::mem::take(&mut self.id), std::mem::take(&mut self.message));
        let mut id = id.into_bytes();
        id.clear();
        let _ = write!(id, "research/{}/{}@{}/{rule}", origin.partition, origin.offset, reading.ts);
        let id = String::from_utf8(id).unwrap_or_default();
        let key = self.bytes.len()..self.bytes.len() + id.len();
        self.bytes.extend_from_slice(id.as_bytes());
        let (patient, ts) = (reading.patient, reading.ts);
        let alert = Alert {
            id: &id,
            rule,
            state: "raised",
            priority,
            patient,
            ts,
            since: ts,
            message: &message,
            notify,
            single: true,
            values,
            origin,
        };
        self.write(topic, key, &alert)?;
        (self.id, self.message) = (id, message);
        Ok(())
    }

    /// The names of the rules that hold; none if none does. The list goes back into `rules` when it has been written.
    fn matched<const N: usize>(&mut self, rules: [(bool, &'static str); N]) -> Option<Vec<&'static str>> {
        self.rules.clear();
        self.rules.extend(rules.into_iter().filter(|(holds, _)| *holds).map(|(_, name)| name));
        (!self.rules.is_empty()).then(|| std::mem::take(&mut self.rules))
    }

    fn write(
        &mut self,
        topic: &'static str,
        key: Range<usize>,
        record: &impl Serialize,
    ) -> Result<(), sonic_rs::Error> {
        let begin = self.bytes.len();
        sonic_rs::to_writer(&mut self.bytes, record)?;
        self.written.push((topic, key, begin..self.bytes.len()));
        Ok(())
    }
}

fn is_crisis(reading: &Reading<'_>) -> bool {
    reading.trestbps > 180 && reading.cp == 3
}

fn is_high_fever(reading: &Reading<'_>) -> bool {
    reading.temp > 39.0
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
mod tests {
    use triage_bench::readings::{Keys, readings, records};
    use triage_core::compile::compile;
    use triage_core::program::{Limits, OutputKind, Outputs, Program, States, Workspace};
    use triage_core::score::NoModels;
    use triage_core::source::SourceFile;

    use super::*;

    fn engine(values: &[Vec<u8>]) -> (Vec<(String, String, String)>, Program) {
        let text = include_str!("../../../e2e/ward.rules").to_owned();
        let (program, _) =
            compile(&[SourceFile { path: "ward.rules".into(), text }], &NoModels).expect("ward.rules is right");
        let (mut workspace, mut outputs) = (Workspace::default(), Outputs::default());
        program.step(&records(values), &Limits::default(), &mut States::new(1), &mut workspace, &mut outputs);
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let all = outputs.iter().map(|output| {
            let topic = match output.kind {
                OutputKind::Derived(topic) => program.topics()[topic.0 as usize].name.clone(),
                OutputKind::Alert(topic) => format!("alerts.{}", program.topics()[topic.0 as usize].name),
                OutputKind::DeadLetter(_) => panic!("a dead letter"),
            };
            (topic, text(outputs.key(output).unwrap()), without_rule_set(&text(outputs.value(output))))
        });
        (all.collect(), program)
    }

    fn without_rule_set(value: &str) -> String {
        value.split(",\"ruleset\"").next().unwrap().to_owned()
    }

    #[test]
    fn by_hand_writes_what_the_engine_writes() {
        let values = readings(1_000, Keys::Ordered, 0);
        let (engine, _) = engine(&values);
        let mut routes = Routes::default();
        let mut by_hand = Vec::new();
        for (offset, value) in values.iter().enumerate() {
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            for output in routes.judge(value, Place { partition: 0, offset: offset as i64 }).unwrap() {
                by_hand.push((output.topic.to_owned(), text(output.key), without_rule_set(&text(output.value))));
            }
        }
        for (engine, by_hand) in engine.iter().zip(&by_hand) {
            assert_eq!(engine, by_hand);
        }
        assert_eq!(engine.len(), by_hand.len());
        assert!(engine.len() > 4_000, "{} outputs", engine.len());
    }
}
