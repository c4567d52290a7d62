//! What the machine takes for one warm invocation, without anything around it.
//!
//! The inputs are those of the usual course: the invocation arrives and its event is handed over,
//! the response begins and ends, and the runtime asks for the next event. Here no noise of sockets
//! hides a change in the machine.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a measurement that cannot be made fails by panicking")]

use std::hint::black_box;

use criterion::{BatchSize, Criterion};
use rapid_interop::extension::Registration;
use rapid_interop::{ExtensionId, Generation, Mono, RequestId};
use rapid_lifecycle::{
    Caller, Effect, Found, Input, Participant, Policy, Sandbox, Ticket, UploadEnd,
};

const EXTENSION: ExtensionId = ExtensionId::from_u128(1);

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("step");
    for (name, extension) in [("warm", false), ("warm with an extension", true)] {
        let mut machine = Machine::warm(extension);
        // Request ids come from outside: parsing them is none of the machine's time.
        let ids = || (RequestId::parse("a").unwrap(), RequestId::parse("a").unwrap());
        group.bench_function(name, |bencher| {
            bencher.iter_batched(ids, |ids| machine.invocation(ids), BatchSize::SmallInput);
        });
    }
    group.finish();
    criterion.final_summary();
}

/// A machine on a clock of its own, and the effects of the inputs since they were last looked at.
struct Machine {
    sandbox: Sandbox,
    generation: Generation,
    extension: bool,
    now: u64,
    /// Names every invocation and every call.
    count: u64,
    effects: Vec<Effect>,
}

impl Machine {
    /// The runtime, and the extension if there is one, wait for their first event.
    fn warm(extension: bool) -> Self {
        let sandbox = Sandbox::new(Policy::default());
        let generation = Generation::FIRST;
        let effects = Vec::new();
        let mut machine = Self { sandbox, generation, extension, now: 0, count: 0, effects };
        let files = if extension { vec![(EXTENSION, "e".into())] } else { Vec::new() };
        machine.step(Input::Start);
        machine.step(Input::Discovered { found: Found::Files(files) });
        if extension {
            machine.step(Input::Launched { participant: Participant::Extension(EXTENSION) });
            let registration = Registration { name: "e".into(), events: vec!["INVOKE".into()] };
            machine.step(Input::Register { generation, id: EXTENSION, registration });
        }
        machine.step(Input::Launched { participant: Participant::Runtime });
        machine.ask();
        machine.effects.clear();
        machine
    }

    /// One invocation, from the invoker's request to the next one's turn.
    fn invocation(&mut self, (id, answered): (RequestId, RequestId)) {
        self.count += 1;
        let (ticket, generation) = (Ticket(self.count), self.generation);
        self.step(Input::Arrive { ticket, id });
        // What is measured is what was meant: both were ready for their event.
        let told =
            |effect: &Effect| matches!(effect, Effect::HandOver { .. } | Effect::Notify { .. });
        let told = self.effects.iter().filter(|effect| told(effect)).count();
        assert_eq!(told, 1 + usize::from(self.extension), "{:?}", self.effects);
        self.step(Input::BeginResponse { generation, id: answered });
        self.step(Input::Finish { ticket, generation, end: UploadEnd::Response });
        self.ask();
        black_box(self.effects.as_slice());
        self.effects.clear();
    }

    /// The runtime and the extension ask for their next event.
    fn ask(&mut self) {
        let generation = self.generation;
        self.count += 1;
        self.step(Input::Next { generation, caller: Caller(self.count) });
        if self.extension {
            self.count += 1;
            let caller = Caller(self.count);
            self.step(Input::NextEvent { generation, id: EXTENSION, caller });
        }
    }

    fn step(&mut self, input: Input) {
        self.now += 1_000;
        self.sandbox.step(Mono::from_nanos(self.now), input, &mut self.effects).unwrap();
    }
}
