//! Random traffic for a rule set over time: readings with disorder, gaps and years, dead letters, acknowledgements,
//! pauses, erasures, and idle steps.
//!
//! What people acknowledge are alerts that were sent: whoever draws the traffic says what each step sent.

use super::Tape;
use super::record::Arrived;
use super::ward::Ward;
use crate::happening::Happening;

const MINUTE: i64 = 60_000;
const YEAR: i64 = 365 * 24 * 60 * MINUTE;

/// Gaps in minutes, as long as windows, shorter and longer; most of them none, so that patients come together.
const GAPS: [i64; 14] = [0, 0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 5, 10, 31];

/// Traffic that is drawn step by step.
pub(crate) struct Traffic {
    ward: Ward,
    patients: i64,
    /// Whether hardly anything but readings comes, so that batches are long.
    busy: bool,
    now: i64,
    /// The next offset of each partition, and of each partition of `acknowledgements`.
    offsets: [[i64; 3]; 2],
    /// The ids of alerts that were sent, the latest last, and their partitions.
    ids: Vec<(String, i32)>,
    /// Those of them that nobody has acknowledged and nothing has ended.
    open: Vec<(String, i32)>,
    /// One of those whose rule has just been paused: it is acknowledged next.
    paused: Option<(String, i32)>,
}

impl Traffic {
    /// Before anything has happened.
    pub(crate) fn new(tape: &mut Tape, ward: &Ward) -> Self {
        let now = 1_700_000_040_000;
        Self {
            ward: ward.clone(),
            patients: 1 + tape.pick(5) as i64,
            busy: tape.chance(20),
            now,
            offsets: [[40; 3], [7; 3]],
            ids: Vec::new(),
            open: Vec::new(),
            paused: None,
        }
    }

    /// Learns that other rules run.
    pub(crate) fn edited(&mut self, ward: &Ward) {
        self.ward = ward.clone();
    }

    /// Learns that an alert was sent, and whether it waits for an acknowledgement.
    pub(crate) fn learn(&mut self, id: &str, partition: i32, open: bool) {
        for (list, belongs) in [(&mut self.ids, true), (&mut self.open, open)] {
            list.retain(|(known, _)| known != id);
            list.extend(belongs.then(|| (id.to_owned(), partition)));
        }
    }

    /// What happens next.
    pub(crate) fn next(&mut self, tape: &mut Tape) -> Happening {
        if let Some((id, partition)) = self.paused.take() {
            let value = format!("{{\"id\":\"{id}\",\"by\":\"ann\",\"ts\":{}}}", self.now);
            return Happening::Acknowledgement(self.arrived(1, i64::from(partition), None, Some(self.now), value));
        }
        self.now += GAPS[tape.pick(GAPS.len())] * MINUTE;
        if tape.chance(4) {
            self.now += tape.one::<i64>(&[&1, &-1, &30_000, &-60_000]);
        }
        if tape.pick(400) == 399 {
            self.now += tape.one::<i64>(&[&YEAR, &(3 * YEAR), &(-2 * YEAR)]);
        }
        let reading = self.busy && !tape.chance(10);
        match tape.pick(100) {
            _ if reading => self.reading(tape),
            0..=81 => self.reading(tape),
            82..=90 => self.acknowledgement(tape),
            91..=92 => self.pause(tape),
            93 => self.erasure(tape),
            94..=97 => {
                self.now += GAPS[tape.pick(GAPS.len())] * MINUTE;
                let to = self.now + tape.one::<i64>(&[&0, &0, &1, &-1, &(-10 * MINUTE)]);
                Happening::Advance { partition: tape.pick(self.ward.partitions as usize) as i32, to }
            }
            _ => self.dead_letter(tape),
        }
    }

