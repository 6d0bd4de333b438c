//! What a customer may be, and how entitlements follow each other. Pure.

use super::{Customer, CustomerChange, CustomerError, CustomerStatus, NewCustomer};
use crate::packages::PackageKind;
use jiff::Timestamp;
use model::{Currency, CustomerId, Entropy, PackageId, RouterId, Secret, Supernet};
use std::net::Ipv4Addr;

/// Characters that are not taken for each other: no 0 and o, no 1, i and l.
const READABLE: &[u8; 31] = b"23456789abcdefghjkmnpqrstuvwxyz";
/// 10 of 31 characters are 49 bits: a router slows guessing down long before.
const PASSWORD_LENGTH: usize = 10;

/// A field and what is wrong with it.
pub(super) type Fault = (&'static str, &'static str);

impl From<Fault> for CustomerError {
    fn from((field, message): Fault) -> Self {
        Self::Field { field, message }
    }
}

/// A customer whose fields have been checked and brought into one form.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    pub(super) id: CustomerId,
    pub(super) login: String,
    pub(super) password: Option<Secret<String>>,
    pub(super) full_name: String,
    pub(super) phone: String,
    pub(super) kind: PackageKind,
    pub(super) router: RouterId,
    pub(super) package: PackageId,
    pub(super) address: Option<Ipv4Addr>,
    pub(super) mac: Option<String>,
}

/// Draws text that can be read out and typed, each character as likely as any other.
#[must_use]
pub fn readable(length: usize, entropy: &dyn Entropy) -> String {
    let mut text = String::with_capacity(length);
    while text.len() < length {
        let mut bytes = [0; 16];
        entropy.fill(&mut bytes);
        // Five bits of each byte; the 32nd value is thrown away, since there are 31 characters.
        let drawn = bytes.iter().filter_map(|byte| READABLE.get(usize::from(byte & 31)));
        text.extend(drawn.take(length - text.len()).map(|byte| char::from(*byte)));
    }
    text
}

pub(super) fn new_password(entropy: &dyn Entropy) -> Secret<String> {
    Secret::new(readable(PASSWORD_LENGTH, entropy))
}

/// Checks a new customer of a kind.
pub(super) fn draft(
    id: CustomerId,
    new: NewCustomer,
    kind: PackageKind,
    currency: Currency,
    tunnel: Supernet,
) -> Result<Draft, Fault> {
    if !(1..=64).contains(&new.login.len()) || !new.login.bytes().all(|b| b.is_ascii_alphanumeric() || b".@_+-".contains(&b)) {
        return Err(("login", "use 1 to 64 of A-Z, a-z, 0-9 and . @ _ + -"));
    }
    if let Some(fault) = new.password.as_ref().and_then(|password| password_fault(password.expose())) {
        return Err(fault);
    }
    Ok(Draft {
        id,
        login: new.login,
        password: new.password,
        full_name: full_name(new.full_name)?,
        phone: phone(&new.phone, currency)?,
        kind,
        router: new.router,
        package: new.package,
        address: address(new.address, kind, tunnel)?,
        mac: new.mac.as_deref().map(mac).transpose()?,
    })
}

/// Returns the customer as it is after a change.
pub(super) fn changed(
    before: &Customer,
    change: CustomerChange,
    currency: Currency,
    tunnel: Supernet,
) -> Result<Customer, Fault> {
    let mut after = before.clone();
    if let Some(name) = change.full_name {
        after.full_name = full_name(name)?;
    }
    if let Some(number) = change.phone {
        after.phone = phone(&number, currency)?;
    }
    if let Some(given) = change.address {
        after.address = address(given, before.kind, tunnel)?;
    }
    if let Some(given) = change.mac {
        after.mac = given.as_deref().map(mac).transpose()?;
    }
    after.router = change.router.unwrap_or(before.router);
    after.package = change.package.unwrap_or(before.package);
    Ok(after)
}

/// Says what is wrong with a customer's password, if anything.
pub(super) fn password_fault(password: &str) -> Option<Fault> {
    let good = (4..=64).contains(&password.len()) && password.bytes().all(|byte| byte.is_ascii_graphic());
    (!good).then_some(("password", "use 4 to 64 visible ASCII characters, without spaces"))
}

fn full_name(name: String) -> Result<String, Fault> {
    if name.chars().count() <= 100 && !name.contains(char::is_control) {
        Ok(name)
    } else {
        Err(("full_name", "write up to 100 characters"))
    }
}

