//! What may be asked of the audit log, and how a line looks in a file. Pure.

use super::{AuditView, Filter};

/// A field and what is wrong with it.
pub(super) type Fault = (&'static str, &'static str);

/// The longest text in a line, and so in a filter.
const TEXT_MAX: usize = 100;

/// Says what is wrong with a filter, if anything.
pub(super) fn fault(filter: &Filter) -> Option<Fault> {
    let texts = [("actor", &filter.actor), ("action", &filter.action), ("target", &filter.target)];
    for (field, text) in texts {
        if text.as_ref().is_some_and(|text| text.is_empty() || text.chars().count() > TEXT_MAX || text.contains('\0')) {
            return Some((field, "give 1 to 100 characters, or leave it out"));
        }
    }
    match (filter.from, filter.until) {
        (Some(from), Some(until)) if from >= until => Some(("until", "give a time after `from`")),
        _ => None,
    }
}

/// The first line of an export as CSV.
pub(super) const HEADINGS: [&str; 10] =
    ["at", "seq", "actor", "action", "target", "details", "request_id", "source", "id", "hash"];

/// A line's cells, in the order of the headings.
pub(super) fn cells(line: &AuditView) -> [String; 10] {
    [
        line.at.to_string(),
        line.seq.to_string(),
        line.actor.clone(),
        line.action.clone(),
        line.target.clone(),
        line.details.to_string(),
        line.request_id.clone().unwrap_or_default(),
        line.source.clone().unwrap_or_default(),
        line.id.to_string(),
        line.hash.clone(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_says_what_is_wrong_with_it() {
        let time = |text: &str| Some(text.parse().expect("a time"));
        assert_eq!(fault(&Filter::default()), None);
        assert_eq!(fault(&Filter { action: Some("customer.".into()), ..Filter::default() }), None);
        let long = Filter { target: Some("x".repeat(101)), ..Filter::default() };
        assert_eq!(fault(&long).map(|(field, _)| field), Some("target"));
        let empty = Filter { actor: Some(String::new()), ..Filter::default() };
        assert_eq!(fault(&empty).map(|(field, _)| field), Some("actor"));
        let backwards = Filter { from: time("2026-01-02T00:00:00Z"), until: time("2026-01-01T00:00:00Z"), ..Filter::default() };
        assert_eq!(fault(&backwards).map(|(field, _)| field), Some("until"));
    }
}
