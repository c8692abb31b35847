//! The vital signs that are simulated, and how each behaves. The numbers are chosen, not fitted to any ward: what is known
//! of their size stands beside them.

/// A vital sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    /// `trestbps`, systolic, mmHg.
    Pressure,
    /// `Temp`, °C.
    Temperature,
    /// `thalach`, a minute: in the table the highest of an exercise test, here what the monitor counts.
    HeartRate,
}

/// How a sign moves, and how its sensor errs. Values are in the sign's own unit, times in seconds.
#[derive(Debug)]
pub(super) struct Behaviour {
    /// The level that treatment brings a patient nearer to.
    pub(super) normal: f64,
    /// How much of the distance between that level and the table's value is left under treatment.
    pub(super) untreated: f64,
    /// The standard deviation of the walk around the level.
    pub(super) deviation: f64,
    /// How long the walk remembers.
    pub(super) memory: f64,
    /// By how much the time of day moves the level, up in the afternoon and down before morning.
    pub(super) daily: f64,
    /// The standard deviation of the sensor's noise.
    pub(super) noise: f64,
    /// How many decimals the device shows.
    pub(super) decimals: usize,
    /// Between two artefacts, on average.
    pub(super) artefact_every: f64,
    /// What an artefact reads as, and how often.
    pub(super) artefacts: &'static [(f64, Artefact)],
    /// Between two times when the sensor is off, on average.
    pub(super) off_every: f64,
    /// How long it is off.
    pub(super) off_for: (f64, f64),
}

/// What a sensor shows in place of the truth.
#[derive(Debug, Clone, Copy)]
pub(super) enum Artefact {
    /// A value in this range, whatever the patient's is.
    Instead(f64, f64),
    /// The patient's value moved by an amount in this range.
    Moved(f64, f64),
}

const MINUTE: f64 = 60.0;
const HOUR: f64 = 60.0 * MINUTE;

impl Sign {
    /// The sign that a column holds.
    pub(super) fn of_column(name: &str) -> Option<Self> {
        match name {
            "trestbps" => Some(Sign::Pressure),
            "Temp" => Some(Sign::Temperature),
            "thalach" => Some(Sign::HeartRate),
            _ => None,
        }
    }

    /// How it behaves.
    pub(super) fn behaviour(self) -> &'static Behaviour {
        match self {
            Sign::Pressure => &PRESSURE,
            Sign::Temperature => &TEMPERATURE,
            Sign::HeartRate => &HEART_RATE,
        }
    }
}

/// A flush of the arterial line reads as the bag's 300 mmHg, more or less; a moved arm as too much or too little. Pressure
/// falls by a tenth in sleep (O'Brien 1988).
const PRESSURE: Behaviour = Behaviour {
    normal: 120.0,
    untreated: 0.4,
    deviation: 7.0,
    memory: 30.0 * MINUTE,
    daily: 6.0,
    noise: 3.0,
    decimals: 0,
    artefact_every: 25.0 * MINUTE,
    artefacts: &[
        (0.35, Artefact::Instead(240.0, 330.0)),
        (0.35, Artefact::Moved(30.0, 90.0)),
        (0.30, Artefact::Moved(-70.0, -25.0)),
    ],
    off_every: 8.0 * HOUR,
    off_for: (MINUTE, 10.0 * MINUTE),
};

/// A probe that slips shows the air's warmth. The day's swing is half a degree either way at most (Refinetti 1992).
const TEMPERATURE: Behaviour = Behaviour {
    normal: 36.8,
    untreated: 0.25,
    deviation: 0.15,
    memory: 3.0 * HOUR,
    daily: 0.3,
    noise: 0.05,
    decimals: 1,
    artefact_every: 6.0 * HOUR,
    artefacts: &[(0.7, Artefact::Instead(20.0, 33.0)), (0.3, Artefact::Moved(1.5, 4.0))],
    off_every: 12.0 * HOUR,
    off_for: (2.0 * MINUTE, 30.0 * MINUTE),
};

/// Monitors count muscle as beats and tall T waves twice, and miss low ones.
const HEART_RATE: Behaviour = Behaviour {
    normal: 78.0,
    untreated: 0.25,
    deviation: 5.0,
    memory: 10.0 * MINUTE,
    daily: 5.0,
    noise: 2.0,
    decimals: 0,
    artefact_every: 40.0 * MINUTE,
    artefacts: &[(0.6, Artefact::Moved(40.0, 110.0)), (0.4, Artefact::Instead(15.0, 40.0))],
    off_every: 4.0 * HOUR,
    off_for: (MINUTE, 5.0 * MINUTE),
};
