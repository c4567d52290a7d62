//! Any text as an error type that a header can carry.

use http::HeaderValue;

/// The longest error type that is sent, in bytes.
const MAX_LEN: usize = 256;

/// Stands for an error whose text has nothing that can be sent. The API insists on a type.
const UNKNOWN: HeaderValue = HeaderValue::from_static("Extension.UnknownReason");

/// Makes a text fit for a header: control characters, line ends among them, become spaces, what is
/// not ASCII becomes `?`, spaces at either end go, and the rest is cut at [`MAX_LEN`].
pub(crate) fn to_header(text: &str) -> HeaderValue {
    let fit = |c: char| match c {
        ' '..='~' => c,
        c if c.is_ascii_control() => ' ',
        _ => '?',
    };
    let text: String = text.trim().chars().map(fit).take(MAX_LEN).collect();
    match HeaderValue::from_str(text.trim()) {
        Ok(value) if !value.is_empty() => value,
        Ok(_) | Err(_) => UNKNOWN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_type_that_is_one_is_sent_as_it_is() {
        assert_eq!(to_header("Extension.ConfigInvalid"), "Extension.ConfigInvalid");
    }

    #[test]
    fn what_a_header_cannot_carry_is_replaced() {
        assert_eq!(to_header("no\r\nLambda: x\tä\u{7f}~"), "no  Lambda: x ? ~");
        assert_eq!(to_header(" \n broken \n "), "broken");
    }

    #[test]
    fn a_text_without_anything_to_send_still_has_a_type() {
        for nothing in ["", " ", "\n\t", "\u{7f}"] {
            assert_eq!(to_header(nothing), "Extension.UnknownReason");
        }
    }

    #[test]
    fn a_long_text_is_cut() {
        assert_eq!(to_header(&"ä".repeat(1000)).len(), MAX_LEN);
        assert_eq!(to_header(&format!("{}{}", "x".repeat(255), " y")).len(), 255);
    }
}
