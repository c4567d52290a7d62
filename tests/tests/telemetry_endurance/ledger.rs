//! [`Ledger`]: what a subscriber has got, counted.

use serde_json::Value;

/// The sources of numbered lines: the two outputs of the fixture runtime.
const SOURCES: [&str; 2] = ["out ", "err "];

/// What a subscriber has got. It notes what is wrong instead of panicking, since that would only
/// end the subscriber's thread.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// How many records have arrived, without those that tell of losses.
    pub(crate) delivered: u64,
    /// How many were told to be lost.
    pub(crate) dropped: u64,
    /// The number that is due next, of each source. One that is no longer due came twice or too late.
    pub(crate) due: [u64; 2],
    /// The platform's records, but for those that tell of losses: the type and the request.
    pub(crate) platform: Vec<(String, String)>,
    /// For each `runtimeDone`, what was due then.
    pub(crate) due_when_done: Vec<[u64; 2]>,
    /// What was wrong, first things first.
    pub(crate) complaints: Vec<String>,
}

impl Ledger {
    /// Books a batch.
    pub(crate) fn take(&mut self, batch: &str) {
        let events = batch.strip_prefix("[{\"time\":\"").and_then(|rest| rest.strip_suffix("}]"));
        let Some(events) = events else { return self.complain("no array of events", batch) };
        // Quotes inside of a string are escaped, so that this is never inside of one.
        for event in events.split("},{\"time\":\"") {
            if self.event(event).is_none() {
                self.complain("not what was written", event);
            }
        }
    }

    /// How many records it knows of.
    pub(crate) const fn accounted(&self) -> u64 {
        self.delivered + self.dropped
    }

    fn event(&mut self, event: &str) -> Option<()> {
        let rest = event.get("2026-11-22T00:00:00.000Z".len()..)?.strip_prefix("\",\"type\":\"")?;
        if let Some(line) = rest.strip_prefix("function\",\"record\":\"") {
            return self.line(line.strip_suffix("\\n\"")?);
        }
        let (kind, record) = rest.strip_prefix("platform.")?.split_once("\",\"record\":")?;
        let record: Value = serde_json::from_str(record).ok()?;
        if kind == "logsDropped" {
            self.dropped += record["droppedRecords"].as_u64()?;
            return Some(());
        }
        self.delivered += 1;
        if kind == "runtimeDone" {
            self.due_when_done.push(self.due);
        }
        let id = record["requestId"].as_str().unwrap_or_default();
        self.platform.push((kind.to_owned(), id.to_owned()));
        Some(())
    }

    fn line(&mut self, line: &str) -> Option<()> {
        let source = SOURCES.iter().position(|name| line.starts_with(name))?;
        let number: u64 = line.get(SOURCES[source].len()..)?.parse().ok()?;
        self.delivered += 1;
        let is_new = number >= self.due[source];
        self.due[source] = number + 1;
        is_new.then_some(())
    }

    fn complain(&mut self, what: &str, about: &str) {
        if self.complaints.len() < 10 {
            let about: String = about.chars().take(300).collect();
            self.complaints.push(format!("{what}: {about}"));
        }
    }
}

#[test]
fn what_comes_twice_or_too_late_and_what_is_no_event_is_noticed() {
    let line = |line: &str| {
        let time = "2026-11-22T00:00:00.000Z";
        format!(r#"[{{"time":"{time}","type":"function","record":"{line}\n"}}]"#)
    };
    let mut ledger = Ledger::default();
    for good in ["out 0000000000", "err 0000000003", "out 0000000001"] {
        ledger.take(&line(good));
    }
    assert_eq!((ledger.delivered, ledger.due, ledger.complaints.len()), (3, [2, 4], 0));
    for bad in ["out 0000000001", "err 0000000002", "out 1 and more", "other 0000000009"] {
        ledger.take(&line(bad));
    }
    ledger.take("{}");
    assert_eq!(ledger.complaints.len(), 5, "{:#?}", ledger.complaints);
}
