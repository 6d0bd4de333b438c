//! What a router says.

use super::Sentence;
use crate::catalogue::{ID, is_secret};
use std::fmt;

/// The attributes of a reply, in one piece: a large table has a hundred thousand of them. Values are bytes; printing hides those of
/// secret arguments.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Row {
    /// Each name followed by its value.
    bytes: Box<[u8]>,
    /// Where each name and each value ends.
    ends: Box<[(u32, u32)]>,
}

impl Row {
    /// Returns an attribute's value.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.iter().find(|(key, _)| *key == name.as_bytes()).map(|(_, value)| value)
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
        let mut start = 0;
        self.ends.iter().map(move |&(name, value)| {
            let (from, name, value) = (start, name as usize, value as usize);
            start = value;
            (&self.bytes[from..name], &self.bytes[name..value])
        })
    }

    /// Counts the bytes of names and values.
    #[must_use]
    pub const fn size(&self) -> usize {
        self.bytes.len()
    }
}

impl<N: AsRef<[u8]>, V: AsRef<[u8]>> FromIterator<(N, V)> for Row {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(attributes: I) -> Self {
        let (mut bytes, mut ends) = (Vec::new(), Vec::new());
        let end = |bytes: &[u8]| u32::try_from(bytes.len()).expect("a sentence is far smaller than 4 GiB");
        for (name, value) in attributes {
            bytes.extend_from_slice(name.as_ref());
            let name = end(&bytes);
            bytes.extend_from_slice(value.as_ref());
            ends.push((name, end(&bytes)));
        }
        Self { bytes: bytes.into(), ends: ends.into() }
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
