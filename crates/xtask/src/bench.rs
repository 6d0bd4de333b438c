//! Runs the registered benches, prints their figures as a table and keeps them as JSON.

use crate::process::{Metadata, cargo, watch};
use anyhow::{Context, Result, bail, ensure};
use clap::builder::PossibleValuesParser;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The package that holds the benches, as programs named `bench-NAME` which print a JSON list of [`Measure`] to stdout.
const PACKAGE: &str = "system-tests";

/// Every bench by name.
const BENCHES: &[&str] = &["db", "push", "routeros", "tunnel"];

/// One figure of a bench.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Measure {
    /// What was measured, in plain words.
    what: String,
    value: f64,
    unit: String,
    /// Who else did the same work, if anybody.
    peer: Option<String>,
    /// The peer's figure, in the same unit.
    peer_value: Option<f64>,
    /// `value / peer_value`.
    ratio: Option<f64>,
    /// The target in words, with its direction, such as `ratio at least 0.8`.
    target: Option<String>,
    /// Whether the target is met; absent where there is none.
    holds: Option<bool>,
}

/// Gives the names that the command line accepts.
pub(crate) fn names() -> PossibleValuesParser {
    PossibleValuesParser::new(BENCHES)
}

/// Runs one bench, or all of them.
///
/// # Errors
/// When a bench does not exist, fails, prints something else than its figures, or misses a target.
pub(crate) fn bench(only: Option<&str>) -> Result<()> {
    let metadata = Metadata::read()?;
    let mut missed = 0;
    for name in BENCHES.iter().filter(|name| only.is_none_or(|only| only == **name)) {
        let program = format!("bench-{name}");
        ensure!(
            metadata.has_program(PACKAGE, &program),
            "bench `{name}` is registered, but package {PACKAGE} has no program `{program}`"
        );
        let mut printed = String::new();
        let mut command = cargo(["run", "--quiet", "--release", "--package", PACKAGE, "--bin", &program]);
        let status = watch(&mut command, |line| {
            printed.push_str(line);
            printed.push('\n');
        })?;
        ensure!(status.success(), "bench `{name}` failed ({status})");
        let measures = parse(&printed).with_context(|| format!("bench `{name}` did not print its figures"))?;
        let file = metadata.target_directory.join("bench").join(format!("{name}.json"));
        keep(&file, &measures)?;
        println!("{}\nwritten to {}", table(&measures), file.display());
        missed += measures.iter().filter(|measure| measure.holds == Some(false)).count();
    }
    match missed {
        0 => Ok(()),
        1 => bail!("1 target is missed"),
        several => bail!("{several} targets are missed"),
    }
}

/// Reads a bench's figures and refuses those that contradict themselves.
fn parse(printed: &str) -> Result<Vec<Measure>> {
    let measures: Vec<Measure> = serde_json::from_str(printed)?;
    ensure!(!measures.is_empty(), "the list is empty");
    for measure in &measures {
        let what = &measure.what;
        ensure!(measure.target.is_some() == measure.holds.is_some(), "`{what}`: `target` and `holds` go together");
        let peer = [measure.peer.is_some(), measure.peer_value.is_some(), measure.ratio.is_some()];
        ensure!(peer == [peer[0]; 3], "`{what}`: `peer`, `peer_value` and `ratio` go together");
    }
    Ok(measures)
}

fn keep(file: &Path, measures: &[Measure]) -> Result<()> {
    let folder = file.parent().expect("the file lies in the bench folder");
    std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let text = serde_json::to_string_pretty(measures)? + "\n";
    std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}

/// Lays the figures out in columns as wide as their widest cell.
fn table(measures: &[Measure]) -> String {
    let mut rows = vec![["what", "value", "unit", "peer", "peer's value", "ratio", "target", ""].map(str::to_owned)];
    rows.extend(measures.iter().map(|measure| {
        [
            measure.what.clone(),
            figure(measure.value),
            measure.unit.clone(),
            measure.peer.clone().unwrap_or_default(),
            measure.peer_value.map(figure).unwrap_or_default(),
            measure.ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default(),
            measure.target.clone().unwrap_or_default(),
            measure.holds.map(|holds| if holds { "holds" } else { "MISSED" }).unwrap_or_default().to_owned(),
        ]
    }));
    let widths: [usize; 8] = std::array::from_fn(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0));
    let numeric = [false, true, false, false, true, true, false, false];
    let mut lines = Vec::new();
    for row in &rows {
        let cells = std::iter::zip(row, std::iter::zip(widths, numeric))
            .map(|(cell, (width, right))| if right { format!("{cell:>width$}") } else { format!("{cell:<width$}") })
            .collect::<Vec<_>>();
        lines.push(cells.join("  ").trim_end().to_owned());
    }
    lines.join("\n")
}

/// Writes a number with three digits after the point where it is small, and none where it is large.
fn figure(value: f64) -> String {
    let digits = match value.abs() {
        large if large >= 1000.0 => 0,
        medium if medium >= 10.0 => 1,
        _ => 3,
    };
    format!("{value:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::{keep, parse, table};

    const TWO: &str = r#"[
        {"what":"sentences decoded","value":1250000,"unit":"per s","peer":"librouteros","peer_value":50000,"ratio":25,"target":"ratio at least 5","holds":true},
        {"what":"largest buffer","value":4.5,"unit":"KiB","peer":null,"peer_value":null,"ratio":null,"target":"at most 4","holds":false},
        {"what":"start","value":12,"unit":"ms"}
    ]"#;

    #[test]
    fn figures_become_a_table() {
        let expected = "\
what                 value  unit   peer         peer's value  ratio  target
sentences decoded  1250000  per s  librouteros         50000  25.00  ratio at least 5  holds
largest buffer       4.500  KiB                                      at most 4         MISSED
start                 12.0  ms";
        assert_eq!(table(&parse(TWO).expect("figures")), expected);
    }

    #[test]
    fn figures_are_kept_as_given() {
        let folder = tempfile::tempdir().expect("a folder of our own");
        let file = folder.path().join("bench").join("two.json");
        let measures = parse(TWO).expect("figures");
        keep(&file, &measures).expect("written");
        let kept = std::fs::read_to_string(&file).expect("read back");
        assert_eq!(table(&parse(&kept).expect("figures again")), table(&measures));
    }

    #[test]
    fn figures_that_contradict_themselves_are_refused() {
        let cases = [
            ("[]", "the list is empty"),
            (r#"[{"what":"a","value":1,"unit":"s","holds":true}]"#, "`a`: `target` and `holds` go together"),
            (r#"[{"what":"a","value":1,"unit":"s","peer":"b"}]"#, "`a`: `peer`, `peer_value` and `ratio` go together"),
        ];
        for (printed, expected) in cases {
            assert_eq!(parse(printed).expect_err(printed).to_string(), expected);
        }
        assert!(parse(r#"[{"what":"a","value":1,"unit":"s","colour":"red"}]"#).is_err(), "unknown fields are refused");
        assert!(parse("warming up\n[]").is_err(), "only the list is printed");
    }
}
