//! [`History`]: what has happened since the initialisation began, for those who subscribe later.

use rapid_events::{Category, Event, Record};

/// How much is kept, in bytes: of records, and of their text.
const MAX_SIZE: usize = 1024 * 1024;

/// What has happened since the initialisation began.
///
/// # Source
/// Telemetry API, "Batching"; the bound is ours.
#[derive(Debug, Default)]
pub(crate) struct History {
    events: Vec<Event>,
    size: usize,
    lost: [Lost; Category::ALL.len()],
}

/// What there was no room for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lost {
    pub(crate) records: u64,
    pub(crate) bytes: u64,
}

impl History {
    /// Keeps an event, or counts it if there is no room.
    pub(crate) fn keep(&mut self, event: Event) {
        let text = text_len(&event);
        let size = size_of::<Event>() + text;
        if self.size + size > MAX_SIZE {
            let lost = &mut self.lost[event.category() as usize];
            lost.records += 1;
            lost.bytes += text as u64;
            return;
        }
        self.size += size;
        self.events.push(event);
    }

    /// What was kept, oldest first.
    pub(crate) fn events(&self) -> &[Event] {
        &self.events
    }

    /// How much of a category was not kept.
    pub(crate) const fn lost(&self, category: Category) -> Lost {
        self.lost[category as usize]
    }
}

fn text_len(event: &Event) -> usize {
    match &event.record {
        Record::Platform(_) => 0,
        Record::Function(record) | Record::Extension(record) => record.text.len(),
    }
}

#[cfg(test)]
mod tests {
    use rapid_events::LogRecord;
    use rapid_interop::EpochMillis;

    use super::*;

    fn line(size: usize) -> Event {
        let record = Record::Function(LogRecord::text(vec![b'x'; size].into()));
        Event { time: EpochMillis(0), record }
    }

    #[test]
    fn what_has_room_is_kept_in_order_and_the_rest_is_counted() {
        let mut history = History::default();
        let half = MAX_SIZE / 2;
        for size in [half, 10, half, 20] {
            history.keep(line(size));
        }
        let kept: Vec<usize> = history.events().iter().map(text_len).collect();
        assert_eq!(kept, [half, 10, 20]);
        let lost = Lost { records: 1, bytes: half as u64 };
        assert_eq!(history.lost(Category::Function), lost);
        assert_eq!(history.lost(Category::Platform), Lost::default());
    }

    #[test]
    fn empty_lines_are_bounded_too() {
        let mut history = History::default();
        for _ in 0..MAX_SIZE {
            history.keep(line(0));
        }
        let size = size_of_val(history.events());
        assert!((1..=MAX_SIZE).contains(&size), "{size}");
        let lost = history.lost(Category::Function).records;
        assert_eq!(history.events().len() as u64 + lost, MAX_SIZE as u64);
    }
}
