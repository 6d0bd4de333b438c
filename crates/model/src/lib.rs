//! The words that every other room shares: ids, units, money, secrets, addresses, time and randomness.
//!
//! A value that has a meaning has a type here, is parsed once at the edge and trusted afterwards. Nothing in this crate
//! reads a clock, draws randomness, opens a socket or knows of a database (`sqlx` and `openapi` are optional features that
//! only teach those libraries how to carry our types).

mod country;
mod ids;
mod money;
mod net;
mod secret;
mod standing;
mod tag;
mod time;
mod units;
mod version;

pub use country::{Country, CountryError};
pub use ids::*;
pub use money::{Currency, CurrencyError, Money, MoneyError};
pub use net::{HUB_ROTATION_HOST, KeyError, Supernet, SupernetError, WgPublicKey};
pub use secret::Secret;
pub use standing::{Deed, Standing};
pub use tag::{Tag, TagError};
pub use time::{Clock, Entropy, micros};
#[cfg(feature = "testing")]
pub use time::{ManualClock, SeededEntropy};
pub use units::{BitsPerSec, Bytes, UnitError};
pub use version::{RouterosVersion, VersionError};
