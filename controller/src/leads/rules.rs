//! What may follow what with a lead, and what its texts may be. Pure.

use super::{LeadError, Stage};

impl Stage {
    /// Says whether a lead may be put from one stage into another by hand. Won is reached by making a customer of it, and is the end.
    #[must_use]
    pub fn may_become(self, next: Self) -> bool {
        self != Self::Won && next != Self::Won
    }
}

/// Judges a text of one or several lines.
pub(super) fn judge(field: &'static str, text: &str, least: usize, most: usize, lines: bool) -> Result<(), LeadError> {
    let fault = |message| Err(LeadError::Field { field, message });
    if text.chars().any(|c| c.is_control() && !(lines && (c == '\n' || c == '\t'))) {
        return fault("take out the control characters");
    }
    match text.trim().chars().count() {
        count if count < least => fault("write at least one character"),
        count if count > most => fault("write less: 100 characters in a line, 2000 in notes"),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn won_is_reached_by_a_customer_alone_and_left_by_nobody() {
        for stage in Stage::ALL {
            assert!(!stage.may_become(Stage::Won), "{stage:?}");
            assert!(!Stage::Won.may_become(stage), "{stage:?}");
        }
        assert!(Stage::Lost.may_become(Stage::Contacted), "they call again");
    }

    #[test]
    fn texts_have_limits() {
        assert!(judge("name", "Wanjikũ", 1, 100, false).is_ok());
        assert!(judge("name", " ", 1, 100, false).is_err());
        assert!(judge("name", "a\nb", 1, 100, false).is_err());
        assert!(judge("notes", "a\nb", 0, 2000, true).is_ok());
        assert!(judge("notes", &"x".repeat(2001), 0, 2000, true).is_err());
    }
}
