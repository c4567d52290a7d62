//! Headers that belong to one connection, or to the server, and go no further.

use http::{HeaderMap, HeaderName, header};

/// What RFC 9110 and older practice tie to one connection.
const HOP_BY_HOP: [HeaderName; 9] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// What the server says itself.
const SERVERS_OWN: [HeaderName; 4] =
    [header::CONTENT_LENGTH, header::DATE, header::SERVER, header::HOST];

/// Takes out of a request what is not for the function. `Expect` is answered before it is asked.
pub(crate) fn clean_request(headers: &mut HeaderMap) {
    remove_hop_by_hop(headers);
    headers.remove(header::EXPECT);
}

/// Takes out of a response what the function has no say in.
///
/// # Source
/// Invoke API, "HTTP integration response" and "Function URL / HTTP API response mapping".
pub(crate) fn clean_response(headers: &mut HeaderMap) {
    remove_hop_by_hop(headers);
    for name in SERVERS_OWN {
        headers.remove(name);
    }
}

/// Removes the headers of one connection, also those that `Connection` names.
fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let named = headers.get_all(header::CONNECTION).into_iter();
    let named: Vec<HeaderName> = named
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
        .collect();
    for name in named.into_iter().chain(HOP_BY_HOP) {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(names: &[&'static str]) -> HeaderMap {
        let value = HeaderValue::from_static("x");
        names.iter().map(|name| (HeaderName::from_static(name), value.clone())).collect()
    }

    const OF_THE_CONNECTION: [&str; 9] = [
        "connection",
        "keep-alive",
        "proxy-connection",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ];

    #[test]
    fn hop_by_hop_headers_pass_in_neither_direction() {
        for clean in [clean_request, clean_response] {
            let mut map = headers(&OF_THE_CONNECTION);
            map.insert(header::ACCEPT, HeaderValue::from_static("y"));
            clean(&mut map);
            assert_eq!(map.keys().collect::<Vec<_>>(), ["accept"]);
        }
    }

    #[test]
    fn what_connection_names_is_hop_by_hop_as_well() {
        for clean in [clean_request, clean_response] {
            let mut map = headers(&["x-one", "x-two", "x-three"]);
            map.append(header::CONNECTION, HeaderValue::from_static("close, X-One"));
            map.append(header::CONNECTION, HeaderValue::from_static(" ,?? ,x-three"));
            clean(&mut map);
            assert_eq!(map.keys().collect::<Vec<_>>(), ["x-two"]);
        }
    }

    #[test]
    fn each_direction_has_headers_of_its_own() {
        let own = ["content-length", "date", "server", "host"];
        let mut request = headers(&own);
        request.insert(header::EXPECT, HeaderValue::from_static("100-continue"));
        clean_request(&mut request);
        assert_eq!(request, headers(&own));
        let mut response = headers(&own);
        clean_response(&mut response);
        assert_eq!(response, headers(&[]));
    }
}
