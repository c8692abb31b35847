//! The shapes that come in and go out, as structs. The bytes that go out are the engine's, but for `ruleset`.

use serde::{Deserialize, Serialize};

/// What arrives; a field that is not there, or of another type, is an error.
#[derive(Debug, Deserialize)]
pub(crate) struct Reading<'a> {
    pub(crate) patient: &'a str,
    pub(crate) ts: i64,
    pub(crate) age: i32,
    pub(crate) sex: i32,
    pub(crate) cp: i32,
    pub(crate) trestbps: i32,
    #[serde(rename = "Temp")]
    pub(crate) temp: f64,
    pub(crate) chol: i32,
    pub(crate) fbs: i32,
    pub(crate) restecg: i32,
    pub(crate) thalach: i32,
    pub(crate) exang: i32,
    pub(crate) oldpeak: f64,
    pub(crate) slope: i32,
    pub(crate) ca: i32,
    pub(crate) thal: i32,
    #[serde(rename = "SpO2")]
    pub(crate) spo2: i32,
}

/// Where a reading stands in `research`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) partition: i32,
    pub(crate) offset: i64,
}

#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Origin {
    pub(crate) topic: &'static str,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) ruleset: &'static str,
}

/// A derived record: a struct of its own for each topic, with the fields of that topic.
macro_rules! records {
    ($($record:ident { $($field:ident: $type:ty $(as $name:literal)?),* })*) => {$(
        #[derive(Debug, Serialize)]
        pub(crate) struct $record<'a> {
            patient: &'a str,
            ts: i64,
            $($(#[serde(rename = $name)])? $field: $type,)*
            rules: &'a [&'static str],
            origin: Origin,
        }

        impl<'a> $record<'a> {
            pub(crate) fn new(reading: &Reading<'a>, rules: &'a [&'static str], origin: Origin) -> Self {
                Self { patient: reading.patient, ts: reading.ts, $($field: reading.$field,)* rules, origin }
            }
        }
    )*};
}

records! {
    Archive {
        age: i32, sex: i32, cp: i32, trestbps: i32, temp: f64 as "Temp", chol: i32, fbs: i32, restecg: i32, thalach: i32,
        exang: i32, oldpeak: f64, slope: i32, ca: i32, thal: i32, spo2: i32 as "SpO2"
    }
    Stroke { age: i32, sex: i32, trestbps: i32, cp: i32, restecg: i32 }
    Vitals { age: i32, sex: i32, temp: f64 as "Temp", trestbps: i32, spo2: i32 as "SpO2" }
    Cardiology {
        age: i32, sex: i32, cp: i32, trestbps: i32, restecg: i32, ca: i32, chol: i32, thalach: i32, slope: i32
    }
    Diabete { age: i32, sex: i32, fbs: i32 }
    Dyslipidemia { age: i32, sex: i32, chol: i32 }
}

#[derive(Debug, Serialize)]
pub(crate) struct Alert<'a, V> {
    pub(crate) id: &'a str,
    pub(crate) rule: &'static str,
    pub(crate) state: &'static str,
    pub(crate) priority: &'static str,
    pub(crate) patient: &'a str,
    pub(crate) ts: i64,
    pub(crate) since: i64,
    pub(crate) message: &'a str,
    pub(crate) notify: &'static str,
    pub(crate) single: bool,
    pub(crate) values: V,
    pub(crate) origin: Origin,
}

#[derive(Debug, Serialize)]
pub(crate) struct CrisisValues {
    pub(crate) trestbps: i32,
    pub(crate) cp: i32,
}

#[derive(Debug, Serialize)]
pub(crate) struct FeverValues {
    #[serde(rename = "Temp")]
    pub(crate) temp: f64,
}
