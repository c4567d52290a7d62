//! The words of scripts and traces.

use rapid_interop::extension::StateConflict;
use rapid_interop::process::Grace;

use super::*;
use crate::effect::Awaited;

/// The lines of a script.
pub(super) fn inputs(script: &str) -> impl Iterator<Item = &str> {
    script.split(';').map(str::trim).filter(|line| !line.is_empty())
}

/// Lets time pass, feeds one line and tells what followed.
pub(super) fn feed(world: &mut World, line: &str) -> String {
    let mut line = line;
    if let Some(rest) = line.strip_prefix('+') {
        let (millis, input) = rest.split_once(' ').expect("an input after the time");
        world.pass(Duration::from_millis(number(millis)));
        line = input;
    }
    if let Some(files) = line.strip_prefix("files ") {
        world.files = ["E", "EF", "EFG", "ABCDEFGHIJ", "ABCDEFGHIJK", World::DISABLED]
            .into_iter()
            .find(|known| *known == files)
            .unwrap_or_else(|| panic!("{files:?} are no files"));
        return "-".to_owned();
    }
    // Extensions are found in the same breath, unless the line trails off.
    let (line, breath) = line.strip_suffix("..").map_or((line, true), |line| (line, false));
    let input = parse(world, line);
    let result = world.step(input);
    match result.map(|effects| if breath { discover(world, effects) } else { effects }) {
        Ok(effects) if effects.is_empty() => "-".to_owned(),
        Ok(effects) => effects.iter().map(effect).collect::<Vec<_>>().join(", "),
        Err(Refusal::Runtime(RuntimeRefusal::InvalidStateTransition { from, to })) => {
            format!("refused ({from} to {to})")
        }
        Err(Refusal::Extension(ExtensionRefusal::InvalidState { from, to, .. })) => {
            format!("refused ({from} to {to})")
        }
        Err(Refusal::Extension(ExtensionRefusal::Unknown { id })) => {
            format!("refused (unknown {})", who(id))
        }
        Err(refusal) => format!("refused ({refusal})"),
    }
}

/// Finds the extensions that were asked for.
fn discover(world: &mut World, mut effects: Vec<Effect>) -> Vec<Effect> {
    if effects.last() == Some(&Effect::Discover) {
        effects.pop();
        let found = world.found();
        effects.extend(world.step(Input::Discovered { found }).expect("no call of a client"));
    }
    effects
}

fn parse(world: &mut World, line: &str) -> Input {
    let (line, generation) = match line.split_once('@') {
        Some((line, generation)) => (line, nth(number(generation))),
        None => (line, world.sandbox.generation),
    };
    let words: Vec<&str> = line.split_whitespace().collect();
    match words[..] {
        ["start"] => Input::Start,
        ["arrive", name] => Input::Arrive { ticket: ticket(name), id: id(name) },
        ["arrive", name, "as", other] => Input::Arrive { ticket: ticket(name), id: id(other) },
        ["withdraw", name] => Input::Withdraw { ticket: ticket(name) },
        ["found"] => Input::Discovered { found: world.found() },
        ["launched", ..] => Input::Launched { participant: participant(words.get(1)) },
        ["launch-failed", error] | ["launch-failed", _, error] => Input::LaunchFailed {
            participant: participant(words.get(1).filter(|_| words.len() == 3)),
            error: launch_error(error),
        },
        ["exited", how] | ["exited", _, how] => Input::Exited {
            generation,
            participant: participant(words.get(1).filter(|_| words.len() == 3)),
            termination: termination(how),
        },
        ["stopped", ..] => Input::Stopped {
            generation,
            participant: participant(words.get(1).filter(|word| **word != "late")),
            clean: words.last() != Some(&"late"),
        },
        ["register", name, events] => Input::Register {
            generation,
            id: extension(name),
            registration: Registration {
                name: name.into(),
                events: events.split(',').filter(|e| *e != "-").map(Into::into).collect(),
            },
        },
        ["event", name, by] => {
            Input::NextEvent { generation, id: extension(name), caller: caller(by) }
        }
        ["init-fail" | "exit-fail", name, error_type] => Input::ExtensionError {
            generation,
            id: extension(name),
            report: ExtensionErrorReport {
                kind: if words[0] == "init-fail" {
                    ExtensionErrorKind::Init
                } else {
                    ExtensionErrorKind::Exit
                },
                error_type: error_type.into(),
            },
        },
        ["event-lost", name, event] => Input::EventVanished {
            generation,
            id: extension(name),
            ticket: (event != "shutdown").then(|| ticket(event)),
        },
        ["unpark", name] => {
            world.sandbox.unpark(caller(name));
            Input::Tick
        }
        ["kill"] => Input::Kill,
        ["next", name] => Input::Next { generation, caller: caller(name) },
        ["vanished", name] => Input::Vanished { ticket: ticket(name), generation },
        ["response", name] => Input::BeginResponse { generation, id: id(name) },
        ["error", name] => Input::BeginError { generation, id: id(name) },
        ["finish", name, end] => {
            Input::Finish { ticket: ticket(name), generation, end: upload_end(end) }
        }
        ["init-error", name] => Input::InitError { generation, error_type: name.into() },
        ["tick"] => Input::Tick,
        ["shutdown", millis] => {
            Input::Shutdown { deadline: world.now + Duration::from_millis(number(millis)) }
        }
        _ => panic!("{line:?} is no input"),
    }
}

