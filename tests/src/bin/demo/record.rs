//! Keeps what was sent to the routers, and holds it to the recordings of RouterOS where they are.

use crate::house::{House, ISPS};
use crate::timeline::Timeline;
use anyhow::{Context as _, ensure};
use routeros::codec::Sentence;
use serde_json::json;
use system_tests::recordings;

/// Writes each router's transcript into the folder `demo` of the target folder, and checks it.
///
/// # Errors
/// When a router was sent what its version does not have.
pub async fn keep(house: &House, timeline: &mut Timeline) -> anyhow::Result<()> {
    let own = std::env::current_exe()?;
    let folder = own.ancestors().nth(2).context("a program lies in its profile's folder")?.join("demo");
    std::fs::create_dir_all(&folder)?;
    let schemas = recordings::schemas()?;
    let mut count = 0;
    for mast in &house.masts {
        let sentences = mast.transcript().await?;
        count += sentences.len();
        let name = format!("transcript-{}-{}.json", ISPS[mast.spec.isp].1, mast.spec.name);
        let words: Vec<Vec<String>> = sentences.iter().map(words).collect();
        let text = json!({ "version": mast.spec.version, "board": mast.spec.board, "sentences": words });
        std::fs::write(folder.join(name), format!("{text:#}\n"))?;
        let strangers = recordings::strangers(mast.version(), &sentences, &schemas);
        ensure!(strangers.is_empty(), "{} was sent what RouterOS does not have: {}", mast.spec.name, strangers.join("; "));
    }
    timeline.chapter("What the routers were sent");
    timeline.done(format_args!("{count} API sentences kept in {}", folder.display()));
    if schemas.is_empty() {
        timeline.note("not held to the recordings of RouterOS: they are not on this machine");
    } else {
        let versions: Vec<String> = schemas.iter().map(|schema| schema.version().to_string()).collect();
        timeline.note(format_args!("every menu, command and argument is in the recordings of {}", versions.join(", ")));
    }
    Ok(())
}

fn words(sentence: &Sentence) -> Vec<String> {
    sentence.words().iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect()
}
