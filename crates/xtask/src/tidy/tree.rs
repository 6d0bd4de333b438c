//! The workspace's files, read once and looked at by every rule.

use super::source::Source;
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::path::Path;

/// All text files by their path below the workspace's folder, with `/` between the parts.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) texts: BTreeMap<String, String>,
    pub(super) manifests: BTreeMap<String, toml::Table>,
    sources: BTreeMap<String, Source>,
}

/// A Rust file, with what its place says about it.
#[derive(Debug, Clone, Copy)]
pub(super) struct RustFile<'a> {
    pub(super) path: &'a str,
    pub(super) source: &'a Source,
    /// Whether the whole file is test code; [`Source::in_test`] knows the tests inside other files.
    pub(super) is_test: bool,
}

impl RustFile<'_> {
    pub(super) fn in_test(&self, offset: usize) -> bool {
        self.is_test || self.source.in_test(offset)
    }
}

impl Tree {
    /// Reads the workspace; what is built, hidden or no text is left out.
    ///
    /// # Errors
    /// When a file cannot be read or a manifest is no TOML.
    pub(super) fn read(root: &Path) -> Result<Self> {
        let mut texts = BTreeMap::new();
        collect(root, root, &mut texts)?;
        Self::of(texts)
    }

    /// Takes files as given.
    ///
    /// # Errors
    /// When a manifest is no TOML.
    pub(super) fn of(texts: BTreeMap<String, String>) -> Result<Self> {
        let mut manifests = BTreeMap::new();
        let mut sources = BTreeMap::new();
        for (path, text) in &texts {
            if path == "Cargo.toml" || path.ends_with("/Cargo.toml") {
                manifests.insert(path.clone(), text.parse().with_context(|| format!("{path} is no TOML"))?);
            } else if path.ends_with(".rs") {
                sources.insert(path.clone(), Source::read(text));
            }
        }
        Ok(Self { texts, manifests, sources })
    }

    /// Lists the Rust files.
    pub(super) fn rust(&self) -> impl Iterator<Item = RustFile<'_>> {
        let declared: Vec<String> = self.sources.iter().flat_map(|(path, source)| declared_tests(path, source)).collect();
        self.sources.iter().map(move |(path, source)| {
            let stem = path.strip_suffix(".rs").unwrap_or(path);
            let by_place = path.split('/').any(|part| matches!(part, "tests" | "tests.rs" | "benches"));
            let by_declaration = declared
                .iter()
                .any(|module| stem.strip_prefix(module).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')));
            RustFile { path, source, is_test: by_place || by_declaration }
        })
    }
}

/// Gives where the modules lie that a file declares under `#[cfg(test)]`, without `.rs`.
fn declared_tests<'a>(path: &'a str, source: &'a Source) -> impl Iterator<Item = String> + 'a {
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    let stem = file.strip_suffix(".rs").unwrap_or(file);
    let base = if matches!(stem, "mod" | "lib" | "main") { folder.to_owned() } else { format!("{folder}/{stem}") };
    source.test_modules.iter().map(move |module| format!("{base}/{module}"))
}

fn collect(root: &Path, folder: &Path, texts: &mut BTreeMap<String, String>) -> Result<()> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot list {}", folder.display()))?;
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        let kind = entry.file_type().with_context(|| format!("cannot look at {}", path.display()))?;
        let skipped = name == "target" || (name.starts_with('.') && !matches!(name.as_str(), ".ci" | ".cargo"));
        if kind.is_dir() && !skipped {
            collect(root, &path, texts)?;
        } else if kind.is_file() {
            // Pictures and the like are no text, and no rule speaks of them.
            let bytes = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            if let Ok(text) = String::from_utf8(bytes) {
                let below = path.strip_prefix(root).context("a file lies below the folder it was found in")?;
                texts.insert(below.to_string_lossy().replace('\\', "/"), text);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Tree;
    use std::collections::BTreeMap;

    #[test]
    fn test_files_are_known_by_place_and_by_declaration() {
        let files = [
            ("tests/src/lib.rs", ""),
            ("crates/a/tests/b.rs", ""),
            ("crates/a/src/lib.rs", "mod code; #[cfg(test)] mod golden;"),
            ("crates/a/src/code.rs", "#[cfg(test)] mod cases;"),
            ("crates/a/src/code/cases.rs", ""),
            ("crates/a/src/golden.rs", ""),
            ("crates/a/src/golden/deep.rs", ""),
            ("crates/a/src/golden_code.rs", ""),
            ("crates/a/src/tests.rs", ""),
        ];
        let texts: BTreeMap<String, String> = files.into_iter().map(|(path, text)| (path.to_owned(), text.to_owned())).collect();
        let tree = Tree::of(texts).expect("no manifest is wrong");
        let code: Vec<&str> = tree.rust().filter(|file| !file.is_test).map(|file| file.path).collect();
        assert_eq!(code, ["crates/a/src/code.rs", "crates/a/src/golden_code.rs", "crates/a/src/lib.rs"]);
    }

    #[test]
    fn only_text_that_belongs_to_the_project_is_read() {
        let folder = tempfile::tempdir().expect("a folder of our own");
        for (path, bytes) in [
            (".git/config", &b"x"[..]),
            ("target/debug/a.rs", b"x"),
            (".ci/run", b"x"),
            (".gitignore", b"x"),
            ("docs/picture.png", b"\xff\xd8"),
            ("docs/page.md", b"x"),
        ] {
            let file = folder.path().join(path);
            std::fs::create_dir_all(file.parent().expect("a folder")).expect("made");
            std::fs::write(file, bytes).expect("written");
        }
        let tree = Tree::read(folder.path()).expect("readable");
        assert_eq!(tree.texts.keys().collect::<Vec<_>>(), [".ci/run", ".gitignore", "docs/page.md"]);
    }
}
