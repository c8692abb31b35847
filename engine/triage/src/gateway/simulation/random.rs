//! Random numbers of our own (splitmix64), made with nothing but what IEEE 754 rounds exactly: a seed means the same
//! readings on every machine and in every version.

/// A seeded source.
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

impl Random {
    /// The source of one of several that share a seed; sources with neighbouring numbers have nothing in common.
    pub(super) fn new(seed: u64, number: u64) -> Self {
        let mut seeds = Self(seed);
        let base = seeds.bits();
        Self(Self(base ^ number.wrapping_mul(0xD1B5_4A32_D192_ED03)).bits())
    }

    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }

    /// A number in 0..1.
    pub(super) fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A number in `low..high`.
    pub(super) fn between(&mut self, (low, high): (f64, f64)) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Whether something of that probability happens.
    pub(super) fn happens(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// A number with mean 0 and standard deviation 1, nearly normal: the sum of twelve uniform ones (Irwin and Hall).
    /// The usual ways need a logarithm, which machines round differently.
    pub(super) fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }

    /// One of the choices, each as likely as its weight says. The weights' sum is 1.
    pub(super) fn choose<'a, T>(&mut self, choices: &'a [(f64, T)]) -> Option<&'a T> {
        let mut left = self.unit();
        let chosen = choices.iter().find(|(weight, _)| {
            left -= weight;
            left < 0.0
        });
        chosen.or(choices.last()).map(|(_, choice)| choice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_numbers_have_mean_0_and_deviation_1() {
        let mut random = Random::new(7, 0);
        let numbers: Vec<f64> = (0..100_000).map(|_| random.normal()).collect();
        let mean = numbers.iter().sum::<f64>() / 1e5;
        let variance = numbers.iter().map(|number| (number - mean).powi(2)).sum::<f64>() / 1e5;
        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.02, "{mean} {variance}");
    }

    #[test]
    fn choices_come_by_weight() {
        let mut random = Random::new(7, 1);
        let choices = [(0.75, "often"), (0.25, "seldom")];
        let often = (0..10_000).filter(|_| random.choose(&choices) == Some(&"often")).count();
        assert!((7_300..7_700).contains(&often), "{often}");
    }
}
