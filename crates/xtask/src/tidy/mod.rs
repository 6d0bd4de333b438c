//! The house rules that the compiler cannot see, as data: each with its reason and its remedy.

mod domains;
mod layout;
mod rooms;
mod source;
mod tree;
mod words;

#[cfg(test)]
mod plants;

use crate::process::root;
use anyhow::{Result, ensure};
use tree::Tree;

/// A rule of the house.
#[derive(Debug)]
struct Rule {
    name: &'static str,
    /// Why it stands.
    why: &'static str,
    /// What to do instead.
    remedy: &'static str,
    level: Level,
    check: fn(&Tree) -> Vec<Place>,
}

/// Whether a finding fails the run or is only shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Fails,
    Warns,
}

/// Where a rule is broken, and by what.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    file: String,
    /// Counted from 1.
    line: usize,
    what: String,
}

impl Place {
    fn new(file: &str, line: usize, what: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line, what: what.into() }
    }
}

/// All rules, in the order they are reported.
const RULES: &[&[Rule]] = &[rooms::RULES, domains::RULES, words::RULES, layout::RULES];

/// Files that a rule does not judge: the rule, the file or folder, and the reason. One that excuses nothing is a finding itself.
const EXEMPT: &[(&str, &str, &str)] = &[
    ("words", "crates/xtask/src/tidy/words.rs", "the list itself"),
    ("words", "crates/xtask/src/tidy/plants.rs", "violations planted on purpose"),
    ("machines", "crates/xtask/src/tidy/words.rs", "the list itself"),
    ("machines", "crates/xtask/src/tidy/plants.rs", "violations planted on purpose"),
    ("doors", "crates/xtask/src/tidy/words.rs", "the list itself"),
    ("doors", "crates/xtask/src/tidy/plants.rs", "violations planted on purpose"),
];

/// Checks the workspace and prints what it finds, rule by rule.
///
/// # Errors
/// When a rule that fails is broken, or the workspace cannot be read.
pub(crate) fn tidy() -> Result<()> {
    let tree = Tree::read(root())?;
    let verdict = judge(&tree, EXEMPT);
    for line in &verdict.lines {
        println!("{line}");
    }
    ensure!(verdict.failures == 0, "tidy: {} to mend", verdict.failures);
    println!("tidy: {} files keep {} rules", tree.texts.len(), RULES.iter().map(|group| group.len()).sum::<usize>());
    Ok(())
}

/// What the rules found, ready to print.
#[derive(Debug, Default)]
struct Verdict {
    lines: Vec<String>,
    failures: usize,
}

fn judge(tree: &Tree, exempt: &[(&str, &str, &str)]) -> Verdict {
    let mut verdict = Verdict::default();
    let mut used = vec![false; exempt.len()];
    for rule in RULES.iter().copied().flatten() {
        let mut places = (rule.check)(tree);
        places.retain(|place| {
            let excuse = exempt.iter().position(|(name, file, _)| *name == rule.name && is_at(&place.file, file));
            if let Some(index) = excuse {
                used[index] = true;
            }
            excuse.is_none()
        });
        places.sort();
        verdict.report(rule, &places);
    }
    for ((name, file, reason), _) in std::iter::zip(exempt, used).filter(|(_, used)| !used) {
        verdict.failures += 1;
        verdict.lines.push(format!(
            "{file} needs no exemption from `{name}` any more ({reason}): take it out of EXEMPT in crates/xtask/src/tidy/mod.rs"
        ));
    }
    verdict
}

/// Tells whether a file is `place` or lies in it.
fn is_at(file: &str, place: &str) -> bool {
    file.strip_prefix(place).is_some_and(|rest| rest.is_empty() || place.ends_with('/') || rest.starts_with('/'))
}

impl Verdict {
    fn report(&mut self, rule: &Rule, places: &[Place]) {
        if places.is_empty() {
            return;
        }
        let level = match rule.level {
            Level::Fails => "broken",
            Level::Warns => "nearly broken",
        };
        self.failures += if rule.level == Level::Fails { places.len() } else { 0 };
        self.lines.push(format!("rule `{}` is {level}", rule.name));
        self.lines.extend(places.iter().map(|place| format!("  {}:{}: {}", place.file, place.line, place.what)));
        self.lines.push(format!("  why:    {}", rule.why));
        self.lines.push(format!("  remedy: {}", rule.remedy));
    }
}

#[cfg(test)]
mod tests {
    use super::{EXEMPT, is_at, judge};
    use crate::process::root;
    use crate::tidy::tree::Tree;

    #[test]
    fn this_workspace_is_tidy() {
        let verdict = judge(&Tree::read(root()).expect("the workspace is readable"), EXEMPT);
        assert_eq!(verdict.failures, 0, "\n{}", verdict.lines.join("\n"));
    }

    #[test]
    fn places_are_files_or_folders() {
        assert!(is_at("a/b.rs", "a/b.rs"));
        assert!(is_at("a/b.rs", "a"));
        assert!(is_at("a/b.rs", "a/"));
        assert!(!is_at("ab/c.rs", "a"));
    }

    #[test]
    fn finding_is_reported_with_its_reason_until_exempt() {
        let text = "fn f() { todo!() }".to_owned();
        let tree = Tree::of([("crates/a/src/lib.rs".to_owned(), text)].into()).expect("no manifest is wrong");
        let verdict = judge(&tree, &[]);
        assert_eq!(verdict.failures, 1);
        assert_eq!(verdict.lines[..2], ["rule `unfinished` is broken", "  crates/a/src/lib.rs:1: `todo!`"]);
        assert!(verdict.lines[2].starts_with("  why:    ") && verdict.lines[3].starts_with("  remedy: "), "{:?}", verdict.lines);
        assert_eq!(judge(&tree, &[("unfinished", "crates/a/", "for the test")]).failures, 0);
    }

    #[test]
    fn exemption_that_excuses_nothing_is_a_finding() {
        let verdict = judge(&Tree::of([].into()).expect("empty"), &[("unfinished", "crates/a", "long gone")]);
        assert_eq!(verdict.failures, 1);
        assert!(verdict.lines[0].starts_with("crates/a needs no exemption from `unfinished` any more"), "{:?}", verdict.lines);
    }
}
