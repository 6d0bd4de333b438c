//! An ISP's settings and feature flags: what there is, what holds when nothing was said, and what makes sense. Pure.

use jiff::SignedDuration;
use jiff::civil::Time;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What an ISP set for itself. What is left out keeps its default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// What its customers see of it.
    pub branding: Branding,
    /// When no message that can wait is sent to a customer.
    pub quiet_hours: QuietHours,
    /// From when a renewal counts that comes after the end.
    pub late_renewal: LateRenewal,
    /// What invoices are called.
    pub invoices: Invoices,
    /// What happens to a customer whose time is up, where a package does not say it.
    pub on_expiry: Endings,
    /// What its routers do not keep to themselves.
    pub routers: Openings,
}

/// What an ISP's customers see of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Branding {
    /// The name that customers know, 1 to 60 characters; the ISP's own when left out.
    pub name: Option<String>,
    /// The number that customers call, 3 to 20 digits, with a + before them or not.
    pub support_phone: Option<String>,
    /// A colour as `#rrggbb`.
    pub colour: Option<String>,
}

/// A span of the night in the ISP's time zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct QuietHours {
    /// When it begins, as `21:00`.
    pub from: String,
    /// When it ends, as `07:00`; the same as `from` for none at all.
    pub until: String,
}

impl Default for QuietHours {
    fn default() -> Self {
        Self { from: "21:00".to_owned(), until: "07:00".to_owned() }
    }
}

impl QuietHours {
    /// Returns when they begin and end; what was stored was checked before.
    #[must_use]
    pub fn span(&self) -> (Time, Time) {
        let default = (Time::constant(21, 0, 0, 0), Time::constant(7, 0, 0, 0));
        (clock(&self.from).unwrap_or(default.0), clock(&self.until).unwrap_or(default.1))
    }
}

/// From when a renewal counts that comes after the end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LateRenewal {
    /// From the moment it is paid.
    #[default]
    FromNow,
    /// From the old end, if it comes within so many hours after it, 1 to 720; otherwise from the moment it is paid.
    FromOldEnd {
        /// The hours.
        within_hours: u16,
    },
}

impl LateRenewal {
    /// How late a renewal may come and still count from the old end.
    #[must_use]
    pub const fn grace(self) -> SignedDuration {
        match self {
            Self::FromNow => SignedDuration::ZERO,
            Self::FromOldEnd { within_hours } => SignedDuration::from_hours(within_hours as i64),
        }
    }
}

/// What invoices are called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Invoices {
    /// What stands before an invoice's number: 1 to 10 capital letters, digits and hyphens.
    pub prefix: String,
}

impl Default for Invoices {
    fn default() -> Self {
        Self { prefix: "INV".to_owned() }
    }
}

/// What happens to a customer whose time is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ExpiryEnding)]
pub enum Ending {
    /// The customer stays connected and reaches only the pay page.
    Redirect,
    /// The customer is switched off.
    Disable,
}

/// The ending of each kind of package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Endings {
    /// Of PPPoE packages.
    pub pppoe: Ending,
    /// Of hotspot packages.
    pub hotspot: Ending,
    /// Of packages with an address of the customer's own.
    #[serde(rename = "static")]
    pub own_address: Ending,
}

impl Default for Endings {
    fn default() -> Self {
        Self { pppoe: Ending::Redirect, hotspot: Ending::Disable, own_address: Ending::Redirect }
    }
}

/// What an ISP's routers do not keep to themselves; its own rules on them go on to hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Openings {
    /// PPPoE, DHCP and static customers reach what manages a router: WinBox, SSH, Telnet, FTP and the API.
    pub customers_manage: bool,
    /// A router's resolver answers who asks from outside.
    pub resolve_outside: bool,
}

/// What is wrong: the field, and what belongs there.
pub(in super::super) type Fault = (&'static str, &'static str);

impl Settings {
    /// Says what is wrong with them.
    pub(in super::super) fn fault(&self) -> Option<Fault> {
        let Branding { name, support_phone, colour } = &self.branding;
        if name.as_ref().is_some_and(|name| !(1..=60).contains(&name.chars().count()) || name.chars().any(char::is_control)) {
            return Some(("branding.name", "write 1 to 60 characters"));
        }
        if support_phone.as_ref().is_some_and(|phone| !is_phone(phone)) {
            return Some(("branding.support_phone", "write 3 to 20 digits, with a + before them or not"));
        }
        if colour.as_ref().is_some_and(|colour| !is_colour(colour)) {
            return Some(("branding.colour", "write a colour as #rrggbb"));
        }
        if clock(&self.quiet_hours.from).is_none() {
            return Some(("quiet_hours.from", "write a time as 21:00"));
        }
        if clock(&self.quiet_hours.until).is_none() {
            return Some(("quiet_hours.until", "write a time as 07:00"));
        }
        if let LateRenewal::FromOldEnd { within_hours } = self.late_renewal
            && !(1..=720).contains(&within_hours)
        {
            return Some(("late_renewal.from_old_end.within_hours", "write 1 to 720 hours"));
        }
        let prefix = self.invoices.prefix.as_bytes();
        let fits = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'-';
        if !(1..=10).contains(&prefix.len()) || !prefix.iter().all(fits) {
            return Some(("invoices.prefix", "write 1 to 10 capital letters, digits and hyphens"));
        }
        None
    }
}

