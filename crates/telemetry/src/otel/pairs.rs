//! [`pairs`]: lists such as `key1=value1,key2=value2` in OpenTelemetry's variables.

use percent_encoding::percent_decode_str;

/// The keys and values of such a list, percent-decoded, in order; `None` if it is no such list.
///
/// Empty members are left out, and the white space around keys and values. Of several `=` the first
/// one counts.
///
/// # Source
/// OpenTelemetry, "Resource SDK", "Specifying resource information via an environment variable";
/// "OTLP Exporter Configuration", "Specifying headers via environment variables".
pub(super) fn pairs(list: &str) -> Option<Vec<(String, String)>> {
    let members = list.split(',').map(str::trim).filter(|member| !member.is_empty());
    members.map(pair).collect()
}

fn pair(member: &str) -> Option<(String, String)> {
    let (key, value) = member.split_once('=')?;
    let key = decoded(key)?;
    (!key.is_empty()).then_some((key, decoded(value)?))
}

/// `None` if the bytes are no text.
fn decoded(text: &str) -> Option<String> {
    let text = percent_decode_str(text.trim()).decode_utf8().ok()?;
    Some(text.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_its_pairs_in_order() {
        let rows: [(&str, &[(&str, &str)]); 8] = [
            ("", &[]),
            ("k=v", &[("k", "v")]),
            ("k1=v1,k2=v2", &[("k1", "v1"), ("k2", "v2")]),
            (" k1 = v1 ,\tk2=v2,", &[("k1", "v1"), ("k2", "v2")]),
            ("authorization=Basic%20QQ==", &[("authorization", "Basic QQ==")]),
            ("a%2Cb=c%3Dd%2C%C3%A9", &[("a,b", "c=d,é")]),
            ("k=%XX;p", &[("k", "%XX;p")]),
            ("k=", &[("k", "")]),
        ];
        for (list, expected) in rows {
            let expected = expected.iter().map(|(key, value)| ((*key).into(), (*value).into()));
            assert_eq!(pairs(list), Some(expected.collect()), "{list}");
        }
    }

    #[test]
    fn what_is_no_pair_makes_it_no_list() {
        for list in ["k", "k=v,w", "=v", " =v", "k=%FF"] {
            assert_eq!(pairs(list), None, "{list}");
        }
    }
}
