//! Who is told of what, and in which order.

use std::sync::{Mutex, PoisonError};

use rapid_fatal_error::ErrorType;
use rapid_interop::{InitPhase, InitType};

use super::*;
use crate::{InitReportMetrics, ReportMetrics, SpanName, Status};

/// Notes what it is told, under its name, in a book that others write to as well.
struct Witness {
    name: &'static str,
    book: Arc<Mutex<Vec<String>>>,
    keeps: bool,
}

impl Witness {
    fn note(&self, what: &str) {
        let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        book.push(format!("{} {what}", self.name));
    }
}

macro_rules! note {
    ($($method:ident($data:ty))+) => {
        $(fn $method(&self, _data: &$data) {
            self.note(stringify!($method));
        })+
    };
}

impl EventsApi for Witness {
    note! {
        set_current_request_id(RequestId)
        send_init_start(InitStartData)
        send_init_runtime_done(InitRuntimeDoneData)
        send_extension_init(ExtensionInitData)
        send_init_report(InitReportData)
        send_restore_runtime_done(RestoreRuntimeDoneData)
        send_invoke_start(InvokeStartData)
        send_invoke_runtime_done(InvokeRuntimeDoneData)
        send_report_span(Span)
        send_fault(FaultData)
        send_end(EndData)
        send_report(ReportData)
        send_image_error_log(ImageErrorLogData)
    }

    fn fetch_tail_logs(&self, _id: &RequestId) -> Option<Bytes> {
        self.note("fetch_tail_logs");
        self.keeps.then(|| Bytes::from_static(self.name.as_bytes()))
    }

    fn runtime_done_spans(
        &self,
        anchor: Anchor,
        runtime_started: Option<Mono>,
        response: Option<&InvokeResponseMetrics>,
        runtime_ready: Option<Mono>,
    ) -> Vec<Span> {
        self.note("runtime_done_spans");
        if !self.keeps {
            return Vec::new();
        }
        crate::runtime_done_spans(anchor, runtime_started, response, runtime_ready)
    }
}

fn anchor() -> Anchor {
    Anchor::new(Mono::default(), std::time::UNIX_EPOCH)
}

/// Calls every method once.
fn tell_everything(events: &impl EventsApi) {
    let request_id = RequestId::nil();
    let status = Status::Success;
    events.set_current_request_id(&request_id);
    events.send_init_start(&InitStartData {
        initialization_type: InitType::OnDemand,
        phase: InitPhase::Init,
        runtime_version: None,
        runtime_version_arn: None,
        function_name: None,
        function_arn: None,
        function_version: None,
        instance_id: None,
        instance_max_memory: None,
        tracing: None,
    });
    events.send_init_runtime_done(&InitRuntimeDoneData {
        initialization_type: InitType::OnDemand,
        phase: InitPhase::Init,
        status,
        error_type: None,
        spans: Vec::new(),
        tracing: None,
    });
    events.send_extension_init(&ExtensionInitData {
        name: "e".into(),
        state: "Ready".into(),
        events: Vec::new(),
        error_type: None,
    });
    events.send_init_report(&InitReportData {
        initialization_type: InitType::OnDemand,
        phase: InitPhase::Init,
        status: Some(status),
        error_type: None,
        metrics: InitReportMetrics { duration: std::time::Duration::ZERO },
        spans: Vec::new(),
        tracing: None,
    });
    events.send_restore_runtime_done(&RestoreRuntimeDoneData {
        status,
        error_type: None,
        spans: Vec::new(),
        tracing: None,
    });
    events.send_invoke_start(&InvokeStartData {
        request_id: request_id.clone(),
        version: None,
        function_arn: None,
        tenant_id: None,
        tracing: None,
    });
    events.send_invoke_runtime_done(&InvokeRuntimeDoneData {
        request_id: request_id.clone(),
        status,
        error_type: None,
        metrics: None,
        spans: Vec::new(),
        tenant_id: None,
        tracing: None,
        internal_metrics: None,
    });
    let (start, end) = (Mono::default(), Mono::default());
    events.send_report_span(&Span::between(SpanName::ExtensionOverhead, anchor(), start, end));
    events.send_fault(&FaultData {
        request_id: request_id.clone(),
        status: Some(Status::Error),
        error_type: Some(ErrorType::RuntimeExitError),
        error_message: "it ended".into(),
    });
    events.send_end(&EndData { request_id: request_id.clone() });
    events.send_report(&ReportData {
        request_id: request_id.clone(),
        status: Some(status),
        error_type: None,
        metrics: ReportMetrics::default(),
        spans: Vec::new(),
        tenant_id: None,
        tracing: None,
    });
    events.send_image_error_log(&ImageErrorLogData("it did not start".into()));
}

fn witnesses() -> (Witness, Witness, Arc<Mutex<Vec<String>>>) {
    let book = Arc::new(Mutex::new(Vec::new()));
    let first = Witness { name: "first", book: Arc::clone(&book), keeps: false };
    let second = Witness { name: "second", book: Arc::clone(&book), keeps: true };
    (first, second, book)
}

#[test]
fn a_pair_tells_both_of_everything_the_first_one_first() {
    let (first, second, book) = witnesses();
    tell_everything(&(first, Arc::new(second)));
    let told = book.lock().unwrap().clone();
    assert_eq!(told.len(), 2 * 13);
    for both in told.chunks(2) {
        assert_eq!(both[0].replace("first", "second"), both[1]);
    }
}

#[test]
fn a_pair_answers_with_what_either_knows() {
    let (first, second, book) = witnesses();
    let pair = (NoEvents, (first, Arc::new(second)));
    let id = RequestId::nil();
    assert_eq!(pair.fetch_tail_logs(&id).unwrap(), "second");
    let response =
        InvokeResponseMetrics { runtime_called_response: true, ..InvokeResponseMetrics::default() };
    let now = Some(Mono::default());
    assert_eq!(pair.runtime_done_spans(anchor(), now, Some(&response), now).len(), 3);
    assert_eq!(
        *book.lock().unwrap(),
        [
            "first fetch_tail_logs",
            "second fetch_tail_logs",
            "first runtime_done_spans",
            "second runtime_done_spans"
        ]
    );
    tell_everything(&NoEvents);
    assert_eq!(NoEvents.fetch_tail_logs(&id), None);
}
