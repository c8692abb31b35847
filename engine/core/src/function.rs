//! The functions of the language: names, arguments, meaning.

use std::fmt;

/// A function of numbers that needs no history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Function {
    /// `abs(a)`
    Abs,
    /// `round(a)`
    Round,
    /// `min(a, b, …)`
    Min,
    /// `max(a, b, …)`
    Max,
}

impl Function {
    /// Every function.
    pub const ALL: [Function; 4] = [Function::Abs, Function::Round, Function::Min, Function::Max];

    /// Its name in rules.
    pub fn name(self) -> &'static str {
        match self {
            Function::Abs => "abs",
            Function::Round => "round",
            Function::Min => "min",
            Function::Max => "max",
        }
    }

    /// The function of that name.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|function| function.name() == name)
    }

    /// Whether it takes so many arguments.
    pub fn takes(self, arguments: usize) -> bool {
        match self {
            Function::Abs | Function::Round => arguments == 1,
            Function::Min | Function::Max => arguments >= 2,
        }
    }

    /// How many arguments it takes, in words.
    pub fn arguments(self) -> &'static str {
        match self {
            Function::Abs | Function::Round => "one number",
            Function::Min | Function::Max => "two numbers or more",
        }
    }

    /// Folds one more argument in; NaN (unknown) stays NaN. `abs` and `round` have only the first.
    pub fn fold(self, first: f64, next: f64) -> f64 {
        if first.is_nan() || next.is_nan() {
            return f64::NAN;
        }
        match self {
            Function::Abs | Function::Round => first,
            Function::Min => first.min(next),
            Function::Max => first.max(next),
        }
    }

    /// What it does to its first argument. `round` takes halves away from zero.
    pub fn start(self, first: f64) -> f64 {
        match self {
            Function::Abs => first.abs(),
            Function::Round => first.round(),
            Function::Min | Function::Max => first,
        }
    }
}

impl fmt::Display for Function {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A function of what a value was over a window of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Windowed {
    /// `avg(x, D)`
    Average,
    /// `min(x, D)`
    Minimum,
    /// `max(x, D)`
    Maximum,
    /// `sum(x, D)`
    Sum,
    /// `stddev(x, D)`, of a sample
    Deviation,
    /// `count(x, D)`
    Count,
    /// `rise(x, D)`: above the smallest
    Rise,
    /// `fall(x, D)`: below the largest
    Fall,
}

impl Windowed {
    /// Every one.
    pub const ALL: [Windowed; 8] = [
        Windowed::Average,
        Windowed::Minimum,
        Windowed::Maximum,
        Windowed::Sum,
        Windowed::Deviation,
        Windowed::Count,
        Windowed::Rise,
        Windowed::Fall,
    ];

    /// Its name in rules.
    pub fn name(self) -> &'static str {
        match self {
            Windowed::Average => "avg",
            Windowed::Minimum => "min",
            Windowed::Maximum => "max",
            Windowed::Sum => "sum",
            Windowed::Deviation => "stddev",
            Windowed::Count => "count",
            Windowed::Rise => "rise",
            Windowed::Fall => "fall",
        }
    }

    /// The one of that name.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|function| function.name() == name)
    }

    /// Whether all values in the window are kept, and not only those that no later one overtakes.
    pub(crate) fn keeps_all(self) -> bool {
        match self {
            Windowed::Average | Windowed::Sum | Windowed::Deviation | Windowed::Count => true,
            Windowed::Minimum | Windowed::Maximum | Windowed::Rise | Windowed::Fall => false,
        }
    }
}

/// The function of the value before this one.
pub const PREVIOUS: &str = "previous";

/// The names of the functions that need history.
pub const WINDOWED: [&str; 9] = ["avg", "min", "max", "sum", "stddev", "count", "rise", "fall", PREVIOUS];
