//! [`Timestamp`]: a moment as events spell it.

use std::fmt;

use rapid_interop::EpochMillis;

/// The last millisecond of the year 9999, after which the format has no digits left.
const LAST: u64 = 253_402_300_799_999;

const MILLIS_PER_DAY: u64 = 86_400_000;

/// Days from 1 March of the year 0, where the calendar's cycles begin, to the epoch.
const EPOCH_DAY: u64 = 719_468;

/// Days of the calendar's cycle of 400 years.
const CYCLE: u64 = 146_097;

/// A moment as text: `2026-09-15T07:13:10.674Z`, always UTC and always three decimals.
///
/// # Source
/// Telemetry API, "Event envelope".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timestamp([u8; 24]);

impl Timestamp {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Digits and punctuation only.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Reads such a text, with any number of decimals; `None` if it is something else.
    #[must_use]
    pub fn parse(text: &str) -> Option<EpochMillis> {
        let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
        let (year, rest) = date.split_once('-')?;
        let (month, day) = rest.split_once('-')?;
        let (hour, rest) = time.split_once(':')?;
        let (minute, rest) = rest.split_once(':')?;
        let (second, decimals) = rest.split_once('.').unwrap_or((rest, "0"));
        let date = (number(year, 4)?, number(month, 2)?, number(day, 2)?);
        let day = day_number(date)?;
        let (hour, minute, second) = (number(hour, 2)?, number(minute, 2)?, number(second, 2)?);
        if hour > 23 || minute > 59 || second > 59 || !is_number(decimals) {
            return None;
        }
        let decimals = decimals.bytes().chain([b'0', b'0']).take(3);
        let millis = decimals.fold(0, |millis, digit| millis * 10 + u64::from(digit - b'0'));
        let seconds = (hour * 60 + minute) * 60 + second;
        Some(EpochMillis(day * MILLIS_PER_DAY + seconds * 1000 + millis))
    }
}

impl From<EpochMillis> for Timestamp {
    fn from(at: EpochMillis) -> Self {
        let millis = at.0.min(LAST);
        let (year, month, day) = date(millis / MILLIS_PER_DAY);
        let second = millis / 1000;
        let (hour, minute) = (second / 3600 % 24, second / 60 % 60);
        let digit = |number: u64| b'0' + (number % 10) as u8;
        let tens = |number: u64| digit(number / 10);
        Self([
            tens(year / 100),
            digit(year / 100),
            tens(year),
            digit(year),
            b'-',
            tens(month),
            digit(month),
            b'-',
            tens(day),
            digit(day),
            b'T',
            tens(hour),
            digit(hour),
            b':',
            tens(minute),
            digit(minute),
            b':',
            tens(second % 60),
            digit(second % 60),
            b'.',
            digit(millis / 100),
            tens(millis),
            digit(millis),
            b'Z',
        ])
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Year, month and day of a day since the epoch. A year is counted from March, so that the leap
/// day is its last.
const fn date(day: u64) -> (u64, u64, u64) {
    let day = day + EPOCH_DAY;
    let in_cycle = day % CYCLE;
    let year_of_cycle = (in_cycle - in_cycle / 1460 + in_cycle / 36_524 - in_cycle / 146_096) / 365;
    let in_year = in_cycle - days_before(year_of_cycle);
    let march_month = (5 * in_year + 2) / 153;
    let day_of_month = in_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = day / CYCLE * 400 + year_of_cycle;
    (if month <= 2 { year + 1 } else { year }, month, day_of_month)
}

/// The inverse of [`date`]; `None` for a day that does not exist or lies before the epoch.
fn day_number(wanted: (u64, u64, u64)) -> Option<u64> {
    let (year, month, day) = wanted;
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || day == 0 {
        return None;
    }
    let (year, march_month) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    let in_cycle = days_before(year % 400) + (153 * march_month + 2) / 5 + day - 1;
    let number = (year / 400 * CYCLE + in_cycle).checked_sub(EPOCH_DAY)?;
    (date(number) == wanted).then_some(number)
}

/// Days of a cycle before its `year`th year.
const fn days_before(year: u64) -> u64 {
    365 * year + year / 4 - year / 100
}

fn number(text: &str, digits: usize) -> Option<u64> {
    if text.len() == digits && is_number(text) { text.parse().ok() } else { None }
}

/// Whether there are digits, and nothing else.
fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn moments_are_spelled_as_recorded() {
        let rows = [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_789_456_390_674, "2026-09-15T07:13:10.674Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (4_107_542_399_999, "2100-02-28T23:59:59.999Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (LAST, "9999-12-31T23:59:59.999Z"),
        ];
        for (millis, text) in rows {
            assert_eq!(Timestamp::from(EpochMillis(millis)).as_str(), text);
            assert_eq!(Timestamp::parse(text), Some(EpochMillis(millis)), "{text}");
        }
        assert_eq!(Timestamp::from(EpochMillis(u64::MAX)).as_str(), "9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn any_number_of_decimals_is_read() {
        let millis = |text| Timestamp::parse(text).map(|at| at.0);
        assert_eq!(millis("1970-01-01T00:00:01Z"), Some(1000));
        assert_eq!(millis("1970-01-01T00:00:01.5Z"), Some(1500));
        assert_eq!(millis("1970-01-01T00:00:01.123456789Z"), Some(1123));
        let many = format!("1970-01-01T00:00:01.{}Z", "9".repeat(40));
        assert_eq!(millis(&many), Some(1999));
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for bad in [
            "",
            "Z",
            "2026-09-15",
            "2026-09-15T07:13:10.674",
            "2026-09-15T07:13:10.Z",
            "2026-09-15T07:13:10.+1Z",
            "2026-02-29T00:00:00.000Z",
            "2026-13-01T00:00:00.000Z",
            "2026-00-01T00:00:00.000Z",
            "2026-01-00T00:00:00.000Z",
            "2026-01-01T24:00:00.000Z",
            "2026-01-01T00:60:00.000Z",
            "2026-01-01T00:00:60.000Z",
            "1969-12-31T23:59:59.999Z",
            "2026-1-01T00:00:00.000Z",
        ] {
            assert_eq!(Timestamp::parse(bad), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(millis in 0..=LAST) {
            let at = EpochMillis(millis);
            prop_assert_eq!(Timestamp::parse(Timestamp::from(at).as_str()), Some(at));
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "[0-9TZ:.-]{0,30}") {
            let _ = Timestamp::parse(&text);
        }
    }
}
