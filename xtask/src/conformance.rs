//! `cargo xtask conformance`: the same transcripts against the Runtime Interface Emulator and
//! against rapid in its manner, and what differs.
//!
//! `tests/conformance/transcripts.toml` says what a runtime and an invoker do;
//! `tests/conformance/differences.toml` lists the differences that are meant, with their reasons.
//! A difference that is not listed fails, and so does a listed one that does not appear.

mod difference;
mod http;
mod normal;
mod record;
mod runtime;
mod stage;
mod step;
mod transcript;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use anyhow::{Context, Result, anyhow, bail};

use self::difference::{Difference, Ledger, compare};
use self::record::Record;
pub(crate) use self::runtime::play as scripted_process;
use self::stage::{Emulator, Stage};
use self::transcript::Transcript;
use crate::{cargo, peers};

/// So many transcripts are played at once: most of the time they wait for something.
const AT_ONCE: usize = 4;

/// Plays the transcripts that are named, or all, and compares.
///
/// # Errors
/// When there is a difference that is not listed, or a listed one that does not appear.
pub(crate) fn run(root: &Path, args: &[String]) -> Result<()> {
    let show = args.iter().any(|arg| arg == "--show");
    let names: Vec<&String> = args.iter().filter(|arg| *arg != "--show").collect();
    let files = root.join("tests/conformance");
    let all = transcript::read(&files.join("transcripts.toml"))?;
    let mut ledger = Ledger::read(&files.join("differences.toml"))?;
    let known: Vec<&str> = all.iter().map(|one| one.name.as_str()).collect();
    if let [stranger, ..] = ledger.strangers(&known).as_slice() {
        bail!("differences.toml: no transcript is called {stranger}");
    }
    if let Some(stranger) = names.iter().find(|name| !known.contains(&name.as_str())) {
        bail!("no transcript is called {stranger}; there are: {}", known.join(", "));
    }
    let chosen: Vec<&Transcript> =
        all.iter().filter(|one| names.is_empty() || names.contains(&&one.name)).collect();

    let theatre = Theatre::open(root)?;
    let (chosen, left_out) = theatre.possible(chosen)?;
    let mut unexplained = 0;
    theatre.play(&chosen, |transcript, records| {
        let (emulator, rapid) = records?;
        if show {
            print_record(&transcript.name, &emulator, &rapid);
        }
        unexplained += report(transcript, compare(&emulator, &rapid), &mut ledger);
        Ok(())
    })?;
    let played: Vec<&str> = chosen.iter().map(|one| one.name.as_str()).collect();
    let stale = ledger.stale(&played, &known);
    for line in &stale {
        println!("stale: differences.toml lists what did not appear: {line}");
    }
    if left_out > 0 {
        println!("{left_out} transcripts with external extensions left out: no mount namespaces");
    }
    println!(
        "{} transcripts, {} known differences, {unexplained} unexplained",
        chosen.len(),
        ledger.len()
    );
    match (unexplained, stale.len()) {
        (0, 0) => Ok(()),
        (unexplained, stale) => bail!(
            "{unexplained} unexplained and {stale} stale differences; \
             their output is in {}",
            theatre.dir.display()
        ),
    }
}

/// Where transcripts are played.
struct Theatre {
    dir: PathBuf,
    stage: Stage,
    emulator: Emulator,
    rapid: Emulator,
}

impl Theatre {
    fn open(root: &Path) -> Result<Self> {
        let emulator = peers::emulator(root)?;
        let rapid = cargo::build(root, "rapid")?;
        let dir = root.join("target/conformance");
        if dir.exists() {
            fs::remove_dir_all(&dir).context("removing what the last run left")?;
        }
        fs::create_dir_all(&dir).with_context(|| format!("creating {}", dir.display()))?;
        // A copy, because a later build may replace this program while it runs.
        let bootstrap = dir.join("bootstrap");
        fs::copy("/proc/self/exe", &bootstrap).context("copying this program")?;
        Ok(Self {
            dir,
            stage: Stage { bootstrap, image: root.join("tests/src/image.sh") },
            emulator: Emulator { name: "emulator", program: emulator, flags: &[] },
            rapid: Emulator { name: "rapid", program: rapid, flags: &["--compat", "rie"] },
        })
    }

