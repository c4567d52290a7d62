//! Takes out of a text what differs from run to run: ids, ports, times, amounts.

/// Gives the same id the same name throughout a transcript.
#[derive(Debug, Default)]
pub(crate) struct Normal {
    ids: Vec<String>,
}

impl Normal {
    /// The text without what differs from run to run.
    pub(crate) fn text(&mut self, text: &str) -> String {
        let text = self.without_ids(text);
        let text = without_traces(&text);
        let text = without_ports(&text);
        let text = without_deadlines(&text);
        let text = without_amounts(&text, " ms");
        match text.split_once("Max Memory Used: ") {
            Some((start, end)) => {
                format!("{start}Max Memory Used: {}", without_amounts(end, " MB"))
            }
            None => text,
        }
    }

    fn without_ids(&mut self, text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some(at) = (0..rest.len()).find(|at| is_uuid(rest.as_bytes(), *at)) {
            let (before, id, after) = (&rest[..at], &rest[at..at + UUID], &rest[at + UUID..]);
            let known = self.ids.iter().position(|known| known == id);
            let number = known.unwrap_or_else(|| {
                self.ids.push(id.to_owned());
                self.ids.len() - 1
            });
            out.push_str(&format!("{before}<id {}>", number + 1));
            rest = after;
        }
        out + rest
    }
}

/// The length of a UUID with hyphens.
const UUID: usize = 36;

fn is_uuid(text: &[u8], at: usize) -> bool {
    text.get(at..at + UUID).is_some_and(|window| {
        window.iter().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
    })
}

/// `Root=1-…` up to the end of the trace header.
fn without_traces(text: &str) -> String {
    let Some((before, rest)) = text.split_once("Root=1-") else { return text.to_owned() };
    let inside = |c: char| c.is_ascii_alphanumeric() || "=;:.-".contains(c);
    let end = rest.find(|c| !inside(c)).unwrap_or(rest.len());
    format!("{before}<trace>{}", without_traces(&rest[end..]))
}

fn without_ports(text: &str) -> String {
    const HOST: &str = "127.0.0.1:";
    let mut parts = text.split(HOST);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_digit());
        out.push_str(HOST);
        out.push_str(if rest.len() < part.len() { "<port>" } else { "" });
        out.push_str(rest);
    }
    out
}

/// `"deadlineMs":` and 13 digits, as events of extensions have them.
fn without_deadlines(text: &str) -> String {
    const KEY: &str = "\"deadlineMs\":";
    let mut parts = text.split(KEY);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_digit());
        let is_time = part.len() - rest.len() == 13;
        out.push_str(KEY);
        out.push_str(if is_time { "<epoch ms>" } else { &part[..part.len() - rest.len()] });
        out.push_str(rest);
    }
    out
}

/// Writes the digits of every number before `unit` as `N`: the form of the number stays.
fn without_amounts(text: &str, unit: &str) -> String {
    let mut parts: Vec<String> = text.split(unit).map(str::to_owned).collect();
    // What comes after the last unit belongs to no number.
    let last = parts.pop().unwrap_or_default();
    let mut out = String::new();
    for part in parts {
        let start = part.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
        let number = &part[start.len()..];
        out.push_str(start);
        match number.split_once('.') {
            Some((_, decimals)) => out.push_str(&format!("N.{}", "N".repeat(decimals.len()))),
            None if number.is_empty() => {}
            None => out.push('N'),
        }
        out.push_str(unit);
    }
    out + &last
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "8286a188-ba32-4475-8077-530cd35c09a9";
    const B: &str = "0f0f0f0f-ba32-4475-8077-530cd35c09a9";

    fn normal(text: &str) -> String {
        Normal::default().text(text)
    }

    #[test]
    fn equal_ids_stay_equal() {
        assert_eq!(normal(&format!("{A} {B}/{A}")), "<id 1> <id 2>/<id 1>");
        assert_eq!(normal("8286a188-ba32"), "8286a188-ba32");
        assert_eq!(normal(&format!("ü{A}ü")), "ü<id 1>ü");
    }

    #[test]
    fn deadlines_go_if_they_are_times() {
        assert_eq!(normal(r#"{"deadlineMs":1795309239653,"#), r#"{"deadlineMs":<epoch ms>,"#);
        assert_eq!(normal(r#"{"deadlineMs":17,"#), r#"{"deadlineMs":17,"#);
    }

    #[test]
    fn amounts_keep_their_form() {
        assert_eq!(
            normal(
                "Duration: 12.34 ms\tBilled Duration: 13 ms\tMemory Size: 128 MB\tMax Memory Used: 7 MB\t"
            ),
            "Duration: N.NN ms\tBilled Duration: N ms\tMemory Size: 128 MB\tMax Memory Used: N MB\t"
        );
        assert_eq!(normal("after 1.00 seconds"), "after 1.00 seconds");
    }

    #[test]
    fn traces_and_ports_go() {
        assert_eq!(
            normal("Root=1-5b8a-12;Parent=ab;Sampled=1, at 127.0.0.1:901!"),
            "<trace>, at 127.0.0.1:<port>!"
        );
        assert_eq!(normal("127.0.0.1:x"), "127.0.0.1:x");
    }
}
