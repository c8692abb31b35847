//! Which Kafka topics are stored, as what, and in which collection.

use std::collections::BTreeMap;
use std::sync::Arc;

use triage_core::program::Program;

use crate::kafka::topics::alerts_of;

/// What the records of a topic are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    /// Readings as they arrived.
    Readings,
    /// Derived records.
    Derived,
    /// Alerts.
    Alerts,
}

/// Where the records of a topic go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) content: Content,
    pub(crate) collection: Arc<str>,
}

/// The routes by Kafka topic.
pub(crate) type Routes = BTreeMap<String, Route>;

/// The routes of a rule set.
pub(crate) fn of(program: &Program) -> Routes {
    let mut routes = Routes::new();
    if let Some(collection) = program.stream_store() {
        routes.insert(program.stream().to_owned(), route(Content::Readings, collection));
    }
    for topic in program.topics() {
        let Some(collection) = &topic.store else { continue };
        routes.insert(topic.name.clone(), route(Content::Derived, collection));
        if topic.alerts {
            routes.insert(alerts_of(&topic.name), route(Content::Alerts, &format!("{collection}_alerts")));
        }
    }
    routes
}

fn route(content: Content, collection: &str) -> Route {
    Route { content, collection: Arc::from(collection) }
}
