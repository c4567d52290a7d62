//! The guard, in processes of their own: it has to be started before any thread is, and what it is
//! for begins with the death of the process.

use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rapid_interop::process::{Grace, Launch, OutputSource, Process, Processes, StopPlan};
use rapid_supervisor::{Config, Console, Guard, Reaping, Supervisor};

type Test = fn() -> Outcome;

type Outcome = Result<(), Box<dyn Error>>;

/// Says to a copy of this program which part it plays.
const PART: &str = "RAPID_TEST_PART";

const PATIENCE: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    if let Ok(part) = std::env::var(PART) {
        return report(&part, play(&part));
    }
    let tests: [(&str, Test); 5] = [
        ("a_killed_process_takes_its_groups_along", a_killed_process_takes_its_groups_along),
        ("a_process_that_ends_lets_the_guard_go", a_process_that_ends_lets_the_guard_go),
        ("the_guard_forgets_what_was_stopped", the_guard_forgets_what_was_stopped),
        (
            "the_guard_ignores_signals_and_holds_no_file",
            the_guard_ignores_signals_and_holds_no_file,
        ),
        (
            "a_killed_guard_is_reaped_and_missed_by_nobody",
            a_killed_guard_is_reaped_and_missed_by_nobody,
        ),
    ];
    let wanted: Vec<String> =
        std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let mut code = ExitCode::SUCCESS;
    for (name, test) in tests {
        let is_wanted = wanted.is_empty() || wanted.iter().any(|part| name.contains(part.as_str()));
        if is_wanted && report(name, test()) != ExitCode::SUCCESS {
            code = ExitCode::FAILURE;
        }
    }
    code
}

fn report(name: &str, outcome: Outcome) -> ExitCode {
    match outcome {
        Ok(()) => {
            eprintln!("test {name} ... ok");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("test {name} ... FAILED: {error}");
            ExitCode::FAILURE
        }
    }
}

// The tests.

fn a_killed_process_takes_its_groups_along() -> Outcome {
    let user = User::start("wait for ever")?;
    let [guard, leader, child, orphan] = user.pids::<4>()?;
    for pid in [guard, leader, child, orphan] {
        expect(alive(pid), "everybody runs")?;
    }
    user.kill(Signal::SIGKILL)?;
    for pid in [leader, child, orphan, guard] {
        eventually("everybody is gone", || !alive(pid))?;
    }
    Ok(())
}

fn a_process_that_ends_lets_the_guard_go() -> Outcome {
    let user = User::start("end")?;
    let [guard] = user.pids::<1>()?;
    user.wait()?;
    eventually("the guard is gone", || !alive(guard))
}

fn the_guard_forgets_what_was_stopped() -> Outcome {
    User::start("stop, and fail to launch")?.wait()
}

fn the_guard_ignores_signals_and_holds_no_file() -> Outcome {
    let user = User::start("wait for ever")?;
    let [guard, ..] = user.pids::<4>()?;
    eventually("the guard has its name", || {
        std::fs::read_to_string(format!("/proc/{guard}/comm"))
            .is_ok_and(|name| name == "rapid-guard\n")
    })?;
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT] {
        kill(Pid::from_raw(guard), signal)?;
    }
    let descriptors = || std::fs::read_dir(format!("/proc/{guard}/fd")).map_or(0, Iterator::count);
    eventually("only the pipe is left beside the standard three", || descriptors() == 4)?;
    for standard in 0..3 {
        let file = std::fs::read_link(format!("/proc/{guard}/fd/{standard}"))?;
        expect(file.as_os_str() == "/dev/null", "the standard three lead nowhere")?;
    }
    expect(alive(guard), "the guard runs")?;
    user.kill(Signal::SIGTERM)?;
    eventually("the guard is gone", || !alive(guard))
}

fn a_killed_guard_is_reaped_and_missed_by_nobody() -> Outcome {
    User::start("lose the guard")?.wait()
}

// The copies of this program that use a supervisor.

struct User {
    process: std::process::Child,
}

