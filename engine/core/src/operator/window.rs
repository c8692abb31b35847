//! What a function over a window of time remembers of one patient: the values in the window, and no more of them than the
//! function needs. What it yields depends on those alone, to the last bit, whatever has passed through before.
//!
//! Each value comes in once and leaves once. `min` and `max` keep only values that no later one overtakes; sums are exact, so
//! that taking a value out leaves no trace of it.

use std::collections::VecDeque;

use super::exact::{ExactSum, deviation};
use crate::function::Windowed;

/// A window over one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WindowPlan {
    pub(crate) function: Windowed,
    /// How far it reaches back, in milliseconds.
    pub(crate) span: i64,
}

/// The values in the window at the last reading.
#[derive(Debug, Clone, Default)]
pub(crate) struct Window {
    times: VecDeque<i64>,
    /// Beside the times; empty for `count`.
    values: VecDeque<f64>,
    sums: Option<Box<Sums>>,
    /// The time of the latest value that there was no room for.
    dropped: Option<i64>,
    /// How to go back to where the transaction began.
    undo: Option<Box<Undo>>,
}

/// The sum of the values, and for `stddev` that of their squares.
#[derive(Debug, Clone, Default)]
struct Sums {
    sum: ExactSum,
    squares: Option<ExactSum>,
}

/// What has been done to a window since a transaction began. A copy of it would cost as much as the window is long.
#[derive(Debug, Clone, Default)]
struct Undo {
    dropped: Option<i64>,
    done: Vec<Done>,
}

/// One thing done to a window; there is no value for `count`.
#[derive(Debug, Clone, Copy)]
enum Done {
    Added,
    /// The oldest was taken out.
    Left(i64, Option<f64>),
    /// The youngest was overtaken.
    Overtaken(i64, f64),
}

/// What a window yields; NaN is unknown.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Yield {
    Value(f64),
    /// The window holds more than there is room for: unknown.
    Full,
}

impl Window {
    /// Takes the reading at `time` in, with its value or NaN; `room` is the most values that are kept.
    pub(crate) fn step(&mut self, plan: WindowPlan, room: usize, time: i64, value: f64) -> Yield {
        while self.times.front().is_some_and(|oldest| *oldest <= time.saturating_sub(plan.span)) {
            self.remove_oldest();
        }
        self.dropped = self.dropped.filter(|dropped| *dropped > time.saturating_sub(plan.span));
        if !value.is_nan() {
            // A zero has one sign here: otherwise it would depend on the order of the values.
            self.insert(plan, time, value + 0.0);
        }
        self.make_room(room);
        if self.dropped.is_some() { Yield::Full } else { Yield::Value(finite(self.result(plan, value))) }
    }

    fn insert(&mut self, plan: WindowPlan, time: i64, value: f64) {
        let overtaken = |last: f64| match plan.function {
            Windowed::Minimum | Windowed::Rise => last >= value,
            Windowed::Maximum | Windowed::Fall => last <= value,
            _ => false,
        };
        while self.values.back().is_some_and(|last| overtaken(*last)) {
            if let (Some(time), Some(value)) = (self.times.pop_back(), self.values.pop_back()) {
                self.log(Done::Overtaken(time, value));
            }
        }
        self.times.push_back(time);
        if plan.function != Windowed::Count {
            self.values.push_back(value);
        }
        if has_sums(plan.function) {
            self.sums.get_or_insert_with(|| Box::new(Sums::of(plan.function))).add(value);
        }
        self.log(Done::Added);
    }

    fn remove_oldest(&mut self) {
        let Some(time) = self.times.pop_front() else { return };
        let value = self.values.pop_front();
        if let (Some(value), Some(sums)) = (value, &mut self.sums) {
            sums.take(value);
        }
        self.log(Done::Left(time, value));
    }

    /// Takes out the oldest values that there is no room for.
    fn make_room(&mut self, room: usize) {
        while self.times.len() > room {
            self.dropped = self.times.front().copied();
            self.remove_oldest();
        }
    }

