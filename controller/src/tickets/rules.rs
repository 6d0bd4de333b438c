//! What may follow what, and what a ticket's texts may be. Pure.

use super::{NewTicket, TicketError, TicketStatus};

/// Characters of a title.
const TITLE_MAX: usize = 200;
/// Characters of a body or a note.
const TEXT_MAX: usize = 4000;

impl TicketStatus {
    /// Says whether a ticket may go from one status to another. A closed one is opened again only by a new ticket, so that what was
    /// agreed on is not reopened silently.
    #[must_use]
    pub fn may_become(self, next: Self) -> bool {
        use TicketStatus as S;
        match self {
            S::Open => matches!(next, S::InProgress | S::Waiting | S::Resolved | S::Closed),
            S::InProgress => matches!(next, S::Open | S::Waiting | S::Resolved | S::Closed),
            S::Waiting => matches!(next, S::Open | S::InProgress | S::Resolved | S::Closed),
            S::Resolved => matches!(next, S::Open | S::InProgress | S::Closed),
            S::Closed => false,
        }
    }

    /// Says whether work is still to be done.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Open | Self::InProgress | Self::Waiting)
    }
}

/// Says what is wrong with a text that people write, if anything. Line breaks and tabs are theirs to set; other control characters are not.
fn text_fault(text: &str, least: usize, most: usize) -> Option<&'static str> {
    if text.chars().any(|c| c.is_control() && c != '\n' && c != '\t') {
        return Some("take out the control characters");
    }
    if !(least..=most).contains(&text.trim().chars().count()) {
        return Some(match (least, most) {
            (1, TITLE_MAX) => "write 1 to 200 characters",
            (1, _) => "write 1 to 4000 characters",
            _ => "write at most 4000 characters",
        });
    }
    None
}

/// Judges a new ticket.
pub(super) fn judge(new: &NewTicket) -> Result<(), TicketError> {
    if let Some(message) = text_fault(&new.title, 1, TITLE_MAX).or_else(|| new.title.contains('\n').then_some("write one line")) {
        return Err(TicketError::Field { field: "title", message });
    }
    if let Some(message) = text_fault(&new.body, 0, TEXT_MAX) {
        return Err(TicketError::Field { field: "body", message });
    }
    Ok(())
}

/// Judges what is said on a ticket.
pub(super) fn judge_note(text: &str) -> Result<(), TicketError> {
    text_fault(text, 1, TEXT_MAX).map_or(Ok(()), |message| Err(TicketError::Field { field: "text", message }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_follows_a_closed_ticket_and_nothing_follows_itself() {
        for &from in TicketStatus::ALL {
            assert!(!from.may_become(from), "{from:?}");
            assert!(!TicketStatus::Closed.may_become(from), "{from:?}");
            assert_eq!(from.may_become(TicketStatus::Closed), from != TicketStatus::Closed);
        }
        assert!(TicketStatus::Resolved.may_become(TicketStatus::Open), "it did not help");
        assert!(!TicketStatus::Resolved.may_become(TicketStatus::Waiting));
    }

    #[test]
    fn texts_are_peoples_own_within_their_limits() {
        let new = |title: &str, body: &str| NewTicket { title: title.to_owned(), body: body.to_owned(), ..NewTicket::default() };
        assert!(judge(&new("Hakuna mtandao", "tangu jana\nusiku")).is_ok());
        assert!(judge(&new("인터넷 없음", "")).is_ok());
        for (title, body) in
            [("", ""), ("  ", ""), ("a\nb", ""), ("a\0", ""), (&"x".repeat(201), ""), ("a", "\u{7}"), ("a", &"x".repeat(4001))]
        {
            assert!(judge(&new(title, body)).is_err(), "{title:.10} {body:.10}");
        }
        assert!(judge_note("").is_err() && judge_note("ok").is_ok());
    }
}
