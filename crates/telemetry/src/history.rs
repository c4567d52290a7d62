//! [`History`]: what has happened since the initialisation began, for those who subscribe later.

use rapid_events::{Category, Event, Record, Schema};

/// How much is kept of each category, in bytes: of records, and of their JSON, which may be six
/// times as long as what was written.
const MAX_SIZE: usize = 512 * 1024;

/// What has happened since the initialisation began.
///
/// Each category has a bound of its own, so that nobody's early output costs the platform's events.
///
/// # Source
/// Telemetry API, "Batching"; the bound is ours.
#[derive(Debug, Default)]
pub(crate) struct History {
    events: Vec<Event>,
    shares: [Share; Category::ALL.len()],
}

/// What one category has of the history.
#[derive(Debug, Default)]
struct Share {
    size: usize,
    /// Once something was lost, all that follows is: one gap at the end.
    is_full: bool,
    /// For each schema, which is not told of what it does not carry.
    lost: [Lost; Schema::ALL.len()],
}

/// What there was no room for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lost {
    pub(crate) records: u64,
    /// As JSON.
    pub(crate) bytes: u64,
}

impl History {
    /// Keeps an event, or counts it if there is no room.
    pub(crate) fn keep(&mut self, event: Event) {
        let share = &mut self.shares[event.category() as usize];
        let size = size(&event);
        if share.is_full || share.size + size > MAX_SIZE {
            share.lose(&event);
        } else {
            share.size += size;
            self.events.push(event);
        }
    }

    /// What was kept, oldest first.
    pub(crate) fn events(&self) -> &[Event] {
        &self.events
    }

    /// How much of a category was not kept of what `schema` carries.
    pub(crate) const fn lost(&self, category: Category, schema: Schema) -> Lost {
        self.shares[category as usize].lost[schema as usize]
    }
}

impl Share {
    fn lose(&mut self, event: &Event) {
        self.is_full = true;
        for (lost, length) in self.lost.iter_mut().zip(lengths(event)) {
            lost.records += u64::from(length.is_some());
            lost.bytes += length.unwrap_or(0) as u64;
        }
    }
}

/// How much memory an event takes, here or in any subscriber's queue.
fn size(event: &Event) -> usize {
    size_of::<Event>() + lengths(event).into_iter().flatten().max().unwrap_or(0)
}

/// How long an event is in each schema. A log record has two forms at most.
fn lengths(event: &Event) -> [Option<usize>; Schema::ALL.len()] {
    let mut forms = [None; 2];
    Schema::ALL.map(|schema| match &event.record {
        Record::Platform(_) => event.encoded_len(schema),
        Record::Function(record) | Record::Extension(record) => {
            let form = &mut forms[usize::from(record.is_object_in(schema))];
            *form = form.or_else(|| event.encoded_len(schema));
            *form
        }
    })
}

#[cfg(test)]
mod tests {
    use rapid_events::{EndData, LogRecord};
    use rapid_interop::{EpochMillis, RequestId};

    use super::*;

    fn line(size: usize) -> Event {
        let record = Record::Function(LogRecord::text(vec![b'x'; size].into()));
        Event { time: EpochMillis(0), record }
    }

    fn end() -> Event {
        Event::platform(EpochMillis(0), EndData { request_id: RequestId::nil() })
    }

    /// A history without room for lines.
    fn full() -> History {
        let mut history = History::default();
        history.keep(line(MAX_SIZE));
        history
    }

    #[test]
    fn what_has_room_is_kept_in_order_and_all_after_the_first_loss_is_counted() {
        let mut history = History::default();
        let half = MAX_SIZE / 2;
        for length in [half, 10, half, 20] {
            history.keep(line(length));
        }
        let kept: Vec<usize> = history.events().iter().map(Event::text_len).collect();
        assert_eq!(kept, [half, 10]);
        let envelope = r#"{"time":"1970-01-01T00:00:00.000Z","type":"function","record":""}"#.len();
        let lost = Lost { records: 2, bytes: (2 * envelope + half + 20) as u64 };
        for schema in Schema::ALL {
            assert_eq!(history.lost(Category::Function, schema), lost);
            assert_eq!(history.lost(Category::Platform, schema), Lost::default());
            assert_eq!(history.lost(Category::Extension, schema), Lost::default());
        }
    }

    #[test]
    fn early_output_does_not_cost_the_platforms_events() {
        let mut history = full();
        history.keep(end());
        assert_eq!(history.events(), [end()]);
        assert_eq!(history.lost(Category::Function, Schema::LATEST).records, 1);
    }

    #[test]
    fn a_schema_is_told_of_what_it_would_have_carried_in_its_own_bytes() {
        let mut history = full();
        let before = history.lost(Category::Function, Schema::LATEST);
        let text = r#"{"a":"b"}"#;
        let record = Record::Function(LogRecord::json(text.into()));
        history.keep(Event { time: EpochMillis(0), record });
        let more = |schema| history.lost(Category::Function, schema).bytes - before.bytes;
        // Four quotation marks are escaped, and two stand around the text.
        assert_eq!(more(Schema::Telemetry20220701), more(Schema::LATEST) + 6);
        assert_eq!(more(Schema::Telemetry20221213), more(Schema::LATEST));

        let mut history = History::default();
        let kept = MAX_SIZE / size(&end());
        for _ in 0..=kept {
            history.keep(end());
        }
        // Only the Logs API tells of ends.
        assert_eq!(history.lost(Category::Platform, Schema::LATEST), Lost::default());
        let length = end().encode(Schema::Logs20200815).map_or(0, |json| json.len());
        let lost = history.lost(Category::Platform, Schema::Logs20200815);
        assert_eq!(lost, Lost { records: 1, bytes: length as u64 });
    }

    #[test]
    fn what_is_told_is_bounded_and_not_what_was_written() {
        let mut history = History::default();
        let text = [0x01_u8; 1000];
        for _ in 0..1000 {
            let record = Record::Function(LogRecord::text(text.to_vec().into()));
            history.keep(Event { time: EpochMillis(0), record });
        }
        let json: usize =
            history.events().iter().filter_map(|event| event.encoded_len(Schema::LATEST)).sum();
        assert!((MAX_SIZE / 2..=MAX_SIZE).contains(&json), "{json}");
    }

    #[test]
    fn empty_lines_are_bounded_too() {
        let mut history = History::default();
        let total = 20_000;
        for _ in 0..total {
            history.keep(line(0));
        }
        let size = size_of_val(history.events());
        assert!((1..=MAX_SIZE).contains(&size), "{size}");
        let lost = history.lost(Category::Function, Schema::LATEST).records;
        assert_eq!(history.events().len() as u64 + lost, total);
    }
}
