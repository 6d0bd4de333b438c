//! What a site may be called and where it may stand. Pure.

use super::{Position, SiteError, SiteView};
use model::SiteId;

/// How many sites stand within each other at most, the outermost included.
pub(super) const DEPTH_MAX: usize = 8;
/// Sites of a tenant.
pub(super) const SITES_MAX: i64 = 10_000;
const NAME_MAX: usize = 100;
const ADDRESS_MAX: usize = 300;
const NOTES_MAX: usize = 2_000;

/// Brings a site's fields into their form, or says which is wrong.
pub(super) fn settle(site: &mut SiteView) -> Result<(), SiteError> {
    site.name = site.name.trim().to_owned();
    let long = |text: &str, most: usize| text.chars().count() > most;
    // Lines may end in an address and in notes, and nothing else that a terminal obeys.
    let plain = |text: &str| !text.contains(|c: char| c.is_control() && c != '\n');
    let fault = if site.name.is_empty() || long(&site.name, NAME_MAX) || site.name.contains(char::is_control) {
        Some(("name", "write 1 to 100 printable characters"))
    } else if long(&site.address, ADDRESS_MAX) || !plain(&site.address) {
        Some(("address", "write up to 300 characters"))
    } else if long(&site.notes, NOTES_MAX) || !plain(&site.notes) {
        Some(("notes", "write up to 2000 characters"))
    } else if site.position.is_some_and(|position| !is_on_earth(position)) {
        Some(("position", "give a latitude of -90 to 90 and a longitude of -180 to 180 degrees"))
    } else {
        None
    };
    fault.map_or(Ok(()), |(field, message)| Err(SiteError::Field { field, message }))
}

fn is_on_earth(position: Position) -> bool {
    (-90.0..=90.0).contains(&position.latitude) && (-180.0..=180.0).contains(&position.longitude)
}

/// Says whether a site that is `height` sites deep, itself included, may stand in the last site of a path from the top.
pub(super) fn place(site: SiteId, path: &[SiteId], height: usize) -> Result<(), SiteError> {
    if path.contains(&site) {
        return Err(SiteError::Cycle);
    }
    if path.len() + height > DEPTH_MAX { Err(SiteError::TooDeep) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::super::SiteKind;
    use super::*;
    use jiff::Timestamp;
    use uuid::Uuid;

    fn id(n: u128) -> SiteId {
        SiteId::from_uuid(Uuid::from_u128(n))
    }

    fn site() -> SiteView {
        SiteView {
            id: id(1),
            parent: None,
            kind: SiteKind::Unit,
            name: " B 12 ".to_owned(),
            address: "12 Moi Avenue\nNairobi".to_owned(),
            position: None,
            notes: String::new(),
            created_at: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn fields_are_judged() {
        let mut good = site();
        settle(&mut good).expect("a good site");
        assert_eq!(good.name, "B 12");
        let wrong = |change: fn(&mut SiteView)| {
            let mut site = site();
            change(&mut site);
            match settle(&mut site) {
                Err(SiteError::Field { field, .. }) => field,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(wrong(|site| site.name = "  ".to_owned()), "name");
        assert_eq!(wrong(|site| site.name = "a\u{1b}[2J".to_owned()), "name");
        assert_eq!(wrong(|site| site.address = "x".repeat(301)), "address");
        assert_eq!(wrong(|site| site.notes = "\u{7}".to_owned()), "notes");
        let nowhere = |latitude, longitude| Some(Position { latitude, longitude });
        assert!(settle(&mut SiteView { position: nowhere(90.0, -180.0), ..site() }).is_ok());
        for position in [nowhere(90.1, 0.0), nowhere(0.0, 180.1), nowhere(f64::NAN, 0.0)] {
            assert!(settle(&mut SiteView { position, ..site() }).is_err(), "{position:?}");
        }
    }

    #[test]
    fn no_site_stands_within_itself_or_too_deep() {
        let path: Vec<SiteId> = (1..=5).map(id).collect();
        assert!(place(id(9), &path, 3).is_ok());
        assert!(matches!(place(id(9), &path, 4), Err(SiteError::TooDeep)));
        assert!(matches!(place(id(5), &path, 1), Err(SiteError::Cycle)), "itself");
        assert!(matches!(place(id(1), &path, 5), Err(SiteError::Cycle)), "a part of a part");
    }
}
