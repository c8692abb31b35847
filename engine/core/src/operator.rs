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

impl Cell {
    /// As if its expression had never been evaluated.
    pub(crate) fn clear(&mut self) {
        match self {
            Cell::Window(window) => window.clear(),
            Cell::Previous(last) => *last = None,
            Cell::Run(run) => *run = Run::default(),
            Cell::Sequence(sequence) => *sequence = Sequence::default(),
        }
    }

    /// What it is before a transaction changes it. A window is not copied: from now on it keeps how to go back.
    pub(crate) fn image(&mut self) -> Cell {
        match self {
            Cell::Window(window) => {
                window.begin();
                Cell::Window(Window::default())
            }
            small => small.clone(),
        }
    }

    /// The transaction has become true.
    pub(crate) fn settle(&mut self) {
        if let Cell::Window(window) = self {
            window.settle();
        }
    }

    /// What it was when `image` was made of it.
    pub(crate) fn go_back(self, image: Cell) -> Cell {
        match (self, image) {
            (Cell::Window(mut window), Cell::Window(_)) => {
                window.go_back();
                Cell::Window(window)
            }
            (_, image) => image,
        }
    }
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
