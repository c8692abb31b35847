//! The scripts with which an administrator makes users, and the passwords that the tests give.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Who `setup` makes on either server.
const USERS: [&str; 11] = [
    "administrator",
    "cardiologist",
    "emergency_doctor",
    "endocrinologist",
    "engine",
    "engineer",
    "gateway",
    "lipidologist",
    "nurse",
    "researcher",
    "store",
];

/// A script with its variables.
pub(crate) struct Script {
    path: PathBuf,
    variables: Vec<(String, String)>,
}

impl Script {
    pub(crate) fn new(path: &str) -> Self {
        Self::at(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy").join(path))
    }

    /// Another than that of `deploy`.
    pub(crate) fn at(path: PathBuf) -> Self {
        Self { path, variables: Vec::new() }
    }

    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.variables.push((name.to_owned(), value.into()));
        self
    }

    /// With the passwords of all users of the table.
    pub(crate) fn with_passwords(self) -> Self {
        USERS
            .iter()
            .fold(self, |script, user| script.with(&format!("PASSWORD_{}", user.to_uppercase()), password(user)))
    }

    /// What it prints; it has to succeed.
    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        match self.outcome(arguments) {
            (true, told) => told,
            (false, told) => panic!("{arguments:?}: {told}"),
        }
    }

    /// What it says when it refuses.
    pub(crate) fn refusal(&self, arguments: &[&str]) -> String {
        match self.outcome(arguments) {
            (false, told) => told,
            (true, told) => panic!("{arguments:?} succeeded: {told}"),
        }
    }

    fn outcome(&self, arguments: &[&str]) -> (bool, String) {
        let output = Command::new(&self.path).args(arguments).envs(self.variables.iter().cloned()).output().unwrap();
        let told = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(told).unwrap())
    }
}

/// A user's password.
pub(crate) fn password(user: &str) -> String {
    format!("{user}'s=pass,word")
}
