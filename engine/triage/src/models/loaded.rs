//! A model that was read, as core scores with it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use sha2::{Digest, Sha256};
use triage_core::score::{Explanation, Input, Scale, Scorer};
use triage_model::Model;

use super::{ModelFile, beside, inputs};

/// The models in use, by the hashes of all that they were read from: rules that change around a model do not have it read and compiled again.
static IN_USE: Mutex<BTreeMap<[u8; 32], Weak<Loaded>>> = Mutex::new(BTreeMap::new());

#[derive(Debug)]
pub(super) struct Loaded {
    hash: [u8; 32],
    hash_of_all: [u8; 32],
    model: Model,
    learnt_from: Vec<Input>,
}

/// The model of this file.
///
/// # Errors
/// Why it is none, in one lowercase sentence without a period.
pub(super) fn load(file: &ModelFile) -> Result<Arc<Loaded>, String> {
    let hash: [u8; 32] = Sha256::digest(&file.bytes).into();
    let with = |inputs: &String| Sha256::new().chain_update(hash).chain_update(Sha256::digest(inputs)).finalize();
    let hash_of_all = file.inputs.as_ref().map_or(hash, |inputs| with(inputs).into());
    if let Some(loaded) = in_use().get(&hash_of_all).and_then(Weak::upgrade) {
        return Ok(loaded);
    }
    let path = &file.path;
    let model = Model::read(&file.bytes).map_err(|error| format!("`{path}` is no score: {error}"))?;
    let learnt_from = file.inputs.as_ref().map_or(Ok(Vec::new()), |text| inputs::read(text, &hash, model.inputs()));
    let learnt_from = learnt_from.map_err(|error| format!("`{}` is broken: {error}", beside(path)))?;
    let loaded = Arc::new(Loaded { hash, hash_of_all, model, learnt_from });
    let mut models = in_use();
    models.retain(|_, model| model.strong_count() > 0);
    models.insert(hash_of_all, Arc::downgrade(&loaded));
    Ok(loaded)
}

fn in_use() -> std::sync::MutexGuard<'static, BTreeMap<[u8; 32], Weak<Loaded>>> {
    IN_USE.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Scorer for Loaded {
    fn inputs(&self) -> usize {
        self.model.inputs()
    }

    fn hash(&self) -> [u8; 32] {
        self.hash
    }

    fn hash_of_all(&self) -> [u8; 32] {
        self.hash_of_all
    }

    fn score(&self, rows: &[f32], out: &mut [f32]) {
        self.model.score(rows, out);
    }

    fn explain(&self, row: &[f32]) -> Result<Explanation, String> {
        let explained = self.model.explain(row).map_err(|why| why.to_string())?;
        let triage_model::Explanation { scale, base, contributions } = explained;
        let scale = match scale {
            triage_model::Scale::LogOdds => Scale::LogOdds,
            triage_model::Scale::Probability => Scale::Probability,
        };
        Ok(Explanation { scale, base, contributions })
    }

    fn learnt_from(&self) -> &[Input] {
        &self.learnt_from
    }
}
