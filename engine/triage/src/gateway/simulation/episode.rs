//! What really happens to a patient, and the ground truth that is told of it. It stands in no reading.

use super::random::Random;
use super::sign::Sign;

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The pressure builds up over minutes to 190 to 235 mmHg and stays there for 10 to 60 minutes.
    HypertensiveCrisis,
    /// The temperature rises over hours to 38.6 to 40.2 °C, and the heart beats faster.
    Fever,
    /// The pressure falls within a minute to 60 to 82 mmHg, for half a minute to eight: short, and real.
    Hypotension,
    /// The resting ECG shows an ST-T abnormality; minutes later the pressure rises as in a crisis, and faster.
    StrokeSequence,
}

/// The episodes of a kind: how many a day one patient has on average, and how they go. Far more than a ward sees, so that
/// a few days of twenty beds have enough to count.
#[derive(Debug)]
struct Course {
    a_day: f64,
    /// The sign that the episode moves.
    sign: Sign,
    /// What it moves it to.
    peak: (f64, f64),
    /// From the first sign to the rise, then the rise, the time at the peak, and the fall; in seconds.
    before: (f64, f64),
    rise: (f64, f64),
    stay: (f64, f64),
    fall: (f64, f64),
}

const KINDS: [Kind; 4] = [Kind::HypertensiveCrisis, Kind::Fever, Kind::Hypotension, Kind::StrokeSequence];

/// Between two episodes of one patient, in seconds.
const REST: f64 = 3_600.0;

impl Kind {
    /// Its name in the ground truth.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::HypertensiveCrisis => "hypertensive_crisis",
            Kind::Fever => "fever",
            Kind::Hypotension => "hypotension",
            Kind::StrokeSequence => "stroke_sequence",
        }
    }

    fn course(self) -> Course {
        match self {
            Kind::HypertensiveCrisis => Course {
                a_day: 0.2,
                sign: Sign::Pressure,
                peak: (190.0, 235.0),
                before: (0.0, 0.0),
                rise: (180.0, 900.0),
                stay: (600.0, 3_600.0),
                fall: (600.0, 1_800.0),
            },
            Kind::Fever => Course {
                a_day: 0.1,
                sign: Sign::Temperature,
                peak: (38.6, 40.2),
                before: (0.0, 0.0),
                rise: (7_200.0, 14_400.0),
                stay: (21_600.0, 86_400.0),
                fall: (7_200.0, 14_400.0),
            },
            Kind::Hypotension => Course {
                a_day: 0.3,
                sign: Sign::Pressure,
                peak: (60.0, 82.0),
                before: (0.0, 0.0),
                rise: (20.0, 60.0),
                stay: (30.0, 480.0),
                fall: (30.0, 120.0),
            },
            Kind::StrokeSequence => Course {
                a_day: 0.05,
                sign: Sign::Pressure,
                peak: (195.0, 235.0),
                before: (120.0, 900.0),
                rise: (120.0, 300.0),
                stay: (1_800.0, 5_400.0),
                fall: (1_200.0, 3_600.0),
            },
        }
    }
}

/// One of them. Times are epoch milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Episode {
    /// Whom it happens to.
    pub patient: String,
    /// What happens.
    pub kind: Kind,
    /// When it begins to show.
    pub start: i64,
    /// When it is fully there.
    pub established: i64,
    /// When nothing is left of it.
    pub end: i64,
}

impl Episode {
    /// A line of the ground truth.
    pub fn json(&self) -> String {
        let Self { patient, kind, start, established, end } = self;
        let (patient, kind) = (super::json::text(patient), kind.as_str());
        format!(r#"{{"patient":{patient},"kind":"{kind}","start":{start},"established":{established},"end":{end}}}"#)
    }
}

/// An episode as its patient has it: times in seconds from the first reading on.
#[derive(Debug, Clone)]
pub(super) struct Happening {
    pub(super) kind: Kind,
    sign: Sign,
    peak: f64,
    pub(super) start: f64,
    rises: f64,
    pub(super) established: f64,
    falls: f64,
    pub(super) end: f64,
}

impl Happening {
    /// What begins at `now`, `elapsed` seconds after the last look, if anything does.
    pub(super) fn begin(now: f64, elapsed: f64, random: &mut Random) -> Option<Self> {
        let a_day = elapsed / 86_400.0;
        let mut left = random.unit();
        let kind = KINDS.into_iter().find(|kind| {
            left -= kind.course().a_day * a_day;
            left < 0.0
        })?;
        let Course { sign, peak, before, rise, stay, fall, .. } = kind.course();
        let peak = random.between(peak);
        let rises = now + random.between(before);
        let established = rises + random.between(rise);
        let falls = established + random.between(stay);
        let end = falls + random.between(fall);
        Some(Self { kind, sign, peak, start: now, rises, established, falls, end })
    }

    /// Whether another may begin.
    pub(super) fn is_over(&self, now: f64) -> bool {
        now >= self.end + REST
    }

    /// What the usual level of the sign becomes.
    pub(super) fn level(&self, sign: Sign, usual: f64, now: f64) -> f64 {
        let strength = self.strength(now);
        if sign == self.sign {
            return usual + (self.peak - usual) * strength;
        }
        match (sign, self.kind) {
            // Eight to ten beats for each degree (Karjalainen and Viitasalo 1986), of about two degrees.
            (Sign::HeartRate, Kind::Fever) => usual + 18.0 * strength,
            (Sign::HeartRate, Kind::Hypotension) => usual + 20.0 * strength,
            _ => usual,
        }
    }

    /// Whether the resting ECG shows an ST-T abnormality that was not there before.
    pub(super) fn changes_ecg(&self, now: f64) -> bool {
        self.kind == Kind::StrokeSequence && now < self.end
    }

    /// 0 before the rise, 1 at the peak, 0 after the fall.
    fn strength(&self, now: f64) -> f64 {
        if now < self.established {
            ((now - self.rises) / (self.established - self.rises)).max(0.0)
        } else {
            ((self.end - now) / (self.end - self.falls)).clamp(0.0, 1.0)
        }
    }
}
