//! Turns what was observed into named fields that can be compared.
//!
//! `exit`; `runtime starts`; `runtime P.S status|body|header NAME` for request S of process P; the
//! same with `extension NAME` for `runtime`;
//! `invoker S status|body|header NAME`; `stdout START|END|REPORT N` for the lines of the N-th
//! invocation; `stdout INIT_REPORT|function N` for the N-th such line.

use std::collections::BTreeMap;

use crate::conformance::http::Reply;
use crate::conformance::normal::Normal;
use crate::conformance::runtime::Trace;
use crate::conformance::stage::Observed;

/// What was observed, by the name of the field.
pub(crate) type Record = BTreeMap<String, String>;

/// Headers that say how a reply travels, or when.
const OF_THE_CONNECTION: [&str; 4] = ["date", "content-length", "transfer-encoding", "connection"];
const DEADLINE: &str = "lambda-runtime-deadline-ms";
/// The emulators' own lines: the first word and what follows it.
const KINDS: [(&str, &str); 5] = [
    ("EXTENSION", "\tName: "),
    ("START", " RequestId: "),
    ("END", " RequestId: "),
    ("REPORT", " RequestId: "),
    ("INIT_REPORT", " Init Duration: "),
];

/// Names and normalises what was observed.
pub(crate) fn record(observed: &Observed) -> Record {
    let mut normal = Normal::default();
    let mut record = Record::new();
    record.insert("exit".to_owned(), observed.exit.clone());
    record.insert("runtime starts".to_owned(), observed.runtime.len().to_string());
    // First, so that ids are numbered as the invocations were started.
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for line in observed.stdout.lines() {
        let (kind, line) = (kind_of(line), normal.text(line));
        let count = counts.entry(kind).or_default();
        *count += 1;
        let number = invocation(&line).map_or_else(|| count.to_string(), str::to_owned);
        let mut field = format!("stdout {kind} {number}");
        while record.contains_key(&field) {
            field.push_str(" again");
        }
        record.insert(field, line);
    }
    add_traces(&mut record, &mut normal, "runtime", &observed.runtime);
    for (name, traces) in &observed.extensions {
        record.insert(format!("extension {name} starts"), traces.len().to_string());
        add_traces(&mut record, &mut normal, &format!("extension {name}"), traces);
    }
    for (step, reply) in observed.invoker.iter().enumerate() {
        add_reply(&mut record, &mut normal, &format!("invoker {}", step + 1), reply);
    }
    record
}

fn add_traces(record: &mut Record, normal: &mut Normal, who: &str, traces: &[Trace]) {
    for (process, trace) in traces.iter().enumerate() {
        for (request, reply) in trace {
            add_reply(record, normal, &format!("{who} {}.{request}", process + 1), reply);
        }
    }
}

fn add_reply(record: &mut Record, normal: &mut Normal, name: &str, reply: &Reply) {
    record.insert(format!("{name} status"), reply.status.clone());
    for (header, value) in &reply.headers {
        if OF_THE_CONNECTION.contains(&header.as_str()) {
            continue;
        }
        let is_time = header == DEADLINE && value.len() == 13 && value.parse::<u64>().is_ok();
        let value = if is_time { "<epoch ms>".to_owned() } else { normal.text(value) };
        record.insert(format!("{name} header {header}"), value);
    }
    record.insert(format!("{name} body"), normal.text(&reply.body));
}

fn kind_of(line: &str) -> &'static str {
    let has_form = |(kind, next): &(&str, &str)| {
        line.strip_prefix(kind).is_some_and(|rest| rest.starts_with(next))
    };
    KINDS.into_iter().find(has_form).map_or("function", |(kind, _)| kind)
}

/// The number that normalising has given to the invocation of a line.
fn invocation(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once(" RequestId: <id ")?;
    rest.split_once('>').map(|(number, _)| number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_view_of_a_transcript_gets_its_fields() {
        let headers = [("date", "today"), (DEADLINE, "1234567890123"), ("a", "b")];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let reply =
            Reply { status: "200".into(), headers: headers.into(), body: "took 3 ms".into() };
        let observed = Observed {
            runtime: vec![Trace::from([(2, reply.clone())])],
            extensions: [("logger".to_owned(), vec![Trace::from([(1, reply)])])].into(),
            invoker: vec![Reply { status: "connection closed".into(), ..Reply::default() }],
            stdout: "START RequestId: a Version: 1\nhello\nworld\nEND RequestId: a\n".into(),
            exit: "0".into(),
        };
        let lines: Vec<String> = record(&observed)
            .into_iter()
            .map(|(field, value)| format!("{field}={value}"))
            .collect();
        assert_eq!(
            lines,
            [
                "exit=0",
                "extension logger 1.1 body=took N ms",
                "extension logger 1.1 header a=b",
                "extension logger 1.1 header lambda-runtime-deadline-ms=<epoch ms>",
                "extension logger 1.1 status=200",
                "extension logger starts=1",
                "invoker 1 body=",
                "invoker 1 status=connection closed",
                "runtime 1.2 body=took N ms",
                "runtime 1.2 header a=b",
                "runtime 1.2 header lambda-runtime-deadline-ms=<epoch ms>",
                "runtime 1.2 status=200",
                "runtime starts=1",
                "stdout END 1=END RequestId: a",
                "stdout START 1=START RequestId: a Version: 1",
                "stdout function 1=hello",
                "stdout function 2=world",
            ]
        );
    }
}
