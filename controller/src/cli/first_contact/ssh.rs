//! SSH to a router, by libssh2. It blocks: whoever calls stands on a thread that may.

use super::{ContactError, Fingerprint, FirstContact, HostKey, Proof, Target};
use model::Secret;
use ssh2::{ErrorCode, ExtendedData, HashType, HostKeyType, KeyboardInteractivePrompt, Prompt, Session};
use std::fmt;
use std::io::{ErrorKind, Read as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

/// How long a router may take to answer a connection.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// How long key exchange and login may take, milliseconds; a small board computes for seconds.
const LOGIN_LIMIT_MS: u32 = 30_000;
/// The longest silence of a command, milliseconds: the block waits 61 times a second for the tunnel, and says nothing meanwhile.
const SILENCE_LIMIT_MS: u32 = 120_000;
/// More than this is no answer to what we run, bytes.
const OUTPUT_MAX: usize = 256 << 10;
/// The largest text that fits into one request, bytes: every server takes payloads of 32,768 bytes (RFC 4253 §6.1), and a request has
/// a few words beside its text.
const TEXT_MAX: usize = 32_000;
/// libssh2's code for a password or key that is not taken (`LIBSSH2_ERROR_AUTHENTICATION_FAILED`).
const AUTHENTICATION_FAILED: i32 = -18;
/// libssh2's code for a public key whose proof is not taken (`LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED`).
const PUBLICKEY_UNVERIFIED: i32 = -19;

/// A connection whose key exchange is done.
pub(super) struct Ssh {
    session: Session,
    key: HostKey,
    /// The ways to log in that it offers, once it was asked.
    methods: Option<String>,
}

impl fmt::Debug for Ssh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ssh").field("key", &self.key).finish_non_exhaustive()
    }
}

impl Ssh {
    /// Connects, up to the point where the host key is known and nobody has logged in.
    ///
    /// # Errors
    /// When nothing answers there, or no SSH server that we understand.
    pub(super) fn connect(target: &Target) -> Result<Self, ContactError> {
        let unreachable = |source| ContactError::Unreachable { target: target.clone(), source };
        let addresses = (target.host.as_str(), target.port).to_socket_addrs().map_err(unreachable)?;
        let mut outcome = Err(ErrorKind::NotFound.into());
        for address in addresses {
            outcome = TcpStream::connect_timeout(&address, CONNECT_LIMIT);
            if outcome.is_ok() {
                break;
            }
        }
        let stream = outcome.map_err(unreachable)?;
        let strange = |source| ContactError::NotSsh { target: target.clone(), source };
        let mut session = Session::new().map_err(strange)?;
        session.set_tcp_stream(stream);
        session.set_timeout(LOGIN_LIMIT_MS);
        session.handshake().map_err(strange)?;
        let (_, kind) = session.host_key().ok_or(ContactError::NoKey)?;
        let kind = match kind {
            HostKeyType::Rsa => "RSA",
            HostKeyType::Dss => "DSA",
            HostKeyType::Ecdsa256 | HostKeyType::Ecdsa384 | HostKeyType::Ecdsa521 => "ECDSA",
            HostKeyType::Ed25519 => "Ed25519",
            HostKeyType::Unknown => "unknown",
        };
        let hash = session.host_key_hash(HashType::Sha256).ok_or(ContactError::NoKey)?;
        let key = HostKey { kind, fingerprint: Fingerprint::of(hash) };
        Ok(Self { session, key, methods: None })
    }

    fn prove(&mut self, user: &str, proof: Proof<'_>) -> Result<(), ssh2::Error> {
        if self.methods.is_none() {
            // Asking for the methods is a try without any proof: a router whose password is empty may let us in at once (RFC 4252 §5.2).
            let methods = match self.session.auth_methods(user) {
                Ok(methods) => methods.to_owned(),
                Err(_) if self.session.authenticated() => String::new(),
                Err(error) => return Err(error),
            };
            self.methods = Some(methods);
        }
        if self.session.authenticated() {
            return Ok(());
        }
        let methods = self.methods.as_deref().unwrap_or_default();
        let offers = |method: &str| methods.split(',').any(|offered| offered == method);
        match proof {
            Proof::Nothing => Err(ssh2::Error::from_errno(ErrorCode::Session(AUTHENTICATION_FAILED))),
            Proof::Key(file) => self.session.userauth_pubkey_file(user, None, file, None),
            Proof::Password(password) if !offers("password") && offers("keyboard-interactive") => {
                self.session.userauth_keyboard_interactive(user, &mut Answers(password))
            }
            Proof::Password(password) => self.session.userauth_password(user, password.expose()),
        }
    }
}

impl FirstContact for Ssh {
    fn key(&self) -> &HostKey {
        &self.key
    }

    fn log_in(&mut self, user: &str, proof: Proof<'_>) -> Result<bool, ContactError> {
        match self.prove(user, proof) {
            Ok(()) => Ok(self.session.authenticated()),
            Err(error) if matches!(error.code(), ErrorCode::Session(AUTHENTICATION_FAILED | PUBLICKEY_UNVERIFIED)) => Ok(false),
            Err(error) => Err(ContactError::Login(error)),
        }
    }

    fn run(&mut self, text: &str, hear: &mut dyn FnMut(&[u8])) -> Result<(), ContactError> {
        if text.len() > TEXT_MAX {
            return Err(ContactError::TooLong);
        }
        self.session.set_timeout(SILENCE_LIMIT_MS);
        let begin = || -> Result<ssh2::Channel, ssh2::Error> {
            let mut channel = self.session.channel_session()?;
            channel.handle_extended_data(ExtendedData::Merge)?;
            channel.exec(text)?;
            Ok(channel)
        };
        let mut channel = begin().map_err(|error| ContactError::Cut(error.into()))?;
        let (mut buffer, mut heard) = ([0; 4096], 0);
        loop {
            match channel.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => {
                    heard += count;
                    if heard > OUTPUT_MAX {
                        return Err(ContactError::NotRouterOs("more text than a router says".to_owned()));
                    }
                    hear(&buffer[..count]);
                }
                Err(error) if error.kind() == ErrorKind::TimedOut => return Err(ContactError::Silent),
                Err(error) => return Err(ContactError::Cut(error)),
            }
        }
        // Only a server that is still there closes the channel.
        channel.wait_close().map_err(|error| ContactError::Cut(error.into()))
    }
}

/// Answers every hidden question with the password, and no other.
struct Answers<'a>(&'a Secret<String>);

impl KeyboardInteractivePrompt for Answers<'_> {
    fn prompt<'a>(&mut self, _user: &str, _instructions: &str, prompts: &[Prompt<'a>]) -> Vec<String> {
        prompts.iter().map(|prompt| if prompt.echo { String::new() } else { self.0.expose().clone() }).collect()
    }
}
