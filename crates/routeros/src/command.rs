//! Commands, built from the catalogue.

use crate::catalogue::{Access, ID, Menu, Shape};
use crate::codec::Sentence;
use std::fmt;

/// A condition on the rows of a print, for the router to judge; it compares texts as the router shows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Query {
    /// The property is there.
    Has(&'static str),
    /// The property has the value, as the router shows it: `true`, not `yes`.
    Is(&'static str, String),
    /// The condition does not hold.
    Not(Box<Query>),
    /// All of them hold.
    All(Vec<Query>),
    /// One of them holds.
    Any(Vec<Query>),
}

impl Query {
    /// Writes the condition in the router's order: operands first, then what joins them.
    fn words(&self, menu: &Menu, out: &mut Vec<Vec<u8>>) {
        match self {
            Self::Has(name) => out.push(format!("?{}", known(menu, name)).into_bytes()),
            Self::Is(name, value) => out.push(format!("?{}={value}", known(menu, name)).into_bytes()),
            Self::Not(query) => {
                query.words(menu, out);
                out.push(b"?#!".to_vec());
            }
            Self::All(queries) => Self::join(queries, b"?#&", menu, out),
            Self::Any(queries) => Self::join(queries, b"?#|", menu, out),
        }
    }

    fn join(queries: &[Self], operator: &[u8], menu: &Menu, out: &mut Vec<Vec<u8>>) {
        for (index, query) in queries.iter().enumerate() {
            query.words(menu, out);
            if index > 0 {
                out.push(operator.to_vec());
            }
        }
    }
}

fn known<'a>(menu: &Menu, name: &'a str) -> &'a str {
    assert!(name == ID || menu.arg(name).is_some(), "{} has no property {name}", menu.path);
    name
}

/// One command to a router. It is built from the catalogue's constants; a menu, a command or an argument that the
/// catalogue does not have is an error in the program and panics.
#[derive(Clone, PartialEq, Eq)]
pub struct Command {
    menu: Option<&'static Menu>,
    verb: &'static str,
    sentence: Sentence,
}

impl Command {
    /// Asks for the rows of a menu.
    ///
    /// # Panics
    /// The catalogue does not print this menu.
    #[must_use]
    pub fn print(menu: &'static Menu) -> Self {
        Self::new(menu, "print")
    }

    /// Asks for the rows of a menu as they change; for `Client::listen`.
    ///
    /// # Panics
    /// The catalogue does not print this menu.
    #[must_use]
    pub fn listen(menu: &'static Menu) -> Self {
        assert!(menu.commands.contains(&"print"), "{} is not read", menu.path);
        Self::unchecked(menu, "listen")
    }

    /// Adds a row; the result's `ret` is its id.
    ///
    /// # Panics
    /// The catalogue does not add to this menu.
    #[must_use]
    pub fn add(menu: &'static Menu) -> Self {
        Self::new(menu, "add")
    }

    /// Changes a row.
    ///
    /// # Panics
    /// The catalogue does not set in this menu, or it has no rows.
    #[must_use]
    pub fn set(menu: &'static Menu, id: &str) -> Self {
        Self::on(menu, "set", id)
    }

    /// Changes a menu that has no rows.
    ///
    /// # Panics
    /// The catalogue does not set in this menu, or it has rows.
    #[must_use]
    pub fn configure(menu: &'static Menu) -> Self {
        assert_eq!(menu.shape, Shape::Singleton, "{} has rows", menu.path);
        Self::new(menu, "set")
    }

    /// Removes a row.
    ///
    /// # Panics
    /// The catalogue does not remove from this menu.
    #[must_use]
    pub fn remove(menu: &'static Menu, id: &str) -> Self {
        Self::on(menu, "remove", id)
    }

    /// Takes a property away from a row.
    ///
    /// # Panics
    /// The catalogue does not unset in this menu, or the property cannot be cleared.
    #[must_use]
    pub fn unset(menu: &'static Menu, id: &str, name: &str) -> Self {
        assert!(menu.arg(name).is_some_and(|arg| arg.clearable), "{} {name} cannot be cleared", menu.path);
        Self::on(menu, "unset", id).word("value-name", name.as_bytes())
    }

