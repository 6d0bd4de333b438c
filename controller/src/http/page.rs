//! Lists are paged by a cursor, newest first: ids are UUIDv7, so the order of ids is the order of making.

use super::{Params, Problem};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

const LIMIT_DEFAULT: u16 = 50;
const LIMIT_MAX: u16 = 200;

/// Which part of a list is asked for.
#[derive(Debug, Clone, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Page {
    /// At most so many items, 1 to 200; 50 when left out.
    #[param(value_type = Option<u16>, required = false, minimum = 1, maximum = 200)]
    limit: u16,
    /// `next` of the page before.
    #[param(value_type = Option<String>, required = false)]
    cursor: Option<Uuid>,
}

#[derive(Deserialize)]
struct Raw {
    limit: Option<u16>,
    cursor: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for Page {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Params(raw) = Params::<Raw>::from_request_parts(parts, state).await?;
        let limit = raw.limit.unwrap_or(LIMIT_DEFAULT);
        if !(1..=LIMIT_MAX).contains(&limit) {
            return Err(Problem::field("limit", "ask for 1 to 200 items"));
        }
        let cursor = raw.cursor.map(|text| Uuid::try_parse(&text)).transpose();
        let cursor = cursor.map_err(|_| Problem::field("cursor", "give `next` of the page before, as it was"))?;
        Ok(Self { limit, cursor })
    }
}

/// Something that can stand in a list.
pub trait PageItem {
    /// The id by which the list is ordered.
    fn cursor(&self) -> Uuid;
}

impl Page {
    /// The id before which the page starts: `WHERE id < $n ORDER BY id DESC`.
    #[must_use]
    pub fn before(&self) -> Uuid {
        self.cursor.unwrap_or(Uuid::max())
    }

    /// How many rows to fetch: one more than is shown, which tells whether there is a next page.
    #[must_use]
    pub fn fetch(&self) -> i64 {
        i64::from(self.limit) + 1
    }

    /// Makes the page out of the rows that were fetched.
    #[must_use]
    pub fn list<T: PageItem>(&self, mut items: Vec<T>) -> List<T> {
        let more = items.len() > usize::from(self.limit);
        items.truncate(usize::from(self.limit));
        let next = items.last().filter(|_| more).map(|item| item.cursor().simple().to_string());
        List { items, next }
    }
}

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct List<T> {
    /// The items, newest first.
    pub items: Vec<T>,
    /// Give it as `cursor` to get the page behind this one; empty at the end.
    pub next: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Item(Uuid);

    impl PageItem for Item {
        fn cursor(&self) -> Uuid {
            self.0
        }
    }

    #[test]
    fn the_last_page_has_no_next() {
        let page = Page { limit: 2, cursor: None };
        let items = |n: u128| (1..=n).map(|i| Item(Uuid::from_u128(i))).collect::<Vec<_>>();
        assert_eq!(page.fetch(), 3);
        assert_eq!(page.list(items(3)).next, Some(Uuid::from_u128(2).simple().to_string()));
        assert_eq!(page.list(items(2)).next, None);
        assert_eq!(page.list(items(0)).items.len(), 0);
    }
}