    fn reading(&mut self, tape: &mut Tape) -> Happening {
        let patient = tape.between(0, self.patients - 1);
        let ts = self.now + disorder(tape);
        let mut members = Vec::new();
        let nobody = tape.chance(5);
        if let Some(key) = self.ward.key.filter(|_| !nobody) {
            let name = if tape.chance(10) { patient.to_string() } else { format!("\"{patient}\"") };
            members.push(format!("\"{key}\":{name}"));
        }
        if let Some(event) = self.ward.event.filter(|_| !tape.chance(3)) {
            members.push(format!("\"{event}\":{ts}"));
        }
        for name in ["bp", "temp", "pain", "flow", "fbs", "cp"] {
            if !tape.chance(18) {
                members.push(format!("\"{name}\":{}", measured(tape, name)));
            }
        }
        if tape.chance(10) {
            members.push(tape.one(&["\"extra\":[1]", "\"risk\":0.5"]).into());
        }
        let key = match tape.pick(30) {
            0..=1 => Some(((patient + 1) % 7).to_string().into_bytes()),
            2 => None,
            3 => Some(Vec::new()),
            4 => Some(vec![0xff]),
            _ if nobody => None,
            _ => Some(patient.to_string().into_bytes()),
        };
        let timestamp = match tape.pick(40) {
            0 => None,
            1..=4 => Some(self.now + 7),
            5 => Some(self.now - MINUTE),
            _ => Some(self.now),
        };
        let timestamp = if self.ward.event.is_none() { timestamp.map(|_| ts) } else { timestamp };
        let partition = if tape.chance(2) { tape.pick(3) as i64 } else { patient };
        Happening::Record(self.arrived(0, partition, key, timestamp, format!("{{{}}}", members.join(","))))
    }

    fn acknowledgement(&mut self, tape: &mut Tape) -> Happening {
        let (id, partition) = match (tape.pick(8), self.ids.len()) {
            (0, _) | (_, 0) => {
                let partition = tape.pick(self.ward.partitions as usize) as i32;
                let names = self.ward.names();
                let (offset, rule) = (tape.between(40, 60), names.first().map_or("no.such", String::as_str));
                (format!("{}/{partition}/{offset}@{}/{rule}", self.ward.stream, self.now), partition)
            }
            (1, known) => self.ids[tape.pick(known)].clone(),
            (2..=4, _) if !self.open.is_empty() => self.open[tape.pick(self.open.len())].clone(),
            (_, known) => self.ids[known - 1 - tape.pick(known.min(3))].clone(),
        };
        let partition = if tape.chance(5) { (partition + 1) % self.ward.partitions } else { partition };
        let ts = self.now + tape.one::<i64>(&[&0, &0, &0, &-MINUTE, &MINUTE, &YEAR]);
        let value = match tape.pick(24) {
            0 => format!("{{\"id\":\"{id}\",\"ts\":{ts}}}"),
            1 => format!("{{\"id\":\"{id}\",\"by\":\"\",\"ts\":{ts}}}"),
            2 => format!(
                "{{\"id\":\"{id}\",\"by\":\"ann\",\"ts\":\"{}\"}}",
                tape.one(&["soon", "", "2101-01-01T00:00:00Z"])
            ),
            3 => tape.one(&["", "{", "[]", "7", "{}", "null", "{\"pause\":{}}", "{\"pause\":7}"]).into(),
            4 => format!("{{\"id\":\"{id}\",\"by\":\"ann\",\"ts\":{ts},\"by\":\"bob\"}}"),
            6 => format!(
                "{{\"id\":\"{}\",\"by\":\"ann\",\"ts\":{ts}}}",
                id.replacen('/', tape.one(&["/+", "/0", "//"]), 1)
            ),
            7 => format!(
                "{{\"id\":\"{}\",\"by\":\"ann\",\"ts\":{ts}}}",
                id.replacen('@', tape.one(&["@+", "@0", " @"]), 1)
            ),
            5 => format!(" {{ \"ts\" : \"{ts}.7\" , \"by\" : \"b\\u00f6b \\\"x\\\"\" , \"id\" : \"{id}\" }}"),
            8 => format!("{{\"id\":\"technical/ward-1/0@{ts}/technical.x\",\"by\":\"ann\",\"ts\":{ts}}}"),
            _ => format!("{{\"id\":\"{id}\",\"by\":\"{}\",\"ts\":{ts}}}", tape.one(&["ann", "bob"])),
        };
        Happening::Acknowledgement(self.arrived(1, i64::from(partition), None, Some(self.now), value))
    }

