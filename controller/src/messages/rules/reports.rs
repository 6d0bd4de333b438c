//! What a service says of a message it took: what it cost, and whether it arrived. Pure.

use crate::gateways::HttpTexts;
use crate::messages::Delivery;
use serde_json::Value;

/// Longest name of a provider's for a message, in characters.
const REF_MAX: usize = 100;
/// Longest reason, in characters.
const REASON_MAX: usize = 300;
/// Digits behind the point that are kept.
const DECIMALS: usize = 6;

/// What a message cost, in millionths of a unit of a currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Cost {
    pub(in super::super) micros: i64,
    pub(in super::super) currency: String,
}

/// What a report says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Report {
    /// The service's name for the message, or ours if it was given one.
    pub(in super::super) reference: String,
    /// Nothing while the message is still on its way.
    pub(in super::super) delivery: Option<Delivery>,
    /// Why it did not arrive.
    pub(in super::super) reason: Option<String>,
    pub(in super::super) cost: Option<Cost>,
}

/// Reads a report as the gateway's keys describe it, or says which field is missing.
pub(in super::super) fn read(gateway: &HttpTexts, posted: &Value) -> Result<Report, super::Fault> {
    const NOT_REPORTED: super::Fault = ("report_id", "this gateway's keys do not say how its reports are read");
    let (Some(id), Some(status)) = (gateway.report_id.as_deref(), gateway.report_status.as_deref()) else {
        return Err(NOT_REPORTED);
    };
    let reference = reference(id, posted).ok_or(("report_id", "the report has no text or number there"))?;
    let status = word(status, posted).ok_or(("report_status", "the report has no text or number there"))?;
    let among = |words: &Option<String>| {
        words.iter().flat_map(|words| words.split(',')).any(|word| word.trim().eq_ignore_ascii_case(&status))
    };
    let delivery = match (among(&gateway.report_delivered), among(&gateway.report_failed)) {
        (true, _) => Some(Delivery::Delivered),
        (false, true) => Some(Delivery::Undelivered),
        (false, false) => None,
    };
    let said = gateway.report_reason.as_deref().and_then(|pointer| word(pointer, posted));
    let reason = (delivery == Some(Delivery::Undelivered)).then(|| said.unwrap_or(status)).map(|text| short(&text, REASON_MAX));
    Ok(Report { reference, delivery, reason, cost: cost(gateway, gateway.report_cost.as_deref(), posted) })
}

/// Finds the service's name for a message.
pub(in super::super) fn reference(pointer: &str, answer: &Value) -> Option<String> {
    word(pointer, answer).map(|found| short(&found, REF_MAX))
}

/// Finds what a message cost, such as `KES 0.8000`, `0.8` or `-0.00750`: some write what they take as less than nothing. A sum without a
/// currency is in the one that the gateway's keys name; where they name none, nothing is known.
pub(in super::super) fn cost(gateway: &HttpTexts, pointer: Option<&str>, answer: &Value) -> Option<Cost> {
    let text = word(pointer?, answer)?;
    let is_code = |part: &&str| part.len() == 3 && part.bytes().all(|byte| byte.is_ascii_uppercase());
    let named = text.split_whitespace().find(is_code);
    let currency = named.or(gateway.cost_currency.as_deref())?.to_owned();
    let sum = text.split_whitespace().find(|part| !is_code(part))?.trim_start_matches('-');
    Some(Cost { micros: micros(sum)?, currency })
}

fn micros(sum: &str) -> Option<i64> {
    let (whole, fraction) = sum.split_once('.').unwrap_or((sum, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) {
        return None;
    }
    let kept: String = fraction.chars().chain(std::iter::repeat('0')).take(DECIMALS).collect();
    whole.parse::<i64>().ok()?.checked_mul(1_000_000)?.checked_add(kept.parse().ok()?)
}

fn word(pointer: &str, posted: &Value) -> Option<String> {
    let found = match posted.pointer(pointer)? {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    let clean: String = found.chars().filter(|c| !c.is_control()).collect();
    (!clean.trim().is_empty()).then(|| clean.trim().to_owned())
}

fn short(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn keys(more: Value) -> HttpTexts {
        let mut keys = json!({ "url": "https://sms.example", "body": "{phone} {text}" });
        for (name, value) in more.as_object().expect("keys") {
            keys[name] = value.clone();
        }
        serde_json::from_value(keys).expect("whole")
    }

    #[test]
    fn a_sum_is_kept_to_the_millionth() {
        let with = |text: Value, currency: Option<&str>| {
            let keys = keys(currency.map_or(json!({}), |code| json!({ "cost_currency": code })));
            cost(&keys, Some("/cost"), &json!({ "cost": text })).map(|cost| (cost.micros, cost.currency))
        };
        let kes = |micros| Some((micros, "KES".to_owned()));
        assert_eq!(with(json!("KES 0.8000"), None), kes(800_000));
        assert_eq!(with(json!("0.8 KES"), Some("USD")), kes(800_000), "what the sum says counts");
        assert_eq!(with(json!(1), Some("KES")), kes(1_000_000));
        assert_eq!(with(json!("-0.00750001"), Some("KES")), kes(7_500));
        assert_eq!(with(json!("0.8"), None), None, "nobody said of what");
        for wrong in
            [json!("free"), json!("KES"), json!("KES 1,50"), json!("1e3"), json!(".5"), json!(null), json!("99999999999999")]
        {
            assert_eq!(with(wrong.clone(), Some("KES")), None, "{wrong}");
        }
    }

    #[test]
    fn a_report_is_read_as_the_keys_say() {
        let keys = keys(json!({
            "report_id": "/id", "report_status": "/status", "report_delivered": "Success, DELIVRD", "report_failed": "Failed,Rejected",
            "report_reason": "/failureReason", "report_cost": "/cost"
        }));
        let read = |posted: Value| read(&keys, &posted);
        let delivered = read(json!({ "id": 77, "status": "delivrd", "cost": "KES 1.20" })).expect("whole");
        assert_eq!((delivered.reference.as_str(), delivered.delivery, delivered.reason), ("77", Some(Delivery::Delivered), None));
        assert_eq!(delivered.cost, Some(Cost { micros: 1_200_000, currency: "KES".to_owned() }));
        let failed = read(json!({ "id": "a", "status": "Rejected", "failureReason": "UserInBlacklist\n" })).expect("whole");
        assert_eq!((failed.delivery, failed.reason.as_deref()), (Some(Delivery::Undelivered), Some("UserInBlacklist")));
        let failed = read(json!({ "id": "a", "status": "Failed" })).expect("whole");
        assert_eq!(failed.reason.as_deref(), Some("Failed"), "its status is all it says");
        assert_eq!(read(json!({ "id": "a", "status": "Buffered" })).expect("whole").delivery, None);
        assert_eq!(read(json!({ "status": "Success" })).expect_err("of which").0, "report_id");
        assert_eq!(read(json!({ "id": "a", "status": ["Success"] })).expect_err("no word").0, "report_status");
        assert!(super::read(&self::keys(json!({})), &json!({ "id": "a", "status": "Success" })).is_err());
    }
}