    /// Takes all values out.
    pub(crate) fn clear(&mut self) {
        while !self.times.is_empty() {
            self.remove_oldest();
        }
        self.dropped = None;
    }

    fn log(&mut self, done: Done) {
        if let Some(undo) = &mut self.undo {
            undo.done.push(done);
        }
    }

    /// A transaction begins.
    pub(crate) fn begin(&mut self) {
        self.undo = Some(Box::new(Undo { dropped: self.dropped, done: Vec::new() }));
    }

    /// It has become true.
    pub(crate) fn settle(&mut self) {
        self.undo = None;
        give_back(&mut self.times);
        give_back(&mut self.values);
    }

    /// It has not.
    pub(crate) fn go_back(&mut self) {
        let Some(undo) = self.undo.take() else { return };
        self.dropped = undo.dropped;
        for done in undo.done.into_iter().rev() {
            match done {
                Done::Added => {
                    self.times.pop_back();
                    if let (Some(value), Some(sums)) = (self.values.pop_back(), &mut self.sums) {
                        sums.take(value);
                    }
                }
                Done::Left(time, value) => {
                    self.times.push_front(time);
                    if let Some(value) = value {
                        self.values.push_front(value);
                        self.sums.iter_mut().for_each(|sums| sums.add(value));
                    }
                }
                Done::Overtaken(time, value) => {
                    self.times.push_back(time);
                    self.values.push_back(value);
                }
            }
        }
    }

    fn result(&self, plan: WindowPlan, value: f64) -> f64 {
        let count = self.times.len();
        let sum = || self.sums.as_ref().map_or(0.0, |sums| sums.sum.value());
        let first = self.values.front().copied().unwrap_or(f64::NAN);
        match plan.function {
            Windowed::Count => count as f64,
            Windowed::Deviation if count < 2 => f64::NAN,
            _ if count == 0 => f64::NAN,
            Windowed::Sum => sum(),
            Windowed::Average => sum() / count as f64,
            Windowed::Deviation => self.sums.as_ref().map_or(f64::NAN, |sums| sums.deviation(count)),
            Windowed::Minimum | Windowed::Maximum => first,
            Windowed::Rise => value - first + 0.0,
            Windowed::Fall => first - value + 0.0,
        }
    }

    /// The times, the values beside them (none for `count`), and the time of the latest value there was no room for.
    pub(crate) fn content(&self) -> (impl ExactSizeIterator<Item = i64>, impl Iterator<Item = f64>, Option<i64>) {
        (self.times.iter().copied(), self.values.iter().copied(), self.dropped)
    }

    /// The window of that content; `None` if it cannot be one.
    pub(crate) fn restore(plan: WindowPlan, room: usize, content: &[(i64, f64)], dropped: Option<i64>) -> Option<Self> {
        let ordered = content.windows(2).all(|pair| pair[0].0 <= pair[1].0);
        let valued = plan.function == Windowed::Count || content.iter().all(|(_, value)| value.is_finite());
        if !ordered || !valued {
            return None;
        }
        let mut window = Self { dropped, ..Self::default() };
        for (time, value) in content {
            window.insert(plan, *time, *value);
        }
        // Another rule set may have less room.
        window.make_room(room);
        Some(window)
    }
}

impl Sums {
    fn of(function: Windowed) -> Self {
        let squares = (function == Windowed::Deviation).then(ExactSum::default);
        Self { sum: ExactSum::default(), squares }
    }

    fn add(&mut self, value: f64) {
        self.sum.add(value);
        if let Some(squares) = &mut self.squares {
            squares.add_square(value);
        }
    }

    fn take(&mut self, value: f64) {
        self.sum.take(value);
        if let Some(squares) = &mut self.squares {
            squares.take_square(value);
        }
    }

    fn deviation(&self, count: usize) -> f64 {
        self.squares.as_ref().map_or(f64::NAN, |squares| deviation(count, &self.sum, squares))
    }
}

