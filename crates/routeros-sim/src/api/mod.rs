//! The binary API: sentences in, sentences out (RouterOS manual "API").

mod session;
mod words;

pub use session::{Inside, serve};
