//! Connections to routers, through the tunnel.

use super::store;
use crate::app::App;
use crate::secrets::{Place, VaultError};
use crate::tunnels::{self, TunnelError};
use db::{DbError, TenantDoor};
use model::{RouterId, Secret};
use routeros::client::{Client, LoginError, Options};
use std::net::Ipv4Addr;

/// Where RouterOS' binary API listens, inside the tunnel.
pub const API_PORT: u16 = 8728;

/// Why a router could not be logged in to.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The router is unknown or was removed.
    #[error("there is no such router")]
    NotFound,
    /// The router has no account for us yet.
    #[error("the router has not finished joining")]
    NoAccount,
    /// The tunnel does not lead there.
    #[error(transparent)]
    Tunnel(#[from] TunnelError),
    /// The router refused the login.
    #[error("the router refused the login")]
    Login(#[source] LoginError),
    /// A password does not open.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The database did not answer.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// An account on a router: a name and the passwords that may be in force, the most likely first.
#[derive(Debug)]
pub struct Account {
    /// Where the router is in the tunnel.
    pub address: Ipv4Addr,
    /// The account's name.
    pub user: String,
    /// Passwords to try: while one is being replaced there are two.
    pub passwords: Vec<Secret<String>>,
}

/// Opens a connection to a router and logs in with the account the database knows.
///
/// # Errors
/// When the router is away, refuses, or has no account for us yet.
///
/// # Cancel safety
/// Dropping the future closes the connection.
pub async fn open(app: &App, door: &TenantDoor, router: RouterId) -> Result<Client, OpenError> {
    let account = account(app, door, router).await?;
    open_with(app, &account).await
}

/// Opens a connection with a given account.
///
/// # Errors
/// When the router is away or refuses.
///
/// # Cancel safety
/// Dropping the future closes the connection.
pub async fn open_with(app: &App, account: &Account) -> Result<Client, OpenError> {
    let mut refused = None;
    for password in &account.passwords {
        match log_in(app, account, password).await? {
            Ok(client) => return Ok(client),
            Err(error @ LoginError::WrongPassword) => refused = Some(error),
            Err(error) => return Err(OpenError::Login(error)),
        }
    }
    Err(refused.map_or(OpenError::NoAccount, OpenError::Login))
}

async fn log_in(app: &App, account: &Account, password: &Secret<String>) -> Result<Result<Client, LoginError>, TunnelError> {
    #[cfg(feature = "testing")]
    if let Some(detour) = app.provisioner.detour(account.address) {
        let stream = tokio::net::TcpStream::connect(detour).await.map_err(TunnelError::Connect)?;
        stream.set_nodelay(true).map_err(TunnelError::Connect)?;
        return Ok(Client::login(stream, &account.user, password, Options::default()).await);
    }
    let stream = app.tunnels.connect(account.address, API_PORT).await?;
    Ok(Client::login(stream, &account.user, password, Options::default()).await)
}

async fn account(app: &App, door: &TenantDoor, router: RouterId) -> Result<Account, OpenError> {
    let mut tx = app.db.tenant(door).await?;
    let row = store::account(&mut tx, router).await?.ok_or(OpenError::NotFound)?;
    let (Some(user), Some(address)) = (row.user, tunnels::address(&mut tx, router).await?) else {
        return Err(OpenError::NoAccount);
    };
    let mut passwords = Vec::new();
    for (column, sealed) in [("api_password", row.password), ("api_password_next", row.password_next)] {
        if let Some(sealed) = sealed {
            let place = Place { table: "router", column, row: router.uuid() };
            passwords.push(app.vault.open_text(&mut tx, place, &sealed).await?);
        }
    }
    Ok(Account { address, user, passwords })
}
