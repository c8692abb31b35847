//! What stateful expressions remember of one patient, and how a reading changes it. Knows no patients, partitions or rules.

pub(crate) mod episode;
mod exact;
mod run;
mod window;

pub(crate) use run::{Run, Sequence};
pub(crate) use window::{Window, WindowPlan, Yield};

/// What one stateful expression remembers of one patient.
#[derive(Debug, Clone)]
pub(crate) enum Cell {
    /// `avg(x, 10m)` and its like.
    Window(Window),
    /// `previous(x)`: the last known value.
    Previous(Option<f64>),
    /// `C for …`
    Run(Run),
    /// `A then B within …`
    Sequence(Sequence),
}

/// The kind of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CellKind {
    Window(WindowPlan),
    Previous,
    Run,
    Sequence,
}

impl CellKind {
    /// The cell of a patient who is heard of for the first time.
    pub(crate) fn fresh(self) -> Cell {
        match self {
            CellKind::Window(_) => Cell::Window(Window::default()),
            CellKind::Previous => Cell::Previous(None),
            CellKind::Run => Cell::Run(Run::default()),
            CellKind::Sequence => Cell::Sequence(Sequence::default()),
        }
    }
}
