//! What a message says and costs, when it may go, and what a gateway's answers and reports mean. Pure.

pub(super) mod addresses;
pub(super) mod answers;
pub(super) mod reports;
pub(super) mod segments;
pub(super) mod texts;
pub(super) mod timing;

use super::{Event, NewRule, NewTemplate};

/// A field and what is wrong with it.
pub(super) type Fault = (&'static str, &'static str);

/// Longest name of a template, in characters.
const NAME_MAX: usize = 60;
/// A month of minutes: no reminder comes further from the end.
const OFFSET_MAX: i32 = 43_200;

/// Says what is wrong with a template that is to be made; its text is judged by [`texts::fault`].
pub(super) fn template_fault(new: &NewTemplate) -> Option<Fault> {
    let name = &new.name;
    if !(1..=NAME_MAX).contains(&name.chars().count()) || name.trim() != name || name.contains(char::is_control) {
        return Some(("name", "write 1 to 60 characters, without spaces around them"));
    }
    if !is_language(&new.language) {
        return Some(("language", "write a language's letters, such as sw or en-KE, or leave it out"));
    }
    texts::fault(new.event, &new.text)
}

/// Says what is wrong with a rule that is to be made.
pub(super) fn rule_fault(new: &NewRule) -> Option<Fault> {
    match (new.event, new.offset_minutes) {
        (Event::Expiry, None) => Some(("offset_minutes", "say how many minutes after the end; before it, with a minus")),
        (Event::Expiry, Some(minutes)) if !(-OFFSET_MAX..=OFFSET_MAX).contains(&minutes) => {
            Some(("offset_minutes", "choose -43200 to 43200 minutes: 30 days before or after the end"))
        }
        (Event::Expiry, Some(_)) | (_, None) => None,
        (_, Some(_)) => Some(("offset_minutes", "only reminders of the end of what is paid have one: leave it out")),
    }
}

/// Says whether a language is written as a template has it; none is good too.
fn is_language(text: &str) -> bool {
    let (language, country) = text.split_once('-').map_or((text, None), |(language, country)| (language, Some(country)));
    let country = country.is_none_or(|part| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_uppercase()));
    text.is_empty() || ((2..=3).contains(&language.len()) && language.bytes().all(|byte| byte.is_ascii_lowercase()) && country)
}

/// How well a template's language suits a customer's: the same, the same without its country, or none of both.
pub(super) fn suits(template: &str, customer: &str) -> u8 {
    let spoken = customer.split('-').next().unwrap_or_default();
    match (template == customer, template == spoken) {
        (true, _) => 2,
        (false, true) => 1,
        (false, false) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::Channel;
    use model::{SeededEntropy, TemplateId};

    #[test]
    fn what_is_wrong_with_a_template_is_named() {
        let good = NewTemplate {
            name: "Reminder".to_owned(),
            channel: Channel::Sms,
            event: Some(Event::Expiry),
            language: "sw".to_owned(),
            text: "Habari {name}".to_owned(),
        };
        assert_eq!(template_fault(&good), None);
        for (field, wrong) in [
            ("name", NewTemplate { name: " Reminder".to_owned(), ..good.clone() }),
            ("name", NewTemplate { name: "x".repeat(61), ..good.clone() }),
            ("language", NewTemplate { language: "Swahili".to_owned(), ..good.clone() }),
            ("language", NewTemplate { language: "en-ke".to_owned(), ..good.clone() }),
            ("text", NewTemplate { text: "{secret}".to_owned(), ..good.clone() }),
        ] {
            assert_eq!(template_fault(&wrong).map(|(field, _)| field), Some(field), "{wrong:?}");
        }
    }

    #[test]
    fn only_reminders_have_an_offset() {
        let template = TemplateId::generate(jiff::Timestamp::UNIX_EPOCH, &SeededEntropy::new(1));
        let rule = |event, offset_minutes| NewRule { event, template, offset_minutes, kind: None, waits: None };
        assert_eq!(rule_fault(&rule(Event::Expiry, Some(-4_320))), None);
        assert_eq!(rule_fault(&rule(Event::PaymentReceived, None)), None);
        for wrong in [rule(Event::Expiry, None), rule(Event::Expiry, Some(43_201)), rule(Event::TicketOpened, Some(0))] {
            assert!(rule_fault(&wrong).is_some(), "{wrong:?}");
        }
    }

    #[test]
    fn the_nearest_language_wins() {
        assert!(suits("en-KE", "en-KE") > suits("en", "en-KE"));
        assert!(suits("en", "en-KE") > suits("sw", "en-KE"));
        assert_eq!(suits("", "en"), 0);
        assert_eq!(suits("", ""), 2);
    }
}