impl QuietHours {
    /// Says whether a time of the day lies in them. They may go past midnight.
    #[must_use]
    pub fn contain(&self, time: Time) -> bool {
        match (clock(&self.from), clock(&self.until)) {
            (Some(from), Some(until)) if from <= until => from <= time && time < until,
            (Some(from), Some(until)) => from <= time || time < until,
            // Only times are let in.
            _ => false,
        }
    }
}

fn is_phone(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or(text);
    (3..=20).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_colour(text: &str) -> bool {
    text.strip_prefix('#').is_some_and(|digits| digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Reads `HH:MM`.
fn clock(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    let number = |part: &str| (part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit())).then(|| part.parse().ok())?;
    Time::new(number(hour)?, number(minute)?, 0, 0).ok()
}

/// Who may turn a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Turner {
    /// The ISP's admin.
    Admin,
    /// The platform's operators.
    Platform,
}

macro_rules! flags {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $default:literal, $turner:ident, $about:literal;)*) => {
        /// Something that can be turned on and off for each tenant.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum Flag {
            $($(#[$doc])* $name,)*
        }

        impl Flag {
            /// All of them, in the order of the list.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The name as stored and shown.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// What holds when nobody turned it.
            #[must_use]
            pub const fn default(self) -> bool {
                match self { $(Self::$name => $default,)* }
            }

            /// Who may turn it.
            #[must_use]
            pub const fn turner(self) -> Turner {
                match self { $(Self::$name => Turner::$turner,)* }
            }

            /// What it does.
            #[must_use]
            pub const fn about(self) -> &'static str {
                match self { $(Self::$name => $about,)* }
            }
        }
    };
}

flags! {
    /// PPPoE packages are made.
    Pppoe = "pppoe", true, Admin, "PPPoE packages can be made";
    /// Hotspot packages are made.
    Hotspot = "hotspot", true, Admin, "hotspot packages can be made";
    /// Packages with an address of the customer's own are made.
    StaticAddresses = "static_addresses", true, Admin, "packages for customers with an address of their own can be made";
    /// Vouchers are made.
    Vouchers = "vouchers", true, Admin, "vouchers can be made";
    /// API tokens are made.
    ApiTokens = "api_tokens", true, Platform, "API tokens can be made";
}

impl Flag {
    /// Reads the stored name.
    pub(in super::super) fn from_stored(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|flag| flag.as_str() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(value: serde_json::Value) -> Settings {
        serde_json::from_value(value).expect("these are settings")
    }

    #[test]
    fn defaults_make_sense_and_come_back() {
        assert_eq!(Settings::default().fault(), None);
        assert_eq!(read(json!({})), Settings::default());
        let stored = serde_json::to_value(Settings::default()).expect("plain data");
        assert_eq!(read(stored), Settings::default());
        assert!(serde_json::from_value::<Settings>(json!({ "brandng": {} })).is_err(), "an unknown name is no setting");
        assert!(serde_json::from_value::<Settings>(json!({ "branding": { "logo": 1 } })).is_err());
    }

    #[test]
    fn each_field_is_judged() {
        for (wrong, field) in [
            (json!({ "branding": { "name": "" } }), "branding.name"),
            (json!({ "branding": { "name": "a\nb" } }), "branding.name"),
            (json!({ "branding": { "support_phone": "call us" } }), "branding.support_phone"),
            (json!({ "branding": { "colour": "red" } }), "branding.colour"),
            (json!({ "quiet_hours": { "from": "9:00" } }), "quiet_hours.from"),
            (json!({ "quiet_hours": { "until": "24:00" } }), "quiet_hours.until"),
            (json!({ "late_renewal": { "from_old_end": { "within_hours": 721 } } }), "late_renewal.from_old_end.within_hours"),
            (json!({ "invoices": { "prefix": "inv" } }), "invoices.prefix"),
            (json!({ "invoices": { "prefix": "" } }), "invoices.prefix"),
        ] {
            assert_eq!(read(wrong).fault().map(|(found, _)| found), Some(field));
        }
        let full = json!({
            "branding": { "name": "Baraka ☀", "support_phone": "+254700000000", "colour": "#00aaFF" },
            "late_renewal": { "from_old_end": { "within_hours": 72 } }, "invoices": { "prefix": "BN-26" },
        });
        assert_eq!(read(full).fault(), None);
    }

    #[test]
    fn quiet_hours_go_past_midnight() {
        let at = |hour, minute| Time::new(hour, minute, 0, 0).expect("a time");
        let night = QuietHours::default();
        let quiet = [at(21, 0), at(23, 59), at(0, 0), at(6, 59)].map(|time| night.contain(time));
        assert_eq!((quiet, [at(7, 0), at(12, 0), at(20, 59)].map(|time| night.contain(time))), ([true; 4], [false; 3]));
        let noon = QuietHours { from: "12:00".to_owned(), until: "13:00".to_owned() };
        assert!(noon.contain(at(12, 30)) && !noon.contain(at(13, 0)) && !noon.contain(at(11, 59)));
        let never = QuietHours { from: "07:00".to_owned(), until: "07:00".to_owned() };
        assert!(!never.contain(at(7, 0)) && !never.contain(at(3, 0)));
    }

    #[test]
    fn flags_come_back() {
        for flag in Flag::ALL {
            assert_eq!(Flag::from_stored(flag.as_str()), Some(*flag));
            assert_eq!(serde_json::to_value(flag).ok(), Some(flag.as_str().into()));
        }
        assert_eq!(Flag::from_stored("gravity"), None);
    }
}
