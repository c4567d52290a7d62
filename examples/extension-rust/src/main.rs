//! Logs the request id of every invocation, and how many there were when the
//! environment ends.

use rapid_extension::{BoxError, Event, EventType, Handler, Register, run};

#[derive(Default)]
struct Logger {
    invocations: u64,
}

impl Handler for Logger {
    type Error = BoxError;

    async fn init(&mut self, register: &Register) -> Result<(), BoxError> {
        println!("logger: watching {}", register.function_name);
        Ok(())
    }

    async fn invoke(&mut self, event: Event) -> Result<(), BoxError> {
        self.invocations += 1;
        println!("logger: invocation {}", event.request_id);
        Ok(())
    }

    async fn shutdown(&mut self, event: Event) -> Result<(), BoxError> {
        let reason = event.shutdown_reason.as_ref().map_or("no reason", |reason| reason.as_str());
        println!("logger: {} invocations, then {reason}", self.invocations);
        Ok(())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::process::ExitCode {
    match run(Logger::default(), &[EventType::Invoke, EventType::Shutdown]).await {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("logger: {error}");
            std::process::ExitCode::FAILURE
        }
    }
}
