//! One vital sign of one patient: its level, the walk around it, and the sensor that reads it.

use super::random::Random;
use super::sign::{Artefact, Behaviour, Sign};

/// How long an artefact lasts, in seconds, and how often: with a reading every 5 s, one to four readings. Half of what an
/// intensive care unit's monitors alarm for in vain is over within 14 s, two thirds within 19 s (Goerges 2009).
const ARTEFACT_LASTS: [(f64, f64); 4] = [(0.3, 5.0), (0.3, 10.0), (0.25, 15.0), (0.15, 20.0)];

/// A sign that is measured again and again.
#[derive(Debug)]
pub(super) struct Vital {
    sign: Sign,
    /// The level under treatment, without the time of day.
    level: f64,
    /// Where the walk is, from the level.
    walk: f64,
    /// The sensor is off until then, in seconds.
    off_until: f64,
    /// What the sensor shows instead, and until when.
    artefact: Option<(Artefact, f64)>,
}

impl Vital {
    /// The sign of a patient whom the table gives that value.
    pub(super) fn new(sign: Sign, in_table: f64, random: &mut Random) -> Self {
        let Behaviour { normal, untreated, deviation, .. } = sign.behaviour();
        let level = normal + (in_table - normal) * untreated;
        Self { sign, level, walk: deviation * random.normal(), off_until: 0.0, artefact: None }
    }

    pub(super) fn sign(&self) -> Sign {
        self.sign
    }

    /// What the device shows `elapsed` seconds after the last look, at `now`; `None` while the sensor is off. `of_level`
    /// makes the patient's level of that moment of the usual one.
    pub(super) fn read(
        &mut self,
        now: f64,
        elapsed: f64,
        of_level: impl Fn(f64) -> f64,
        random: &mut Random,
    ) -> Option<String> {
        let behaviour = self.sign.behaviour();
        self.walk = walked(self.walk, elapsed, behaviour, random);
        let value = of_level(self.level + behaviour.daily * time_of_day(now)) + self.walk;
        let shown = self.shown(value, now, elapsed, random) + behaviour.noise * random.normal();
        if random.happens(elapsed / behaviour.off_every) {
            self.off_until = now + random.between(behaviour.off_for);
        }
        (now >= self.off_until).then(|| format!("{:.*}", behaviour.decimals, shown.max(0.0)))
    }

    /// The value, or what an artefact makes of it.
    fn shown(&mut self, value: f64, now: f64, elapsed: f64, random: &mut Random) -> f64 {
        let behaviour = self.sign.behaviour();
        self.artefact = self.artefact.filter(|(_, until)| now < *until);
        if self.artefact.is_none() && random.happens(elapsed / behaviour.artefact_every) {
            let lasts = random.choose(&ARTEFACT_LASTS).copied().unwrap_or_default();
            self.artefact = random.choose(behaviour.artefacts).map(|artefact| (*artefact, now + lasts));
        }
        match self.artefact {
            None => value,
            Some((Artefact::Instead(low, high), _)) => random.between((low, high)),
            Some((Artefact::Moved(low, high), _)) => value + random.between((low, high)),
        }
    }
}

/// One step of an Ornstein-Uhlenbeck process, by the implicit Euler scheme: an AR(1) process whose deviation is the same
/// for every length of step.
fn walked(walk: f64, elapsed: f64, behaviour: &Behaviour, random: &mut Random) -> f64 {
    let kept = behaviour.memory / (behaviour.memory + elapsed);
    kept * walk + behaviour.deviation * (1.0 - kept * kept).sqrt() * random.normal()
}

/// From -1 at five in the morning to 1 at five in the afternoon; the ward's clock is at eight when it begins. Parabolas in
/// place of a sine, which machines round differently.
fn time_of_day(now: f64) -> f64 {
    let day = (now / 86_400.0 + (8.0 - 11.0) / 24.0).rem_euclid(1.0);
    if day < 0.5 { 16.0 * day * (0.5 - day) } else { -16.0 * (day - 0.5) * (1.0 - day) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_walk_spreads_as_said_for_every_length_of_step() {
        for elapsed in [5.0, 100.0, 3_600.0] {
            let behaviour = Sign::Pressure.behaviour();
            let mut random = Random::new(7, 0);
            let mut walk = 0.0;
            let mut squares = 0.0;
            let steps = 400_000;
            for _ in 0..steps {
                walk = walked(walk, elapsed, behaviour, &mut random);
                squares += walk * walk;
            }
            let deviation = (squares / f64::from(steps)).sqrt();
            assert!((deviation / behaviour.deviation - 1.0).abs() < 0.1, "{elapsed} s: {deviation}");
        }
    }

    #[test]
    fn the_afternoon_is_high_and_the_early_morning_low() {
        let hour = |hour: f64| time_of_day((hour - 8.0) * 3_600.0);
        assert_eq!((hour(17.0), hour(11.0), hour(29.0), hour(23.0)), (1.0, 0.0, -1.0, 0.0));
    }
}
