//! Sentences read as requests, answers written as sentences.

use crate::device::{Request, RowId, Shown, Trap, text};
use routeros::codec::Sentence;

/// Reads a command sentence.
pub(super) fn request(sentence: &Sentence) -> Request {
    let mut request = Request::parse(&text::from_bytes(sentence.first()));
    for (name, value) in sentence.attributes() {
        let (name, value) = (text::from_bytes(name), text::from_bytes(value));
        if name == ".proplist" {
            request.proplist = Some(value.split(',').map(str::to_owned).collect());
        } else {
            request.args.push((name, value));
        }
    }
    request.queries = sentence.queries().map(text::from_bytes).collect();
    request
}

/// Collects the bytes of answers to one command.
pub(super) struct Answer<'a> {
    out: &'a mut Vec<u8>,
    tag: Option<Vec<u8>>,
}

impl<'a> Answer<'a> {
    pub(super) fn new(out: &'a mut Vec<u8>, tag: Option<&[u8]>) -> Self {
        Self { out, tag: tag.map(<[u8]>::to_vec) }
    }

    fn send(&mut self, kind: &str, attributes: &[(&str, &str)]) {
        let mut sentence = Sentence::new([kind]);
        for (name, value) in attributes {
            sentence.push_attribute(name, &text::to_bytes(value));
        }
        if let Some(tag) = &self.tag {
            sentence.push([b".tag=", tag.as_slice()].concat());
        }
        sentence.encode(self.out);
    }

    pub(super) fn row(&mut self, row: &Shown) {
        let pairs: Vec<(&str, &str)> = row.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.send("!re", &pairs);
    }

    pub(super) fn dead(&mut self, id: RowId) {
        self.send("!re", &[(".id", &id.to_string()), (".dead", "yes")]);
    }

    pub(super) fn empty(&mut self) {
        self.send("!empty", &[]);
    }

    pub(super) fn done(&mut self, ret: Option<&str>) {
        match ret {
            Some(ret) => self.send("!done", &[("ret", ret)]),
            None => self.send("!done", &[]),
        }
    }

    pub(super) fn trap(&mut self, trap: &Trap) {
        let category = trap.category.map(|category| category.to_string());
        let mut pairs: Vec<(&str, &str)> = category.iter().map(|category| ("category", category.as_str())).collect();
        pairs.push(("message", &trap.message));
        self.send("!trap", &pairs);
    }

    /// Writes the word after which the connection ends.
    pub(super) fn fatal(&mut self, reason: &str) {
        Sentence::new(["!fatal", reason]).encode(self.out);
    }
}
