//! Bytes into sentences, within limits.

use super::Sentence;
use super::length::{Head, decode_length};

/// What the other side may send; beyond it the connection is worth closing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes in one word.
    pub word: usize,
    /// Bytes in all words of one sentence.
    pub sentence: usize,
    /// Words in one sentence.
    pub words: usize,
}

impl Limits {
    /// Room for a file's contents, of which a router takes and gives up to 60,416 bytes in one word.
    pub const DEFAULT: Self = Self { word: 64 << 10, sentence: 1 << 20, words: 4096 };
    /// For who has not logged in yet: a name, a password, an error text.
    pub const BEFORE_LOGIN: Self = Self { word: 1 << 10, sentence: 4 << 10, words: 16 };
}

/// Why bytes are no sentence; the connection cannot be used any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// A control byte from the reserved range 0xF8–0xFF.
    #[error("reserved control byte {0:#04x}")]
    Reserved(u8),
    /// A word beyond the limit.
    #[error("a word of {length} bytes is longer than {limit}")]
    Word {
        /// Bytes announced.
        length: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// A sentence beyond the limit.
    #[error("a sentence is longer than {limit} bytes")]
    Sentence {
        /// Bytes allowed.
        limit: usize,
    },
    /// Too many words.
    #[error("a sentence has more than {limit} words")]
    Words {
        /// Words allowed.
        limit: usize,
    },
}

/// Collects bytes and gives sentences.
///
/// Who drains it with [`Decoder::poll`] after each push needs memory for one sentence and the bytes pushed last.
#[derive(Debug)]
pub struct Decoder {
    limits: Limits,
    buffer: Vec<u8>,
    start: usize,
    words: Vec<Vec<u8>>,
    size: usize,
    failed: Option<DecodeError>,
}

impl Decoder {
    /// Makes an empty decoder.
    #[must_use]
    pub const fn new(limits: Limits) -> Self {
        Self { limits, buffer: Vec::new(), start: 0, words: Vec::new(), size: 0, failed: None }
    }

    /// Sets other limits, from the next word on.
    pub const fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Takes bytes from the wire.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.start);
        self.start = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// Gives the next complete sentence, if there is one. Empty sentences are passed over, as routers do.
    ///
    /// # Errors
    /// The bytes are no sentence or go beyond the limits; every later call says the same.
    pub fn poll(&mut self) -> Result<Option<Sentence>, DecodeError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        self.advance().inspect_err(|error| self.failed = Some(*error))
    }

    fn advance(&mut self) -> Result<Option<Sentence>, DecodeError> {
        loop {
            let bytes = &self.buffer[self.start..];
            let (word, head) = match decode_length(bytes) {
                Head::Partial => return Ok(None),
                Head::Reserved(byte) => return Err(DecodeError::Reserved(byte)),
                Head::Length { word, head } => (word, head),
            };
            if word == 0 {
                self.start += head;
                if self.words.is_empty() {
                    continue;
                }
                self.size = 0;
                return Ok(Some(Sentence::new(std::mem::take(&mut self.words))));
            }
            self.check(word)?;
            let Some(word_bytes) = bytes.get(head..head + word) else { return Ok(None) };
            self.words.push(word_bytes.to_vec());
            self.size += word;
            self.start += head + word;
        }
    }

    const fn check(&self, word: usize) -> Result<(), DecodeError> {
        let Limits { word: limit, sentence, words } = self.limits;
        if word > limit {
            return Err(DecodeError::Word { length: word, limit });
        }
        if self.size + word > sentence {
            return Err(DecodeError::Sentence { limit: sentence });
        }
        if self.words.len() == words {
            return Err(DecodeError::Words { limit: words });
        }
        Ok(())
    }
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new(Limits::DEFAULT)
    }
}