    fn pause(&mut self, tape: &mut Tape) -> Happening {
        if !self.open.is_empty() && tape.chance(50) {
            return self.pause_of_open(tape);
        }
        let names = self.ward.names();
        let of = match names.len() {
            rules if rules > 0 && tape.chance(60) => format!("\"rule\":\"{}\"", names[tape.pick(rules)]),
            _ => format!("\"patient\":\"{}\"", tape.between(0, self.patients - 1)),
        };
        let until = self.now + tape.one::<i64>(&[&5, &10, &2, &30, &-1, &0]) * MINUTE;
        let value = format!("{{\"pause\":{{{of},\"by\":\"ann\",\"why\":\"washing\",\"until\":{until}}}}}");
        let partition = tape.pick(self.ward.partitions as usize) as i64;
        Happening::Acknowledgement(self.arrived(1, partition, None, Some(self.now), value))
    }

    /// Pauses the rule of an alert that is open, which is then acknowledged.
    fn pause_of_open(&mut self, tape: &mut Tape) -> Happening {
        let (id, partition) = self.open[tape.pick(self.open.len())].clone();
        let rule = id.rsplit('/').next().unwrap_or_default();
        let until = self.now + tape.one::<i64>(&[&1, &2, &5, &10]) * MINUTE;
        let value =
            format!("{{\"pause\":{{\"rule\":\"{rule}\",\"by\":\"ann\",\"why\":\"washing\",\"until\":{until}}}}}");
        self.paused = Some((id, partition));
        Happening::Acknowledgement(self.arrived(1, i64::from(partition), None, Some(self.now), value))
    }

    fn erasure(&mut self, tape: &mut Tape) -> Happening {
        let patient = tape.between(0, self.patients - 1);
        let value = match tape.pick(8) {
            0 => format!("{{\"erase\":{{\"patient\":{patient},\"by\":\"ann\",\"why\":\"moved\"}}}}"),
            1 => tape.one(&["{\"erase\":{}}", "{\"erase\":[]}", "{\"erase\":7}"]).into(),
            _ => format!("{{\"erase\":{{\"by\":\"ann\",\"patient\":\"{patient}\",\"why\":\"moved\"}}}}"),
        };
        Happening::Acknowledgement(self.arrived(1, patient, None, Some(self.now), value))
    }

    fn dead_letter(&mut self, tape: &mut Tape) -> Happening {
        let value = tape.one(&["", "{", "[]", "{\"bp\":1,\"bp\":2}", "{\"temp\":01}"]);
        let patient = tape.between(0, self.patients - 1);
        let key = Some(patient.to_string().into_bytes());
        Happening::Record(self.arrived(0, patient, key, Some(self.now + YEAR), value.into()))
    }

    /// A record of the stream (0) or of `acknowledgements` (1).
    fn arrived(
        &mut self,
        topic: usize,
        at: i64,
        key: Option<Vec<u8>>,
        timestamp: Option<i64>,
        value: String,
    ) -> Arrived {
        let partition = (at % i64::from(self.ward.partitions)) as i32;
        let offset = &mut self.offsets[topic][partition as usize];
        *offset += 1;
        Arrived { key, value: Some(value.into_bytes()), timestamp, partition, offset: *offset }
    }
}

/// How far a reading's own time is from now.
fn disorder(tape: &mut Tape) -> i64 {
    match tape.pick(40) {
        0..=5 => -tape.one::<i64>(&[&1, &1, &2, &5, &10, &15]) * MINUTE,
        6 => -1,
        7 => *tape.one::<i64>(&[&1, &MINUTE, &(2 * MINUTE), &(5 * MINUTE)]),
        8 if tape.chance(20) => -YEAR,
        9 if tape.chance(20) => *tape.one::<i64>(&[&YEAR, &(5 * MINUTE + 1), &(6 * MINUTE)]),
        _ => 0,
    }
}

fn measured(tape: &mut Tape, name: &str) -> &'static str {
    if tape.chance(8) {
        return tape.one(&["null", "\"\"", "\"?\"", "-1", "9999", "[]"]);
    }
    match name {
        "bp" => tape.one(&["100", "110", "120", "130", "140", "141", "150", "\"150\"", "160", "1.6e2", "170", "0"]),
        "temp" => tape.one(&["36", "36.6", "37.0", "37.1", "38", "38.25", "38.5", "38.7", "39", "40.75", "\"39\""]),
        "flow" => tape.one(&["0.25", "1", "2.5", "0.5", "4", "1e17"]),
        "pain" => tape.one(&["1", "2", "4", "5", "6", "9", "10"]),
        "fbs" => tape.one(&["true", "false", "1", "0"]),
        _ => tape.one(&["0", "3", "\"typical\"", "\"odd\""]),
    }
}
