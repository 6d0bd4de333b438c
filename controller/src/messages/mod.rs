//! Messages to customers: templates with checked variables, the rules by which they are written, the log, and the sender.
//!
//! **Invariants:** a rule writes to a customer once about one thing (`message_cycle`). A message goes to a gateway again only while it is
//! certain that no gateway took it: where an answer was lost it stays `unknown`. No transaction is open while a gateway is asked.

mod automatic;
mod log;
mod outbound;
mod reports;
mod routes;
mod rules;
mod sender;
mod standing;
mod store;
mod templates;

pub use automatic::{forget_old, on_event, run_due};
pub use log::{NewMessage, cancel, send};
pub use routes::routes;
pub use rules::segments::{Encoding, Size};
pub use sender::send_due;
pub use standing::{NewRule, RuleChange, add_rule, change_rule, remove_rule};
pub use store::{MessageView, RuleView, TemplateView, VersionView};
pub use templates::{NewTemplate, Preview, Previewed, add_template, preview, remove_template, set_text};

use crate::customers::{Addressee, CustomerError};
use crate::gateways::GatewayError;
use crate::monitoring::MonitoringError;
use crate::operators::OperatorError;
use crate::tenants::{self, LimitError, Settings, TenantView};
use db::{DbError, TenantTx};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use rules::texts::Values;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Templates that a tenant may have.
const TEMPLATES_MAX: i64 = 200;
/// Rules that a tenant may have.
const RULES_MAX: i64 = 100;

/// Why an operation on messages was refused.
#[derive(Debug, thiserror::Error)]
pub enum MessageError {
    /// A field is wrong.
    #[error("{field}: {message}")]
    Field { field: &'static str, message: &'static str },
    /// There is no such thing.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// The name is in use.
    #[error("there is a template of this name for this channel in this language: write a new text for it instead")]
    NameTaken,
    /// The same name is used for another purpose.
    #[error("templates of one name and channel say the same in several languages, and the others are for another event")]
    OtherEvent,
    /// Rules write by it.
    #[error("rules write by this template: take it from them first")]
    InUse,
    /// It does not fit what the rule is for.
    #[error("the template is for another event than the rule")]
    WrongTemplate,
    /// Too many.
    #[error("a tenant may have {TEMPLATES_MAX} templates and {RULES_MAX} rules: remove some first")]
    TooMany,
    /// The customer cannot be written to.
    #[error("the customer has no telephone number: write one down first")]
    NoPhone,
    /// It cannot be stopped any more.
    #[error("the message is {0}: only one that waits can be cancelled")]
    NotWaiting(&'static str),
    /// The month's messages are used up.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// The caller may not.
    #[error(transparent)]
    Operator(#[from] OperatorError),
    /// The customer could not be read.
    #[error(transparent)]
    Customer(#[from] CustomerError),
    /// The gateways could not be read.
    #[error("the gateways could not be read")]
    Gateway(#[from] GatewayError),
    /// The outages could not be read.
    #[error("the outages could not be read")]
    Monitoring(#[from] Box<MonitoringError>),
    /// The client for gateways could not be made.
    #[error("the client for gateways could not be made")]
    Client(#[source] reqwest::Error),
    /// The database did not answer.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl From<rules::Fault> for MessageError {
    fn from((field, message): rules::Fault) -> Self {
        Self::Field { field, message }
    }
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)* }) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        $(#[$doc])*
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The name as stored.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }

            fn from_stored(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|known| known.as_str() == name)
            }
        }
    };
}

words! {
    /// By what a message travels.
    #[schema(as = MessageChannel)]
    Channel {
        /// As a text message.
        Sms = "sms",
        /// By WhatsApp.
        Whatsapp = "whatsapp",
    }
}

words! {
    /// What a message is written about by itself.
    #[schema(as = MessageEvent)]
    Event {
        /// The customer was made.
        CustomerCreated = "customer_created",
        /// Money came from the customer.
        PaymentReceived = "payment_received",
        /// What was paid ends, or ended.
        Expiry = "expiry",
        /// The customer's router has been silent for 15 minutes.
        OutageStart = "outage_start",
        /// The customer's router is back after more than 15 minutes.
        OutageEnd = "outage_end",
        /// A ticket about the customer was opened.
        TicketOpened = "ticket_opened",
        /// A ticket about the customer was closed.
        TicketClosed = "ticket_closed",
    }
}

impl Event {
    /// Whether a message about it waits for the end of quiet hours unless a rule says otherwise: a receipt is waited for.
    const fn waits(self) -> bool {
        !matches!(self, Self::PaymentReceived)
    }
}

