//! Bytes that state is kept as: whole numbers of variable length, and what else there is. Reading trusts nothing: lengths are
//! held against what is there before anything is made of them.

/// Why bytes are no state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// They are of a format that this version does not know.
    #[error("the state is of format {0}, which this version does not know")]
    Format(u8),
    /// They end too early.
    #[error("the state ends too early")]
    Truncated,
    /// They go on behind their end.
    #[error("the state goes on behind its end")]
    TooLong,
    /// They contradict themselves.
    #[error("the state is not what any version writes: {0}")]
    Corrupt(&'static str),
}

/// Writes state.
#[derive(Debug, Default)]
pub(super) struct Writer {
    pub(super) bytes: Vec<u8>,
}

impl Writer {
    pub(super) fn byte(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    pub(super) fn count(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }

    /// A signed number; small ones of either sign are short.
    pub(super) fn number(&mut self, value: i64) {
        self.count(((value << 1) ^ (value >> 63)) as u64);
    }

    pub(super) fn optional(&mut self, value: Option<i64>) {
        self.byte(u8::from(value.is_some()));
        if let Some(value) = value {
            self.number(value);
        }
    }

    pub(super) fn float(&mut self, value: f64) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    pub(super) fn name(&mut self, name: [u8; 16]) {
        self.bytes.extend_from_slice(&name);
    }

    pub(super) fn blob(&mut self, bytes: &[u8]) {
        self.count(bytes.len() as u64);
        self.bytes.extend_from_slice(bytes);
    }
}

/// Reads what [`Writer`] wrote.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], StateError> {
        let (taken, rest) = self.bytes.split_at_checked(length).ok_or(StateError::Truncated)?;
        self.bytes = rest;
        Ok(taken)
    }

    pub(super) fn byte(&mut self) -> Result<u8, StateError> {
        Ok(self.take(1)?[0])
    }

    pub(super) fn flag(&mut self) -> Result<bool, StateError> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(StateError::Corrupt("a flag is neither set nor clear")),
        }
    }

    pub(super) fn count(&mut self) -> Result<u64, StateError> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(StateError::Corrupt("a number is too long"))
    }

    pub(super) fn number(&mut self) -> Result<i64, StateError> {
        let value = self.count()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    pub(super) fn optional(&mut self) -> Result<Option<i64>, StateError> {
        if self.flag()? { self.number().map(Some) } else { Ok(None) }
    }

    pub(super) fn float(&mut self) -> Result<f64, StateError> {
        self.fixed().map(f64::from_le_bytes)
    }

    pub(super) fn name(&mut self) -> Result<[u8; 16], StateError> {
        self.fixed()
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], StateError> {
        let taken = self.take(N)?;
        taken.first_chunk::<N>().copied().ok_or(StateError::Truncated)
    }

    /// How many items follow, each of which takes at least `least` bytes.
    pub(super) fn items(&mut self, least: usize) -> Result<usize, StateError> {
        let count = self.count()?;
        if count > (self.bytes.len() / least) as u64 {
            return Err(StateError::Truncated);
        }
        Ok(count as usize)
    }

    pub(super) fn blob(&mut self) -> Result<&'a [u8], StateError> {
        let length = self.items(1)?;
        self.take(length)
    }

    pub(super) fn text(&mut self) -> Result<&'a str, StateError> {
        std::str::from_utf8(self.blob()?).map_err(|_| StateError::Corrupt("a name is not UTF-8"))
    }

    pub(super) fn end(self) -> Result<(), StateError> {
        if self.bytes.is_empty() { Ok(()) } else { Err(StateError::TooLong) }
    }
}
