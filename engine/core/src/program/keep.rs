//! States as bytes, under the program whose they are.

use super::Program;
use crate::state::{StateError, States, decode_own, decode_patient, encode_own, encode_patient};

impl Program {
    /// The bytes of a patient's state; `None` if nothing is known of the patient.
    pub fn encode_patient(&self, states: &States, partition: i32, patient: &str) -> Option<Vec<u8>> {
        let partition = states.find(partition)?;
        let patient = partition.patient(partition.slot(patient)?)?;
        Some(encode_patient(patient, &self.layout))
    }

    /// The bytes of what is the partition's own: the stream's time and pauses; `None` if nothing is known of it.
    pub fn encode_partition(&self, states: &States, partition: i32) -> Option<Vec<u8>> {
        Some(encode_own(&states.find(partition)?.own, &self.layout))
    }

    /// Puts a patient in as the bytes have it, in the place of what was known. Cells and episodes that this program does
    /// not know are left out, and those that the bytes do not have begin afresh.
    ///
    /// # Errors
    /// The bytes are no patient's state; nothing is changed then.
    pub fn decode_patient(
        &self,
        states: &mut States,
        partition: i32,
        patient: &str,
        bytes: &[u8],
    ) -> Result<(), StateError> {
        let read = decode_patient(patient, bytes, &self.layout)?;
        let position = states.position(partition);
        if let Some(partition) = states.at(position) {
            partition.replace(read, &self.layout);
        }
        Ok(())
    }

    /// Puts in what is a partition's own as the bytes have it.
    ///
    /// # Errors
    /// The bytes are no partition's state; nothing is changed then.
    pub fn decode_partition(&self, states: &mut States, partition: i32, bytes: &[u8]) -> Result<(), StateError> {
        let own = decode_own(bytes, &self.layout)?;
        let position = states.position(partition);
        if let Some(partition) = states.at(position) {
            partition.own = own;
        }
        Ok(())
    }
}
