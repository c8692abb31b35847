//! Names of topics and collections: legal where they go, none of ours, none twice.

use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::ast::Name;

/// Topics of ours that no stream or topic of the rules may be called.
const RESERVED_TOPICS: [&str; 9] = [
    "technical",
    "dead-letters",
    "dead-letters-resent",
    "resent-documents",
    "acknowledgements",
    "heartbeat",
    "rule-sets",
    "triage-journal",
    "triage-snapshots",
];

/// The longest Kafka topic is 249 bytes, and `alerts.` may stand before ours.
const LONGEST_TOPIC: usize = 242;

/// The longest collection name that a store of ours takes, `_alerts` included.
const LONGEST_STORE: usize = 113;

/// What is taken.
#[derive(Debug, Default)]
pub(super) struct Owned {
    stream: String,
    stores: Vec<(String, Span)>,
}

impl Owned {
    pub(super) fn stream(&mut self, name: &Name, diagnostics: &mut Vec<Diagnostic>) {
        legal_topic(name, diagnostics);
        self.stream.clone_from(&name.node);
    }

    /// A topic that is declared, or that a rule writes to.
    /// Whether it may be called so; if not, that has been reported.
    pub(super) fn topic(&self, name: &Name, diagnostics: &mut Vec<Diagnostic>) -> bool {
        if name.node == self.stream {
            let message = format!("the topic `{}` is the stream itself", name.node);
            diagnostics.push(Diagnostic::new(Code::ReservedName, name.span, message, "expected another name"));
            return false;
        }
        legal_topic(name, diagnostics)
    }

    /// A collection; its alerts' collection is taken with it.
    pub(super) fn store(&mut self, name: &Name, diagnostics: &mut Vec<Diagnostic>) -> String {
        let store = name.node.as_str();
        let legal = !store.is_empty()
            && store.len() <= LONGEST_STORE
            && !store.contains(['$', '\0'])
            && !store.starts_with("system.")
            && !store.starts_with("sqlite_");
        if !legal {
            let message = format!("`{store}` is no name for a collection");
            let label = "expected a short name without `$`, not beginning with `system.` or `sqlite_`";
            diagnostics.push(Diagnostic::new(Code::ReservedName, name.span, message, label));
        }
        let alerts = |name: &str| format!("{name}_alerts");
        let clash =
            self.stores.iter().find(|(other, _)| *other == store || alerts(other) == store || *other == alerts(store));
        if let Some((other, span)) = clash {
            let message = format!("the collection `{store}` is taken");
            let label = format!("`{other}` and `{other}_alerts` are written to by another declaration");
            diagnostics.push(Diagnostic::new(Code::SharedStore, name.span, message, label).also(*span, "taken here"));
        }
        self.stores.push((store.to_owned(), name.span));
        store.to_owned()
    }
}

fn legal_topic(name: &Name, diagnostics: &mut Vec<Diagnostic>) -> bool {
    let topic = name.node.as_str();
    if RESERVED_TOPICS.contains(&topic) || topic == "alerts" || topic.starts_with("alerts.") {
        let message = format!("Triage itself writes to topics called `{topic}`");
        diagnostics.push(Diagnostic::new(Code::ReservedName, name.span, message, "expected another name"));
        return false;
    }
    let characters = topic.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'));
    if !characters || topic.is_empty() || topic == "." || topic == ".." || topic.len() > LONGEST_TOPIC {
        let message = format!("Kafka takes no topic called `{topic}`");
        let label = "expected at most 242 letters, digits, `.`, `_` and `-`";
        diagnostics.push(Diagnostic::new(Code::ReservedName, name.span, message, label));
        return false;
    }
    true
}