/// Brings a phone number into the form that a payment service names it by: digits with the country in front.
fn phone(text: &str, currency: Currency) -> Result<String, Fault> {
    const FAULT: Fault = ("phone", "write up to 15 digits, such as 0712345678 or +254712345678");
    if text.chars().any(|c| !c.is_ascii_digit() && !" +-()".contains(c)) {
        return Err(FAULT);
    }
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let national = digits.strip_prefix('0').filter(|rest| rest.len() == 9 && rest.starts_with(['7', '1']));
    let digits = match national {
        Some(rest) if currency == Currency::KES => format!("254{rest}"),
        _ => digits,
    };
    if digits.len() <= 15 { Ok(digits) } else { Err(FAULT) }
}

fn address(address: Option<Ipv4Addr>, kind: PackageKind, tunnel: Supernet) -> Result<Option<Ipv4Addr>, Fault> {
    match address {
        None if kind == PackageKind::Static => Err(("address", "a static customer needs an IPv4 address")),
        None => Ok(None),
        Some(given) if given.is_unspecified() || given.is_loopback() || given.is_multicast() || given.is_broadcast() => {
            Err(("address", "this address cannot be a customer's"))
        }
        Some(given) if tunnel.network().contains(given) => {
            Err(("address", "this address belongs to the routers' tunnel: choose one outside of it"))
        }
        Some(given) => Ok(Some(given)),
    }
}

/// Reads a device's address in the usual spellings and writes it as RouterOS does.
fn mac(text: &str) -> Result<String, Fault> {
    let octets: Vec<&str> = text.split([':', '-']).collect();
    let good = octets.len() == 6 && octets.iter().all(|octet| octet.len() == 2 && octet.bytes().all(|b| b.is_ascii_hexdigit()));
    if good { Ok(octets.join(":").to_ascii_uppercase()) } else { Err(("mac", "write it as AA:BB:CC:DD:EE:FF")) }
}

/// What is asked for a customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    Suspend,
    Resume,
    Terminate,
}

/// Says what status a wish leads to; nothing leads back from the end.
pub(super) fn next_status(status: CustomerStatus, wish: Wish) -> Option<CustomerStatus> {
    match (status, wish) {
        (_, Wish::Terminate) => Some(CustomerStatus::Terminated),
        (CustomerStatus::Terminated, _) => None,
        (_, Wish::Suspend) => Some(CustomerStatus::Suspended),
        (_, Wish::Resume) => Some(CustomerStatus::Active),
    }
}

/// From when to when somebody is entitled, and since when without a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) starts_at: Timestamp,
    pub(super) ends_at: Timestamp,
    pub(super) unbroken_since: Timestamp,
}

/// Says where a new purchase begins, and since when there is no gap before it: an early renewal loses nothing.
pub(super) fn begin(last: Option<Span>, now: Timestamp) -> (Timestamp, Timestamp) {
    match last {
        Some(last) if last.ends_at >= now => (last.ends_at, last.unbroken_since),
        Some(_) | None => (now, now),
    }
}

/// Says where the entitlements behind a voided one come to stand: all move forward by what is left of it, each keeps its length. `later`
/// are those that begin at its end or after, in order. What lies behind a gap stays.
pub(super) fn pulled_forward(voided: Span, later: &[Span], now: Timestamp) -> Vec<Span> {
    let freed_from = voided.starts_at.max(now);
    let shift = if freed_from < voided.ends_at { voided.ends_at.duration_since(freed_from) } else { jiff::SignedDuration::ZERO };
    let mut since = None;
    let mut expected = voided.ends_at;
    let mut moved = Vec::with_capacity(later.len());
    for span in later {
        if span.starts_at != expected {
            moved.push(*span);
            continue;
        }
        expected = span.ends_at;
        let earlier = |time: Timestamp| time.checked_sub(shift).expect("not before the voided one's start");
        let starts_at = earlier(span.starts_at);
        // Where the voided one had not begun, the chain before it goes on; otherwise its use tore a hole, and a new chain begins.
        let chain = if starts_at == voided.starts_at { voided.unbroken_since } else { starts_at };
        let unbroken_since = *since.get_or_insert(chain);
        moved.push(Span { starts_at, ends_at: earlier(span.ends_at), unbroken_since });
    }
    moved
}
