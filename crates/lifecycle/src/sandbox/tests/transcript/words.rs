//! The words of scripts and traces.

use super::*;

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
    let input = parse(world, line);
    match world.step(input) {
        Ok(effects) if effects.is_empty() => "-".to_owned(),
        Ok(effects) => effects.iter().map(effect).collect::<Vec<_>>().join(", "),
        Err(RuntimeRefusal::InvalidStateTransition { from, to }) => {
            format!("refused ({from} to {to})")
        }
        Err(refusal) => format!("refused ({refusal})"),
    }
}

fn parse(world: &World, line: &str) -> Input {
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
        ["launched"] => Input::Launched,
        ["launch-failed", error] => Input::LaunchFailed { error: launch_error(error) },
        ["exited", how] => Input::Exited { generation, termination: termination(how) },
        ["stopped"] => Input::Stopped { generation, clean: true },
        ["stopped", "late"] => Input::Stopped { generation, clean: false },
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

fn launch_error(word: &str) -> LaunchError {
    let path = "/var/task/bootstrap".to_owned();
    match word {
        "no-bootstrap" => LaunchError::NoBootstrap { searched: vec![path] },
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
        Effect::Launch { generation } => format!("launch {generation}"),
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
        Effect::Stop { generation, plan, reason } => {
            assert_eq!(*plan, stop::runtime_alone());
            format!("stop {generation} {}", reason.as_str())
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
        Answer::Failure(Failure::Exit(termination)) => format!("{termination:?}"),
        Answer::Failure(Failure::Launch(error)) => error.error_type().to_string(),
        Answer::Failure(Failure::Timeout { limit }) => format!("timeout {}", limit.as_millis()),
        Answer::Failure(failure) => format!("{failure:?}"),
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
        Milestone::Start { ticket } => format!("start {}", name(ticket.0)),
        Milestone::RuntimeDone { ticket, status, duration } => {
            format!("done {} {} {}", name(ticket.0), how(status), duration.as_millis())
        }
        Milestone::End { ticket, status, duration, init, ready, reset } => {
            let mut text =
                format!("end {} {} {}", name(ticket.0), how(status), duration.as_millis());
            if let Some(InitTime { duration, phase }) = init {
                text += &format!(" +{} {}", phase.as_str(), duration.as_millis());
            }
            if let Some((at, after)) = ready {
                text += &format!(" ready at {}", at.as_nanos() / MILLISECOND);
                text += &format!(" after {}", after.as_millis());
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
