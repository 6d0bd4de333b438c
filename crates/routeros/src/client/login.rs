//! Logging in.

use super::Transcript;
use crate::codec::{DecodeError, Decoder, Limits, Reply, ReplyError, Row, Sentence, Trap};
use crate::command::Command;
use crate::errors::TrapKind;
use md5::{Digest as _, Md5};
use model::Secret;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// Why a login failed.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// The name or the password is wrong, or the account may not log in from here: a router does not say which.
    #[error("the router does not accept the name and password")]
    WrongPassword,
    /// The account's group lacks a policy, such as `api`.
    #[error("the router's account may not use the API")]
    NotAllowed(#[source] Trap),
    /// The router refused for another reason.
    #[error("the router refused the login")]
    Refused(#[source] Trap),
    /// The router ended the connection and said why.
    #[error("the router ended the connection: {0}")]
    Fatal(String),
    /// The router closed the connection; it does so when `address` of the service or the account does not allow us, or when
    /// `max-sessions` is reached.
    #[error("the router closed the connection during the login, as it does when all API sessions that it allows are taken")]
    Closed,
    /// Reading or writing failed.
    #[error("the connection broke during the login")]
    Io(#[source] std::io::Error),
    /// The router did not answer in time.
    #[error("the router did not answer the login in time")]
    Timeout,
    /// What answered sends bytes that are no sentence.
    #[error("what answered is no RouterOS API")]
    Decode(#[source] DecodeError),
    /// What answered sends sentences that are no replies.
    #[error("what answered is no RouterOS API")]
    Reply(#[source] ReplyError),
    /// The challenge of an old router is not 16 bytes in hex.
    #[error("the router's login challenge is malformed")]
    Challenge,
}

/// Logs in and hands the stream back, with what was read beyond the login's end.
pub(super) async fn login<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    user: &str,
    password: &Secret<String>,
    transcript: Option<&Transcript>,
) -> Result<(S, Decoder), LoginError> {
    let mut decoder = Decoder::new(Limits::BEFORE_LOGIN);
    let plain = Command::login(user, "password", password.expose().as_bytes());
    let done = exchange(&mut stream, &mut decoder, plain.sentence(), transcript).await?;
    // Routers before 6.43 answer with a challenge instead of a session.
    if let Some(challenge) = done.get("ret") {
        let response = respond(challenge, password).ok_or(LoginError::Challenge)?;
        let answer = Command::login(user, "response", response.as_bytes());
        exchange(&mut stream, &mut decoder, answer.sentence(), transcript).await?;
    }
    decoder.set_limits(Limits::DEFAULT);
    Ok((stream, decoder))
}

/// Answers a challenge: `00` and md5(0x00 ‖ password ‖ challenge) in hex (manual, "API", "Initial login").
fn respond(challenge: &[u8], password: &Secret<String>) -> Option<String> {
    let challenge = hex::decode(challenge).ok().filter(|bytes| bytes.len() == 16)?;
    let digest = Md5::new().chain_update([0]).chain_update(password.expose()).chain_update(challenge).finalize();
    Some(format!("00{}", hex::encode(digest)))
}

async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    decoder: &mut Decoder,
    sentence: &Sentence,
    transcript: Option<&Transcript>,
) -> Result<Row, LoginError> {
    if let Some(hear) = transcript {
        hear(&sentence.redacted());
    }
    let mut bytes = Vec::new();
    sentence.encode(&mut bytes);
    stream.write_all(&bytes).await.map_err(LoginError::Io)?;
    stream.flush().await.map_err(LoginError::Io)?;
    let mut chunk = [0; 1024];
    loop {
        if let Some(sentence) = decoder.poll().map_err(LoginError::Decode)? {
            return match Reply::try_from(&sentence).map_err(LoginError::Reply)? {
                Reply::Done(row) => Ok(row),
                Reply::Trap(trap) => Err(refusal(trap)),
                Reply::Fatal(reason) => Err(LoginError::Fatal(reason)),
                Reply::Row(_) | Reply::Empty => Err(LoginError::Reply(ReplyError)),
            };
        }
        match stream.read(&mut chunk).await.map_err(LoginError::Io)? {
            0 => return Err(LoginError::Closed),
            count => decoder.push(&chunk[..count]),
        }
    }
}

fn refusal(trap: Trap) -> LoginError {
    match TrapKind::classify(&trap) {
        TrapKind::BadLogin => LoginError::WrongPassword,
        TrapKind::Permission => LoginError::NotAllowed(trap),
        TrapKind::AlreadyExists
        | TrapKind::NoSuchItem
        | TrapKind::DeviceMode
        | TrapKind::NoSuchCommand
        | TrapKind::UnknownParameter
        | TrapKind::InvalidValue
        | TrapKind::Interrupted
        | TrapKind::Other => LoginError::Refused(trap),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_of_the_manual() {
        let empty = Secret::new(String::new());
        let table = [
            ("856780b7411eefd3abadee2058c149a3", "005062f7a5ef124d34675bf3e81f56c556"),
            ("93b438ec9b80057c06dd9fe67d56aa9a", "00e134102a9d330dd7b1849fedfea3cb57"),
        ];
        for (challenge, response) in table {
            assert_eq!(respond(challenge.as_bytes(), &empty).as_deref(), Some(response));
        }
        assert_eq!(respond(b"856780", &empty), None);
        assert_eq!(respond(b"not hex", &empty), None);
    }
}
