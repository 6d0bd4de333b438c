//! What a router says.

use super::Sentence;
use crate::catalogue::{ID, is_secret};
use std::fmt;

/// The attributes of a reply. Values are bytes; printing hides those of secret arguments.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Row(Vec<(Vec<u8>, Vec<u8>)>);

impl Row {
    /// Returns an attribute's value.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.0.iter().find(|(key, _)| key == name.as_bytes()).map(|(_, value)| value.as_slice())
    }

    /// Returns an attribute's value if it is there and is UTF-8 text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(|value| str::from_utf8(value).ok())
    }

    /// Returns the row's own id: `*1A`.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.text(ID)
    }

    /// Says whether a flag is set; a flag that is not shown is not set.
    #[must_use]
    pub fn flag(&self, name: &str) -> bool {
        matches!(self.get(name), Some(b"true" | b"yes"))
    }

    /// Says whether this row of a `listen` reports a deletion.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.flag(".dead")
    }

    /// Lists the attributes in the router's order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.0.iter().map(|(name, value)| (name.as_slice(), value.as_slice()))
    }

    /// Counts the bytes of names and values.
    #[must_use]
    pub fn size(&self) -> usize {
        self.0.iter().map(|(name, value)| name.len() + value.len()).sum()
    }
}

impl<N: Into<Vec<u8>>, V: Into<Vec<u8>>> FromIterator<(N, V)> for Row {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(attributes: I) -> Self {
        Self(attributes.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |(name, value): (&[u8], &[u8])| {
            let value = if is_secret(name) { "***".into() } else { String::from_utf8_lossy(value).into_owned() };
            (String::from_utf8_lossy(name).into_owned(), value)
        };
        f.debug_map().entries(self.iter().map(show)).finish()
    }
}

/// A router's refusal of one command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Trap {
    /// 0 missing item or command, 1 argument value, 2 interrupted, 3 scripting, 4 general, 5 API, 6 terminal, 7 `:return`;
    /// often absent.
    pub category: Option<u8>,
    /// The router's words.
    pub message: String,
}

/// A reply's meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// `!re`: a row.
    Row(Row),
    /// `!done`: the command ended; `=ret=` among the attributes is its result.
    Done(Row),
    /// `!trap`: the command failed; `!done` follows.
    Trap(Trap),
    /// `!empty`: there are no rows (from 7.18); `!done` follows.
    Empty,
    /// `!fatal`: the connection ends, for the given reason.
    Fatal(String),
}

/// Why a sentence is no reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the sentence is no reply: `!re`, `!done`, `!trap`, `!empty` or `!fatal` belongs first")]
pub struct ReplyError;

impl TryFrom<&Sentence> for Reply {
    type Error = ReplyError;

    fn try_from(sentence: &Sentence) -> Result<Self, ReplyError> {
        let row = || sentence.attributes().collect::<Row>();
        match sentence.first() {
            b"!re" => Ok(Self::Row(row())),
            b"!done" => Ok(Self::Done(row())),
            b"!empty" => Ok(Self::Empty),
            b"!trap" => {
                let category = sentence.attribute("category").and_then(|text| str::from_utf8(text).ok()?.parse().ok());
                let message = sentence.attribute("message").unwrap_or(b"no reason given");
                Ok(Self::Trap(Trap { category, message: String::from_utf8_lossy(message).into_owned() }))
            }
            b"!fatal" => {
                // The reason is a bare word; some replies carry it like a trap.
                let bare = sentence.words().iter().skip(1).find(|word| !word.starts_with(b".tag=") && !word.starts_with(b"="));
                let reason = bare.map(Vec::as_slice).or_else(|| sentence.attribute("message")).unwrap_or(b"no reason given");
                Ok(Self::Fatal(String::from_utf8_lossy(reason).into_owned()))
            }
            _ => Err(ReplyError),
        }
    }
}