words! {
    /// What a text may name.
    #[schema(as = MessageVariable)]
    Variable {
        /// The customer's name; the login where none is known.
        Name = "name",
        /// The customer's login.
        Login = "login",
        /// The customer's account number.
        Account = "account",
        /// The customer's package.
        Package = "package",
        /// The end of what is paid.
        Until = "until",
        /// The ISP's name.
        Isp = "isp",
        /// The number that customers call.
        Support = "support",
        /// How much came.
        Amount = "amount",
        /// The receipt's number.
        Receipt = "receipt",
        /// What the wallet holds.
        Wallet = "wallet",
        /// The ticket's number.
        Ticket = "ticket",
        /// The ticket in one line.
        Title = "title",
    }
}

impl Variable {
    /// Those that a text for an event may name; without one, those that are known of every customer.
    fn of(event: Option<Event>) -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(move |variable| match variable {
            Self::Name | Self::Login | Self::Account | Self::Package | Self::Until | Self::Isp | Self::Support => true,
            Self::Amount | Self::Receipt | Self::Wallet => event == Some(Event::PaymentReceived),
            Self::Ticket | Self::Title => matches!(event, Some(Event::TicketOpened | Event::TicketClosed)),
        })
    }

    /// What stands for it in a preview.
    const fn sample(self) -> &'static str {
        match self {
            Self::Name => "Jane Wanjiku",
            Self::Login => "jane",
            Self::Account => "10000015",
            Self::Package => "Home 10 Mbps",
            Self::Until => "31 Jan 2026 09:00",
            Self::Isp => "Mast Networks",
            Self::Support => "0712345678",
            Self::Amount => "KES 1500.00",
            Self::Receipt => "SAF12AB3CD",
            Self::Wallet => "KES 200.00",
            Self::Ticket => "118",
            Self::Title => "No internet",
        }
    }
}

words! {
    /// Where a message stands.
    MessageState {
        /// It waits for its time, or for a gateway.
        Queued = "queued",
        /// A gateway is being asked.
        Sending = "sending",
        /// A gateway took it.
        Sent = "sent",
        /// Nobody took it, or nobody needs it any more.
        Failed = "failed",
        /// It was handed over and the answer was lost: it may have been sent, and is never sent again by itself.
        Unknown = "unknown",
        /// Somebody stopped it, or what it says is true no more.
        Cancelled = "cancelled",
    }
}

words! {
    /// What the service said of a message that it had taken.
    #[schema(as = MessageDelivery)]
    Delivery {
        /// It arrived.
        Delivered = "delivered",
        /// It will not arrive.
        Undelivered = "undelivered",
    }
}

/// What of a tenant stands in messages, read once for many.
pub(in crate::messages) struct House {
    tenant: TenantView,
    settings: Settings,
    zone: TimeZone,
}

impl House {
    async fn read(tx: &mut TenantTx) -> Result<Self, DbError> {
        let tenant = tenants::current(tx).await?;
        let settings = tenants::settings_in_force(tx).await?;
        // A zone that the program knows no more is no reason to send nothing.
        let zone = TimeZone::get(&tenant.time_zone).unwrap_or(TimeZone::UTC);
        Ok(Self { tenant, settings, zone })
    }

    /// Returns the first moment from a time on at which a message may go that can wait.
    fn awake(&self, at: Timestamp) -> Timestamp {
        let (from, until) = self.settings.quiet_hours.span();
        rules::timing::Quiet { zone: self.zone.clone(), from, until }.over(at)
    }

    /// Fills in what is known of a customer.
    fn values(&self, customer: &Addressee) -> Values {
        let until = customer.ends_at.map(|at| at.to_zoned(self.zone.clone()).strftime("%-d %b %Y %H:%M").to_string());
        let name = if customer.full_name.is_empty() { &customer.login } else { &customer.full_name };
        let branding = &self.settings.branding;
        let values = [
            (Variable::Name, name.clone()),
            (Variable::Login, customer.login.clone()),
            (Variable::Account, customer.account_number.clone()),
            (Variable::Package, customer.package.clone()),
            (Variable::Until, until.unwrap_or_else(|| "-".to_owned())),
            (Variable::Isp, branding.name.clone().unwrap_or_else(|| self.tenant.name.clone())),
            (Variable::Support, branding.support_phone.clone().unwrap_or_default()),
        ];
        values.into_iter().map(|(variable, value)| (variable.as_str(), value)).collect()
    }
}