    /// The transcripts that can be played here, and how many cannot.
    fn possible<'a>(&self, chosen: Vec<&'a Transcript>) -> Result<(Vec<&'a Transcript>, usize)> {
        let all = chosen.len();
        let (with, without): (Vec<_>, Vec<_>) =
            chosen.iter().partition(|one| !one.extensions.is_empty());
        if with.is_empty() || stage::has_images(&self.stage.image, &self.dir.join("image"))? {
            return Ok((chosen, 0));
        }
        let left_out = all - without.len();
        Ok((without, left_out))
    }

    /// Plays transcripts side by side and hands out the records in order.
    fn play(
        &self,
        transcripts: &[&Transcript],
        mut done: impl FnMut(&Transcript, Result<(Record, Record)>) -> Result<()>,
    ) -> Result<()> {
        let next = AtomicUsize::new(0);
        thread::scope(|scope| {
            let (sender, results) = mpsc::channel();
            for _ in 0..AT_ONCE {
                let (sender, next) = (sender.clone(), &next);
                scope.spawn(move || {
                    while let index = next.fetch_add(1, Ordering::Relaxed)
                        && let Some(transcript) = transcripts.get(index)
                        && sender.send((index, self.play_both(transcript))).is_ok()
                    {
                    }
                });
            }
            drop(sender);
            let mut waiting: Vec<_> = transcripts.iter().map(|_| None).collect();
            let mut shown = 0;
            for (index, result) in results {
                if let Some(place) = waiting.get_mut(index) {
                    *place = Some(result);
                }
                while let Some(result) = waiting.get_mut(shown).and_then(Option::take) {
                    done(transcripts[shown], result)?;
                    shown += 1;
                }
            }
            Ok(())
        })
    }

    fn play_both(&self, transcript: &Transcript) -> Result<(Record, Record)> {
        thread::scope(|scope| {
            let other = scope.spawn(|| self.play_until_it_lives(transcript));
            let rapid = self.play_one(&self.rapid, transcript)?;
            let emulator = other.join().map_err(|_| anyhow!("a thread panicked"))??;
            Ok((emulator, rapid))
        })
    }

    /// The emulator has races that end it, the more often the busier the machine is. What it
    /// showed until then says nothing.
    fn play_until_it_lives(&self, transcript: &Transcript) -> Result<Record> {
        const ATTEMPTS: usize = 3;
        for _ in 1..ATTEMPTS {
            let record = self.play_one(&self.emulator, transcript)?;
            if !record.get("exit").is_some_and(|exit| exit.ends_with(stage::BY_ITSELF)) {
                return Ok(record);
            }
        }
        self.play_one(&self.emulator, transcript)
    }

    fn play_one(&self, emulator: &Emulator, transcript: &Transcript) -> Result<Record> {
        let dir = self.dir.join(&transcript.name).join(emulator.name);
        if dir.exists() {
            fs::remove_dir_all(&dir).context("removing an earlier attempt")?;
        }
        fs::create_dir_all(&dir).with_context(|| format!("creating {}", dir.display()))?;
        stage::play(emulator, transcript, &dir, &self.stage)
            .map(|observed| record::record(&observed))
            .with_context(|| format!("{} with {}", transcript.name, emulator.name))
    }
}

/// Prints how a transcript went and counts what is unexplained.
fn report(transcript: &Transcript, found: Vec<Difference>, ledger: &mut Ledger) -> usize {
    let total = found.len();
    let unknown: Vec<Difference> = found
        .into_iter()
        .filter(|difference| !ledger.explains(&transcript.name, difference))
        .collect();
    let verdict = if unknown.is_empty() { "ok  " } else { "FAIL" };
    println!("{verdict} {:<32} {} known differences", transcript.name, total - unknown.len());
    for Difference { field, emulator, rapid } in &unknown {
        println!("     {field}");
        println!("       emulator: {}", shown(emulator.as_deref()));
        println!("       rapid:    {}", shown(rapid.as_deref()));
    }
    unknown.len()
}

fn shown(value: Option<&str>) -> String {
    value.map_or_else(|| "(nothing)".to_owned(), |value| format!("{value:?}"))
}

fn print_record(name: &str, emulator: &Record, rapid: &Record) {
    for (whose, record) in [("emulator", emulator), ("rapid", rapid)] {
        println!("---- {name}, {whose}");
        for (field, value) in record {
            println!("{field}: {value:?}");
        }
    }
}
