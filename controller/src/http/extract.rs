//! What routes take from a request, with errors that say what was wrong.

use super::{Problem, ProblemKind};
use crate::app::App;
use crate::operators::{self, Actor, Asked, Asker, OperatorError, Person, TenantScope};
use axum::extract::rejection::{BytesRejection, JsonRejection};
use axum::extract::{FromRequest, FromRequestParts, Json, Path, Query, Request};
use axum::http::header;
use axum::http::request::Parts;
use db::{Origin, PlatformActor};
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::convert::Infallible;
use std::fmt::{self, Display};
use std::marker::PhantomData;
use std::str::FromStr;
use std::sync::Arc;

/// How much is kept of what a client calls itself, in bytes.
const USER_AGENT_MAX: usize = 400;

/// Who sent a request, also one of the platform's people who has yet to set up the second factor that is wanted of them.
#[derive(Debug)]
pub struct Anybody(pub Actor);

impl FromRequestParts<Arc<App>> for Anybody {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let header = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = header.and_then(|value| value.strip_prefix("Bearer "));
        let Some(token) = token else {
            return Err(Problem::new(
                ProblemKind::Unauthenticated,
                "send `Authorization: Bearer` with the token of a login or an API token",
            ));
        };
        let token = token.trim();
        // Whoever was told to wait and does not is told again at once: looking them up is what would keep others waiting.
        app.rates.still_closed(token).map_err(Problem::rate_limited)?;
        let actor = operators::authenticate(app, token, &asked(parts)).await?;
        if let Actor::Tenant { scope, .. } = &actor {
            if let Some(asker) = parts.extensions.get::<Arc<Asker>>() {
                asker.is(scope.tenant(), scope.actor().as_str());
            }
            app.rates.take(app, scope.tenant(), token).await?.map_err(Problem::rate_limited)?;
        }
        Ok(Self(actor))
    }
}

impl FromRequestParts<Arc<App>> for Actor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let Anybody(actor) = Anybody::from_request_parts(parts, app).await?;
        match actor {
            Self::Platform { second_factor: false, .. } if app.config.platform_second_factor => {
                Err(OperatorError::CodeMissing.into())
            }
            actor => Ok(actor),
        }
    }
}

impl FromRequestParts<Arc<App>> for Person {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let Anybody(actor) = Anybody::from_request_parts(parts, app).await?;
        Ok(Self::behind(actor, asked(parts).origin)?)
    }
}

fn asked(parts: &Parts) -> Asked {
    let header = parts.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    Asked {
        origin: Caller::of(parts).0,
        what: format!("{} {}", parts.method, parts.uri.path()),
        user_agent: header.filter(|text| text.len() <= USER_AGENT_MAX).unwrap_or_default().to_owned(),
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Asked {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(asked(parts))
    }
}

/// The platform's operator.
#[derive(Debug, Clone)]
pub struct Platform(pub PlatformActor);

impl FromRequestParts<Arc<App>> for Platform {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        match Actor::from_request_parts(parts, app).await? {
            Actor::Platform { actor, .. } => Ok(Self(actor)),
            Actor::Tenant { .. } => Err(Problem::new(ProblemKind::Forbidden, "only the platform's operators may do this")),
        }
    }
}

/// Which request this is and where it came from, for the audit logs and for limits by source.
#[derive(Debug, Clone)]
pub struct Caller(pub Option<Origin>);

impl Caller {
    fn of(parts: &Parts) -> Self {
        Self(parts.extensions.get::<Origin>().cloned())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(Self::of(parts))
    }
}

impl FromRequestParts<Arc<App>> for TenantScope {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        match Actor::from_request_parts(parts, app).await? {
            Actor::Tenant { scope, .. } => Ok(scope),
            Actor::Platform { .. } => Err(Problem::new(
                ProblemKind::Forbidden,
                "the platform's operators do not see into a tenant: log in to one, or use /api/v1/platform",
            )),
        }
    }
}

/// A JSON body; unknown fields, wrong types and bodies that are too large are told apart.
#[derive(Debug)]
pub struct Body<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        match Json::<Object<T>>::from_request(request, state).await {
            Ok(Json(Object(body))) => Ok(Self(body)),
            Err(JsonRejection::MissingJsonContentType(_)) => {
                Err(Problem::new(ProblemKind::MediaType, "send the body as `Content-Type: application/json`"))
            }
            Err(JsonRejection::BytesRejection(rejection)) => Err(body_problem(&rejection)),
            // serde's text names the field and what it wanted, and quotes nothing but names and types.
            Err(rejection) => Err(Problem::new(ProblemKind::Invalid, rejection.body_text())),
        }
    }
}

/// What came as a JSON object. serde alone reads a list as a struct too, and an empty one as a struct of which every field may be left out.
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor(PhantomData))
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = Object<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Object)
    }
}

fn body_problem(rejection: &BytesRejection) -> Problem {
    if rejection.status() == axum::http::StatusCode::PAYLOAD_TOO_LARGE {
        Problem::new(ProblemKind::TooLarge, "the body is larger than this operation takes")
    } else {
        Problem::new(ProblemKind::Invalid, "the body did not arrive whole")
    }
}

/// The id in the path; an id of another kind is told from one that does not exist.
#[derive(Debug, Clone, Copy)]
pub struct Id<T>(pub T);

impl<S: Send + Sync, T> FromRequestParts<S> for Id<T>
where
    T: FromStr + Send,
    T::Err: Display,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Ok(Path(text)) = Path::<String>::from_request_parts(parts, state).await else {
            return Err(Problem::field("id", "an id belongs into the path"));
        };
        text.parse().map(Self).map_err(|error: T::Err| Problem::field("id", error.to_string()))
    }
}

/// The query's parameters.
#[derive(Debug)]
pub struct Params<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(params)) => Ok(Self(params)),
            Err(rejection) => Err(Problem::new(ProblemKind::Invalid, rejection.body_text())),
        }
    }
}
