//! Who may come in, by which door and from where.

use super::request::{POLICIES, Session};
use super::table::{Fields, Origin, Row, RowId};
use super::{Device, text};
use md5::{Digest, Md5};
use std::net::IpAddr;

/// Why a login is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    /// Name or password is wrong, the account is disabled, its group lacks `api`, or it may not come from there: RouterOS
    /// says the same to all of them.
    #[error("invalid user name or password (6)")]
    Refused,
    /// The service has as many sessions as it takes.
    #[error("too many sessions")]
    TooMany,
}

/// How somebody shows that they know the password.
#[derive(Clone, Copy)]
pub enum Proof<'a> {
    /// By saying it.
    Password(&'a str),
    /// By answering a challenge with it, as before RouterOS 6.43.
    Response {
        /// What was asked.
        challenge: &'a [u8],
        /// `00` and the MD5 of a zero byte, the password and the challenge, in hexadecimal digits.
        response: &'a str,
    },
}

impl std::fmt::Debug for Proof<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl Proof<'_> {
    fn holds(self, password: &str) -> bool {
        match self {
            Self::Password(given) => given == password,
            Self::Response { challenge, response } => {
                let mut hash = Md5::new();
                hash.update([0]);
                hash.update(text::to_bytes(password));
                hash.update(challenge);
                format!("00{}", hex::encode(hash.finalize())) == response
            }
        }
    }
}

impl Device {
    /// Says whether the API takes connections on a port from an address; it answers nothing at all otherwise.
    #[must_use]
    pub fn api_open(&self, source: IpAddr) -> bool {
        self.find("/ip/service", "name", "api").is_some_and(|row| !row.is("disabled") && within(row.get("address"), source))
    }

    /// Returns the port of the API.
    #[must_use]
    pub fn api_port(&self) -> u16 {
        self.find("/ip/service", "name", "api").and_then(|row| row.get("port").parse().ok()).unwrap_or(8728)
    }

    /// Lets somebody in through the API.
    ///
    /// `source` is nothing for a door that knows no addresses.
    ///
    /// # Errors
    /// [`LoginError`]; the log names the reason.
    pub fn login(&mut self, name: &str, proof: Proof<'_>, source: Option<IpAddr>) -> Result<(Session, RowId), LoginError> {
        let found = self.find("/user", "name", name);
        let good = found.filter(|row| !row.is("disabled") && proof.holds(row.get("password")));
        let good = good.filter(|row| source.is_none_or(|source| within(row.get("address"), source)));
        let policy = good.map(|row| self.group_policy(row.get("group"))).filter(|policy| policy.contains(&"api"));
        let from = source.map_or_else(|| "console".to_owned(), |source| source.to_string());
        let Some(policy) = policy else {
            self.log("system,error,critical", &format!("login failure for user {name} from {from} via api"));
            return Err(LoginError::Refused);
        };
        let most = self.find("/ip/service", "name", "api").map_or(20, |row| row.number("max-sessions").max(1));
        if self.rows("/user/active").filter(|row| row.get("via") == "api").count() as u64 >= most {
            self.log("system,error", "too many api sessions");
            return Err(LoginError::TooMany);
        }
        let group = self.find("/user", "name", name).map_or("", |row| row.get("group")).to_owned();
        let when = self.date_time();
        if let Some(id) = self.find("/user", "name", name).map(|row| row.id)
            && let Some(row) = self.row_mut("/user", id)
        {
            row.fields.insert("last-logged-in", when.clone());
        }
        self.log("system,info,account", &format!("user {name} logged in from {from} via api"));
        let fields = [("name", name.to_owned()), ("address", from), ("via", "api".to_owned()), ("group", group), ("when", when)];
        let id = self.insert_dynamic("/user/active", fields);
        let session = Session { user: name.to_owned(), policy: policy.into_iter().collect(), source, via: "api" };
        Ok((session, id))
    }

    /// Makes the session of an account whose login was checked outside, as by an SSH server in front of this router; none where the
    /// account is not there or disabled.
    #[must_use]
    pub fn session_of(&self, name: &str) -> Option<Session> {
        let row = self.find("/user", "name", name).filter(|row| !row.is("disabled"))?;
        let policy = self.group_policy(row.get("group")).into_iter().collect();
        Some(Session { user: name.to_owned(), policy, source: None, via: "ssh" })
    }

    /// Makes a challenge for the login of old.
    pub fn new_challenge(&mut self) -> Vec<u8> {
        self.random.key()[..16].to_vec()
    }

    /// Ends a login.
    pub fn logout(&mut self, id: RowId) {
        if let Some(row) = self.delete("/user/active", id) {
            self.log("system,info,account", &format!("user {} logged out from {} via api", row.get("name"), row.get("address")));
        }
    }

    /// Returns what a group grants.
    fn group_policy(&self, group: &str) -> Vec<&'static str> {
        let granted = self.find("/user/group", "name", group).map_or("", |row: &Row| row.get("policy"));
        POLICIES.iter().copied().filter(|policy| granted.split(',').any(|word| word == *policy)).collect()
    }

    /// Sets the password of the account `admin`, as the sticker on the box would.
    pub fn set_admin_password(&mut self, password: &str) {
        match self.find("/user", "name", "admin").map(|row| row.id) {
            Some(id) => {
                if let Some(row) = self.row_mut("/user", id) {
                    row.fields.insert("password", password.to_owned());
                }
            }
            None => {
                let fields = [("name", "admin"), ("password", password), ("group", "full"), ("disabled", "false")];
                let fields: Fields = fields.into_iter().map(|(name, value)| (name, value.to_owned())).collect();
                self.insert("/user", Origin::Configured, fields, None);
            }
        }
    }
}

/// Says whether an address lies in a list of blocks; an empty list holds every address.
pub(super) fn within(list: &str, address: IpAddr) -> bool {
    let holds = |item: &str| item.parse::<ipnetwork::IpNetwork>().is_ok_and(|network| network.contains(address));
    list.is_empty() || list.split(',').any(holds)
}
