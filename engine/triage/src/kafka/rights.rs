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

/// Whether the broker refuses because of a right on a topic.
pub(crate) fn is_of_a_topic(error: &KafkaError) -> bool {
    error.rdkafka_error_code() == Some(RDKafkaErrorCode::TopicAuthorizationFailed)
}

/// Whether the broker refuses for lack of a right.
pub(crate) fn is_refusal(error: &KafkaError) -> bool {
    error.rdkafka_error_code().is_some_and(|code| right(code).is_some())
}

/// The error, and what to give this user if the broker refuses for lack of a right.
pub(crate) fn explained(error: &KafkaError) -> String {
    match error.rdkafka_error_code().and_then(right) {
        Some(right) => format!("{error}: this user lacks a right: {right}"),
        None => error.to_string(),
    }
}

/// The same, where it is known which topic the error is about.
pub(crate) fn explained_on(error: &KafkaError, topic: &str) -> String {
    if !is_of_a_topic(error) {
        return explained(error);
    }
    let right = if matches!(error, KafkaError::MessageConsumption(_)) { "Read" } else { "Write" };
    format!("{error}: this user lacks the right `{right}` on the topic `{topic}`")
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

    #[test]
    fn a_refusal_on_a_topic_names_it() {
        let code = RDKafkaErrorCode::TopicAuthorizationFailed;
        let told = explained_on(&KafkaError::MessageProduction(code), "vitals");
        assert!(told.ends_with("this user lacks the right `Write` on the topic `vitals`"), "{told}");
        let told = explained_on(&KafkaError::MessageConsumption(code), "research");
        assert!(told.ends_with("this user lacks the right `Read` on the topic `research`"), "{told}");
    }
}
