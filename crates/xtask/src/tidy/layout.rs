//! How long a file is, and how migrations are named.

use super::tree::Tree;
use super::{Level, Place, Rule};

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "length",
        why: "a file that does not fit into a head is changed by guessing",
        remedy: "split it by meaning: a module is a noun, with its own front door",
        level: Level::Fails,
        check: |tree| longer_than(tree, LINES_MAX, usize::MAX),
    },
    Rule {
        name: "length-soon",
        why: "a file grows past the limit one line at a time",
        remedy: "split it by meaning before it has to be",
        level: Level::Warns,
        check: |tree| longer_than(tree, LINES_USUAL, LINES_MAX),
    },
    Rule {
        name: "migrations",
        why: "migrations run forward, once, in the order of their numbers; a gap is one that somebody else already ran",
        remedy: "name it NNNN_verb_noun.sql, with the next free number, from 0001 on",
        level: Level::Fails,
        check: migrations,
    },
];

/// The length a Rust file keeps.
const LINES_USUAL: usize = 600;

/// The length that fails.
const LINES_MAX: usize = 700;

fn longer_than(tree: &Tree, above: usize, to: usize) -> Vec<Place> {
    let rust = tree.rust().map(|file| (file.path, tree.texts[file.path].lines().count()));
    rust.filter(|(_, lines)| *lines > above && *lines <= to)
        .map(|(path, lines)| Place::new(path, lines, format!("{lines} lines")))
        .collect()
}

fn migrations(tree: &Tree) -> Vec<Place> {
    let mut places = Vec::new();
    let mut last = 0;
    let files = tree.texts.keys().filter_map(|path| Some((path, path.strip_prefix("migrations/")?)));
    for (path, name) in files {
        match number(name) {
            None => places.push(Place::new(path, 1, "another name than NNNN_verb_noun.sql")),
            Some(found) => {
                if found != last + 1 {
                    places.push(Place::new(path, 1, format!("{found:04} follows {last:04}")));
                }
                last = found;
            }
        }
    }
    places
}

/// Reads the number of a migration whose name is well formed.
fn number(name: &str) -> Option<u32> {
    let (number, words) = name.strip_suffix(".sql")?.split_once('_')?;
    let word = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    let well_formed = number.len() == 4 && words.contains('_') && words.split('_').all(word);
    well_formed.then(|| number.parse().ok()).flatten()
}
