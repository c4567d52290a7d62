//! `cargo xtask bench`: how fast rapid is, beside the Runtime Interface Emulator and beside a bare
//! relay that is the floor.
//!
//! All three are measured in turn within one run, so that whatever the machine does meanwhile is
//! done to all of them: the ratios hold where the absolute figures do not. `docs/performance.md`
//! says how to read the table. The tools that invoke and answer are the package `rapid-bench`.
//!
//! Everything that is started is killed when the step that needed it ends, however it ends. Ctrl-C
//! reaches all of it too: it goes to the terminal's whole process group.

mod json;
mod load;
mod machine;
mod metric;
mod options;
mod progress;
mod results;
mod scenario;
mod stage;
mod statistics;
mod subject;
mod table;
mod verdict;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use self::machine::Machine;
use self::options::Options;
use self::progress::Progress;
use self::results::Results;
use self::scenario::Outcome;
use self::stage::Stage;

/// Measures what the arguments ask for, and prints a table.
///
/// # Errors
/// When something cannot be built, installed or started; with `--check`, when a limit is
/// passed twice in a row.
/// A subject that dies while it is measured is a result.
pub(crate) fn run(root: &Path, args: &[String]) -> Result<()> {
    if args.iter().any(|arg| arg == "--help") {
        println!("{}", options::usage());
        return Ok(());
    }
    let options = Options::parse(args)?;
    let stage = Stage::open(root, &options)?;
    let machine = Machine::here();
    if let Some(warning) = machine.warning() {
        eprintln!("bench: {warning}");
    }
    let results = measure(&stage, &options)?;
    println!("{}", machine.line(&options));
    println!();
    print!("{}", table::render(&results));
    if let Some(path) = &options.json {
        let text = json::render(&results, &machine, &options)?;
        fs::write(path, text).with_context(|| format!("writing {}", path.display()))?;
    }
    if !options.check {
        return Ok(());
    }
    let (compared, mut broken) = verdict::check(&results);
    if compared == 0 && broken.is_empty() {
        bail!("nothing was compared: --check needs rapid beside another subject");
    }
    if !broken.is_empty() {
        eprintln!("bench: once more, in case it was the machine:\n  {}", broken.join("\n  "));
        let results = measure(&stage, &options)?;
        print!("{}", table::render(&results));
        broken = verdict::check(&results).1;
    }
    if !broken.is_empty() {
        bail!("rapid is slower than it may be:\n  {}", broken.join("\n  "));
    }
    println!("\nall {compared} limits are kept");
    Ok(())
}

/// Runs every scenario with every subject in every round.
fn measure(stage: &Stage, options: &Options) -> Result<Results> {
    let mut results = Results::new(&options.subjects, options.rounds);
    let mut progress = Progress::new(options.steps());
    for round in 0..options.rounds {
        for scenario in options.scenarios.iter().filter(|one| round == 0 || !one.once) {
            // Each goes first now and then: what comes first finds the machine in another state.
            let mut subjects = options.subjects.clone();
            subjects.rotate_left(round % options.subjects.len().max(1));
            for subject in subjects {
                progress.step(round, options.rounds, scenario.name, subject.name());
                let outcome = (scenario.run)(stage, subject).with_context(|| {
                    format!("scenario {} with the subject {}", scenario.name, subject.name())
                })?;
                match outcome {
                    Outcome::Measured(values) => results.add(subject, round, &values),
                    Outcome::Failed(how) => results.fail(subject, round, scenario, how),
                    Outcome::Inapplicable => {}
                }
            }
        }
    }
    progress.end();
    results.derive();
    Ok(results)
}
