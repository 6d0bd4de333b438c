//! Ids are UUIDv7 in the database and `prefix_` followed by 32 hex digits in text, so that an id says what it names.

use crate::Entropy;
use jiff::Timestamp;
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// Why a text is not an id of the kind that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The text is an id of another kind of thing.
    #[error("this is the id of a {found}, but a {expected} id (`{prefix}_…`) belongs here")]
    WrongKind { expected: &'static str, prefix: &'static str, found: &'static str },
    /// The text is no id at all.
    #[error("not an id: a {expected} id is `{prefix}_` and 32 hexadecimal digits")]
    Malformed { expected: &'static str, prefix: &'static str },
}

/// Makes a UUIDv7 from a time (milliseconds since 1970, RFC 9562 §5.7) and randomness.
fn uuid_v7(now: Timestamp, entropy: &dyn Entropy) -> Uuid {
    let mut random = [0u8; 10];
    entropy.fill(&mut random);
    let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}

fn parse(text: &str, expected: &'static str, prefix: &'static str) -> Result<Uuid, IdError> {
    let malformed = IdError::Malformed { expected, prefix };
    let Some((head, digits)) = text.split_once('_') else { return Err(malformed) };
    if head != prefix {
        return Err(match KINDS.iter().find(|(known, _)| *known == head) {
            Some((_, found)) => IdError::WrongKind { expected, prefix, found },
            None => malformed,
        });
    }
    if digits.len() != 32 || digits.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err(malformed);
    }
    Uuid::try_parse(digits).map_err(|_| malformed)
}

/// Returns every prefix with the word for what it names, such as `rtr` and `router`.
#[must_use]
pub const fn id_kinds() -> &'static [(&'static str, &'static str)] {
    KINDS
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal, $kind:literal;)*) => {
        /// Every prefix with the word for what it names; append only, a prefix is never reused.
        const KINDS: &[(&str, &str)] = &[$(($prefix, $kind)),*];

        $(
            $(#[$doc])*
            #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
            #[cfg_attr(feature = "sqlx", derive(sqlx::Type), sqlx(transparent))]
            #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
            #[cfg_attr(feature = "openapi", schema(value_type = String, pattern = "^[a-z]{3}_[0-9a-f]{32}$"))]
            pub struct $name(Uuid);

            impl $name {
                /// What stands before the underscore in text.
                pub const PREFIX: &'static str = $prefix;

                /// Makes a new id whose order in an index follows `now`.
                #[must_use]
                pub fn generate(now: Timestamp, entropy: &dyn Entropy) -> Self {
                    Self(uuid_v7(now, entropy))
                }

                /// Takes a value that the database handed out as this kind of id.
                #[must_use]
                pub const fn from_uuid(uuid: Uuid) -> Self {
                    Self(uuid)
                }

                /// Returns the value as the database stores it.
                #[must_use]
                pub const fn uuid(self) -> Uuid {
                    self.0
                }
            }

            impl fmt::Display for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    write!(f, concat!($prefix, "_{}"), self.0.simple())
                }
            }

            impl fmt::Debug for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    fmt::Display::fmt(self, f)
                }
            }

            impl FromStr for $name {
                type Err = IdError;

                fn from_str(text: &str) -> Result<Self, IdError> {
                    parse(text, $kind, $prefix).map(Self)
                }
            }

            impl serde::Serialize for $name {
                fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    serializer.collect_str(self)
                }
            }

            impl<'de> serde::Deserialize<'de> for $name {
                fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
                    text.parse().map_err(serde::de::Error::custom)
                }
            }
        )*
    };
}

