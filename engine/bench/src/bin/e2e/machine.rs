//! On what, and beside how much else, the figures were taken.

use std::fmt;
use std::num::NonZero;

#[derive(Debug, Clone)]
pub(crate) struct Machine {
    cores: usize,
    model: String,
    load: String,
}

impl Machine {
    pub(crate) fn look() -> Self {
        let read = |file: &str| std::fs::read_to_string(file).unwrap_or_default();
        let information = read("/proc/cpuinfo");
        let model = information.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        let load = read("/proc/loadavg");
        let load: Vec<&str> = load.split(' ').take(3).collect();
        Self {
            cores: std::thread::available_parallelism().map_or(1, NonZero::get),
            model: model.map_or("an unknown processor", |(_, model)| model).to_owned(),
            load: load.join(" "),
        }
    }

    /// The load average over 1, 5 and 15 minutes.
    pub(crate) fn load(&self) -> &str {
        &self.load
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cores of {}", self.cores, self.model)
    }
}