impl User {
    fn start(part: &str) -> Result<Self, Box<dyn Error>> {
        let program = std::env::current_exe()?;
        let process = Command::new(program).env(PART, part).stdout(Stdio::piped()).spawn()?;
        Ok(Self { process })
    }

    /// The numbers that it writes first, one a line.
    fn pids<const N: usize>(&self) -> Result<[i32; N], Box<dyn Error>> {
        let stdout = self.process.stdout.as_ref().ok_or("no output")?;
        let descriptor = std::os::fd::AsFd::as_fd(stdout).try_clone_to_owned()?;
        let lines = BufReader::new(std::fs::File::from(descriptor)).lines().take(N);
        let pids = lines
            .map(|line| Ok(line?.trim().parse()?))
            .collect::<Result<Vec<i32>, Box<dyn Error>>>()?;
        Ok(pids.try_into().map_err(|_| "too few numbers")?)
    }

    fn kill(mut self, signal: Signal) -> Outcome {
        kill(Pid::from_raw(i32::try_from(self.process.id())?), signal)?;
        self.process.wait()?;
        Ok(())
    }

    fn wait(mut self) -> Outcome {
        let status = self.process.wait()?;
        expect(status.success(), "the user of the guard is content")
    }
}

fn play(part: &str) -> Outcome {
    let guard = Guard::start()?;
    let guard_pid = guard.pid();
    writeln!(std::io::stdout(), "{guard_pid}")?;
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let config = Config { reaping: Reaping::All, guard: Some(guard) };
        let supervisor = Supervisor::new(config, Console::stdout()?)?;
        match part {
            "wait for ever" => {
                let script = "echo $$; sleep 60 & echo $!; (sleep 60 & echo $!); wait";
                let _child = supervisor.launch(sh(script)).await?;
                std::future::pending::<()>().await;
            }
            "stop, and fail to launch" => {
                for _ in 0..20 {
                    let child = supervisor.launch(sh("sleep 60 & exit 0")).await?;
                    expect(child.stop(KILL).await.clean, "everything is stopped")?;
                    let directory = tempfile::tempdir()?;
                    let file = directory.path().join("no-format");
                    std::fs::write(&file, "no format")?;
                    std::fs::set_permissions(
                        &file,
                        std::os::unix::fs::PermissionsExt::from_mode(0o755),
                    )?;
                    let mut broken = sh("");
                    broken.argv = vec![file.into()];
                    expect(supervisor.launch(broken).await.is_err(), "it cannot be executed")?;
                }
                // An empty table: the guard lives, and is no process of the function's.
                expect(alive(guard_pid), "the guard was not hunted")?;
            }
            "lose the guard" => {
                kill(Pid::from_raw(guard_pid), Signal::SIGKILL)?;
                eventually("the guard is dead", || !alive(guard_pid))?;
                let child = supervisor.launch(sh("exit 0")).await?;
                expect(child.exited().await.success(), "launching needs no guard")?;
                expect(child.stop(KILL).await.clean, "stopping needs no guard")?;
                let gone = !std::path::Path::new(&format!("/proc/{guard_pid}")).exists();
                expect(gone, "the guard was reaped")?;
            }
            _ => {}
        }
        Ok(())
    })
}

const KILL: StopPlan = StopPlan { grace: Grace::None, reap_limit: PATIENCE };

fn sh(script: &str) -> Launch {
    Launch {
        name: "runtime-1".into(),
        source: OutputSource::Runtime,
        argv: vec!["/bin/sh".into(), "-c".into(), script.into()],
        env: vec![("PATH".into(), std::env::var_os("PATH").unwrap_or_default())],
        cwd: "/".into(),
    }
}

fn expect(condition: bool, what: &str) -> Outcome {
    if condition { Ok(()) } else { Err(format!("not so: {what}").into()) }
}

fn eventually(what: &str, condition: impl Fn() -> bool) -> Outcome {
    let begin = Instant::now();
    while !condition() {
        if begin.elapsed() > PATIENCE {
            return Err(format!("not in time: {what}").into());
        }
        thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

fn alive(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}
