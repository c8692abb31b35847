//! A client for the life of the engine: another takes its place when new certificates have been taken up.

use std::sync::{Arc, Mutex, PoisonError};

use rdkafka::error::KafkaResult;

use crate::config::KafkaConfig;
use crate::tls::InUse;

type Make<C> = fn(&KafkaConfig) -> KafkaResult<C>;

/// Makes a client, and makes it again.
pub(crate) struct Lasting<C> {
    config: KafkaConfig,
    make: Make<C>,
    client: Mutex<(InUse, Arc<C>)>,
}

impl<C> Lasting<C> {
    pub(crate) fn new(config: &KafkaConfig, make: Make<C>) -> KafkaResult<Self> {
        let client = made(config, make)?;
        Ok(Self { config: config.clone(), make, client: Mutex::new(client) })
    }

    /// The client for what is asked or sent next.
    pub(crate) fn get(&self) -> KafkaResult<Arc<C>> {
        let mut client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        if client.0.is_outdated() {
            *client = made(&self.config, self.make)?;
        }
        Ok(Arc::clone(&client.1))
    }
}

fn made<C>(config: &KafkaConfig, make: Make<C>) -> KafkaResult<(InUse, Arc<C>)> {
    let in_use = config.tls.in_use();
    Ok((in_use, Arc::new(make(config)?)))
}
