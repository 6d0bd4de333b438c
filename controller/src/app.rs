//! Everything that is built once and passed down. There are no globals.

use crate::config::Config;
use crate::secrets::Vault;
use db::Db;
use model::{Clock, Entropy};
use std::sync::Arc;

/// What every part of the controller works with.
#[derive(Debug)]
pub struct App {
    /// The database's doors.
    pub db: Db,
    /// Seals and opens secrets.
    pub vault: Vault,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// What the operator of the machine set.
    pub config: Config,
}

impl App {
    /// Returns the page on which the holder of a setup token sets a password. The token stands in the fragment, which is not sent.
    #[must_use]
    pub fn setup_url(&self, token: &str) -> String {
        format!("{}/setup#{token}", self.config.public_url)
    }
}
