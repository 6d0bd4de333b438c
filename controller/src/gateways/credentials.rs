//! Which keys each provider needs. Each has a type of its own that refuses what it does not know, so that a wrong name is noticed when it is
//! typed and not when money is due.

use super::Kind;
use model::Secret;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt;
use utoipa::ToSchema;

/// The longest value of one key, in bytes.
const VALUE_MAX: usize = 2_048;

/// Who runs a gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Provider {
    /// Safaricom's M-Pesa (Daraja).
    Mpesa,
    /// Paystack.
    Paystack,
    /// IntaSend.
    Intasend,
    /// Flutterwave.
    Flutterwave,
    /// Pesapal.
    Pesapal,
    /// Africa's Talking.
    AfricasTalking,
    /// Twilio.
    Twilio,
    /// Any text message service that takes one HTTP request.
    HttpSms,
    /// Any WhatsApp service that takes one HTTP request.
    HttpWhatsapp,
    /// Meta's WhatsApp Cloud API.
    MetaWhatsapp,
    /// A mail server.
    Smtp,
}

impl Provider {
    const ALL: [Self; 11] = [
        Self::Mpesa,
        Self::Paystack,
        Self::Intasend,
        Self::Flutterwave,
        Self::Pesapal,
        Self::AfricasTalking,
        Self::Twilio,
        Self::HttpSms,
        Self::HttpWhatsapp,
        Self::MetaWhatsapp,
        Self::Smtp,
    ];

    /// The name as stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mpesa => "mpesa",
            Self::Paystack => "paystack",
            Self::Intasend => "intasend",
            Self::Flutterwave => "flutterwave",
            Self::Pesapal => "pesapal",
            Self::AfricasTalking => "africas_talking",
            Self::Twilio => "twilio",
            Self::HttpSms => "http_sms",
            Self::HttpWhatsapp => "http_whatsapp",
            Self::MetaWhatsapp => "meta_whatsapp",
            Self::Smtp => "smtp",
        }
    }

    /// Says whether it takes messages as [`HttpTexts`] describe it.
    #[must_use]
    pub const fn takes_http_texts(self) -> bool {
        matches!(self, Self::HttpSms | Self::HttpWhatsapp)
    }

    pub(super) fn from_stored(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|provider| provider.as_str() == name)
    }

    /// What travels through it.
    #[must_use]
    pub const fn kind(self) -> Kind {
        match self {
            Self::Mpesa | Self::Paystack | Self::Intasend | Self::Flutterwave | Self::Pesapal => Kind::Money,
            Self::AfricasTalking | Self::Twilio | Self::HttpSms => Kind::Sms,
            Self::HttpWhatsapp | Self::MetaWhatsapp => Kind::Whatsapp,
            Self::Smtp => Kind::Email,
        }
    }
}

