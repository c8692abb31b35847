//! How much is sent, and how often what fails. All random choices come from one seed.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A run, given its seed.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) partitions: i32,
    /// Engine processes, one worker each.
    pub(crate) engines: usize,
    pub(crate) readings: usize,
    /// Readings a second, so that faults come while readings flow.
    pub(crate) rate: usize,
    pub(crate) engine_kills: usize,
    pub(crate) broker_kills: usize,
    /// Each longer than the transaction and the session may take.
    pub(crate) broker_stops: usize,
    pub(crate) cuts: usize,
    pub(crate) delays: usize,
    pub(crate) corruptions: usize,
}

impl Plan {
    /// `CHAOS=long` or the short one; `CHAOS_SEED` or one of the clock.
    pub(crate) fn of_environment() -> Self {
        let clock = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let seed = std::env::var("CHAOS_SEED").map_or_else(|_| clock(), |text| text.parse().expect("CHAOS_SEED"));
        match std::env::var("CHAOS").as_deref() {
            Ok("long") => Self::long(seed),
            Err(_) | Ok("short") => Self::short(seed),
            Ok(other) => panic!("CHAOS is `{other}`, neither `short` nor `long`"),
        }
    }

    fn short(seed: u64) -> Self {
        Self {
            seed,
            partitions: 4,
            engines: 2,
            readings: 40_000,
            rate: 500,
            engine_kills: 8,
            broker_kills: 1,
            broker_stops: 1,
            cuts: 6,
            delays: 3,
            corruptions: 4,
        }
    }

    fn long(seed: u64) -> Self {
        Self {
            readings: 250_000,
            rate: 600,
            engine_kills: 50,
            broker_kills: 5,
            broker_stops: 3,
            cuts: 30,
            delays: 15,
            corruptions: 20,
            ..Self::short(seed)
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "seed {}: {} readings on {} partitions, {} engines; engines killed {} times, broker killed {} and stopped {}, \
             connections cut {}, delayed {}, corrupted {}",
            self.seed,
            self.readings,
            self.partitions,
            self.engines,
            self.engine_kills,
            self.broker_kills,
            self.broker_stops,
            self.cuts,
            self.delays,
            self.corruptions
        )
    }
}

/// Splitmix64: small, and the same everywhere.
#[derive(Debug, Clone)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    pub(crate) fn millis(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.below(to - from))
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u64 + 1) as usize);
        }
    }
}