    /// Moves a row of an ordered menu to the place before another.
    ///
    /// # Panics
    /// The catalogue does not move in this menu.
    #[must_use]
    pub fn move_before(menu: &'static Menu, id: &str, destination: &str) -> Self {
        Self::new(menu, "move").word("numbers", id.as_bytes()).word("destination", destination.as_bytes())
    }

    /// Does to a row what needs no arguments: `enable`, `disable`, `reset-counters`.
    ///
    /// # Panics
    /// The catalogue does not use this command in this menu, or the menu has no rows.
    #[must_use]
    pub fn on(menu: &'static Menu, verb: &'static str, id: &str) -> Self {
        assert!(matches!(menu.shape, Shape::Table | Shape::Ordered), "{} has no rows", menu.path);
        Self::new(menu, verb).word(ID, id.as_bytes())
    }

    /// Runs a menu of shape [`Shape::Command`]: `/ip/hotspot/active/login`, `/tool/fetch`.
    ///
    /// # Panics
    /// The menu is of another shape.
    #[must_use]
    pub fn run(menu: &'static Menu) -> Self {
        assert_eq!(menu.shape, Shape::Command, "{} is a menu", menu.path);
        Self { menu: Some(menu), verb: "", sentence: Sentence::new([menu.path]) }
    }

    fn new(menu: &'static Menu, verb: &'static str) -> Self {
        assert!(menu.commands.contains(&verb), "{} has no command {verb}", menu.path);
        Self::unchecked(menu, verb)
    }

    fn unchecked(menu: &'static Menu, verb: &'static str) -> Self {
        Self { menu: Some(menu), verb, sentence: Sentence::new([format!("{}/{verb}", menu.path)]) }
    }

    /// Logs in (`response` instead of `password` for the challenge of routers before 6.43).
    #[cfg(feature = "client")]
    pub(crate) fn login(user: &str, name: &str, value: &[u8]) -> Self {
        Self { menu: None, verb: "login", sentence: Sentence::new(["/login"]) }.word("name", user.as_bytes()).word(name, value)
    }

    /// Stops the command with the given tag.
    #[cfg(feature = "client")]
    pub(crate) fn cancel(tag: u64) -> Self {
        Self { menu: None, verb: "cancel", sentence: Sentence::new(["/cancel"]) }.word("tag", tag.to_string().as_bytes())
    }

    fn word(mut self, name: &str, value: &[u8]) -> Self {
        self.sentence.push_attribute(name, value);
        self
    }

    /// Sets an argument, best to its canonical value.
    ///
    /// # Panics
    /// The menu has no such argument, or this command does not write it.
    #[must_use]
    pub fn with(self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let menu = self.menu.expect("only commands of menus are public");
        let arg = menu.arg(name).unwrap_or_else(|| panic!("{} has no argument {name}", menu.path));
        let writes = match arg.access {
            Access::ReadWrite | Access::Secret => matches!(self.verb, "add" | "set" | ""),
            Access::AddOnly => self.verb == "add",
            Access::ReadOnly => false,
        };
        assert!(writes, "{} {} does not write {name}", menu.path, self.verb);
        self.word(name, value.as_ref())
    }

