//! Tokens: 256 random bits behind a prefix that says what they are; only their SHA-256 is stored.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model::{Entropy, Secret};
use sha2::{Digest as _, Sha256};

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// A person's login.
    Login,
    /// A program's access.
    Api,
    /// Setting a password, once.
    Setup,
    /// Fetching an enrolment block, once.
    Line,
    /// Beginning to serve a tenant, once.
    Invitation,
    /// A visit of the platform's support.
    Visit,
    /// Reporting what became of a gateway's messages.
    Report,
}

impl TokenKind {
    const ALL: [Self; 7] = [Self::Login, Self::Api, Self::Setup, Self::Line, Self::Invitation, Self::Visit, Self::Report];

    const fn prefix(self) -> &'static str {
        match self {
            Self::Login => "mw_login_",
            Self::Api => "mw_api_",
            Self::Setup => "mw_setup_",
            Self::Line => "mw_line_",
            Self::Invitation => "mw_invite_",
            Self::Visit => "mw_visit_",
            Self::Report => "mw_report_",
        }
    }
}

/// A new token: the text for its holder and the hash for the database.
#[derive(Debug)]
pub struct NewToken {
    /// Shown once.
    pub text: Secret<String>,
    /// Stored.
    pub hash: [u8; 32],
}

/// Draws a token.
#[must_use]
pub fn generate(kind: TokenKind, entropy: &dyn Entropy) -> NewToken {
    let mut bytes = [0; 32];
    entropy.fill(&mut bytes);
    let text = format!("{}{}", kind.prefix(), URL_SAFE_NO_PAD.encode(bytes));
    NewToken { hash: hash(&text), text: Secret::new(text) }
}

/// Says what a presented token is and under which hash it may be found.
#[must_use]
pub fn recognise(text: &str) -> Option<(TokenKind, [u8; 32])> {
    let kind = TokenKind::ALL.into_iter().find(|kind| text.starts_with(kind.prefix()))?;
    // 32 bytes are 43 characters; anything else was never handed out and need not be looked up.
    (text.len() == kind.prefix().len() + 43).then(|| (kind, hash(text)))
}

/// A token has 256 random bits, so a fast hash is enough: there is nothing to guess.
pub(super) fn hash(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::SeededEntropy;

    #[test]
    fn what_is_made_is_recognised() {
        let token = generate(TokenKind::Api, &SeededEntropy::new(5));
        assert_eq!(recognise(token.text.expose()), Some((TokenKind::Api, token.hash)));
        assert_eq!(recognise("mw_api_short"), None);
        assert_eq!(recognise("Bearer"), None);
    }
}
