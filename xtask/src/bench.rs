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
use self::verdict::Verdict;

/// Measures what the arguments ask for, and prints a table.
///
/// # Errors
/// When something cannot be built, installed or started; with `--check`, when rapid
/// dies or loses an invoke, or a limit is passed twice in a row.
/// A subject that dies while it is measured is a result.
pub(crate) fn run(root: &Path, args: &[String]) -> Result<()> {
    if args.iter().any(|arg| arg == "--help") {
        println!("{}", options::usage());
        return Ok(());
    }
    let options = Options::parse(args)?;
    if let Some(path) = &options.json {
        // Known now rather than after everything was measured.
        fs::write(path, "").with_context(|| format!("writing {}", path.display()))?;
    }
    // Before the build, which keeps the machine busy.
    let machine = Machine::here();
    let stage = Stage::open(root, &options)?;
    if let Some(warning) = machine.warning() {
        eprintln!("bench: {warning}");
    }
    println!("{}\n", machine.line(&options));
    let mut results = measure(&stage, &options)?;
    print!("{}", table::render(&results));
    let mut verdict = Verdict::default();
    if options.check {
        verdict = verdict::check(&results, &options.scenarios);
        if verdict.failed.is_empty() && !verdict.broken.is_empty() {
            let broken = verdict.broken.join("\n  ");
            println!("\nonce more, in case it was the machine:\n  {broken}\n");
            results = measure(&stage, &options)?;
            print!("{}", table::render(&results));
            verdict = verdict::check(&results, &options.scenarios);
        }
    }
    if let Some(path) = &options.json {
        let text = json::render(&results, &machine, &options)?;
        fs::write(path, text).with_context(|| format!("writing {}", path.display()))?;
    }
    if options.check { tell(&verdict) } else { Ok(()) }
}

/// Says what became of the limits.
fn tell(verdict: &Verdict) -> Result<()> {
    let Verdict { compared, failed, broken } = verdict;
    if !failed.is_empty() {
        bail!("rapid failed:\n  {}", failed.join("\n  "));
    }
    if !broken.is_empty() {
        bail!("rapid is slower than it may be, twice in a row:\n  {}", broken.join("\n  "));
    }
    if *compared == 0 {
        bail!("nothing was compared: --check needs rapid beside another subject");
    }
    println!("\nall {compared} limits are kept");
    Ok(())
}

/// Runs every scenario with every subject in every round.
fn measure(stage: &Stage, options: &Options) -> Result<Results> {
    let mut results = Results::new(&options.subjects, options.rounds);
    let mut progress = Progress::new(options.steps());
    for round in 0..options.rounds {
        let scenarios = options.scenarios.iter().filter(|one| round == 0 || !one.once);
        for (place, scenario) in scenarios.enumerate() {
            // Each goes first now and then, and after each of the others: what came before leaves
            // the machine in another state.
            let mut subjects = options.subjects.clone();
            let turn = round + place;
            let count = subjects.len().max(1);
            subjects.rotate_left(turn % count);
            if turn / count % 2 == 1 {
                subjects.reverse();
            }
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
