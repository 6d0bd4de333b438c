//! Complaints and tasks: who said what, whose turn it is, and what became of it.

mod routes;
mod rules;
mod store;

pub use routes::routes;
pub use store::{NoteView, TicketView, router_of};

use crate::app::App;
use crate::customers;
use crate::devices::{self, DeviceError};
use crate::messages::{self, Event, Variable};
use crate::monitoring::{self, MonitoringError};
use crate::notifications::{self, News, NotificationKind};
use crate::operators::{self, OperatorError, Permission, TenantScope};
use crate::{routers, sites};
use db::{DbError, TenantTx};
use jiff::Timestamp;
use model::{CustomerId, DeviceId, DiagnosisId, OperatorId, RouterId, SiteId, TicketId, TicketNoteId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Open tickets that a tenant may have.
const OPEN_MAX: i64 = 10_000;
/// Notes on one ticket.
const NOTES_MAX: i64 = 500;

/// Why an operation on tickets was refused.
#[derive(Debug, thiserror::Error)]
pub enum TicketError {
    /// A field is wrong.
    #[error("{field}: {message}")]
    Field { field: &'static str, message: &'static str },
    /// There is no such thing: the ticket, or what it is about.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// The status does not follow.
    #[error("a ticket that is {from} cannot become {to}{remedy}")]
    Status { from: &'static str, to: &'static str, remedy: &'static str },
    /// The tenant has as many open tickets as it may.
    #[error("{OPEN_MAX} tickets are open; close some first")]
    TooMany,
    /// The ticket has as many notes as it may.
    #[error("a ticket holds {NOTES_MAX} notes; close it and open another")]
    TooManyNotes,
    /// The caller may not.
    #[error(transparent)]
    Operator(#[from] OperatorError),
    /// The diagnosis could not be read.
    #[error(transparent)]
    Monitoring(#[from] MonitoringError),
    /// The device could not be read.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The database did not answer.
    #[error(transparent)]
    Db(#[from] DbError),
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
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

            /// Reads the stored name.
            #[must_use]
            pub fn from_stored(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|known| known.as_str() == name)
            }
        }
    };
}

words! {
    /// What a ticket is about.
    Category {
        /// Nothing works.
        NoInternet = "no_internet",
        /// It works badly.
        Slow = "slow",
        /// Something is to be installed.
        Installation = "installation",
        /// Money.
        Billing = "billing",
        /// A box is broken.
        Hardware = "hardware",
        /// Anything else.
        Other = "other",
    }
}

words! {
    /// How soon.
    Priority {
        /// When there is time.
        Low = "low",
        /// In its turn.
        Normal = "normal",
        /// Before others.
        High = "high",
        /// Now.
        Urgent = "urgent",
    }
}

words! {
    /// Where a ticket stands.
    TicketStatus {
        /// Nobody works on it yet.
        Open = "open",
        /// Somebody works on it.
        InProgress = "in_progress",
        /// It waits for the customer or for somebody else.
        Waiting = "waiting",
        /// It is done, as far as we know.
        Resolved = "resolved",
        /// It is done with.
        Closed = "closed",
    }
}

/// A ticket to be opened, with what it is about as far as that is known.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTicket {
    /// In one line, 1 to 200 characters.
    pub title: String,
    /// The rest, up to 4000 characters.
    #[serde(default)]
    pub body: String,
    /// What it is about; `other` when left out.
    pub category: Option<Category>,
    /// How soon; `normal` when left out.
    pub priority: Option<Priority>,
    /// The customer.
    pub customer: Option<CustomerId>,
    /// The router; the customer's when left out.
    pub router: Option<RouterId>,
    /// The site.
    pub site: Option<SiteId>,
    /// The device.
    pub device: Option<DeviceId>,
    /// A diagnosis that was run.
    pub diagnosis: Option<DiagnosisId>,
    /// Who works on it.
    pub assignee: Option<OperatorId>,
    /// By when.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub due_at: Option<Timestamp>,
}

fn expect<E>(found: Result<bool, E>, what: &'static str) -> Result<(), TicketError>
where
    TicketError: From<E>,
{
    if found? { Ok(()) } else { Err(TicketError::NotFound(what)) }
}

/// Looks for what it is about. What is about a customer is about their router too: who does not see that sees none of this.
async fn expect_subject(tx: &mut TenantTx, new: &mut NewTicket) -> Result<(), TicketError> {
    if let Some(router) = new.router {
        expect(routers::stands(tx, router).await, "router")?;
    }
    if let Some(site) = new.site {
        expect(sites::hold(tx, site).await, "site")?;
    }
    if let Some(device) = new.device {
        devices::get(tx, device).await?;
    }
    if let Some(diagnosis) = new.diagnosis {
        expect(monitoring::diagnosis_exists(tx, diagnosis).await, "diagnosis")?;
    }
    if let Some(customer) = new.customer {
        let found = customers::addressee(tx, customer).await?.ok_or(TicketError::NotFound("customer"))?;
        new.router = new.router.or(Some(found.router));
    }
    Ok(())
}

/// What of a ticket is told to others.
struct Told<'a> {
    id: TicketId,
    number: i32,
    title: &'a str,
}

impl Told<'_> {
    /// Writes to the customer, if the tenant has a rule for it.
    async fn customer(&self, app: &App, tx: &mut TenantTx, customer: Option<CustomerId>, event: Event) -> Result<(), DbError> {
        let Some(customer) = customer else { return Ok(()) };
        let more = [(Variable::Ticket, self.number.to_string()), (Variable::Title, self.title.to_owned())];
        messages::on_event(app, tx, event, customer, self.id.uuid(), &more).await
    }

    /// Tells who is to work on it.
    async fn assignee(&self, app: &App, tx: &mut TenantTx, assignee: Option<OperatorId>) -> Result<(), DbError> {
        let Some(assignee) = assignee else { return Ok(()) };
        let text = format!("Ticket {} is yours: {}", self.number, self.title);
        let news = News { kind: NotificationKind::TicketAssigned, about: self.id.uuid(), link: self.id.to_string(), text: &text };
        notifications::tell(app, tx, &[assignee], &news).await
    }
}