    /// Limits a print to some properties; a print without it is slow for the router.
    ///
    /// # Panics
    /// The menu has no such property.
    #[must_use]
    pub fn proplist<'a>(self, names: impl IntoIterator<Item = &'a str>) -> Self {
        let menu = self.reads();
        let names = names.into_iter().map(|name| known(menu, name)).collect::<Vec<_>>().join(",");
        self.word(".proplist", names.as_bytes())
    }

    /// Limits a print to the rows for which a condition holds.
    ///
    /// # Panics
    /// The menu has no such property.
    #[must_use]
    pub fn query(mut self, query: &Query) -> Self {
        let mut words = Vec::new();
        query.words(self.reads(), &mut words);
        for word in words {
            self.sentence.push(word);
        }
        self
    }

    /// Asks a print to show secrets too; only for 7.21 and later, which hide them otherwise (earlier versions refuse it).
    ///
    /// # Panics
    /// The command is no print.
    #[must_use]
    pub fn show_sensitive(self) -> Self {
        self.reads();
        self.word("show-sensitive", b"yes")
    }

    fn reads(&self) -> &'static Menu {
        assert!(!self.is_write(), "only a print takes this");
        self.menu.expect("only commands of menus are read")
    }

    /// Says whether the command may change the router.
    #[must_use]
    pub fn is_write(&self) -> bool {
        !matches!(self.verb, "print" | "listen" | "login" | "cancel")
    }

    /// Gives the sentence for the wire, with a tag.
    #[must_use]
    pub fn tagged(&self, tag: u64) -> Sentence {
        let mut sentence = self.sentence.clone();
        sentence.push(format!(".tag={tag}"));
        sentence
    }

    /// Returns the sentence without a tag.
    #[must_use]
    pub const fn sentence(&self) -> &Sentence {
        &self.sentence
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.sentence.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::{interface_wireguard, ip_hotspot_active_login, ppp_profile, ppp_secret, system_identity};
    use expect_test::expect;

    #[test]
    fn commands_on_the_wire() {
        let pppoe = Query::Is(ppp_secret::SERVICE, "pppoe".into());
        let on = Query::Not(Box::new(Query::Is(ppp_secret::DISABLED, "true".into())));
        let commands = [
            Command::print(&ppp_secret::MENU).proplist([ID, ppp_secret::NAME]).query(&Query::All(vec![
                pppoe,
                on,
                Query::Any(vec![Query::Has(ppp_secret::COMMENT)]),
            ])),
            Command::print(&ppp_secret::MENU).show_sensitive(),
            Command::add(&ppp_secret::MENU).with(ppp_secret::NAME, "u=1").with(ppp_secret::PASSWORD, "hunter2"),
            Command::set(&ppp_secret::MENU, "*1").with(ppp_secret::COMMENT, ""),
            Command::on(&ppp_secret::MENU, "disable", "*1"),
            Command::unset(&ppp_profile::MENU, "*2", ppp_profile::RATE_LIMIT),
            Command::configure(&system_identity::MENU).with(system_identity::NAME, "mast 7"),
            Command::run(&ip_hotspot_active_login::MENU).with(ip_hotspot_active_login::USER, "v-1"),
        ];
        expect![[r#"
            ["/ppp/secret/print", "=.proplist=.id,name", "?service=pppoe", "?disabled=true", "?#!", "?#&", "?comment", "?#&"]
            ["/ppp/secret/print", "=show-sensitive=yes"]
            ["/ppp/secret/add", "=name=u=1", "=password=***"]
            ["/ppp/secret/set", "=.id=*1", "=comment="]
            ["/ppp/secret/disable", "=.id=*1"]
            ["/ppp/profile/unset", "=.id=*2", "=value-name=rate-limit"]
            ["/system/identity/set", "=name=mast 7"]
            ["/ip/hotspot/active/login", "=user=v-1"]
        "#]]
        .assert_eq(&commands.iter().map(|command| format!("{command:?}\n")).collect::<String>());
        let writes: Vec<bool> = commands.iter().map(Command::is_write).collect();
        assert_eq!(writes, [false, false, true, true, true, true, true, true]);
    }

    #[test]
    fn what_the_catalogue_lacks_is_a_programming_error() {
        let wrong: [fn() -> Command; 6] = [
            || Command::add(&ppp_secret::MENU).with("nam", "x"),
            || Command::set(&interface_wireguard::MENU, "*1").with(interface_wireguard::PUBLIC_KEY, "x"),
            || Command::add(&system_identity::MENU),
            || Command::print(&ppp_secret::MENU).proplist(["profil"]),
            || Command::unset(&ppp_profile::MENU, "*1", ppp_profile::NAME),
            || Command::set(&system_identity::MENU, "*1"),
        ];
        for build in wrong {
            assert!(std::panic::catch_unwind(build).is_err());
        }
    }
}
