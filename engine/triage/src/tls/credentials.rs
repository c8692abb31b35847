//! The certificates of one use, as they were last read whole: what is in the files now is taken up when it can be used.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use openssl::x509::X509;

use super::file::{Contents, Digest, FileError, Trouble, wrong};
use super::material::subject;
use super::{Material, Part, Use};

/// The certificates of one use. Clones share what was read.
#[derive(Debug, Clone)]
pub struct Credentials {
    used_for: Use,
    files: BTreeMap<Part, PathBuf>,
    held: Arc<ArcSwap<Held>>,
}

/// What was read last. Generations count up from 1.
#[derive(Debug, Default)]
struct Held {
    generation: u64,
    digest: Digest,
    material: Arc<Material>,
}

/// What a client was made with.
#[derive(Debug, Clone)]
pub(crate) struct InUse {
    held: Arc<ArcSwap<Held>>,
    generation: u64,
}

impl InUse {
    /// Whether something else has been taken up since, so that a new client is due.
    pub(crate) fn is_outdated(&self) -> bool {
        self.held.load().generation != self.generation
    }
}

impl Credentials {
    /// Without any file.
    pub fn new(used_for: Use) -> Self {
        Self { used_for, files: BTreeMap::new(), held: Arc::default() }
    }

    /// Names the file of a part. Nothing is read yet.
    pub(crate) fn name(&mut self, part: Part, path: Option<PathBuf>) {
        match path {
            Some(path) => drop(self.files.insert(part, path)),
            None => drop(self.files.remove(&part)),
        }
    }

    pub(crate) fn used_for(&self) -> &Use {
        &self.used_for
    }

    /// Whether that part has a file.
    pub fn has(&self, part: Part) -> bool {
        self.files.contains_key(&part)
    }

    /// Whether no part has a file.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Reads the files, unless what is in them was taken up already. A certificate that has expired is told and taken: whoever
    /// starts with it has no other.
    ///
    /// # Errors
    /// A file cannot be read, or not be used.
    pub fn load(&self) -> Result<(), FileError> {
        let contents = self.read()?;
        let held = self.held.load();
        if held.generation > 0 && held.digest == contents.digest() {
            return Ok(());
        }
        let material = self.parse(&contents)?;
        if let Err(trouble) = material.check_time() {
            tracing::error!(used_for = self.used_for.name(), %trouble, "a certificate is not good, and there is no other");
        }
        self.hold(&contents, material);
        Ok(())
    }

    /// What was read last; nothing before that.
    pub fn material(&self) -> Arc<Material> {
        Arc::clone(&self.held.load().material)
    }

    /// What a client that is made from now on is made with.
    pub(crate) fn in_use(&self) -> InUse {
        InUse { held: Arc::clone(&self.held), generation: self.held.load().generation }
    }

    pub(super) fn digest(&self) -> Digest {
        self.held.load().digest
    }

    pub(super) fn read(&self) -> Result<Contents, FileError> {
        Contents::read(&self.used_for, &self.files)
    }

    /// Takes up what was read, if it is whole and good at this moment.
    pub(super) fn take_up(&self, contents: &Contents) -> Result<(), FileError> {
        let material = self.parse(contents)?;
        material.check_time().map_err(|trouble| self.wrong(Part::Certificate, trouble))?;
        self.hold(contents, material);
        Ok(())
    }

    fn hold(&self, contents: &Contents, material: Material) {
        let told = |certificate: &X509| (subject(certificate), certificate.not_after().to_string());
        for (subject, until) in material.chain.iter().map(told) {
            tracing::info!(used_for = self.used_for.name(), subject, until, "a certificate is read");
        }
        // A machine has a hundred and more.
        for (subject, until) in material.authorities.iter().map(told) {
            tracing::debug!(used_for = self.used_for.name(), subject, until, "an authority is trusted");
        }
        let generation = self.held.load().generation + 1;
        let (digest, material) = (contents.digest(), Arc::new(material));
        self.held.store(Arc::new(Held { generation, digest, material }));
    }

    fn parse(&self, contents: &Contents) -> Result<Material, FileError> {
        Material::parse(contents, &self.used_for).map_err(|(part, trouble)| self.wrong(part, trouble))
    }

    fn wrong(&self, part: Part, trouble: Trouble) -> FileError {
        let path = self.files.get(&part).cloned().unwrap_or_default();
        wrong(&self.used_for, part, &path, trouble)
    }
}
