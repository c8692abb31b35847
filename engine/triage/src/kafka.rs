//! The broker: clients and their properties, transactions, topics. The only place besides `worker` that knows `rdkafka`.

pub(crate) mod consumer;
pub(crate) mod encryption;
pub(crate) mod lasting;
pub(crate) mod logged;
pub(crate) mod login;
pub(crate) mod measure;
pub(crate) mod properties;
pub(crate) mod records;
pub(crate) mod rights;
pub(crate) mod topics;
pub(crate) mod transaction;
