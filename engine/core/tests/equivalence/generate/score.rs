//! Random scores: models, what goes in, what is needed.

use super::Tape;

/// The kinds of models for rule sets drawn at random; the number of inputs and `.onnx` stand behind.
const MODELS: [&str; 4] = ["tenths", "line", "picky", "strict"];

/// A declared score; names are as they stand in a rule file.
#[derive(Debug, Clone)]
pub(crate) struct Score {
    pub(crate) name: String,
    model: &'static str,
    on: Vec<String>,
    needs: Vec<String>,
}

impl Score {
    /// A score of up to four of these fields, of which there is one at least.
    pub(crate) fn of(tape: &mut Tape, name: &str, fields: &[&str]) -> Self {
        let mut on: Vec<String> = fields.iter().map(|&field| field.into()).collect();
        tape.shuffle(&mut on);
        on.truncate(1 + tape.pick(4));
        let mut score = Self { name: name.into(), model: tape.one(&MODELS), on, needs: Vec::new() };
        score.need(tape);
        score
    }

    /// Other needs; models that fail where something is missing get what they cannot do without.
    pub(crate) fn need(&mut self, tape: &mut Tape) {
        let must = |at: usize| self.model == "strict" || (self.model == "picky" && at == 0);
        let needs = self.on.iter().enumerate().filter(|(at, _)| tape.chance(30) || must(*at));
        self.needs = needs.map(|(_, field)| field.clone()).collect();
        tape.shuffle(&mut self.needs);
    }

    /// Its declaration.
    pub(crate) fn text(&self) -> String {
        let Self { name, model, on, needs } = self;
        let needs = if needs.is_empty() { String::new() } else { format!(" needs ({})", needs.join(", ")) };
        format!("score {name} from \"{model}-{}.onnx\" on ({}){needs}", on.len(), on.join(", "))
    }
}
