//! Addresses within the console. Ids go into the query, whatever characters they have: a path would lose
//! `..`, and form fields would change line ends.

use std::fmt::Write;

use super::scope::{DATABASE, chosen};

/// The address of one account's page.
pub fn account(id: &str) -> String {
    query("/account", &[("id", id)])
}

/// The campaigns' log after a cursor, of one account or campaign if one is named.
pub fn events(account: &str, campaign: &str, after: &str) -> String {
    query("/events", &[("account", account), ("campaign", campaign), ("after", after)])
}

/// The address of one prospect's page.
pub fn prospect(id: &str) -> String {
    query("/prospect", &[("id", id)])
}

/// The address of one campaign's page.
pub fn campaign(id: &str) -> String {
    query("/campaign", &[("id", id)])
}

/// A path with its query; empty values are left out. The database that the page is about is among them, unless the values
/// name one.
pub fn query(path: &str, values: &[(&str, &str)]) -> String {
    let mut link = path.to_owned();
    let chosen = chosen().filter(|_| !values.iter().any(|(name, _)| *name == DATABASE));
    let chosen = chosen.iter().map(|name| (DATABASE, &**name));
    let values = values.iter().copied().chain(chosen);
    for (n, (name, value)) in values.filter(|(_, value)| !value.is_empty()).enumerate() {
        let separator = if n == 0 { '?' } else { '&' };
        let _ = write!(link, "{separator}{name}={}", encoded(value));
    }
    link
}

/// Percent-encoded, except the characters that RFC 3986 calls unreserved.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(byte.into());
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// The address to go to after signing in: a page of the console, never another site.
pub fn within(next: &str) -> &str {
    let is_ours = next.starts_with('/')
        && !next.starts_with("//")
        && next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if is_ours { next } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_any_kind_stay_in_the_query() {
        assert_eq!(account("acc-1"), "/account?id=acc-1");
        assert_eq!(account("../a/b?c&d=e#f"), "/account?id=..%2Fa%2Fb%3Fc%26d%3De%23f");
        assert_eq!(account("\"'<>\n\u{202e}ü"), "/account?id=%22%27%3C%3E%0A%E2%80%AE%C3%BC");
        assert_eq!(query("/", &[("q", ""), ("after", "a b")]), "/?after=a%20b");
        assert_eq!(events("", "", ""), "/events");
    }

    #[test]
    fn nobody_is_sent_elsewhere() {
        assert_eq!(within("/account?id=a%2Fb"), "/account?id=a%2Fb");
        for elsewhere in ["//evil.example", "https://evil.example", "/\\evil.example", "/a\r\nb", "", "x"] {
            assert_eq!(within(elsewhere), "/", "{elsewhere}");
        }
    }
}
