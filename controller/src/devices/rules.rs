//! What may be known of a device and on what it may hang. Pure.

use super::{Credentials, DeviceChange, DeviceError, DeviceView};
use model::{DeviceId, Secret};

/// How many devices hang on each other at most, the first included.
pub(super) const DEPTH_MAX: usize = 8;
/// Devices of a tenant.
pub(super) const DEVICES_MAX: i64 = 20_000;
/// Stands between user name and password where they rest; neither holds it.
const SEPARATOR: char = '\0';

/// Returns the device as it is after a change.
pub(super) fn changed(before: &DeviceView, change: &DeviceChange) -> DeviceView {
    let text = |new: &Option<String>, old: &str| new.clone().unwrap_or_else(|| old.to_owned());
    DeviceView {
        kind: change.kind.unwrap_or(before.kind),
        name: text(&change.name, &before.name),
        parent: change.parent.unwrap_or(before.parent),
        site: change.site.unwrap_or(before.site),
        router: change.router.unwrap_or(before.router),
        customer: change.customer.unwrap_or(before.customer),
        mac: change.mac.clone().unwrap_or_else(|| before.mac.clone()),
        address: change.address.unwrap_or(before.address),
        serial: text(&change.serial, &before.serial),
        model: text(&change.model, &before.model),
        notes: text(&change.notes, &before.notes),
        watched: change.watched.unwrap_or(before.watched),
        has_credentials: change.credentials.as_ref().map_or(before.has_credentials, Option::is_some),
        ..before.clone()
    }
}

/// Brings a device's fields into their form, or says which is wrong.
pub(super) fn settle(device: &mut DeviceView) -> Result<(), DeviceError> {
    device.name = device.name.trim().to_owned();
    if let Some(given) = &device.mac {
        device.mac = Some(mac(given).ok_or(DeviceError::Field { field: "mac", message: "write it as AA:BB:CC:DD:EE:FF" })?);
    }
    let good = |text: &str, most: usize| text.chars().count() <= most && !text.contains(|c: char| c.is_control() && c != '\n');
    let line = |text: &str, most: usize| good(text, most) && !text.contains('\n');
    let fault = if device.name.is_empty() || !line(&device.name, 100) {
        Some(("name", "write 1 to 100 printable characters"))
    } else if !line(&device.serial, 64) {
        Some(("serial", "write up to 64 printable characters"))
    } else if !line(&device.model, 100) {
        Some(("model", "write up to 100 printable characters"))
    } else if !good(&device.notes, 2_000) {
        Some(("notes", "write up to 2000 characters"))
    } else if device.address.is_some_and(|address| address.is_unspecified() || address.is_multicast()) {
        Some(("address", "this address cannot be a device's"))
    } else if device.watched && (device.router.is_none() || device.address.is_none()) {
        Some(("watched", "a router watches over an address: give the device a router and an address first"))
    } else {
        None
    };
    fault.map_or(Ok(()), |(field, message)| Err(DeviceError::Field { field, message }))
}

/// Reads a device's address in the usual spellings and writes it as RouterOS does.
fn mac(text: &str) -> Option<String> {
    let octets: Vec<&str> = text.trim().split([':', '-']).collect();
    let good = octets.len() == 6 && octets.iter().all(|octet| octet.len() == 2 && octet.bytes().all(|b| b.is_ascii_hexdigit()));
    good.then(|| octets.join(":").to_ascii_uppercase())
}

/// Says whether credentials can be kept.
pub(super) fn judge_credentials(given: &Credentials) -> Result<(), DeviceError> {
    let good = |text: &str, most: usize| text.chars().count() <= most && !text.contains(char::is_control);
    if good(&given.user, 100) && good(given.password.expose(), 200) {
        return Ok(());
    }
    let message = "write a user name of up to 100 characters and a password of up to 200, without control characters";
    Err(DeviceError::Field { field: "credentials", message })
}

