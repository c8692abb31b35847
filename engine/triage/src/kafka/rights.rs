//! Which right a refusal of the broker asks for, in words.

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// The rights that may be missing when a broker refuses with `code`; none if it is no matter of rights.
pub(crate) fn right(code: RDKafkaErrorCode) -> Option<&'static str> {
    use RDKafkaErrorCode as Code;
    match code {
        Code::TopicAuthorizationFailed => {
            Some("`Read` on the stream, or `Write` on a derived topic, its alerts or `dead-letters`")
        }
        Code::GroupAuthorizationFailed => Some("`Read` on the group, `kafka.group` or `store.group`"),
        Code::TransactionalIdAuthorizationFailed => {
            Some("`Write` and `Describe` on the transactional id, `kafka.transactional_id_prefix` and a number")
        }
        Code::ClusterAuthorizationFailed => Some("`IdempotentWrite` or `Create` on the cluster"),
        _ => None,
    }
}

/// The error, and what to give this user if the broker refuses for lack of a right.
pub(crate) fn explained(error: &KafkaError) -> String {
    match error.rdkafka_error_code().and_then(right) {
        Some(right) => format!("{error}: this user lacks a right: {right}"),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_which_right_is_missing() {
        let refused = KafkaError::MessageProduction(RDKafkaErrorCode::TransactionalIdAuthorizationFailed);
        assert!(explained(&refused).contains("`Write` and `Describe` on the transactional id"));
        assert!(!explained(&KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull)).contains("right"));
    }
}
