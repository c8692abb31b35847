//! Which open alerts are asked for: `?priority=high&priority=medium&topic=stroke&patient=p1&state=raised`.

use percent_encoding::percent_decode_str;

use super::alert::{Priority, State};
use super::open::OpenAlert;

/// What may be asked for.
const NAMES: [&str; 4] = ["priority", "topic", "patient", "state"];

/// Of each name any of its values must hold; what is not said holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    priorities: Vec<Priority>,
    topics: Vec<String>,
    patients: Vec<String>,
    states: Vec<State>,
}

impl Filter {
    /// Reads the query of a request; `topics` are those that there are. Otherwise says what is allowed.
    pub(crate) fn read(query: &str, topics: &[String]) -> Result<Self, String> {
        let mut filter = Self::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decoded(name)?, decoded(value)?);
            match name.as_str() {
                "priority" => {
                    filter.priorities.push(one_of(&name, &value, &Priority::ALL, |priority| priority.as_str())?);
                }
                "state" => filter.states.push(one_of(&name, &value, &State::OPEN, |state| state.as_str())?),
                "topic" => filter.topics.push(one_of(&name, &value, topics, String::as_str)?),
                "patient" if value.is_empty() => return Err("`patient` is empty\n".to_owned()),
                "patient" => filter.patients.push(value),
                _ => return Err(format!("`{name}` is no filter; there are `{}`\n", NAMES.join("`, `"))),
            }
        }
        Ok(filter)
    }

    pub(crate) fn takes(&self, alert: &OpenAlert) -> bool {
        let is_of = |patient: &String| alert.patient.as_ref() == Some(patient);
        (self.priorities.is_empty() || self.priorities.contains(&alert.priority))
            && (self.topics.is_empty() || self.topics.contains(&alert.topic))
            && (self.patients.is_empty() || self.patients.iter().any(is_of))
            && (self.states.is_empty() || self.states.contains(&alert.state))
    }
}

/// In a query a plus is a space.
fn decoded(text: &str) -> Result<String, String> {
    let text = text.replace('+', " ");
    let decoded = percent_decode_str(&text).decode_utf8().map_err(|_| "the query is not UTF-8\n".to_owned())?;
    Ok(decoded.into_owned())
}

fn one_of<T: Clone>(name: &str, value: &str, all: &[T], text: impl Fn(&T) -> &str) -> Result<T, String> {
    if let Some(found) = all.iter().find(|one| text(one) == value) {
        return Ok(found.clone());
    }
    if all.is_empty() {
        return Err(format!("`{name}` cannot be `{value}`: no rule has an alert\n"));
    }
    let allowed: Vec<&str> = all.iter().map(text).collect();
    Err(format!("`{name}` cannot be `{value}`; it is one of `{}`\n", allowed.join("`, `")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn read(query: &str) -> Result<Filter, String> {
        Filter::read(query, &["stroke".to_owned(), "vitals".to_owned()])
    }

    #[test]
    fn a_query_is_read() {
        let filter = read("priority=high&priority=low&topic=stroke&patient=p%201+x&state=raised&").unwrap();
        assert_eq!(filter.priorities, [Priority::High, Priority::Low]);
        assert_eq!((filter.topics, filter.patients), (vec!["stroke".to_owned()], vec!["p 1 x".to_owned()]));
        assert_eq!(filter.states, [State::Raised]);
        assert_eq!(read(""), Ok(Filter::default()));
    }

    #[test]
    fn a_wrong_filter_is_told_what_is_allowed() {
        for (query, told) in [
            ("prio=high", "`priority`, `topic`, `patient`, `state`"),
            ("priority=urgent", "`high`, `medium`, `low`, `info`"),
            ("state=resolved", "`raised`, `repeated`, `escalated`, `acknowledged`"),
            ("topic=strok", "`stroke`, `vitals`"),
            ("topic", "`stroke`, `vitals`"),
            ("patient=", "empty"),
            ("patient=%ff", "UTF-8"),
        ] {
            assert!(read(query).unwrap_err().contains(told), "{query}");
        }
        assert!(Filter::read("topic=a", &[]).unwrap_err().contains("no rule has an alert"));
    }
}