fn number(text: &str) -> u64 {
    text.trim().parse().unwrap_or_else(|_| panic!("{text:?} is no number"))
}

fn nth(number: u64) -> Generation {
    (0..number).fold(Generation::default(), |generation, _| generation.next())
}

fn letter(name: &str) -> u64 {
    u64::from(name.as_bytes()[0])
}

fn name(letter: u64) -> char {
    char::from(u8::try_from(letter).expect("a letter"))
}

fn ticket(name: &str) -> Ticket {
    Ticket(letter(name))
}

fn id(name: &str) -> RequestId {
    id_of(ticket(name))
}

fn caller(name: &str) -> Caller {
    Caller(letter(name))
}

fn extension(name: &str) -> ExtensionId {
    extension_id(name.chars().next().expect("a letter"))
}

/// The extension that is named, or the runtime.
fn participant(name: Option<&&str>) -> Participant {
    name.map_or(Participant::Runtime, |name| Participant::Extension(extension(name)))
}

/// The letter of an extension.
fn who(id: ExtensionId) -> char {
    ('A'..='Z').find(|letter| extension_id(*letter) == id).expect("a letter")
}

fn launch_error(word: &str) -> LaunchError {
    let path = "/var/task/bootstrap".to_owned();
    match word {
        "no-bootstrap" => LaunchError::NoBootstrap { searched: vec![path] },
        "denied" => LaunchError::NotExecutable { path },
        "not-found" => LaunchError::NotFound { path },
        "no-directory" => LaunchError::WorkingDirectory { path },
        "relative-directory" => LaunchError::RelativeWorkingDirectory { path },
        _ => panic!("{word:?} is no launch error"),
    }
}

fn termination(word: &str) -> Termination {
    match word {
        "killed" => Termination::Signaled(9),
        "oom" => Termination::OutOfMemory,
        status => Termination::Exited(status.parse().expect("an exit status")),
    }
}

fn upload_end(word: &str) -> UploadEnd {
    match word {
        "response" => UploadEnd::Response,
        "error" => UploadEnd::Error,
        "truncated" => UploadEnd::Failed(Failure::Truncated),
        "too-large" => UploadEnd::Failed(Failure::ResponseTooLarge),
        "bad-mode" => UploadEnd::Failed(Failure::InvalidResponseMode),
        _ => panic!("{word:?} is no end of an upload"),
    }
}

fn effect(effect: &Effect) -> String {
    match effect {
        Effect::Discover => "discover".to_owned(),
        Effect::Launch { generation, participant: Participant::Runtime } => {
            format!("launch {generation}")
        }
        Effect::Launch { generation, participant: Participant::Extension(id) } => {
            format!("launch {} {generation}", who(*id))
        }
        Effect::Notify { caller, id, event } => {
            let (what, until) = match event {
                ExtensionNotice::Invoke { ticket, deadline } => {
                    (format!("invoke {}", name(ticket.0)), deadline)
                }
                ExtensionNotice::Shutdown { reason, deadline } => {
                    (format!("shutdown {}", reason.as_str()), deadline)
                }
            };
            let until = until.as_nanos() / MILLISECOND;
            format!("tell {} by {} {what} until {until}", who(*id), name(caller.0))
        }
        Effect::ReleaseExtension { caller, refusal } => {
            let ExtensionRefusal::InvalidState { from, to: "Ready", why, .. } = refusal else {
                panic!("{refusal} is no reason to release a caller");
            };
            assert_eq!(*why, StateConflict::Concurrent);
            format!("release {} ({from})", name(caller.0))
        }
        Effect::HandOver { caller, ticket, deadline } => {
            let until = deadline.as_nanos() / MILLISECOND;
            format!("hand {} to {} until {until}", name(ticket.0), name(caller.0))
        }
        Effect::Release { caller, refusal } => {
            let RuntimeRefusal::InvalidStateTransition { from, to: "Ready" } = refusal else {
                panic!("{refusal} is no reason to release a caller");
            };
            format!("release {} ({from})", name(caller.0))
        }
        Effect::Answer { ticket, answer } => format!("answer {} {}", name(ticket.0), said(answer)),
        Effect::Refuse { ticket, refusal } => format!("refuse {} {refusal:?}", name(ticket.0)),
        Effect::Forget { ticket } => format!("forget {}", name(ticket.0)),
        Effect::Stop { generation, participant, plan, reason } => {
            assert_eq!(plan.reap_limit, stop::REAP_LIMIT);
            let how = match plan.grace {
                Grace::None => String::new(),
                Grace::Terminate(grace) => format!(" term {}", grace.as_millis()),
                Grace::Await(grace) => format!(" await {}", grace.as_millis()),
            };
            match participant {
                Participant::Runtime => format!("stop {generation} {}{how}", reason.as_str()),
                Participant::Extension(id) => format!("stop {}{how}", who(*id)),
            }
        }
        Effect::Reached(reached) => milestone(reached),
        Effect::Closed { clean: true } => "closed".to_owned(),
        Effect::Closed { clean: false } => "closed late".to_owned(),
    }
}

