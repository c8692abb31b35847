//! The signature of a delivery, as Standard Webhooks has it: HMAC-SHA256 over `id.timestamp.body`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::digest::InvalidLength;
use hmac::{Hmac, KeyInit as _, Mac as _};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use sha2::Sha256;

/// What does not stand in a header's value.
const NOT_IN_HEADERS: &AsciiSet = &CONTROLS.add(b' ').add(b'%');

/// Besides, what separates the parts that are signed.
const NOT_IN_IDS: &AsciiSet = &NOT_IN_HEADERS.add(b'.');

/// An alert's name as `Idempotency-Key`, percent-encoded where a header cannot take it.
pub(super) fn idempotency_key(name: &str) -> String {
    utf8_percent_encode(name, NOT_IN_HEADERS).to_string()
}

/// An alert's name as `webhook-id`: without a full stop, so that what is signed can be read in one way only.
pub(super) fn webhook_id(name: &str) -> String {
    utf8_percent_encode(name, NOT_IN_IDS).to_string()
}

/// `v1,` and the signature in base64; `timestamp` in seconds since 1970.
pub(super) fn sign(key: &[u8], id: &str, timestamp: i64, body: &[u8]) -> Result<String, InvalidLength> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key)?;
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(body);
    Ok(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    /// The vector that the libraries of Standard Webhooks are tested with.
    #[test]
    fn a_known_signature() {
        let key = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signature = sign(&key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#).unwrap();
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn any_name_fits_a_header() {
        let name = "research/0/42@17/herz.ä 50%\n/raised/17";
        assert_eq!(idempotency_key(name), "research/0/42@17/herz.%C3%A4%2050%25%0A/raised/17");
        assert_eq!(webhook_id("a/t.r/raised/1"), "a/t%2Er/raised/1");
    }
}
