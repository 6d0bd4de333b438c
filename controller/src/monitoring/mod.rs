//! What was away, since when and why; and what is wrong with a router or a customer now.
//!
//! **Invariants:** a subject has one open outage at most. The controller's own absence is nobody's outage: what it did not watch is
//! unknown. A customer's outage that a router's explains names it, and alarms nobody.

mod diagnoses;
mod outages;
mod routes;
mod rules;
mod store;

pub use diagnoses::{DiagnosisView, diagnose_customer, diagnose_router, diagnosis_exists};
pub use outages::{LongOutage, UptimeView, judge_router, long_outages, router_heard, router_silent, sweep, watch_tenant};
pub use routes::routes;
pub use rules::Evidence;
pub use rules::diagnosis::CheckStatus;
pub use store::OutageView;

use crate::customers::CustomerError;
use crate::operators::OperatorError;
use crate::secrets::VaultError;
use crate::sessions::SessionError;
use crate::tunnels::TunnelError;
use db::DbError;
use serde::Serialize;
use utoipa::ToSchema;

/// Why something with outages or diagnoses did not work.
#[derive(Debug, thiserror::Error)]
pub enum MonitoringError {
    /// A field is wrong.
    #[error("{field}: {message}")]
    Field { field: &'static str, message: &'static str },
    /// There is no such thing.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// The caller may not.
    #[error(transparent)]
    Operator(#[from] OperatorError),
    /// The customers could not be read.
    #[error("the customers could not be read")]
    Customer(#[from] CustomerError),
    /// The sessions could not be read.
    #[error("the sessions could not be read")]
    Session(#[from] SessionError),
    /// The hub does not answer.
    #[error(transparent)]
    Tunnel(#[from] TunnelError),
    /// A seal could not be made or opened.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The database did not answer.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// How an outage ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// They are back.
    Back,
    /// Nobody is owed anything any more: the time is up, or the customer or the router has left.
    NotOwed,
}

impl Ending {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Back => "back",
            Self::NotOwed => "not_owed",
        }
    }

    fn from_stored(name: &str) -> Self {
        if name == Self::Back.as_str() { Self::Back } else { Self::NotOwed }
    }
}