fn said(answer: &Answer) -> String {
    match answer {
        Answer::Upload => "upload".to_owned(),
        Answer::InitError(error_type) => format!("init-error {error_type}"),
        Answer::Failure { failure, error_type } => match failure {
            Failure::Exit(termination) if *error_type == termination.error_type() => {
                format!("{termination:?}")
            }
            Failure::Launch(error) if *error_type == error.error_type() => error_type.to_string(),
            Failure::Timeout { limit } => format!("timeout {}", limit.as_millis()),
            Failure::Extension(fault) | Failure::InitExtension(fault) => {
                format!("{error_type} '{fault}'")
            }
            Failure::Reported
            | Failure::InitReported
            | Failure::InitExit(_)
            | Failure::Exit(_)
            | Failure::Launch(_)
            | Failure::ResponseTooLarge
            | Failure::Truncated
            | Failure::InvalidResponseMode
            | Failure::Shutdown => {
                if *error_type == failure.error_type() {
                    format!("{failure:?}")
                } else {
                    format!("{failure:?} as {error_type}")
                }
            }
        },
    }
}

fn milestone(milestone: &Milestone) -> String {
    match milestone {
        Milestone::InitStart { phase } => format!("init-start {}", phase.as_str()),
        Milestone::InitRuntimeDone { phase, status } => {
            format!("init-done {} {}", phase.as_str(), how(status))
        }
        Milestone::InitReport { phase, status, duration } => {
            format!("init-report {} {} {}", phase.as_str(), how(status), duration.as_millis())
        }
        Milestone::Extension { name, state, events, error_type } => {
            let mut text = format!("extension {name} {state}");
            for event in events.iter() {
                text += &format!(" {}", event.as_str());
            }
            text + &error_type.as_ref().map(|error| format!(" ({error})")).unwrap_or_default()
        }
        Milestone::Awaiting { what, names, given_up } => {
            let what = match what {
                Awaited::Registration => "registration",
                Awaited::FirstEvent => "first event",
                Awaited::NextEvent => "next event",
                Awaited::Runtime => "first event",
            };
            let how = if *given_up { "gave up on" } else { "awaiting" };
            format!("{how} {what} of {}", names.join(" "))
        }
        Milestone::Reset { reason, extensions, late, failed } => {
            let mut text = format!("reset {} {}", reason.as_str(), extensions.as_millis());
            for (what, names) in [("late", late), ("failed", failed)] {
                if !names.is_empty() {
                    text += &format!(" {what} {}", names.join(" "));
                }
            }
            text
        }
        Milestone::Start { ticket } => format!("start {}", name(ticket.0)),
        Milestone::RuntimeDone { ticket, status, duration } => {
            format!("done {} {} {}", name(ticket.0), how(status), duration.as_millis())
        }
        Milestone::End { ticket, status, duration, init, ready, overhead, reset } => {
            let mut text =
                format!("end {} {} {}", name(ticket.0), how(status), duration.as_millis());
            if let Some(InitTime { duration, phase }) = init {
                text += &format!(" +{} {}", phase.as_str(), duration.as_millis());
            }
            if let Some((at, after)) = ready {
                text += &format!(" ready at {}", at.as_nanos() / MILLISECOND);
                text += &format!(" after {}", after.as_millis());
            }
            if let Some(overhead) = overhead {
                text += &format!(" overhead {}", overhead.as_millis());
            }
            text + if *reset { " reset" } else { "" }
        }
    }
}

fn how(status: &EndStatus) -> String {
    match status.error_type() {
        Some(error_type) => format!("{} {error_type}", status.as_str()),
        None => status.as_str().to_owned(),
    }
}
