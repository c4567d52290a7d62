//! Who is told of what, and in which order.

use std::sync::{Mutex, PoisonError};
use std::task::{Context, Waker};

use rapid_fatal_error::ErrorType;
use rapid_interop::{InitPhase, InitType};

use super::*;
use crate::{
    Category, InitReportMetrics, ReportMetrics, RestoreReportMetrics, SpanName, Status,
    SubscriptionState,
};

/// Notes what it is told, under its name, in a book that others write to as well.
struct Witness {
    name: &'static str,
    book: Arc<Mutex<Vec<String>>>,
    keeps: bool,
    flushes_after: Option<u32>,
}

/// Resolves at the poll after so many, and notes each.
fn pending(mut polls: u32, name: &'static str, book: Arc<Mutex<Vec<String>>>) -> Flush {
    Box::pin(poll_fn(move |_context| {
        book.lock().unwrap().push(format!("{name} polled"));
        let is_ready = polls == 0;
        polls = polls.saturating_sub(1);
        if is_ready { Poll::Ready(()) } else { Poll::Pending }
    }))
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
        send_restore_start(RestoreStartData)
        send_restore_runtime_done(RestoreRuntimeDoneData)
        send_restore_report(RestoreReportData)
        send_invoke_start(InvokeStartData)
        send_invoke_runtime_done(InvokeRuntimeDoneData)
        send_report_span(Span)
        send_fault(FaultData)
        send_end(EndData)
        send_report(ReportData)
        send_image_error_log(ImageErrorLogData)
    }

    fn send_throttle(&self, _id: &RequestId) {
        self.note("send_throttle");
    }

    fn send_extension_done(&self, _id: &RequestId, _extension: &str) {
        self.note("send_extension_done");
    }

    fn send_error_cause(&self, _id: &RequestId, _trace: &InvokeErrorTraceData) {
        self.note("send_error_cause");
    }

    fn send_subscription(&self, api: Api, _data: &SubscriptionData) {
        self.note(&format!("send_subscription {api:?}"));
    }

    fn flush(&self, budget: Duration) -> Option<Flush> {
        self.note(&format!("flush {budget:?}"));
        self.flushes_after.map(|polls| pending(polls, self.name, Arc::clone(&self.book)))
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
    events.send_throttle(&request_id);
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
        metrics: InitReportMetrics { duration: Duration::ZERO },
        spans: Vec::new(),
        tracing: None,
    });
    events.send_restore_start(&RestoreStartData::default());
    events.send_restore_runtime_done(&RestoreRuntimeDoneData {
        status,
        error_type: None,
        spans: Vec::new(),
        tracing: None,
    });
    events.send_restore_report(&RestoreReportData {
        status,
        error_type: None,
        metrics: RestoreReportMetrics { duration: Duration::ZERO },
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
    events.send_error_cause(&request_id, &InvokeErrorTraceData::default());
    events.send_extension_done(&request_id, "agent");
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
    let subscription = SubscriptionData {
        name: "e".into(),
        state: SubscriptionState::Subscribed,
        types: vec![Category::Platform],
    };
    events.send_subscription(Api::Logs, &subscription);
}

fn witnesses() -> (Witness, Witness, Arc<Mutex<Vec<String>>>) {
    let book = Arc::new(Mutex::new(Vec::new()));
    let first =
        Witness { name: "first", book: Arc::clone(&book), keeps: false, flushes_after: None };
    let second =
        Witness { name: "second", book: Arc::clone(&book), keeps: true, flushes_after: None };
    (first, second, book)
}

#[test]
fn a_pair_tells_both_of_everything_the_first_one_first() {
    let (first, second, book) = witnesses();
    tell_everything(&(first, Arc::new(second)));
    let told = book.lock().unwrap().clone();
    assert_eq!(told.len(), 2 * 19);
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

#[test]
fn a_receiver_that_may_be_missing_is_told_if_it_is_there() {
    let (first, second, book) = witnesses();
    let missing: Option<Witness> = None;
    let id = RequestId::nil();
    tell_everything(&missing);
    assert_eq!(missing.fetch_tail_logs(&id), None);
    assert!(missing.flush(Duration::ZERO).is_none());
    assert!(missing.runtime_done_spans(anchor(), None, None, None).is_empty());
    assert_eq!(*book.lock().unwrap(), [""; 0]);

    tell_everything(&Some(first));
    assert_eq!(book.lock().unwrap().len(), 19);
    assert_eq!(Some(second).fetch_tail_logs(&id).unwrap(), "second");
}

/// How many polls `events` needs for a flush; `None` if there is nothing to wait for.
fn polls(events: &impl EventsApi) -> Option<u32> {
    let mut flush = events.flush(Duration::from_secs(7))?;
    let mut context = Context::from_waker(Waker::noop());
    (1..100).find(|_| flush.as_mut().poll(&mut context).is_ready())
}

#[test]
fn a_pair_waits_for_both_at_once_and_polls_nobody_who_is_done() {
    for (of_first, of_second, expected) in [
        (None, None, None),
        (Some(1), None, Some(2)),
        (None, Some(2), Some(3)),
        (Some(0), Some(0), Some(1)),
        (Some(1), Some(3), Some(4)),
        (Some(3), Some(1), Some(4)),
    ] {
        let (first, second, book) = witnesses();
        let first = Witness { flushes_after: of_first, ..first };
        let second = Witness { flushes_after: of_second, ..second };
        assert_eq!(polls(&(Some(first), Arc::new(second))), expected);
        let book = book.lock().unwrap();
        assert_eq!(book[..2], ["first flush 7s", "second flush 7s"]);
        for (name, of) in [("first polled", of_first), ("second polled", of_second)] {
            let polled = book.iter().filter(|line| **line == name).count();
            assert_eq!(u32::try_from(polled).unwrap(), of.map_or(0, |polls| polls + 1));
        }
    }
}