/// Puts user name and password into one text, to be sealed together.
pub(super) fn packed(given: &Credentials) -> Secret<Vec<u8>> {
    Secret::new(format!("{}{SEPARATOR}{}", given.user, given.password.expose()).into_bytes())
}

/// Takes apart what [`packed`] made.
pub(super) fn unpacked(opened: &[u8]) -> Option<Credentials> {
    let (user, password) = std::str::from_utf8(opened).ok()?.split_once(SEPARATOR)?;
    Some(Credentials { user: user.to_owned(), password: Secret::new(password.to_owned()) })
}

/// Says whether a device on which others hang `height` deep, itself included, may hang on the last device of a path.
pub(super) fn place(device: DeviceId, path: &[DeviceId], height: usize) -> Result<(), DeviceError> {
    if path.contains(&device) {
        return Err(DeviceError::Cycle);
    }
    if path.len() + height > DEPTH_MAX { Err(DeviceError::TooDeep) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::super::DeviceKind;
    use super::*;
    use jiff::Timestamp;
    use model::RouterId;
    use uuid::Uuid;

    fn device() -> DeviceView {
        DeviceView {
            id: DeviceId::from_uuid(Uuid::from_u128(1)),
            kind: DeviceKind::Sector,
            name: " North ".to_owned(),
            parent: None,
            site: None,
            router: None,
            customer: None,
            mac: Some("aa-bb-cc-00-11-2f".to_owned()),
            address: None,
            serial: String::new(),
            model: String::new(),
            notes: String::new(),
            watched: false,
            has_credentials: false,
            created_at: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn fields_have_one_form() {
        let mut good = device();
        settle(&mut good).expect("a good device");
        assert_eq!((good.name.as_str(), good.mac.as_deref()), ("North", Some("AA:BB:CC:00:11:2F")));
        let wrong = |change: fn(&mut DeviceView)| {
            let mut device = device();
            change(&mut device);
            match settle(&mut device) {
                Err(DeviceError::Field { field, .. }) => field,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(wrong(|device| device.name.clear()), "name");
        assert_eq!(wrong(|device| device.serial = "a\nb".to_owned()), "serial");
        assert_eq!(wrong(|device| device.model = "x".repeat(101)), "model");
        assert_eq!(wrong(|device| device.notes = "\u{1b}".to_owned()), "notes");
        assert_eq!(wrong(|device| device.mac = Some("aa:bb".to_owned())), "mac");
        assert_eq!(wrong(|device| device.address = Some([0, 0, 0, 0].into())), "address");
        assert_eq!(wrong(|device| device.watched = true), "watched");
        let watched = DeviceView {
            watched: true,
            router: Some(RouterId::from_uuid(Uuid::nil())),
            address: Some([10, 0, 0, 1].into()),
            ..device()
        };
        assert!(settle(&mut watched.clone()).is_ok());
    }

    #[test]
    fn credentials_travel_together() {
        let given =
            |user: &str, password: &str| Credentials { user: user.to_owned(), password: Secret::new(password.to_owned()) };
        for (user, password) in [("admin", "s3cret"), ("", "only a password"), ("ubnt", "")] {
            let back = unpacked(packed(&given(user, password)).expose()).expect("what was packed");
            assert_eq!((back.user.as_str(), back.password.expose().as_str()), (user, password));
        }
        assert!(judge_credentials(&given("a\0b", "c")).is_err(), "the separator is no character of theirs");
        assert!(judge_credentials(&given("a", &"x".repeat(201))).is_err());
        assert!(unpacked(b"nothing between").is_none());
    }

    #[test]
    fn no_device_hangs_below_itself_or_too_deep() {
        let id = |n| DeviceId::from_uuid(Uuid::from_u128(n));
        let path: Vec<DeviceId> = (1..=6).map(id).collect();
        assert!(place(id(9), &path, 2).is_ok());
        assert!(matches!(place(id(9), &path, 3), Err(DeviceError::TooDeep)));
        assert!(matches!(place(id(3), &path, 1), Err(DeviceError::Cycle)));
    }
}
