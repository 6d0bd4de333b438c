//! What an entry of a technician's work may hold. Pure.

use super::{NewWork, WorkError};

/// The longest piece of work, in minutes: a day.
const MINUTES_MAX: i32 = 1440;
/// Kinds of material on one entry.
const MATERIALS_MAX: usize = 50;
/// Characters of a note.
const NOTE_MAX: usize = 2000;
/// How much of one material fits an entry; in thousandths of its unit, so that 2.5 m of cable is a whole number.
const MILLI_MAX: u32 = 1_000_000_000;

fn line(text: &str, most: usize) -> bool {
    (1..=most).contains(&text.trim().chars().count()) && !text.chars().any(char::is_control)
}

/// Judges an entry.
pub(super) fn judge(new: &NewWork) -> Result<(), WorkError> {
    let fault = |field, message| Err(WorkError::Field { field, message });
    if !(1..=MINUTES_MAX).contains(&new.minutes) {
        return fault("minutes", "write 1 to 1440 minutes; work over several days is one entry a day");
    }
    if new.note.trim().chars().count() > NOTE_MAX || new.note.chars().any(|c| c.is_control() && c != '\n' && c != '\t') {
        return fault("note", "write at most 2000 characters, without control characters");
    }
    if new.materials.len() > MATERIALS_MAX {
        return fault("materials", "name at most 50 kinds of material");
    }
    for material in &new.materials {
        if !line(&material.name, 100) || !line(&material.unit, 20) {
            return fault(
                "materials",
                "give each material a name of 1 to 100 characters and a unit of 1 to 20, such as m or pcs",
            );
        }
        if !(1..=MILLI_MAX).contains(&material.milli) {
            return fault("materials", "write quantities in thousandths of the unit, from 1 to 1000000000: 2.5 m is 2500");
        }
    }
    if let Some(position) = new.position {
        let here = (-90.0..=90.0).contains(&position.latitude) && (-180.0..=180.0).contains(&position.longitude);
        if !here || position.accuracy_m.is_some_and(|metres| metres > 100_000) {
            return fault("position", "write degrees (latitude -90 to 90, longitude -180 to 180) and metres up to 100000");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::work::{Material, Position, WorkKind};
    use jiff::Timestamp;

    fn entry() -> NewWork {
        NewWork {
            kind: WorkKind::Install,
            operator: None,
            started_at: Timestamp::UNIX_EPOCH,
            minutes: 90,
            customer: None,
            router: None,
            site: None,
            ticket: None,
            materials: vec![Material { name: "Kebo ya nje".to_owned(), milli: 2500, unit: "m".to_owned() }],
            position: Some(Position { latitude: -1.28, longitude: 36.82, accuracy_m: Some(8) }),
            note: String::new(),
        }
    }

    #[test]
    fn an_entry_says_what_can_be_true() {
        assert!(judge(&entry()).is_ok());
        assert!(judge(&NewWork { minutes: 0, ..entry() }).is_err());
        assert!(judge(&NewWork { minutes: 1441, ..entry() }).is_err());
        for (name, milli, unit) in [("", 1, "m"), ("a", 0, "m"), ("a", 1, ""), ("a\n", 1, "m"), ("a", MILLI_MAX + 1, "m")] {
            let materials = vec![Material { name: name.to_owned(), milli, unit: unit.to_owned() }];
            assert!(judge(&NewWork { materials, ..entry() }).is_err(), "{name:?} {milli} {unit:?}");
        }
        for (latitude, longitude) in [(90.1, 0.0), (f64::NAN, 0.0), (0.0, 180.5), (0.0, f64::INFINITY)] {
            let position = Some(Position { latitude, longitude, accuracy_m: None });
            assert!(judge(&NewWork { position, ..entry() }).is_err(), "{latitude} {longitude}");
        }
        assert!(judge(&NewWork { note: "x".repeat(2001), ..entry() }).is_err());
    }
}
