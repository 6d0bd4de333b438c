//! What a router should hold.

use crate::Finding;
use model::{Secret, Tag};
use routeros::catalogue::{Access, Menu, ValueError};
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;

/// The name of an object for as long as it is wanted, such as `ppp-secret:cus_…`; the database keeps a [`Tag`] for each.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct ObjectKey(String);

impl ObjectKey {
    /// Puts a key together from what kind of object it is and which one.
    pub fn new(kind: &str, which: impl fmt::Display) -> Self {
        Self(format!("{kind}:{which}"))
    }

    /// Takes a key that was stored.
    #[must_use]
    pub const fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// Returns the text that is stored.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What an argument should be, or was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A canonical text.
    Plain(String),
    /// A text that only the router may see; it shows and serialises as `***`.
    Secret(Secret<String>),
    /// Nothing, which is the same as the default.
    Absent,
}

impl Value {
    /// Returns the text to write, secret or not; `None` for [`Value::Absent`].
    #[must_use]
    pub fn expose(&self) -> Option<&str> {
        match self {
            Self::Plain(text) => Some(text),
            Self::Secret(text) => Some(text.expose()),
            Self::Absent => None,
        }
    }

    /// Wraps a text as its argument asks for.
    pub(crate) fn wrap(access: Access, text: String) -> Self {
        if access == Access::Secret { Self::Secret(Secret::new(text)) } else { Self::Plain(text) }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // A script is shown by its first line, so that a change stays on one line.
            Self::Plain(text) => match text.split_once('\n') {
                Some((first, rest)) => write!(f, "{first} … (+{} lines)", rest.lines().count()),
                None if text.is_empty() || text.contains(' ') => write!(f, "\"{text}\""),
                None => f.write_str(text),
            },
            Self::Secret(_) => f.write_str("***"),
            Self::Absent => f.write_str("(none)"),
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Plain(text) => serializer.serialize_str(text),
            Self::Secret(_) => serializer.serialize_str("***"),
            Self::Absent => serializer.serialize_none(),
        }
    }
}

/// The values of an object by argument.
pub type Values = BTreeMap<&'static str, Value>;

/// What a change may do to people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Risk {
    /// Nobody notices.
    Safe,
    /// Sessions may end and begin again.
    Kicks,
    /// The controller's own path to the router may break: applied with an undo that runs unless it is confirmed.
    Path,
}

/// Where a row of an ordered menu stands. Rows with the same `chain` form a group; without chains the menu is one group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Position {
    /// Before every foreign row of its group.
    First,
    /// Before every foreign row of its group, and behind our rows that come earlier in [`Desired::objects`].
    Sequence,
}

/// An object that a router should hold.
#[derive(Debug, Clone)]
pub struct Object {
    /// Where.
    pub menu: &'static Menu,
    /// Which.
    pub key: ObjectKey,
    /// Its mark on the router, in the comment where the menu has one.
    pub tag: Tag,
    /// What it should be; arguments that are not named here are not ours to judge.
    pub values: Values,
    /// Why it is wanted.
    pub reason: String,
    /// What changing it may do.
    pub risk: Risk,
    /// Where it stands, in an ordered menu.
    pub position: Option<Position>,
}

impl Object {
    /// Returns the text of an argument that should have one.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name).and_then(Value::expose)
    }
}

/// Everything that a router should hold.
#[derive(Debug, Clone)]
pub struct Desired {
    /// The objects; what others refer to comes before them.
    pub objects: Vec<Object>,
    /// What could not be wished for on this router, and what stands in.
    pub findings: Vec<Finding>,
}

/// Why a site makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SiteError {
    /// An object has no tag yet; [`crate::keys`] names all that are needed.
    #[error("`{0}` has no tag")]
    NoTag(ObjectKey),
    /// A value is not what its argument takes.
    #[error("`{key}` cannot have this `{arg}`")]
    Value {
        /// The object.
        key: ObjectKey,
        /// The argument.
        arg: &'static str,
        /// What is wrong with it.
        #[source]
        source: ValueError,
    },
    /// A customer's package is not among the site's.
    #[error("`{0}` belongs to a package that the site does not list")]
    NoPackage(ObjectKey),
    /// A static customer has no address.
    #[error("`{0}` needs an address")]
    NoAddress(ObjectKey),
    /// Two customers share a login or two objects a key.
    #[error("`{0}` is there twice")]
    Twice(String),
    /// There is more than one PPPoE service, more fuse days than a year has, or more of something than allowed.
    #[error("too many {what}: at most {max}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// The limit.
        max: usize,
    },
}