ids! {
    /// An ISP.
    TenantId = "ten", "tenant";
    /// A person of ours or of an ISP who logs in.
    OperatorId = "opr", "operator";
    /// A browser's or a CLI's login.
    LoginSessionId = "lgn", "login session";
    /// A token for programs.
    ApiTokenId = "tok", "API token";
    /// A MikroTik box.
    RouterId = "rtr", "router";
    /// A one-time permission to join, for one router.
    EnrolmentId = "enr", "enrolment";
    /// A range of tunnel addresses that belongs to a tenant.
    TunnelBlockId = "blk", "tunnel block";
    /// A router's WireGuard peer on the hub.
    TunnelPeerId = "pee", "tunnel peer";
    /// The hub's WireGuard key.
    HubKeyId = "hub", "hub key";
    /// A tenant's data key.
    DataKeyId = "dek", "data key";
    /// What an ISP sells.
    PackageId = "pkg", "package";
    /// An ISP's customer.
    CustomerId = "cus", "customer";
    /// What a customer has paid for, and until when.
    EntitlementId = "ent", "entitlement";
    /// A printed code that is worth a package.
    VoucherId = "vou", "voucher";
    /// Vouchers made together.
    VoucherBatchId = "vba", "voucher batch";
    /// Money received.
    PaymentId = "pay", "payment";
    /// A balanced set of ledger entries.
    JournalId = "jrn", "ledger journal";
    /// One line of a journal.
    LedgerEntryId = "lge", "ledger entry";
    /// Work to be done later.
    JobId = "job", "job";
    /// A change that others have to hear of.
    OutboxId = "obx", "outbox entry";
    /// A line of the audit log.
    AuditId = "aud", "audit entry";
    /// A plan that was made or applied for a router.
    ChangeSetId = "chg", "change set";
    /// A request that may be sent again without being done twice.
    IdempotencyId = "idk", "idempotency key";
    /// A place, or a part of one.
    SiteId = "sit", "site";
    /// A thing behind or beside a router.
    DeviceId = "dev", "device";
    /// What an operator is limited to.
    AssignmentId = "asg", "assignment";
    /// An invitation to serve a tenant.
    InvitationId = "ivt", "invitation";
    /// A visit of the platform's support in a tenant.
    ImpersonationId = "imp", "impersonation";
    /// What a package was at a time.
    PackageVersionId = "pkv", "package version";
    /// A place where a package is sold.
    PackageScopeId = "pks", "package scope";
    /// Something a customer is recognised by.
    CredentialId = "crd", "credential";
    /// Where money stands in the books.
    AccountId = "acc", "account";
    /// A bill to a customer.
    InvoiceId = "ivc", "invoice";
    /// One line of a bill.
    InvoiceLineId = "ivl", "invoice line";
    /// Money that the ISP spent.
    ExpenseId = "exp", "expense";
    /// A rule by which the ISP spends again and again.
    RecurringExpenseId = "rex", "recurring expense";
    /// A way by which money or messages travel.
    GatewayId = "gwy", "gateway";
    /// An attempt to collect money.
    PaymentAttemptId = "att", "payment attempt";
    /// Money that came and fits nobody yet.
    UnmatchedId = "unm", "unmatched payment";
    /// A customer's stay on the internet.
    SessionId = "ses", "session";
    /// A time in which a router or a customer was away.
    OutageId = "otg", "outage";
    /// A diagnosis that was run.
    DiagnosisId = "dia", "diagnosis";
    /// A complaint or a task.
    TicketId = "tkt", "ticket";
    /// What was said on a ticket.
    TicketNoteId = "tkn", "ticket note";
    /// Somebody who may become a customer.
    LeadId = "led", "lead";
    /// Work that a technician did.
    WorkId = "wrk", "work entry";
    /// A text with holes.
    TemplateId = "tpl", "message template";
    /// When a message is written by itself.
    MessageRuleId = "mrl", "message rule";
    /// A message that was or will be sent.
    MessageId = "msg", "message";
    /// Something an operator should know.
    NotificationId = "ntf", "notification";
    /// A backup that was taken.
    BackupId = "bak", "backup";
    /// The proof that a tenant was purged.
    CertificateId = "cer", "purge certificate";
    /// A file of customers that was taken in.
    ImportId = "cim", "customer import";
    /// A configuration of a router, as its export.
    ConfigurationId = "cfg", "configuration";
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "rtr_0190163d8694739b8fd74dd02ebd3dc4";

    #[test]
    fn text_and_back() {
        let id: RouterId = TEXT.parse().expect("a router id");
        assert_eq!(id.to_string(), TEXT);
        assert_eq!(serde_json::to_string(&id).expect("ids are strings"), format!("\"{TEXT}\""));
        assert_eq!(serde_json::from_str::<RouterId>(&format!("\"{TEXT}\"")).expect("round trip"), id);
    }

    #[test]
    fn another_kind_is_named() {
        let error = TEXT.parse::<CustomerId>().expect_err("a router is no customer");
        assert_eq!(error, IdError::WrongKind { expected: "customer", prefix: "cus", found: "router" });
    }

    #[test]
    fn garbage_is_malformed() {
        for text in [
            "",
            "rtr",
            "rtr_",
            "rtr_xyz",
            "rtr_0190163D8694739B8FD74DD02EBD3DC4",
            "0190163d8694739b8fd74dd02ebd3dc4",
            "zzz_0190163d8694739b8fd74dd02ebd3dc4",
        ] {
            assert!(matches!(text.parse::<RouterId>(), Err(IdError::Malformed { .. })), "{text}");
        }
    }

    #[test]
    fn prefixes_are_unique() {
        let mut prefixes: Vec<_> = KINDS.iter().map(|(prefix, _)| prefix).collect();
        prefixes.sort();
        prefixes.dedup();
        assert_eq!(prefixes.len(), KINDS.len());
    }
}
