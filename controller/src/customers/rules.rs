//! What a customer may be, and how entitlements follow each other. Pure.

use super::{Customer, CustomerChange, CustomerError, CustomerStatus, NewCustomer, Origin, Paid, phones, texts};
use crate::packages::PackageKind;
use crate::sites::Position;
use jiff::{SignedDuration, Timestamp};
use model::{Country, CustomerId, Entropy, PackageId, RouterId, Secret, SiteId, Supernet};
use std::net::Ipv4Addr;

/// Characters that are not taken for each other: no 0 and o, no 1, i and l.
const READABLE: &[u8; 31] = b"23456789abcdefghjkmnpqrstuvwxyz";
/// 10 of 31 characters are 49 bits: a router slows guessing down long before.
const PASSWORD_LENGTH: usize = 10;

/// How long somebody who left can come back as who they were.
pub(super) const RESTORABLE: SignedDuration = SignedDuration::from_hours(30 * 24);
/// How long a customer whom a voucher made is kept after the last of their time ended.
pub(super) const IDLE_VOUCHER: SignedDuration = SignedDuration::from_hours(30 * 24);

/// A field and what is wrong with it.
pub(super) type Fault = (&'static str, &'static str);

impl From<Fault> for CustomerError {
    fn from((field, message): Fault) -> Self {
        Self::Field { field, message }
    }
}

/// What customers' fields are held against.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ground {
    /// Where the tenant's people telephone, if that is known.
    pub(super) country: Option<Country>,
    /// The addresses of the routers' tunnel.
    pub(super) tunnel: Supernet,
}

/// A customer whose fields have been checked and brought into one form.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    pub(super) id: CustomerId,
    pub(super) login: String,
    pub(super) password: Option<Secret<String>>,
    pub(super) full_name: String,
    pub(super) phone: String,
    pub(super) email: String,
    pub(super) language: String,
    pub(super) notes: String,
    pub(super) location: Option<Position>,
    pub(super) kind: PackageKind,
    pub(super) router: RouterId,
    pub(super) site: Option<SiteId>,
    pub(super) package: PackageId,
    pub(super) address: Option<Ipv4Addr>,
    pub(super) mac: Option<String>,
    pub(super) status: CustomerStatus,
    pub(super) origin: Origin,
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
///
/// # Errors
/// Names every field that is wrong.
pub(super) fn draft(
    id: CustomerId,
    new: NewCustomer,
    kind: PackageKind,
    origin: Origin,
    ground: Ground,
) -> Result<Draft, Vec<Fault>> {
    fn kept<T: Default>(faults: &mut Vec<Fault>, result: Result<T, Fault>) -> T {
        result.unwrap_or_else(|fault| {
            faults.push(fault);
            T::default()
        })
    }
    let faults = &mut Vec::new();
    faults.extend(login_fault(&new.login));
    faults.extend(new.password.as_ref().and_then(|password| password_fault(password.expose())));
    let draft = Draft {
        id,
        login: new.login,
        password: new.password,
        full_name: kept(faults, texts::name(&new.full_name)),
        phone: kept(faults, phones::normalised(&new.phone, ground.country)),
        email: kept(faults, texts::email(&new.email)),
        language: kept(faults, texts::language(&new.language)),
        notes: kept(faults, texts::notes(&new.notes)),
        location: kept(faults, location(new.location)),
        kind,
        router: new.router,
        site: new.site,
        package: new.package,
        address: kept(faults, address(new.address, kind, ground.tunnel)),
        mac: kept(faults, new.mac.as_deref().map(mac).transpose()),
        status: CustomerStatus::Active,
        origin,
    };
    if faults.is_empty() { Ok(draft) } else { Err(std::mem::take(faults)) }
}

