//! [`Line`]: what people read in the log.

use std::time::Duration;

use rapid_fatal_error::ErrorType;

use crate::Status;

/// In whose words log lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LineStyle {
    /// The service's.
    #[default]
    Aws,
    /// The Runtime Interface Emulator's.
    Rie,
}

/// Something that has a line in a log whose format is `Text`.
///
/// # Source
/// Telemetry API, "Log format and level"; Environment, "Log output" for the emulator.
pub trait Line {
    /// Appends the line, without a line ending; nothing if there is none in this style.
    fn write_line(&self, style: LineStyle, out: &mut String);

    /// The line, without a line ending; `None` if there is none in this style.
    #[must_use]
    fn line(&self, style: LineStyle) -> Option<String> {
        let mut line = String::new();
        self.write_line(style, &mut line);
        (!line.is_empty()).then_some(line)
    }
}

/// `Runtime Version: …` of the lines that tell it; nothing when nobody knows it.
pub(crate) fn push_runtime(
    out: &mut String,
    start: &str,
    version: Option<&str>,
    arn: Option<&str>,
) {
    let Some(version) = version else { return };
    out.push_str(start);
    out.push_str(" Runtime Version: ");
    out.push_str(version);
    out.push_str("\tRuntime Version ARN: ");
    out.push_str(arn.unwrap_or_default());
}

/// The status and the error type of whatever did not succeed.
pub(crate) fn push_status(out: &mut String, status: Status, error_type: Option<&ErrorType>) {
    out.push_str("\tStatus: ");
    out.push_str(status.as_str());
    push_error_type(out, error_type.map(ErrorType::as_str));
}

/// The error type, if there is one.
pub(crate) fn push_error_type(out: &mut String, error_type: Option<&str>) {
    if let Some(error_type) = error_type {
        out.push_str("\tError Type: ");
        out.push_str(error_type);
    }
}

/// `names`, with `, ` between them and in brackets.
pub(crate) fn push_list<'a>(out: &mut String, names: impl Iterator<Item = &'a str>) {
    out.push('[');
    for (index, name) in names.enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        out.push_str(name);
    }
    out.push(']');
}

/// `duration` in milliseconds with two decimals, rounded.
///
/// The formatting of floats costs more than the rest of a `REPORT` line, hence digit by digit.
pub(crate) fn push_millis(out: &mut String, duration: Duration) {
    let hundredths = hundredths(duration);
    push_number(out, hundredths / 100);
    out.push('.');
    for digit in [hundredths / 10 % 10, hundredths % 10] {
        out.push(char::from(b'0' + (digit % 10) as u8));
    }
}

/// `number` in decimal digits.
pub(crate) fn push_number(out: &mut String, number: u64) {
    let mut digits = [b'0'; 20];
    let mut rest = number;
    let mut used = 0;
    for digit in digits.iter_mut().rev() {
        *digit += (rest % 10) as u8;
        rest /= 10;
        used += 1;
        if rest == 0 {
            break;
        }
    }
    let unused = digits.len() - used;
    digits.iter().skip(unused).for_each(|digit| out.push(char::from(*digit)));
}

/// Hundredths of a millisecond, rounded half up.
pub(crate) fn hundredths(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX).saturating_add(5) / 10
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pushed(push: impl Fn(&mut String)) -> String {
        let mut out = String::new();
        push(&mut out);
        out
    }

    #[test]
    fn milliseconds_have_two_decimals_rounded_half_up() {
        let rows = [
            (0, "0.00"),
            (4, "0.00"),
            (5, "0.01"),
            (2_030, "2.03"),
            (576_959, "576.96"),
            (999_995, "1000.00"),
            (1_000_000, "1000.00"),
        ];
        for (micros, expected) in rows {
            let found = pushed(|out| push_millis(out, Duration::from_micros(micros)));
            assert_eq!(found, expected, "{micros} µs");
        }
        assert_eq!(pushed(|out| push_millis(out, Duration::MAX)), "18446744073709551.61");
    }

    proptest! {
        #[test]
        fn numbers_read_as_the_standard_library_writes_them(number: u64) {
            prop_assert_eq!(pushed(|out| push_number(out, number)), number.to_string());
        }

        #[test]
        fn milliseconds_are_within_half_a_hundredth(micros in 0_u64..u64::MAX / 1000) {
            let text = pushed(|out| push_millis(out, Duration::from_micros(micros)));
            let hundredths: u64 = text.replace('.', "").parse().unwrap();
            prop_assert!((hundredths * 10).abs_diff(micros) <= 5);
        }
    }

    #[test]
    fn the_ends_of_the_range_are_written_whole() {
        assert_eq!(pushed(|out| push_number(out, 0)), "0");
        assert_eq!(pushed(|out| push_number(out, u64::MAX)), u64::MAX.to_string());
    }
}
