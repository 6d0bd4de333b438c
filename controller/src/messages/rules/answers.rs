//! What is asked of a gateway and what its answer means. Pure.

use super::reports::{self, Cost};
use crate::gateways::HttpTexts;
use serde_json::Value;
use std::fmt::Write as _;

/// What became of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) enum Outcome {
    /// The gateway took it.
    Taken(Receipt),
    /// The gateway looked at it and will not have it.
    Refused(String),
    /// It never got there, or it was told to come later.
    NotTaken(String),
    /// It may have got there.
    Unknown(String),
}

/// What a gateway says of a message that it took.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in super::super) struct Receipt {
    /// Its name for it.
    pub(in super::super) reference: Option<String>,
    pub(in super::super) cost: Option<Cost>,
}

/// The holes in a gateway's body.
pub(in super::super) struct Holes<'a> {
    pub(in super::super) id: &'a str,
    pub(in super::super) phone: &'a str,
    pub(in super::super) text: &'a str,
}

impl Holes<'_> {
    /// Fills the holes of one text in one go, so that what fills one opens no other.
    fn fill(&self, template: &str, escape: fn(&str) -> String) -> String {
        let mut filled = String::new();
        let mut rest = template;
        while let Some(open) = rest.find('{') {
            filled.push_str(&rest[..open]);
            rest = &rest[open..];
            let holes = [("{phone}", self.phone), ("{text}", self.text), ("{id}", self.id)];
            let hole = holes.into_iter().find(|(name, _)| rest.starts_with(name));
            let (taken, value) = hole.map_or(("{", "{".to_owned()), |(name, value)| (name, escape(value)));
            filled.push_str(&value);
            rest = &rest[taken.len()..];
        }
        filled.push_str(rest);
        filled
    }

    fn fill_json(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.fill(text, str::to_owned),
            Value::Array(items) => items.iter_mut().for_each(|item| self.fill_json(item)),
            Value::Object(fields) => fields.values_mut().for_each(|field| self.fill_json(field)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

/// Makes the body of a request, and says what it is: JSON if the gateway's is, else a form.
pub(in super::super) fn body(template: &str, holes: &Holes<'_>) -> (&'static str, String) {
    match serde_json::from_str::<Value>(template) {
        Ok(mut value @ (Value::Object(_) | Value::Array(_))) => {
            holes.fill_json(&mut value);
            ("application/json", value.to_string())
        }
        Ok(_) | Err(_) => ("application/x-www-form-urlencoded", holes.fill(template, percent_encoded)),
    }
}

/// Writes a text as it stands in a form.
fn percent_encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("a string takes everything");
        }
        encoded
    })
}

/// Judges an answer that came whole.
pub(in super::super) fn judge(gateway: &HttpTexts, status: u16, answer: &str) -> Outcome {
    match status {
        200..=299 if gateway.success.as_ref().is_none_or(|word| answer.contains(word.as_str())) => {
            Outcome::Taken(receipt(gateway, answer))
        }
        200..=299 => Outcome::Refused("it answered without its word for success".to_owned()),
        // Too many at once, or not now: it says that nothing was done.
        408 | 425 | 429 | 503 => Outcome::NotTaken(format!("it answered {status}: later")),
        300..=499 => Outcome::Refused(format!("it answered {status}")),
        // It broke while it had the message, or something in between lost the answer.
        _ => Outcome::Unknown(format!("it answered {status}, which leaves open whether it sent the message")),
    }
}

/// Reads what an answer says of the message, if it is JSON.
fn receipt(gateway: &HttpTexts, answer: &str) -> Receipt {
    let Ok(answer) = serde_json::from_str::<Value>(answer) else { return Receipt::default() };
    Receipt {
        reference: gateway.reference.as_deref().and_then(|pointer| reports::reference(pointer, &answer)),
        cost: reports::cost(gateway, gateway.cost.as_deref(), &answer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holes() -> Holes<'static> {
        Holes { id: "msg_1", phone: "254712345678", text: "a\"b&c={phone} 50%\nü" }
    }

    #[test]
    fn a_text_cannot_leave_its_place() {
        let (kind, json) = body(r#"{"to":"+{phone}","n":1,"parts":[{"text":"{text}","id":"{id}"}]}"#, &holes());
        assert_eq!(kind, "application/json");
        let sent: Value = serde_json::from_str(&json).expect("still JSON");
        assert_eq!(sent["to"], "+254712345678");
        assert_eq!(sent["parts"][0]["text"], "a\"b&c={phone} 50%\nü");
        assert_eq!((&sent["n"], &sent["parts"][0]["id"]), (&Value::from(1), &Value::from("msg_1")));
        let (kind, form) = body("key=k&to={phone}&message={text}&x={y}", &holes());
        assert_eq!(kind, "application/x-www-form-urlencoded");
        assert_eq!(form, "key=k&to=254712345678&message=a%22b%26c%3D%7Bphone%7D%2050%25%0A%C3%BC&x={y}");
    }

    #[test]
    fn an_answer_means_what_it_can_mean() {
        let plain = HttpTexts::default();
        let text = |text: &str| Some(text.to_owned());
        let strict =
            HttpTexts { success: text("Success"), reference: text("/data/0/id"), cost: text("/data/0/cost"), ..plain.clone() };
        let nothing = || Outcome::Taken(Receipt::default());
        assert_eq!(judge(&plain, 200, "whatever"), nothing());
        let cost = Some(Cost { micros: 800_000, currency: "KES".to_owned() });
        let receipt = Receipt { reference: text("77"), cost };
        assert_eq!(judge(&strict, 201, r#"{"s":"Success","data":[{"id":77,"cost":"KES 0.8"}]}"#), Outcome::Taken(receipt));
        assert_eq!(judge(&strict, 200, r#"{"s":"Success"}"#), nothing());
        assert!(matches!(judge(&strict, 200, r#"{"s":"no money left"}"#), Outcome::Refused(_)));
        for (status, wanted) in
            [(400, "refused"), (401, "refused"), (302, "refused"), (429, "not"), (503, "not"), (500, "?"), (502, "?"), (504, "?")]
        {
            let got = match judge(&plain, status, "") {
                Outcome::Taken(_) => "taken",
                Outcome::Refused(_) => "refused",
                Outcome::NotTaken(_) => "not",
                Outcome::Unknown(_) => "?",
            };
            assert_eq!(got, wanted, "{status}");
        }
    }
}
