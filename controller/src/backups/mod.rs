//! Copies of tenants: backups in one sealed file each, taken while everything goes on; their way back into place, into a fresh
//! installation, or beside the original to be compared; and plain files for the ISP itself.
//!
//! What goes into a copy follows from the registry of tables and the real catalogue, so a table is covered on the day it is made.

mod compare;
mod export;
mod file;
pub mod format;
mod instance;
mod keep;
mod lines;
mod restore;
mod routes;
mod rules;
mod store;
mod take;

pub use compare::{Comparison, TableDifference, compare};
pub use export::{ExportFormat, Exported, cell, exported_tables};
pub use file::{Keys, SealFor, Written, check_passphrase, rewrap};
pub use instance::{INSTANCE_FILE, InstanceRestored, restore_instance, take_instance, unpack_master_key};
pub use keep::{BackupView, begin, delete_files, downloads, fail_forgotten, folder, make, rewrap_all};
pub use lines::Manifest;
pub use restore::{Restored, TableRestored, Target, inspect, restore};
pub use routes::routes;
pub use store::last_restore;
#[cfg(feature = "testing")]
pub use take::take_as;
pub use take::{Taken, take};

use crate::operators::OperatorError;
use crate::secrets::VaultError;
use db::DbError;
use db::copies::ShapeError;
use std::path::PathBuf;

/// Why a copy was not made or not put back. Nothing is left half done.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The file is something else.
    #[error("this file is not a Mastwire backup")]
    NotABackup,
    /// The file is of a later form.
    #[error("the file has form {found}, this program reads form {known}: use the newer program that wrote it")]
    UnknownForm { found: u8, known: u8 },
    /// The file is not whole.
    #[error("the file was cut off or changed, so nothing of it was used: take another copy of it, or an earlier backup")]
    Damaged,
    /// A count or hash in the file is not right.
    #[error("{table} does not add up: the file says {said} rows and a hash, and holds {found} rows; nothing of it was used")]
    DoesNotAddUp { table: String, said: u64, found: u64 },
    /// The file is sealed for another master key.
    #[error(
        "the file was sealed with another master key: give that key's file with --master-key, or take the backup again with --passphrase-file"
    )]
    WrongMasterKey,
    /// The passphrase is another.
    #[error("the passphrase is not the one that the file was sealed with")]
    WrongPassphrase,
    /// There is no passphrase.
    #[error("the file was sealed with a passphrase: give it with --passphrase-file")]
    NeedsPassphrase,
    /// The passphrase can be guessed.
    #[error("a passphrase has at least {0} characters: whoever has the file can try as often as they like")]
    WeakPassphrase(usize),
    /// The file holds something else than what is asked for.
    #[error("the file holds {0}")]
    OtherKind(&'static str),
    /// The file was taken of another tenant than the one it is meant for.
    #[error("the file was taken of `{found}`, not of `{wanted}`")]
    OtherTenant { found: String, wanted: String },
    /// The file is of a newer database.
    #[error("the backup has schema version {found}, this program knows {known}: install the newer version first")]
    NewerSchema { found: i64, known: i64 },
    /// The file is of a database that this one has left behind.
    #[error(
        "the backup has schema version {version}, and {what}: restore it with the version that took it, into an empty data folder, and upgrade that"
    )]
    OlderSchema { version: i64, what: String },
    /// The tenant is at work.
    #[error("`{name}` is {status}: suspend it first, or replace its rows all the same with --replace \"{name}\"")]
    AtWork { name: String, status: String },
    /// The tenant is on its way out.
    #[error("`{0}` is being purged: let that come to its end first")]
    BeingPurged(String),
    /// Something that can be only once belongs to another tenant here.
    #[error("`{key}` of the backup belongs to another tenant here ({why}); nothing was restored")]
    Taken { key: String, why: String },
    /// The original is not here.
    #[error("a shadow is laid beside the tenant it was taken of, and that is not here: restore the file without --shadow")]
    NoOriginal,
    /// There is no such thing.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// A field is wrong.
    #[error("{field}: {message}")]
    Field { field: &'static str, message: &'static str },
    /// Another one is being taken.
    #[error("a backup of this ISP is being taken already: wait until it is done")]
    Busy,
    /// Too many are going on.
    #[error("{0} exports or downloads are running already: try again in a minute")]
    TooMany(usize),
    /// The caller sees a part of the tenant only.
    #[error("you see the routers assigned to you only, and a copy holds everything: ask somebody who sees all")]
    PartlySeen,
    /// The place is not empty.
    #[error("{0} is not empty: a whole instance is restored into an empty place")]
    NotEmpty(PathBuf),
    /// A row does not keep the rules of its table.
    #[error("a row of the backup does not keep a rule of this database ({rule}); nothing was restored")]
    Refused { rule: String },
    /// A file cannot be read or written.
    #[error("{path} cannot be used")]
    Io {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// A key is missing or does not open.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The tables cannot be copied.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// The caller may not.
    #[error(transparent)]
    Operator(#[from] OperatorError),
    /// The database did not answer.
    #[error(transparent)]
    Db(#[from] DbError),
}
