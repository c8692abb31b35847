//! What is measured of certificates and tokens: when certificates expire, and whether new ones of either cannot be used.

use prometheus::{Gauge, IntGaugeVec};

use super::{Maker, Metrics};
use crate::tls::Condition;

#[derive(Debug)]
pub(super) struct CertificateMetrics {
    expiry: IntGaugeVec,
    refused: IntGaugeVec,
    tokens_refused: Gauge,
}

impl CertificateMetrics {
    pub(super) fn new(make: &Maker<'_>) -> Result<Self, prometheus::Error> {
        Ok(Self {
            expiry: make.gauges(
                "triage_certificate_expiry_timestamp_seconds",
                "when a certificate in use expires, in seconds since 1970",
                &["use", "kind"],
            )?,
            refused: make.gauges(
                "triage_certificates_refused",
                "1 while the certificates that are in the files cannot be used, and those before go on",
                &["use"],
            )?,
            tokens_refused: make.gauge(
                "triage_tokens_refused",
                "1 while the tokens that are in the files cannot be used, and those before go on",
            )?,
        })
    }
}

impl Metrics {
    /// Whether the tokens that are in the files cannot be used.
    pub(crate) fn tokens(&self, refused: bool) {
        self.certificates.tokens_refused.set(f64::from(u8::from(refused)));
    }

    /// How the certificates of one use are.
    pub(crate) fn certificates(&self, condition: &Condition) {
        let Condition { used_for, refused, certificate, authority } = condition;
        self.certificates.refused.with_label_values(&[used_for.as_str()]).set((*refused).into());
        for (kind, expiry) in [("certificate", certificate), ("authority", authority)] {
            if let Some(expiry) = expiry {
                self.certificates.expiry.with_label_values(&[used_for.as_str(), kind]).set(*expiry);
            }
        }
    }
}