/// Opens a ticket; returns it with the number that people say.
///
/// # Errors
/// When the role may not, a field is wrong, what it is about is not there, or too many are open.
pub async fn open(app: &App, scope: &TenantScope, mut new: NewTicket) -> Result<(TicketId, i32), TicketError> {
    rules::judge(&new)?;
    let now = app.clock.now();
    let mut tx = scope.write(app, Permission::TicketsWrite).await?;
    expect_subject(&mut tx, &mut new).await?;
    if let Some(assignee) = new.assignee {
        expect(operators::serves(&mut tx, assignee).await, "operator")?;
    }
    // Taking the number locks the counter, so that two who open at once are counted one after the other.
    let number = store::next_number(&mut tx).await?;
    if store::count_open(&mut tx).await? >= OPEN_MAX {
        return Err(TicketError::TooMany);
    }
    let id = TicketId::generate(now, &*app.entropy);
    store::insert(&mut tx, id, number, &new, now).await?;
    tx.audit(now, "ticket.open", &id.to_string(), serde_json::json!({ "number": number, "title": new.title.trim() })).await?;
    let news = Told { id, number, title: new.title.trim() };
    news.customer(app, &mut tx, new.customer, Event::TicketOpened).await?;
    news.assignee(app, &mut tx, new.assignee).await?;
    tx.commit().await?;
    Ok((id, number))
}

/// What of a ticket is to change; what is left out stays.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TicketChange {
    /// Where it stands.
    pub status: Option<TicketStatus>,
    /// How soon.
    pub priority: Option<Priority>,
    /// Who works on it.
    pub assignee: Option<OperatorId>,
    /// By when.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub due_at: Option<Timestamp>,
}

/// Changes a ticket: where it stands, whose it is, how soon.
///
/// # Errors
/// When the role may not, the status does not follow, the assignee does not serve the tenant, or there is no such ticket.
pub async fn change(app: &App, scope: &TenantScope, id: TicketId, change: TicketChange) -> Result<TicketView, TicketError> {
    let now = app.clock.now();
    let mut tx = scope.write(app, Permission::TicketsWrite).await?;
    let before = store::lock(&mut tx, id).await?.ok_or(TicketError::NotFound("ticket"))?;
    let mut after = before.clone();
    if let Some(status) = change.status.filter(|status| *status != before.status) {
        if !before.status.may_become(status) {
            let remedy = if before.status == TicketStatus::Closed { ": open another that names it" } else { "" };
            return Err(TicketError::Status { from: before.status.as_str(), to: status.as_str(), remedy });
        }
        (after.status, after.status_since) = (status, now);
    }
    if let Some(assignee) = change.assignee {
        expect(operators::serves(&mut tx, assignee).await, "operator")?;
        after.assignee = Some(assignee);
    }
    after.priority = change.priority.unwrap_or(before.priority);
    after.due_at = change.due_at.or(before.due_at);
    store::update(&mut tx, &after).await?;
    tx.audit_change(now, "ticket.change", &id.to_string(), &before, &after).await?;
    let news = Told { id, number: after.number, title: &after.title };
    if after.status == TicketStatus::Closed && before.status != TicketStatus::Closed {
        news.customer(app, &mut tx, after.customer, Event::TicketClosed).await?;
    }
    if after.assignee != before.assignee {
        news.assignee(app, &mut tx, after.assignee).await?;
    }
    tx.commit().await?;
    Ok(after)
}

/// Says something on a ticket, for ever.
///
/// # Errors
/// When the role may not, the text is too long, or there is no such ticket.
pub async fn note(
    app: &App,
    scope: &TenantScope,
    id: TicketId,
    text: &str,
    to_customer: bool,
) -> Result<TicketNoteId, TicketError> {
    rules::judge_note(text)?;
    let now = app.clock.now();
    let mut tx = scope.write(app, Permission::TicketsWrite).await?;
    store::lock(&mut tx, id).await?.ok_or(TicketError::NotFound("ticket"))?;
    if store::count_notes(&mut tx, id).await? >= NOTES_MAX {
        return Err(TicketError::TooManyNotes);
    }
    let note = TicketNoteId::generate(now, &*app.entropy);
    store::insert_note(&mut tx, note, id, text.trim(), to_customer, now).await?;
    tx.commit().await?;
    Ok(note)
}
