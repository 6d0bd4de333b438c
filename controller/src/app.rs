//! Everything that is built once and passed down. There are no globals.

use crate::config::Config;
use crate::operators::{Strangers, Throttle};
use crate::provisioning::Provisioner;
use crate::secrets::Vault;
use crate::tenants::Rates;
use crate::tunnels::Tunnels;
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
    /// The hub.
    pub tunnels: Tunnels,
    /// The one writer to routers.
    pub provisioner: Provisioner,
    /// How often each tenant may ask.
    pub rates: Rates,
    /// How many passwords were tried from where.
    pub throttle: Throttle,
    /// Who keeps asking for things that are not theirs.
    pub strangers: Strangers,
    /// What the operator of the machine set.
    pub config: Config,
}
