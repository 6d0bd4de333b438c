//! Sentences and words, as both sides of the API put them on the wire (manual, "API", "Protocol").
//!
//! A sentence is a row of words and ends with an empty one. Each word carries its length in front, in one to five bytes.
//! Nothing here reads or writes: [`Sentence::encode`] gives bytes, [`Decoder`] takes them in whatever pieces they come.

mod decoder;
mod length;
mod reply;
mod sentence;

pub use decoder::{DecodeError, Decoder, Limits};
pub use length::encode_length;
pub use reply::{Reply, ReplyError, Row, Trap};
pub use sentence::Sentence;
