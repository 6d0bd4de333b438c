//! The mark on every object that is ours on a router.

use crate::Entropy;
use std::fmt;
use std::str::FromStr;

/// Why a comment is no tag.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a tag: `mw:` and 12 hexadecimal digits")]
pub struct TagError;

/// `mw:` and 12 random hex digits in an object's comment: unique per router, kept in the database, without meaning.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(value_type = String, pattern = "^mw:[0-9a-f]{12}$"))]
pub struct Tag([u8; 6]);

impl Tag {
    /// Draws a new tag.
    #[must_use]
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let mut bytes = [0; 6];
        entropy.fill(&mut bytes);
        Self(bytes)
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "mw:{}", hex::encode(self.0))
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Tag {
    type Err = TagError;

    fn from_str(text: &str) -> Result<Self, TagError> {
        let digits = text.strip_prefix("mw:").ok_or(TagError)?;
        if digits.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(TagError);
        }
        let mut bytes = [0; 6];
        hex::decode_to_slice(digits, &mut bytes).map_err(|_| TagError)?;
        Ok(Self(bytes))
    }
}

impl serde::Serialize for Tag {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Tag {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_back() {
        let tag: Tag = "mw:00ff00ff00ff".parse().expect("a tag");
        assert_eq!(tag.to_string(), "mw:00ff00ff00ff");
        for text in ["", "mw:", "mw:00ff", "mw:00FF00ff00ff", "xx:00ff00ff00ff", "mw:00ff00ff00ff "] {
            assert!(text.parse::<Tag>().is_err(), "{text}");
        }
    }
}
