//! What this product knows about RouterOS menus: the only place where a menu path or an argument's name is spelled.
//!
//! Each menu is a module with the menu itself (`MENU`) and a constant per argument: `ppp_secret::{MENU, NAME, PROFILE}`.
//! A command with arguments of its own is a menu of shape [`Shape::Command`], such as `ip_hotspot_active_login`. Every row
//! has an `.id` ([`ID`]), which is not repeated in the menus.
//!
//! Everything claimed here is held against recordings of real routers by `tests/contract.rs`. The recordings begin with
//! 7.9.2; nothing is claimed about RouterOS 6.

mod firewall;
mod hotspot;
mod interfaces;
mod ip;
mod kind;
mod ppp;
mod system;
mod value;

pub use firewall::*;
pub use hotspot::*;
pub use interfaces::*;
pub use ip::*;
pub use kind::Kind;
use model::RouterosVersion;
pub use ppp::*;
use std::sync::LazyLock;
pub use system::*;
pub use value::ValueError;

/// The name under which RouterOS shows and takes a row's own id, such as `*1A`.
pub const ID: &str = ".id";

/// A menu, or a command with arguments of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Menu {
    /// The path as the API spells it: `/ppp/secret`.
    pub path: &'static str,
    /// What the menu holds.
    pub shape: Shape,
    /// The arguments that together make a row unique on a router; empty where nothing but the id does.
    pub key: &'static [&'static str],
    /// The commands that this product uses: `print`, `add`, `set` and so on; empty for [`Shape::Command`].
    pub commands: &'static [&'static str],
    /// The arguments and properties that this product writes or reads.
    pub args: &'static [Arg],
    /// Where the path exists.
    pub versions: Versions,
    /// Whether the recordings know the path; some menus exist on hardware only, and the recordings are of virtual routers.
    pub from_schema: bool,
}

impl Menu {
    const fn new(path: &'static str, shape: Shape, commands: &'static [&'static str]) -> Self {
        Self { path, shape, key: &[], commands, args: &[], versions: Versions::ALL, from_schema: true }
    }

    const fn key(self, key: &'static [&'static str]) -> Self {
        Self { key, ..self }
    }

    const fn args(self, args: &'static [Arg]) -> Self {
        Self { args, ..self }
    }

    const fn since(self, minor: u16) -> Self {
        Self { versions: Versions { since: RouterosVersion::new(7, minor, 0), until: self.versions.until }, ..self }
    }

    const fn hardware_only(self) -> Self {
        Self { from_schema: false, ..self }
    }

    /// Finds an argument by name.
    #[must_use]
    pub fn arg(&self, name: &str) -> Option<&'static Arg> {
        self.args.iter().find(|arg| arg.name == name)
    }
}

/// What a menu holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Rows whose order means nothing.
    Table,
    /// Rows whose order means something, such as firewall rules.
    Ordered,
    /// One set of values.
    Singleton,
    /// Nothing: the path itself is the command, such as `/tool/fetch`.
    Command,
}

/// An argument of a menu's commands, or a property of its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arg {
    /// The name as the API spells it.
    pub name: &'static str,
    /// What values it takes.
    pub kind: Kind,
    /// Who may write and see it.
    pub access: Access,
    /// Whether `add` (or the command) refuses to work without it.
    pub required: bool,
    /// The canonical value of a new row that is given none, which also holds while a print does not show the argument.
    pub default: Option<&'static str>,
    /// Whether `unset` takes it.
    pub clearable: bool,
    /// Where it exists, within the menu's versions.
    pub versions: Versions,
}

impl Arg {
    const fn new(name: &'static str, kind: Kind) -> Self {
        let access = Access::ReadWrite;
        Self { name, kind, access, required: false, default: None, clearable: false, versions: Versions::ALL }
    }

    const fn read_only(self) -> Self {
        Self { access: Access::ReadOnly, ..self }
    }

    const fn secret(self) -> Self {
        Self { access: Access::Secret, ..self }
    }

    const fn add_only(self) -> Self {
        Self { access: Access::AddOnly, ..self }
    }

    const fn required(self) -> Self {
        Self { required: true, ..self }
    }

    const fn default(self, value: &'static str) -> Self {
        Self { default: Some(value), ..self }
    }

    const fn clearable(self) -> Self {
        Self { clearable: true, ..self }
    }

    const fn since(self, minor: u16) -> Self {
        Self { versions: Versions { since: RouterosVersion::new(7, minor, 0), until: self.versions.until }, ..self }
    }

    const fn until(self, minor: u16) -> Self {
        Self { versions: Versions { since: self.versions.since, until: Some(RouterosVersion::new(7, minor, 0)) }, ..self }
    }

    /// Gives the canonical text of a value as a router shows it, or of the default where it shows none.
    ///
    /// # Errors
    /// The value is not one of this argument's kind.
    pub fn canonical(&self, shown: Option<&[u8]>) -> Result<Option<String>, ValueError> {
        match shown {
            Some(raw) => self.kind.canonical(raw).map(Some),
            None => Ok(self.default.map(str::to_owned)),
        }
    }
}