/// How customers pay into an M-Pesa shortcode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Shortcode {
    Paybill,
    Till,
    Bank,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mpesa {
    consumer_key: String,
    consumer_secret: String,
    passkey: String,
    shortcode: String,
    shortcode_type: Shortcode,
    /// Of a till: the store's own number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    store_number: Option<String>,
    /// Of a bank's paybill: the account there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    account_number: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Paystack {
    secret_key: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Intasend {
    publishable_key: String,
    secret_key: String,
    challenge: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Flutterwave {
    secret_key: String,
    webhook_hash: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pesapal {
    consumer_key: String,
    consumer_secret: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AfricasTalking {
    username: String,
    api_key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sender: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Twilio {
    account_sid: String,
    auth_token: String,
    sender: String,
}

/// A service that takes a message by one POST. Most differ in nothing but the names of the fields.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpTexts {
    /// Where to.
    pub url: String,
    /// The request's body, as JSON or as a form, with {phone} and {text} in it, and {id} if the service wants a name of ours.
    pub body: String,
    /// The header `Authorization`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization: Option<String>,
    /// What stands in an answer that means success, where the status alone does not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub success: Option<String>,
    /// Where the service's name for the message stands in a JSON answer, as a JSON pointer such as `/data/0/id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Where what it cost stands in that answer, such as `KES 0.80`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<String>,
    /// In which currency, where the sum does not say it: three letters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_currency: Option<String>,
    /// Where the service's name for the message stands in a report, or {id} if it gives that back. The fields of a form are `/name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report_id: Option<String>,
    /// Where the message's status stands in a report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report_status: Option<String>,
    /// The statuses that mean that it arrived, with commas between them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report_delivered: Option<String>,
    /// The statuses that mean that it never will.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report_failed: Option<String>,
    /// Where a report says why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report_reason: Option<String>,
    /// Where a report says what it cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report_cost: Option<String>,
}

impl fmt::Debug for HttpTexts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpTexts")
    }
}

impl HttpTexts {
    /// Reads what was sealed.
    pub(super) fn from_sealed(text: &Secret<String>) -> Option<Self> {
        serde_json::from_str(text.expose()).ok()
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MetaWhatsapp {
    phone_number_id: String,
    access_token: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Smtp {
    host: String,
    port: String,
    user: String,
    password: String,
    from: String,
}

/// Keys that are whole.
#[derive(Debug)]
pub(super) struct Checked {
    /// As they are sealed.
    pub(super) text: Secret<String>,
    /// Names of what is set.
    pub(super) fields: Vec<String>,
}

/// Checks the keys for a provider; a refusal names what is wrong and quotes no value. `private` says whether a gateway may stand in the
/// controller's own network.
pub(super) fn check(provider: Provider, given: &BTreeMap<String, Secret<String>>, private: bool) -> Result<Checked, String> {
    let mut map = Map::new();
    for (name, value) in given {
        let text = value.expose();
        if text.len() > VALUE_MAX || text.trim().is_empty() || text.contains(char::is_control) {
            return Err(format!("`{}` has to have 1 to {VALUE_MAX} bytes on one line", shown(name)));
        }
        map.insert(name.clone(), Value::String(text.clone()));
    }
    let checked = match provider {
        Provider::Mpesa => mpesa(map),
        Provider::Paystack => typed::<Paystack>(map),
        Provider::Intasend => typed::<Intasend>(map),
        Provider::Flutterwave => typed::<Flutterwave>(map),
        Provider::Pesapal => typed::<Pesapal>(map),
        Provider::AfricasTalking => typed::<AfricasTalking>(map),
        Provider::Twilio => typed::<Twilio>(map),
        Provider::HttpSms | Provider::HttpWhatsapp => http_texts(map, private),
        Provider::MetaWhatsapp => typed::<MetaWhatsapp>(map),
        Provider::Smtp => smtp(map),
    }?;
    let fields = checked.keys().cloned().collect();
    Ok(Checked { text: Secret::new(Value::Object(checked).to_string()), fields })
}

/// A name as it can stand in a refusal.
fn shown(name: &str) -> String {
    name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(40).collect()
}

fn typed<T: DeserializeOwned + Serialize>(given: Map<String, Value>) -> Result<Map<String, Value>, String> {
    let value: T = serde_json::from_value(Value::Object(given)).map_err(|error| wrong(&error))?;
    match serde_json::to_value(value) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(_) | Err(_) => unreachable!("a struct of texts is an object"),
    }
}

/// What serde says, without the value it may quote.
fn wrong(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let quotes_value = ["invalid type", "invalid value", "unknown variant"].iter().any(|start| text.starts_with(start));
    if quotes_value { "a key has a value of the wrong kind".to_owned() } else { text }
}

fn mpesa(given: Map<String, Value>) -> Result<Map<String, Value>, String> {
    let map = typed::<Mpesa>(given)?;
    let digits = |name: &str| {
        map.get(name)
            .and_then(Value::as_str)
            .is_none_or(|text| (4..=10).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit()))
    };
    if !digits("shortcode") || !digits("store_number") {
        return Err("`shortcode` and `store_number` have 4 to 10 digits".to_owned());
    }
    match map.get("shortcode_type").and_then(Value::as_str) {
        Some("till") if !map.contains_key("store_number") => Err("a till needs `store_number`".to_owned()),
        Some("bank") if !map.contains_key("account_number") => Err("a bank's paybill needs `account_number`".to_owned()),
        _ => Ok(map),
    }
}

/// Keys that say where something stands.
const POINTERS: [&str; 6] = ["reference", "cost", "report_id", "report_status", "report_reason", "report_cost"];
/// Keys without which no report is read.
pub(super) const REPORTED: [&str; 3] = ["report_id", "report_status", "report_delivered"];

fn http_texts(given: Map<String, Value>, private: bool) -> Result<Map<String, Value>, String> {
    let map = typed::<HttpTexts>(given)?;
    let text = |name: &str| map.get(name).and_then(Value::as_str).unwrap_or_default();
    let reachable = text("url").starts_with("https://") || (private && text("url").starts_with("http://"));
    if !reachable {
        return Err("`url` has to begin with https://".to_owned());
    }
    if !text("authorization").bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
        return Err("`authorization` is a header: write ASCII".to_owned());
    }
    for name in POINTERS {
        if map.contains_key(name) && !text(name).starts_with('/') {
            return Err(format!("`{name}` is a JSON pointer, such as /data/0/id"));
        }
    }
    if map.contains_key("cost_currency")
        && !(text("cost_currency").len() == 3 && text("cost_currency").bytes().all(|byte| byte.is_ascii_uppercase()))
    {
        return Err("`cost_currency` is three letters, such as KES".to_owned());
    }
    let told = REPORTED.iter().filter(|name| map.contains_key(**name)).count();
    if told != 0 && told != REPORTED.len() {
        return Err(format!("reports are read by all of `{}`", REPORTED.join("`, `")));
    }
    if !text("body").contains("{phone}") || !text("body").contains("{text}") {
        return Err("`body` has to have {phone} and {text} in it".to_owned());
    }
    Ok(map)
}

fn smtp(given: Map<String, Value>) -> Result<Map<String, Value>, String> {
    let map = typed::<Smtp>(given)?;
    let port = map.get("port").and_then(Value::as_str).and_then(|text| text.parse::<u16>().ok());
    if port.is_none_or(|port| port == 0) { Err("`port` is a number from 1 to 65535".to_owned()) } else { Ok(map) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check_json(provider: Provider, value: Value) -> Result<Vec<String>, String> {
        let map = serde_json::from_value(value).expect("texts by name");
        check(provider, &map, false).map(|checked| checked.fields)
    }

    #[test]
    fn keys_are_whole_and_known_and_never_quoted() {
        let good = json!({ "consumer_key": "k", "consumer_secret": "hunter2", "passkey": "p", "shortcode": "174379", "shortcode_type": "paybill" });
        assert_eq!(
            check_json(Provider::Mpesa, good.clone()).expect("whole"),
            ["consumer_key", "consumer_secret", "passkey", "shortcode", "shortcode_type"]
        );
        let mut till = good.clone();
        till["shortcode_type"] = json!("till");
        assert!(check_json(Provider::Mpesa, till.clone()).expect_err("no store").contains("store_number"));
        till["store_number"] = json!("600000");
        assert!(check_json(Provider::Mpesa, till).is_ok());
        for (field, value) in [
            ("extra", json!("hunter2")),
            ("passkey", json!("hunter2\n")),
            ("shortcode_type", json!("hunter2")),
            ("shortcode", json!("hunter2")),
        ] {
            let mut wrong = good.clone();
            wrong[field] = value;
            let refusal = check_json(Provider::Mpesa, wrong).expect_err(field);
            assert!(!refusal.contains("hunter2"), "{refusal}");
        }
        assert!(check_json(Provider::Paystack, json!({})).expect_err("nothing").contains("secret_key"));
        assert!(check_json(Provider::Paystack, json!({ "secret_key": " " })).is_err());
        assert!(check_json(Provider::Paystack, json!({ "secret_key": "x".repeat(3_000) })).is_err());
        assert!(check_json(Provider::HttpSms, json!({ "url": "http://sms.example", "body": "{phone} {text}" })).is_err());
        assert!(check_json(Provider::HttpSms, json!({ "url": "https://sms.example", "body": "{text}" })).is_err());
        let with = |field: &str, value: &str| {
            let mut keys = json!({ "url": "https://sms.example", "body": "{phone} {text}" });
            keys[field] = json!(value);
            check_json(Provider::HttpWhatsapp, keys)
        };
        assert!(with("success", "OK").is_ok() && with("reference", "/id").is_ok() && with("authorization", "Bearer x").is_ok());
        assert!(with("cost", "/cost").is_ok() && with("cost", "cost").is_err() && with("cost_currency", "shilling").is_err());
        assert!(with("report_id", "/id").expect_err("not whole").contains("report_status"));
        assert!(with("reference", "id").is_err() && with("authorization", "Bearer ü").is_err());
        assert!(
            check_json(
                Provider::Smtp,
                json!({ "host": "mail.example", "port": "587", "user": "u", "password": "p", "from": "a@b" })
            )
            .is_ok()
        );
    }

    #[test]
    fn providers_come_back() {
        for provider in Provider::ALL {
            assert_eq!(Provider::from_stored(provider.as_str()), Some(provider));
            assert_eq!(serde_json::to_value(provider).expect("a word"), json!(provider.as_str()));
        }
    }
}
