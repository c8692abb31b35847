//! What a model's inputs looked like in the data that it learnt from, as the file beside it says. `datasets/README.md` has
//! the format.

use std::fmt::Write as _;

use serde::Deserialize;
use triage_core::score::{Histogram, Input, Known};

/// The form of the file that this engine reads.
const FORMAT: u32 = 1;

#[derive(Debug, Deserialize)]
struct Written {
    format: u32,
    /// The SHA-256 of the model, in hex.
    model: String,
    patients: u64,
    inputs: Vec<WrittenInput>,
}

#[derive(Debug, Deserialize)]
struct WrittenInput {
    name: String,
    codes: Option<Vec<f32>>,
    lowest: Option<f32>,
    highest: Option<f32>,
    cuts: Option<Vec<f32>>,
    counts: Vec<u64>,
    missing: u64,
}

/// Reads the text that belongs to the model of that hash, which takes so many inputs.
///
/// # Errors
/// Why it is of no use, in one lowercase sentence without a period.
pub(super) fn read(text: &str, model: &[u8; 32], inputs: usize) -> Result<Vec<Input>, String> {
    let written: Written = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if written.format != FORMAT {
        return Err(format!("its format is {}, and this engine reads {FORMAT}", written.format));
    }
    if written.model != hex(model) {
        return Err("it is of another model, by the hash in it".to_owned());
    }
    if written.inputs.len() != inputs {
        return Err(format!("it has {} inputs, and the model {inputs}", written.inputs.len()));
    }
    let input = |input: &WrittenInput| {
        let histogram = histogram(input, written.patients)?;
        Ok(Input { name: input.name.clone(), known: known(input)?, histogram })
    };
    written.inputs.iter().map(input).collect()
}

fn histogram(input: &WrittenInput, patients: u64) -> Result<Histogram, String> {
    let name = &input.name;
    let histogram = match (&input.codes, &input.cuts) {
        (Some(codes), None) => of_codes(codes, &input.counts),
        (None, Some(cuts)) => (input.counts.len() == cuts.len() + 1)
            .then(|| Histogram { cuts: cuts.clone(), counts: input.counts.clone() }),
        _ => return Err(format!("`{name}` has to have either `codes` or `cuts`")),
    };
    let histogram = histogram.ok_or_else(|| format!("`{name}` has another number of counts than of bins"))?;
    let rises = histogram.cuts.is_sorted_by(|one, next| one < next);
    if !rises || !histogram.cuts.iter().all(|cut| cut.is_finite()) {
        return Err(format!("the codes or cuts of `{name}` do not rise"));
    }
    let known = input.counts.iter().fold(0_u64, |sum, count| sum.saturating_add(*count));
    if known == 0 || known.saturating_add(input.missing) != patients {
        return Err(format!("the counts of `{name}` and those missing do not add up to {patients} patients"));
    }
    Ok(histogram)
}

/// Without a lowest and a highest value nothing is known to be outside.
fn known(input: &WrittenInput) -> Result<Known, String> {
    match (&input.codes, input.lowest, input.highest) {
        (Some(codes), _, _) => Ok(Known::Codes(codes.clone())),
        (None, None, None) => Ok(Known::Between(f32::NEG_INFINITY, f32::INFINITY)),
        (None, Some(lowest), Some(highest)) if lowest <= highest => Ok(Known::Between(lowest, highest)),
        _ => Err(format!("the lowest and highest of `{}` are no range", input.name)),
    }
}

/// A bin for each code, and one between each two, where nobody was.
fn of_codes(codes: &[f32], counts: &[u64]) -> Option<Histogram> {
    let cuts = codes.iter().flat_map(|code| [*code, code.next_up()]).collect();
    let bins = [0].into_iter().chain(counts.iter().flat_map(|count| [*count, 0])).collect();
    (codes.len() == counts.len()).then_some(Histogram { cuts, counts: bins })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut digits, byte| {
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const MODEL: [u8; 32] = [0xab; 32];

    fn written(inputs: &str) -> String {
        format!(r#"{{"format":1,"model":"{}","patients":10,"inputs":[{inputs}]}}"#, hex(&MODEL))
    }

    #[test]
    fn codes_have_bins_of_their_own_and_numbers_those_between_the_cuts() {
        let text = written(
            r#"{"name":"sex","codes":[0,1],"counts":[4,6],"missing":0},
               {"name":"age","lowest":29,"highest":77,"cuts":[50],"counts":[3,5],"missing":2}"#,
        );
        let found = read(&text, &MODEL, 2).unwrap();
        assert_eq!((&found[0].known, &found[1].known), (&Known::Codes(vec![0.0, 1.0]), &Known::Between(29.0, 77.0)));
        assert_eq!((found[0].name.as_str(), found[1].name.as_str()), ("sex", "age"));
        assert_eq!(found[0].histogram.counts, [0, 4, 0, 6, 0]);
        assert_eq!(found[0].histogram.cuts, [0.0, 0_f32.next_up(), 1.0, 1_f32.next_up()]);
        assert_eq!(found[1].histogram, Histogram { cuts: vec![50.0], counts: vec![3, 5] });
    }

    #[test]
    fn without_a_lowest_and_a_highest_value_nothing_is_outside() {
        let found = read(&written(r#"{"name":"age","cuts":[50],"counts":[4,6],"missing":0}"#), &MODEL, 1).unwrap();
        assert!([f32::MIN, 50.0, f32::MAX].iter().all(|value| !found[0].known.excludes(*value)));
    }

    #[test]
    fn what_is_broken_is_told() {
        let refused = |inputs: &str| read(&written(inputs), &MODEL, 1).unwrap_err();
        assert_eq!(refused(""), "it has 0 inputs, and the model 1");
        for (input, why) in [
            (r#""counts":[10],"missing":0"#, "`a` has to have either `codes` or `cuts`"),
            (r#""codes":[1,2],"counts":[10],"missing":0"#, "`a` has another number of counts than of bins"),
            (r#""cuts":[1,2],"counts":[5,5],"missing":0"#, "`a` has another number of counts than of bins"),
            (r#""cuts":[2,1],"counts":[1,2,7],"missing":0"#, "the codes or cuts of `a` do not rise"),
            (r#""codes":[1,1],"counts":[5,5],"missing":0"#, "the codes or cuts of `a` do not rise"),
            (
                r#""cuts":[1],"counts":[5,5],"missing":0,"lowest":2,"highest":1"#,
                "the lowest and highest of `a` are no range",
            ),
            (r#""cuts":[1],"counts":[5,5],"missing":0,"lowest":2"#, "the lowest and highest of `a` are no range"),
            (
                r#""codes":[1],"counts":[9],"missing":0"#,
                "the counts of `a` and those missing do not add up to 10 patients",
            ),
            (
                r#""codes":[1],"counts":[0],"missing":10"#,
                "the counts of `a` and those missing do not add up to 10 patients",
            ),
        ] {
            assert_eq!(refused(&format!(r#"{{"name":"a",{input}}}"#)), why);
        }
        assert_eq!(
            read(&written("").replace("abab", "cdcd"), &MODEL, 0).unwrap_err(),
            "it is of another model, by the hash in it"
        );
        assert!(read("{", &MODEL, 1).unwrap_err().starts_with("EOF while parsing"));
        let later = written("").replace("\"format\":1", "\"format\":2");
        assert_eq!(read(&later, &MODEL, 0).unwrap_err(), "its format is 2, and this engine reads 1");
    }
}
