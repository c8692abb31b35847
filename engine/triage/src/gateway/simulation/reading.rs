//! What a device sends.

use std::sync::Arc;

/// A simulated reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// Epoch milliseconds.
    pub ts: i64,
    /// The patient, which is the Kafka key.
    pub patient: Arc<str>,
    /// The other fields, names and values both as JSON.
    pub(super) fields: Vec<(Arc<str>, Arc<str>)>,
}

impl Reading {
    /// The reading as a JSON object.
    pub fn json(&self) -> String {
        let mut json = format!(r#"{{"patient":{},"ts":{}"#, super::json::text(&self.patient), self.ts);
        for (name, value) in &self.fields {
            json.push(',');
            json.push_str(name);
            json.push(':');
            json.push_str(value);
        }
        json.push('}');
        json
    }
}