/// Who may write and see an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// `add` and `set` take it, `print` shows it.
    ReadWrite,
    /// `print` shows it, nothing takes it.
    ReadOnly,
    /// `add` and `set` take it; `print` shows it only to accounts with the policy `sensitive`, from 7.21 only when asked
    /// with `show-sensitive`; it is never logged.
    Secret,
    /// `add` takes it, `set` does not.
    AddOnly,
}

/// A range of RouterOS versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Versions {
    /// The first version.
    pub since: RouterosVersion,
    /// The first version without it again.
    pub until: Option<RouterosVersion>,
}

impl Versions {
    /// Everything that the recordings cover: 7.9 and later.
    pub const ALL: Self = Self { since: RouterosVersion::new(7, 9, 0), until: None };

    /// Says whether a version lies in the range.
    #[must_use]
    pub fn contain(&self, version: RouterosVersion) -> bool {
        self.since <= version && self.until.is_none_or(|until| version < until)
    }
}

static ALL: LazyLock<Vec<&'static Menu>> = LazyLock::new(|| {
    let mut menus = [system::MENUS, ip::MENUS, interfaces::MENUS, ppp::MENUS, hotspot::MENUS, firewall::MENUS].concat();
    menus.sort_by_key(|menu| menu.path);
    menus
});

/// Lists every menu, ordered by path.
#[must_use]
pub fn menus() -> &'static [&'static Menu] {
    &ALL
}

/// Finds a menu by its path: `/ppp/secret`.
#[must_use]
pub fn menu(path: &str) -> Option<&'static Menu> {
    ALL.binary_search_by_key(&path, |menu| menu.path).ok().map(|index| ALL[index])
}

/// Says whether any menu's argument of this name is secret, or it is the secret of a login.
#[must_use]
pub fn is_secret(name: &[u8]) -> bool {
    name == b"response" || SECRETS.contains(&name)
}

static SECRETS: LazyLock<Vec<&'static [u8]>> = LazyLock::new(|| {
    let args = ALL.iter().flat_map(|menu| menu.args);
    args.filter(|arg| arg.access == Access::Secret).map(|arg| arg.name.as_bytes()).collect()
});

/// The commands of a menu whose rows come and go.
const ROWS: &[&str] = &["print", "add", "set", "remove"];
/// The same, where a property can be taken away.
const ROWS_UNSET: &[&str] = &["print", "add", "set", "remove", "unset"];
/// The same, where rows can be switched off.
const ROWS_ENABLE: &[&str] = &["print", "add", "set", "remove", "enable", "disable"];
/// The same, with both.
const ROWS_ENABLE_UNSET: &[&str] = &["print", "add", "set", "remove", "enable", "disable", "unset"];
/// The same, in an order that can be changed.
const RULES: &[&str] = &["print", "add", "set", "remove", "enable", "disable", "unset", "move"];

/// Defines the menus of one file: a module each, with `MENU` and the names of its arguments.
macro_rules! define {
    ($(
        $(#[$doc:meta])*
        $module:ident = $menu:expr => {
            $($constant:ident = $name:literal: $kind:expr $(, $modifier:ident $(($value:expr))?)*;)*
        }
    )*) => {
        $(
            $(#[$doc])*
            pub mod $module {
                #[allow(clippy::wildcard_imports, unused_imports, reason = "the words of the table, not all used by each menu")]
                use super::*;

                $(#[doc = concat!("The argument `", $name, "`.")] pub const $constant: &str = $name;)*

                /// The menu.
                pub static MENU: Menu = $menu.args(&[$(Arg::new($constant, $kind)$(.$modifier($($value)?))*),*]);
            }
        )*

        pub(super) static MENUS: &[&Menu] = &[$(&$module::MENU),*];
    };
}
use define;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_found_and_unique() {
        assert_eq!(menu("/ppp/secret"), Some(&ppp_secret::MENU));
        assert_eq!(menu("/ppp/secrets"), None);
        assert!(menus().windows(2).all(|pair| pair[0].path < pair[1].path));
    }

    #[test]
    fn menus_are_consistent() {
        for menu in menus() {
            for name in menu.key {
                assert!(menu.arg(name).is_some(), "{}: the key {name} is no argument", menu.path);
            }
            for (index, arg) in menu.args.iter().enumerate() {
                assert!(menu.args[..index].iter().all(|other| other.name != arg.name), "{} {} twice", menu.path, arg.name);
                if let Some(default) = arg.default {
                    assert_eq!(arg.kind.canonical(default.as_bytes()).as_deref(), Ok(default), "{} {}", menu.path, arg.name);
                }
                assert!(!arg.required || arg.access != Access::ReadOnly, "{} {}", menu.path, arg.name);
                let unset = menu.commands.contains(&"unset");
                assert!(!arg.clearable || unset, "{} {} cannot be cleared without unset", menu.path, arg.name);
            }
            assert_eq!(menu.shape == Shape::Command, menu.commands.is_empty(), "{}", menu.path);
        }
    }

    #[test]
    fn absent_means_default() {
        let disabled = ppp_secret::MENU.arg(ppp_secret::DISABLED).expect("an argument of the menu");
        assert_eq!(disabled.canonical(None), Ok(Some("no".to_owned())));
        assert_eq!(disabled.canonical(Some(b"true")), Ok(Some("yes".to_owned())));
    }
}