/// Returns the customer as it is after a change.
pub(super) fn changed(before: &Customer, change: CustomerChange, ground: Ground) -> Result<Customer, Fault> {
    let mut after = before.clone();
    if let Some(login) = change.login {
        if let Some(fault) = login_fault(&login) {
            return Err(fault);
        }
        after.login = login;
    }
    if let Some(name) = change.full_name {
        after.full_name = texts::name(&name)?;
    }
    if let Some(number) = change.phone {
        after.phone = phones::normalised(&number, ground.country)?;
    }
    if let Some(text) = change.email {
        after.email = texts::email(&text)?;
    }
    if let Some(text) = change.language {
        after.language = texts::language(&text)?;
    }
    if let Some(text) = change.notes {
        after.notes = texts::notes(&text)?;
    }
    if let Some(given) = change.location {
        after.location = location(given)?;
    }
    if let Some(given) = change.address {
        after.address = address(given, before.kind, ground.tunnel)?;
    }
    if let Some(given) = change.mac {
        after.mac = given.as_deref().map(mac).transpose()?;
    }
    after.site = change.site.unwrap_or(before.site);
    after.router = change.router.unwrap_or(before.router);
    after.package = change.package.unwrap_or(before.package);
    Ok(after)
}

fn login_fault(login: &str) -> Option<Fault> {
    let good = (1..=64).contains(&login.len()) && login.bytes().all(|b| b.is_ascii_alphanumeric() || b".@_+-".contains(&b));
    (!good).then_some(("login", "use 1 to 64 of A-Z, a-z, 0-9 and . @ _ + -"))
}

/// Says what is wrong with a customer's password, if anything.
pub(super) fn password_fault(password: &str) -> Option<Fault> {
    let good = (4..=64).contains(&password.len()) && password.bytes().all(|byte| byte.is_ascii_graphic());
    (!good).then_some(("password", "use 4 to 64 visible ASCII characters, without spaces"))
}

