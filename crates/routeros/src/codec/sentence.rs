//! Sentences.

use super::encode_length;
use crate::catalogue::is_secret;
use std::fmt;

/// A row of words: a command with its arguments, or a reply with its attributes. Words are bytes, because routers keep
/// text in whatever code page it came. Printing one hides the values of secret arguments.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Sentence {
    words: Vec<Vec<u8>>,
}

impl Sentence {
    /// Takes words as they are; empty ones are left out, because an empty word would end the sentence.
    pub fn new<W: Into<Vec<u8>>>(words: impl IntoIterator<Item = W>) -> Self {
        Self { words: words.into_iter().map(Into::into).filter(|word: &Vec<u8>| !word.is_empty()).collect() }
    }

    /// Appends a word; an empty one is left out.
    pub fn push(&mut self, word: impl Into<Vec<u8>>) {
        self.words.extend(Some(word.into()).filter(|word| !word.is_empty()));
    }

    /// Appends `=name=value`.
    pub fn push_attribute(&mut self, name: &str, value: &[u8]) {
        self.push([b"=", name.as_bytes(), b"=", value].concat());
    }

    /// Lists the words.
    #[must_use]
    pub fn words(&self) -> &[Vec<u8>] {
        &self.words
    }

    /// Returns the first word: the command's path or the kind of reply.
    #[must_use]
    pub fn first(&self) -> &[u8] {
        self.words.first().map_or(b"", Vec::as_slice)
    }

    /// Lists the attributes `=name=value` in order; the value may hold `=` too.
    pub fn attributes(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.words.iter().filter_map(|word| attribute(word))
    }

    /// Finds an attribute's value.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&[u8]> {
        self.attributes().find(|(key, _)| *key == name.as_bytes()).map(|(_, value)| value)
    }

    /// Returns the tag, `.tag=7`, that names the command in flight.
    #[must_use]
    pub fn tag(&self) -> Option<&[u8]> {
        self.words.iter().find_map(|word| word.strip_prefix(b".tag="))
    }

    /// Lists the query words, without their `?`.
    pub fn queries(&self) -> impl Iterator<Item = &[u8]> {
        self.words.iter().filter_map(|word| word.strip_prefix(b"?"))
    }

    /// Appends the sentence's bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        for word in &self.words {
            encode_length(word.len(), out);
            out.extend_from_slice(word);
        }
        out.push(0);
    }

    /// Gives a copy in which the values of secret arguments are `***`.
    #[must_use]
    pub fn redacted(&self) -> Self {
        let hide = |word: &Vec<u8>| match attribute(word) {
            Some((name, _)) if is_secret(name) => [b"=", name, b"=***"].concat(),
            Some(_) | None => word.clone(),
        };
        Self { words: self.words.iter().map(hide).collect() }
    }
}

fn attribute(word: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = word.strip_prefix(b"=")?;
    let split = rest.iter().position(|byte| *byte == b'=')?;
    Some((&rest[..split], &rest[split + 1..]))
}

impl fmt::Debug for Sentence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.redacted().words.iter().map(|word| String::from_utf8_lossy(word).into_owned())).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_have_meanings() {
        let sentence = Sentence::new(["/ppp/secret/add", "=name=a=b", "=comment=", ".tag=9", "?service=pppoe", "", "=broken"]);
        assert_eq!(sentence.first(), b"/ppp/secret/add");
        assert_eq!(sentence.attribute("name"), Some(b"a=b".as_slice()));
        assert_eq!(sentence.attribute("comment"), Some(b"".as_slice()));
        assert_eq!(sentence.attribute("broken"), None);
        assert_eq!(sentence.tag(), Some(b"9".as_slice()));
        assert_eq!(sentence.queries().collect::<Vec<_>>(), [b"service=pppoe"]);
        assert_eq!(sentence.words().len(), 6, "an empty word would end the sentence");
    }

    #[test]
    fn secrets_are_not_printed() {
        let text = format!(
            "{:?}",
            Sentence::new(["/login", "=name=api", "=password=hunter2", "=private-key=hunter2", "=response=hunter2"])
        );
        assert!(text.contains("=name=api") && text.contains("=password=***") && !text.contains("hunter2"), "{text}");
    }
}