/// Gives memory back of which little is used any more. What is left is twice what is used, so that each value pays for it
/// once.
fn give_back<T>(values: &mut VecDeque<T>) {
    if values.capacity() > 16 && values.len() < values.capacity() / 4 {
        values.shrink_to(values.len() * 2);
    }
}

fn has_sums(function: Windowed) -> bool {
    matches!(function, Windowed::Average | Windowed::Sum | Windowed::Deviation)
}

fn finite(value: f64) -> f64 {
    if value.is_finite() { value } else { f64::NAN }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ROOM: usize = 20;

    /// The language page, word for word.
    fn fresh(plan: WindowPlan, readings: &[(i64, f64)], time: i64, value: f64) -> f64 {
        let inside = readings.iter().filter(|(at, value)| *at > time - plan.span && *at <= time && !value.is_nan());
        let values: Vec<f64> = inside.map(|(_, value)| *value).collect();
        let count = values.len() as f64;
        let sum: f64 = values.iter().sum();
        let smallest = values.iter().copied().reduce(f64::min).unwrap_or(f64::NAN);
        let largest = values.iter().copied().reduce(f64::max).unwrap_or(f64::NAN);
        match plan.function {
            Windowed::Count => count,
            _ if values.is_empty() => f64::NAN,
            Windowed::Sum => sum,
            Windowed::Average => sum / count,
            Windowed::Deviation if values.len() < 2 => f64::NAN,
            Windowed::Deviation => {
                let spread: f64 = values.iter().map(|value| (value - sum / count).powi(2)).sum();
                (spread / (count - 1.0)).sqrt()
            }
            Windowed::Minimum => smallest,
            Windowed::Maximum => largest,
            Windowed::Rise => value - smallest,
            Windowed::Fall => largest - value,
        }
    }

    fn readings() -> impl Strategy<Value = Vec<(i64, f64)>> {
        let value = prop_oneof![4 => (-50_i32..50).prop_map(|value| f64::from(value) / 10.0), 1 => Just(f64::NAN)];
        prop::collection::vec((0_i64..4, value), 0..60).prop_map(|steps| {
            let mut time = 0;
            let later = |(wait, value)| {
                time += wait;
                (time, value)
            };
            steps.into_iter().map(later).collect()
        })
    }

    proptest! {
        #[test]
        fn yields_what_a_fresh_look_at_the_window_yields(readings in readings(), span in 1_i64..12, restored in 0_usize..60) {
            for function in Windowed::ALL {
                let plan = WindowPlan { function, span };
                let mut window = Window::default();
                for (index, (time, value)) in readings.iter().enumerate() {
                    let expected = fresh(plan, &readings[..=index], *time, *value);
                    let known = readings[..=index].iter().filter(|(at, value)| *at > time - span && !value.is_nan()).count();
                    let got = window.step(plan, ROOM, *time, *value);
                    match got {
                        Yield::Full => prop_assert!(known > ROOM),
                        Yield::Value(got) => prop_assert!(
                            (got - expected).abs() < 1e-9 || got.is_nan() && expected.is_nan(), "{:?} {} {}", plan, got, expected
                        ),
                    }
                    if index == restored {
                        let (times, values, dropped) = window.content();
                        let values = values.chain(std::iter::repeat(0.0));
                        let content: Vec<(i64, f64)> = times.zip(values).collect();
                        window = Window::restore(plan, ROOM, &content, dropped).unwrap();
                    }
                }
            }
        }
    }

    #[test]
    fn a_full_window_is_unknown_until_its_oldest_values_have_left() {
        let plan = WindowPlan { function: Windowed::Sum, span: 10 };
        let mut window = Window::default();
        for time in 0..3 {
            assert_ne!(window.step(plan, 3, time, 1.0), Yield::Full);
        }
        assert_eq!(window.step(plan, 3, 3, 1.0), Yield::Full);
        assert_eq!(window.step(plan, 3, 9, f64::NAN), Yield::Full);
        assert_eq!(window.step(plan, 3, 10, f64::NAN), Yield::Value(3.0));
    }
}