fn location(location: Option<Position>) -> Result<Option<Position>, Fault> {
    match location {
        Some(Position { latitude, longitude })
            if !(-90.0..=90.0).contains(&latitude) || !(-180.0..=180.0).contains(&longitude) =>
        {
            Err(("location", "write degrees: a latitude of -90 to 90 and a longitude of -180 to 180"))
        }
        good => Ok(good),
    }
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

/// Reads a device's address in the usual spellings (AA:BB:…, AA-BB-…, AABB.CCDD.EEFF, without anything between) and writes it as RouterOS
/// does.
pub(super) fn mac(text: &str) -> Result<String, Fault> {
    let digits: String = text.chars().filter(|c| !matches!(c, ':' | '-' | '.')).collect();
    let good = (12..=17).contains(&text.trim().len())
        && digits.trim().len() == 12
        && digits.trim().bytes().all(|b| b.is_ascii_hexdigit());
    if !good {
        return Err(("mac", "write it as AA:BB:CC:DD:EE:FF"));
    }
    let octets: Vec<&str> = (0..6).map(|octet| &digits.trim()[octet * 2..octet * 2 + 2]).collect();
    Ok(octets.join(":").to_ascii_uppercase())
}

/// Says whether a device made its address up, as telephones do for each network: the second bit of the first octet is set (IEEE 802, "locally
/// administered"). Such an address says little about whose device it is.
pub(super) fn is_made_up(mac: &str) -> bool {
    mac.get(..2).and_then(|octet| u8::from_str_radix(octet, 16).ok()).is_some_and(|octet| octet & 0b10 != 0)
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

/// As [`begin`], for an ISP that counts a renewal from the old end as long as it comes no later than `grace` after it.
pub(super) fn begin_within(last: Option<Span>, grace: SignedDuration, now: Timestamp) -> (Timestamp, Timestamp) {
    match last {
        Some(last) if now.duration_since(last.ends_at) <= grace => (last.ends_at, last.unbroken_since),
        _ => begin(last, now),
    }
}

/// Cuts what is paid for where the ISP's service ends earlier; nothing is left of it once that is over.
pub(super) fn cut(paid: Paid, service_ends: Option<Timestamp>, now: Timestamp) -> Option<Paid> {
    match service_ends {
        Some(end) if end <= now => None,
        Some(end) => Some(Paid { until: paid.until.min(end), ..paid }),
        None => Some(paid),
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

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;
    use model::SeededEntropy;

    fn new() -> NewCustomer {
        NewCustomer::named("jane".to_owned(), RouterId::from_uuid(uuid::Uuid::nil()), PackageId::from_uuid(uuid::Uuid::nil()))
    }

    fn judged(new: NewCustomer, kind: PackageKind) -> Result<Draft, Fault> {
        let ground = Ground { country: "KE".parse().ok(), tunnel: Supernet::default() };
        draft(CustomerId::from_uuid(uuid::Uuid::nil()), new, kind, Origin::Operator, ground).map_err(|faults| faults[0])
    }

    #[test]
    fn every_wrong_field_is_named() {
        let wrong = NewCustomer {
            login: "a b".to_owned(),
            phone: "12".to_owned(),
            email: "x".to_owned(),
            language: "?".to_owned(),
            notes: "\0".to_owned(),
            location: Some(Position { latitude: f64::NAN, longitude: 0.0 }),
            mac: Some("x".to_owned()),
            ..new()
        };
        let ground = Ground { country: None, tunnel: Supernet::default() };
        let faults = draft(CustomerId::from_uuid(uuid::Uuid::nil()), wrong, PackageKind::Static, Origin::Operator, ground);
        let fields: Vec<&str> = faults.expect_err("all wrong").iter().map(|(field, _)| *field).collect();
        assert_eq!(fields, ["login", "phone", "email", "language", "notes", "location", "address", "mac"]);
    }

    #[test]
    fn devices_that_made_their_address_up_are_known() {
        for (mac, made_up) in
            [("DA:A1:19:00:00:01", true), ("AA:BB:CC:DD:EE:FF", true), ("CC:2D:E0:00:00:01", false), ("", false)]
        {
            assert_eq!(is_made_up(mac), made_up, "{mac}");
        }
    }

    #[test]
    fn each_field_is_judged() {
        let pppoe = |new| judged(new, PackageKind::Pppoe).map(|_| ()).map_err(|(field, _)| field);
        assert_eq!(pppoe(new()), Ok(()));
        assert_eq!(pppoe(NewCustomer { login: "jane doe".to_owned(), ..new() }), Err("login"));
        assert_eq!(pppoe(NewCustomer { login: "x".repeat(65), ..new() }), Err("login"));
        assert_eq!(pppoe(NewCustomer { password: Some("abc".to_owned().into()), ..new() }), Err("password"));
        assert_eq!(pppoe(NewCustomer { password: Some("two words".to_owned().into()), ..new() }), Err("password"));
        assert_eq!(pppoe(NewCustomer { full_name: "x".repeat(101), ..new() }), Err("full_name"));
        assert_eq!(pppoe(NewCustomer { phone: "call me".to_owned(), ..new() }), Err("phone"));
        assert_eq!(pppoe(NewCustomer { mac: Some("AA:BB:CC:DD:EE".to_owned()), ..new() }), Err("mac"));
        assert_eq!(pppoe(NewCustomer { mac: Some("AA:BB:CC:DD:EE:GG".to_owned()), ..new() }), Err("mac"));
    }

    #[test]
    fn an_address_is_needed_by_static_customers_and_never_the_tunnels() {
        let with = |address: Option<&str>, kind| {
            let address = address.map(|text| text.parse().expect("an address"));
            judged(NewCustomer { address, ..new() }, kind).map(|draft| draft.address).map_err(|(field, _)| field)
        };
        assert_eq!(with(None, PackageKind::Static), Err("address"));
        assert_eq!(with(None, PackageKind::Hotspot), Ok(None));
        assert_eq!(with(Some("192.168.7.9"), PackageKind::Static), Ok(Some(Ipv4Addr::new(192, 168, 7, 9))));
        assert_eq!(with(Some("10.10.200.7"), PackageKind::Static), Err("address"));
        assert_eq!(with(Some("10.11.0.1"), PackageKind::Static), Ok(Some(Ipv4Addr::new(10, 11, 0, 1))));
        assert_eq!(with(Some("127.0.0.1"), PackageKind::Pppoe), Err("address"));
    }

    #[test]
    fn devices_have_one_form() {
        for text in ["aa-bb-cc-dd-ee-0f", "AA:BB:CC:DD:EE:0F", "aabb.ccdd.ee0f", "AABBCCDDEE0F", " aa:bb:cc:dd:ee:0f "] {
            assert_eq!(mac(text).as_deref(), Ok("AA:BB:CC:DD:EE:0F"), "{text}");
        }
        for text in ["", "aa:bb:cc:dd:ee", "aa:bb:cc:dd:ee:0g", "aa:bb:cc:dd:ee:0f:00", "::::::::::::::::", "äa:bb:cc:dd:ee:f"] {
            assert!(mac(text).is_err(), "{text}");
        }
    }

    #[test]
    fn nothing_leads_back_from_the_end() {
        use CustomerStatus::{Active, Suspended, Terminated};
        assert_eq!(next_status(Active, Wish::Suspend), Some(Suspended));
        assert_eq!(next_status(Suspended, Wish::Resume), Some(Active));
        assert_eq!(next_status(Suspended, Wish::Terminate), Some(Terminated));
        assert_eq!((next_status(Terminated, Wish::Resume), next_status(Terminated, Wish::Suspend)), (None, None));
    }

    #[test]
    fn readable_text_uses_every_character_and_no_other() {
        let text = readable(10_000, &SeededEntropy::new(9));
        assert_eq!(text.len(), 10_000);
        for byte in READABLE {
            let count = text.bytes().filter(|drawn| drawn == byte).count();
            // 323 are expected with a deviation of 18; five deviations to each side.
            assert!((233..413).contains(&count), "{}: {count}", char::from(*byte));
        }
        assert!(!text.contains(['0', 'o', '1', 'i', 'l']) && text.bytes().all(|byte| READABLE.contains(&byte)));
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).expect("within the calendar")
    }

    fn span(start: i64, end: i64, since: i64) -> Span {
        Span { starts_at: at(start), ends_at: at(end), unbroken_since: at(since) }
    }

    #[test]
    fn an_early_renewal_extends_and_a_late_one_begins_anew() {
        assert_eq!(begin(None, at(5)), (at(5), at(5)));
        assert_eq!(begin(Some(span(0, 10, 0)), at(5)), (at(10), at(0)));
        assert_eq!(begin(Some(span(0, 10, 0)), at(10)), (at(10), at(0)), "at the very end there is no gap");
        assert_eq!(begin(Some(span(0, 10, 0)), at(11)), (at(11), at(11)));
    }

    #[test]
    fn a_late_renewal_counts_from_the_old_end_within_the_grace() {
        let grace = SignedDuration::from_secs(5);
        for (now, start) in [(5, at(10)), (10, at(10)), (15, at(10)), (16, at(16))] {
            assert_eq!(begin_within(Some(span(0, 10, 0)), grace, at(now)).0, start, "at {now}");
        }
        assert_eq!(begin_within(None, grace, at(5)), (at(5), at(5)));
        for now in 0..20 {
            let last = Some(span(0, 10, 0));
            assert_eq!(begin_within(last, SignedDuration::ZERO, at(now)), begin(last, at(now)), "without grace it is as ever");
        }
    }

    #[test]
    fn what_is_paid_ends_with_the_service() {
        let paid = Paid { first_start: at(0), until: at(100), online_seconds: None, data: None };
        assert_eq!(cut(paid, None, at(10)), Some(paid));
        assert_eq!(cut(paid, Some(at(200)), at(10)), Some(paid), "service that ends later gives nothing");
        assert_eq!(cut(paid, Some(at(50)), at(10)).map(|paid| paid.until), Some(at(50)));
        assert_eq!(cut(paid, Some(at(50)), at(50)), None, "at the very end nothing is left");
    }

    #[test]
    fn what_follows_a_voided_one_moves_forward() {
        let later = [span(20, 30, 0), span(30, 45, 0)];
        // Half used: five seconds are left of it, and the use tears a hole.
        assert_eq!(pulled_forward(span(10, 20, 0), &later, at(15)), [span(15, 25, 15), span(25, 40, 15)]);
        // Not begun: the chain before it goes on.
        assert_eq!(pulled_forward(span(10, 20, 0), &later, at(5)), [span(10, 20, 0), span(20, 35, 0)]);
        // Used up: nothing moves, and what came after it stands alone.
        assert_eq!(pulled_forward(span(10, 20, 0), &later, at(25)), [span(20, 30, 20), span(30, 45, 20)]);
        // What lies behind a gap stays.
        assert_eq!(pulled_forward(span(0, 10, 0), &[span(20, 30, 20)], at(5)), [span(20, 30, 20)]);
    }

    /// Draws below `n`; the tiny lean to small numbers does not matter here.
    fn below(n: u64, entropy: &SeededEntropy) -> i64 {
        let mut bytes = [0; 8];
        entropy.fill(&mut bytes);
        i64::try_from(u64::from_le_bytes(bytes) % n).expect("small")
    }

    fn left(spans: &[Span], now: Timestamp) -> SignedDuration {
        spans.iter().filter(|span| span.ends_at > now).map(|span| span.ends_at.duration_since(span.starts_at.max(now))).sum()
    }

    /// However purchases, reversals and time are mixed: nobody loses or wins a second, nothing overlaps, what is still to come follows
    /// from now on without a gap, and every chain knows its own beginning.
    #[test]
    fn no_order_of_purchases_and_reversals_loses_a_second() {
        for seed in 0..500 {
            let entropy = SeededEntropy::new(seed);
            let (mut now, mut spans) = (at(1_000), Vec::<Span>::new());
            for _ in 0..40 {
                let before = left(&spans, now);
                match below(3, &entropy) {
                    0 => now += SignedDuration::from_secs(below(60, &entropy)),
                    1 => {
                        let length = SignedDuration::from_secs(1 + below(50, &entropy));
                        let (starts_at, unbroken_since) = begin(spans.last().copied(), now);
                        spans.push(Span { starts_at, ends_at: starts_at + length, unbroken_since });
                        assert_eq!(left(&spans, now), before + length, "seed {seed}");
                    }
                    _ if spans.is_empty() => {}
                    _ => {
                        let index = usize::try_from(below(spans.len() as u64, &entropy)).expect("small");
                        let voided = spans.remove(index);
                        let moved = pulled_forward(voided, &spans[index..], now);
                        let lengths =
                            |spans: &[Span]| spans.iter().map(|s| s.ends_at.duration_since(s.starts_at)).collect::<Vec<_>>();
                        assert_eq!(lengths(&moved), lengths(&spans[index..]), "seed {seed}");
                        spans.splice(index.., moved);
                        assert_eq!(left(&spans, now), before - left(&[voided], now), "seed {seed}");
                    }
                }
                let mut since = None;
                for (index, span) in spans.iter().enumerate() {
                    let earlier = index.checked_sub(1).map(|index| spans[index].ends_at);
                    assert!(earlier.is_none_or(|end| end <= span.starts_at), "seed {seed}: overlap");
                    let chain = since.filter(|_| earlier == Some(span.starts_at)).unwrap_or(span.starts_at);
                    assert_eq!(span.unbroken_since, chain, "seed {seed}");
                    since = Some(chain);
                    assert!(span.starts_at <= now || earlier == Some(span.starts_at), "seed {seed}: a gap to come");
                }
            }
        }
    }
}
