//! Errors as a client sees them: `application/problem+json` (RFC 9457) of a documented kind, with a safe text and a request id.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $slug:literal, $status:ident, $title:literal;)*) => {
        /// Every kind of problem; the list is part of the API and only grows.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum ProblemKind {
            $($(#[$doc])* $name,)*
        }

        impl ProblemKind {
            /// All kinds, for the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The last part of the kind's URI.
            #[must_use]
            pub const fn slug(self) -> &'static str {
                match self { $(Self::$name => $slug),* }
            }

            /// The HTTP status.
            #[must_use]
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status),* }
            }

            /// What happened, in a few words that do not change.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title),* }
            }
        }
    };
}

kinds! {
    /// The body, a parameter or a field is wrong.
    Invalid = "invalid-request", BAD_REQUEST, "The request is not valid";
    /// No credential, or one that is not in force.
    Unauthenticated = "unauthenticated", UNAUTHORIZED, "A valid credential is needed";
    /// The password was right, and a second factor's code belongs to it.
    CodeWanted = "code-wanted", UNAUTHORIZED, "A second factor's code is needed";
    /// The platform's operators need a second factor here.
    CodeMissing = "second-factor-missing", FORBIDDEN, "A second factor has to be set up first";
    /// Too many wrong passwords.
    Locked = "locked", TOO_MANY_REQUESTS, "Too many failed attempts";
    /// The credential does not allow this.
    Forbidden = "forbidden", FORBIDDEN, "The credential does not allow this";
    /// The tenant may only look.
    Suspended = "tenant-suspended", FORBIDDEN, "The tenant is suspended";
    /// There is no such thing, or it is not yours.
    NotFound = "not-found", NOT_FOUND, "There is no such thing";
    /// The method is not offered here.
    MethodNotAllowed = "method-not-allowed", METHOD_NOT_ALLOWED, "This method is not offered here";
    /// Something with that name is there already.
    Exists = "already-exists", CONFLICT, "That exists already";
    /// The thing is in a state that forbids this.
    Conflict = "conflict", CONFLICT, "The present state does not allow this";
    /// The idempotency key was used for another request.
    KeyReused = "idempotency-key-reused", CONFLICT, "The idempotency key belongs to another request";
    /// The body is too large.
    TooLarge = "too-large", PAYLOAD_TOO_LARGE, "The body is too large";
    /// The body is not JSON.
    MediaType = "unsupported-media-type", UNSUPPORTED_MEDIA_TYPE, "The body has the wrong content type";
    /// A limit was reached.
    Limit = "limit-reached", TOO_MANY_REQUESTS, "A limit was reached";
    /// The ISP has as much of something as it may.
    TenantLimit = "tenant-limit-reached", CONFLICT, "The ISP's limit is reached";
    /// The ISP's standing forbids it.
    Restricted = "tenant-restricted", FORBIDDEN, "The tenant is restricted";
    /// The ISP asks more often than it may.
    RateLimited = "rate-limited", TOO_MANY_REQUESTS, "Too many requests";
    /// A router could not be reached or refused.
    Router = "router-unavailable", BAD_GATEWAY, "The router did not do it";
    /// The database is away.
    Unavailable = "unavailable", SERVICE_UNAVAILABLE, "The service cannot answer now";
    /// A fault of ours; the log has it under the request id.
    Internal = "internal", INTERNAL_SERVER_ERROR, "Something went wrong on our side";
}

/// One wrong field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// The field's name, with dots for nesting.
    pub field: String,
    /// What is wrong and what belongs there.
    pub message: String,
}

/// The body of every error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Problem {
    /// `urn:mastwire:problem:` and the kind.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind in words.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// What happened this time and what to do.
    pub detail: String,
    /// The request's id, by which the log can be searched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// The fields that are wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// In how many seconds it is worth trying again; the header `Retry-After` says the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_s: Option<u16>,
}

impl Problem {
    /// Makes a problem of a kind.
    #[must_use]
    pub fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:mastwire:problem:{}", kind.slug()),
            title: kind.title(),
            status: kind.status().as_u16(),
            detail: detail.into(),
            instance: None,
            errors: Vec::new(),
            retry_after_s: None,
        }
    }

    /// Makes the problem of one wrong field.
    #[must_use]
    pub fn field(field: &str, message: impl Into<String>) -> Self {
        let message = message.into();
        let mut problem = Self::new(ProblemKind::Invalid, format!("{field}: {message}"));
        problem.errors.push(FieldError { field: field.to_owned(), message });
        problem
    }

    /// Makes the 404 that another tenant's thing gives too.
    #[must_use]
    pub fn not_found(what: &str) -> Self {
        Self::new(ProblemKind::NotFound, format!("there is no such {what}"))
    }

    /// Makes the problem of a tenant that asks too often.
    #[must_use]
    pub fn rate_limited(wait: std::time::Duration) -> Self {
        let seconds = u16::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(u16::MAX);
        let detail = format!(
            "this ISP has used its requests of the minute, or its share of the database's time: try again in {seconds} s, or ask the platform's operator for more"
        );
        Self { retry_after_s: Some(seconds), ..Self::new(ProblemKind::RateLimited, detail) }
    }

    /// Logs a fault of ours and tells the client nothing of it.
    #[must_use]
    pub fn internal(error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(error = %telemetry::chain(error), "request failed");
        Self::new(ProblemKind::Internal, "the fault is in our log under this request's id")
    }
}

impl From<db::DbError> for Problem {
    fn from(error: db::DbError) -> Self {
        let db::DbError::Sqlx(source) = &error;
        let code = source.as_database_error().and_then(|error| error.code()).unwrap_or_default();
        // `character_not_in_repertoire` and `untranslatable_character`: a NUL, which PostgreSQL keeps in no text. Whichever field it came in.
        if ["22021", "22P05"].contains(&&*code) {
            return Self::new(ProblemKind::Invalid, "a text holds the character NUL, which nothing here may");
        }
        let away = matches!(source, sqlx::Error::PoolTimedOut | sqlx::Error::Io(_) | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed)
            // Class 57: the server is shutting down or starting up.
            || code.starts_with("57P");
        if away {
            tracing::warn!(error = %telemetry::chain(&error), "the database is away");
            return Self::new(
                ProblemKind::Unavailable,
                "the database is away; nothing was changed unless you were told so. Try again in a moment",
            );
        }
        Self::internal(&error)
    }
}

impl From<crate::secrets::VaultError> for Problem {
    fn from(error: crate::secrets::VaultError) -> Self {
        match error {
            crate::secrets::VaultError::Db(error) => error.into(),
            other => Self::internal(&other),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(&self)).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        // The request id is put in by the outermost layer, which finds the problem here.
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_unique() {
        let mut slugs: Vec<_> = ProblemKind::ALL.iter().map(|kind| kind.slug()).collect();
        slugs.sort_unstable();
        slugs.dedup();
        assert_eq!(slugs.len(), ProblemKind::ALL.len());
    }
}
