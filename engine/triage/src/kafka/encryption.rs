//! Why there is no encrypted connection to the broker. librdkafka says so only in its log, and in one sentence for every reason.

use crate::config::KafkaConfig;
use crate::tls::{Trust, probe};

/// The first of the brokers that refuses, or that we refuse, and why; none if that is not what is wrong. Blocks.
pub(crate) fn refused(config: &KafkaConfig) -> Option<String> {
    if !config.security_protocol.is_encrypted() {
        return None;
    }
    config.bootstrap_servers.split(',').find_map(|server| {
        let (host, port) = server.trim().rsplit_once(':')?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let refusal = probe(&config.tls, Trust::Own, host, port.parse().ok()?)?;
        Some(format!("{server}: {refusal}"))
    })
}
