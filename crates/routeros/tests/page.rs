//! Goal: `docs/routeros.md` says what is sent to routers and read from them. Method: it is made from the catalogue, which is the only
//! place where a menu or an argument is spelled, and which `contract.rs` holds to recordings of real routers. So the page needs nothing
//! from outside the repository, and is the same in every clone.

use model::RouterosVersion;
use routeros::catalogue::{Access, Arg, Menu, Shape, Versions, menus};
use std::fmt::Write as _;
use std::path::Path;

const HEAD: &str = "\
# What is used of RouterOS

Made from the catalogue in `crates/routeros/src/catalogue` by a test; nothing else in the program spells a menu or an argument. Another test holds
each menu, command and argument below to recordings of real routers: whole ones of 7.20.8, 7.21.5 and 7.22.3, and the changes of all versions from
7.9.2 to 7.24. Those begin with 7.9, so nothing here says anything about earlier ones. Every row has an `.id` beside what is listed.

- *written*: `add` and `set` take it, and a print shows it
- *secret*: written, and shown only to accounts that may see it; from 7.21 only when asked with `show-sensitive`
- *at the start*: `add` takes it, `set` does not
- *read*: a print shows it, and nothing takes it
- *needed*: there is no row (or command) without it
";

fn range(versions: Versions) -> String {
    match versions.until {
        Some(until) => format!("from {} until before {until}", versions.since),
        None => format!("from {}", versions.since),
    }
}

fn shape(menu: &Menu) -> String {
    let what = match menu.shape {
        Shape::Table => "Rows",
        Shape::Ordered => "Rows in an order that means something",
        Shape::Singleton => "One set of values",
        Shape::Command => "A command",
    };
    let key = menu.key.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" and ");
    if key.is_empty() { what.to_owned() } else { format!("{what}, told apart by {key}") }
}

fn line(what: &str, menu: &Menu, of: impl Fn(&Arg) -> bool) -> Option<String> {
    let name = |arg: &Arg| {
        let mut notes = Vec::new();
        notes.extend(arg.required.then(|| "needed".to_owned()));
        notes.extend((arg.versions != Versions::ALL).then(|| range(arg.versions)));
        let notes = if notes.is_empty() { String::new() } else { format!(" ({})", notes.join(", ")) };
        format!("`{}`{notes}", arg.name)
    };
    let names: Vec<String> = menu.args.iter().filter(|arg| of(arg)).map(name).collect();
    (!names.is_empty()).then(|| format!("- {what}: {}\n", names.join(", ")))
}

fn page() -> String {
    let mut page = HEAD.to_owned();
    for menu in menus() {
        let not_recorded =
            if menu.from_schema { "" } else { "; only hardware has it, and the recordings are of virtual routers" };
        write!(page, "\n## `{}`\n\n{}, {}{not_recorded}.", menu.path, shape(menu), range(menu.versions)).expect("a text");
        if !menu.commands.is_empty() {
            let commands = menu.commands.iter().map(|command| format!("`{command}`")).collect::<Vec<_>>().join(", ");
            write!(page, " Commands: {commands}.").expect("a text");
        }
        page += "\n\n";
        let written = if menu.shape == Shape::Command { "taken" } else { "written" };
        let groups = [
            (written, Access::ReadWrite),
            ("secret", Access::Secret),
            ("at the start", Access::AddOnly),
            ("read", Access::ReadOnly),
        ];
        page.extend(groups.into_iter().filter_map(|(what, access)| line(what, menu, |arg| arg.access == access)));
    }
    page.trim_end().to_owned() + "\n"
}

#[test]
fn the_page_lists_every_menu_as_the_catalogue_has_it() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/routeros.md");
    let made = page();
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&path, &made).expect("the page can be written");
    } else {
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(kept == made, "docs/routeros.md is not what the catalogue says; UPDATE_EXPECT=1 writes it anew");
    }
    for menu in menus() {
        assert!(menu.versions.since >= RouterosVersion::new(7, 9, 0), "{}: the page speaks of 7.9 and later", menu.path);
        for arg in menu.args {
            assert!(made.contains(&format!("`{}`", arg.name)), "{} {} stands on the page", menu.path, arg.name);
        }
    }
}
