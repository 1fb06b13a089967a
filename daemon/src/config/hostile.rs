//! Wrong and hostile configuration: nothing panics, and no error message, place or debug output shows a
//! secret.

use proptest::prelude::*;

use super::redact::redact;
use super::target::Target;
use super::tokens::Tokens;
use super::{File, parse_file};

/// A text that no message contains by itself.
const SECRET: &str = "geHEIm7";

/// The parts of connection strings in any order, and text of any kind.
fn piece() -> impl Strategy<Value = String> {
    let known = [
        "postgres://",
        "postgresql://",
        "host=",
        "user=",
        "dbname=",
        "port=",
        "hostaddr=",
        "sslmode=",
        "sslcert=",
        "sslkey=",
        "sslrootcert=",
        "passfile=",
        "connect_timeout=",
        "application_name=",
        "options=",
        "u",
        "h",
        "d",
        "5432",
        "99999",
        "127.0.0.1",
        "[::1]",
        "::1",
        "verify-full",
        "disable",
        "'",
        "\\",
        "@",
        ":",
        "/",
        "?",
        "&",
        "=",
        "%",
        "%2",
        "%41",
        "%00",
        "%ff",
        "#",
        " ",
        "\t",
        "\n",
        ",",
        "-1",
        "é",
        "😀",
        "\u{202e}",
    ]; // fmt: skip
    prop_oneof![4 => prop::sample::select(known.to_vec()).prop_map(str::to_owned), 1 => "\\PC{0,6}"]
}

fn pieces() -> impl Strategy<Value = String> {
    prop::collection::vec(piece(), 0..12).prop_map(|pieces| pieces.concat())
}

/// Whether this text, which may be shown, contains the secret.
fn shows(text: &str) -> bool {
    text.contains(SECRET)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_database_makes_it_panic(text in pieces()) {
        if let Ok(target) = Target::read(&text, None) {
            let _ = (target.place(), format!("{target:?}"));
        }
        let _ = redact(&text);
    }

    #[test]
    fn a_password_is_shown_nowhere(before in pieces(), after in pieces(), user in "[a-z]{1,3}") {
        for text in [
            format!("postgres://{user}:{SECRET}@h{after}"),
            format!("postgres://{user}:{SECRET}@h/d?{after}"),
            format!("{before} password={SECRET} {after}"),
            format!("{before} password='{SECRET}' {after}"),
            format!("host=h password={SECRET}{after}"),
        ] {
            match Target::read(&text, None) {
                Ok(target) => {
                    let shown = format!("{target:?}");
                    // Text that stands in the place of a host, a user or a database is no password.
                    let is_password = target.driver.get_password().is_some_and(|p| shows(&String::from_utf8_lossy(p)));
                    prop_assert!(!is_password || !shows(&shown), "{} shows {}", text, shown);
                    prop_assert!(!is_password || !shows(&target.place()), "{} at {}", text, target.place());
                }
                Err(error) => prop_assert!(!shows(&error.to_string()), "{}: {}", text, error),
            }
        }
    }

    #[test]
    fn redacted_text_keeps_no_password_and_loses_nothing_else(
        before in "[ a-zA-Z0-9.,;(é]{0,12}", user in "[a-z]{1,4}", host in "[a-z.]{1,8}", after in "[ a-z0-9.,;)é]{0,12}",
    ) {
        let url = format!("{before} postgres://{user}:{SECRET}@{host}/d {after}");
        prop_assert_eq!(redact(&url), format!("{before} postgres://{user}:***@{host}/d {after}"));
        let pair = format!("{before} host={host} password={SECRET} {after}");
        prop_assert_eq!(redact(&pair), format!("{before} host={host} password=*** {after}"));
        prop_assert_eq!(redact(&redact(&url)), redact(&url));
    }

    #[test]
    fn no_file_makes_it_panic_or_shows_a_value(
        lines in prop::collection::vec(
            (
                prop::sample::select(vec![
                    "database_url", "password_file", "listen", "listen_anywhere", "poll", "console", "tokens_file",
                    "console_hosts", "session_idle_seconds", "lisen", "", "[tokens]", "\"", "a.b", "poll.x",
                ]),
                prop_oneof![
                    Just(format!(" = '{SECRET}'")), Just(format!(" = {SECRET}")), Just(format!(" = '{SECRET}")),
                    Just(format!(" = [\"{SECRET}\"]")), Just(format!(" # {SECRET}")), Just(" = 1e400".to_owned()),
                    Just(" = -1".to_owned()), Just(" = nan".to_owned()), "\\PC{0,8}",
                ],
            ),
            0..6,
        ),
    ) {
        let text: String = lines.into_iter().map(|(key, value)| format!("{key}{value}\n")).collect();
        if let Err(error) = parse_file(&text, std::path::Path::new("sendgated.toml")) {
            prop_assert!(!shows(&error.to_string()), "{}: {}", text, error);
        }
        if let Err(error) = Tokens::parse(&text) {
            prop_assert!(!shows(&error), "{}: {}", text, error);
        }
    }

    #[test]
    fn no_text_at_all_makes_it_panic(text in "\\PC{0,60}", bytes in prop::collection::vec(any::<char>(), 0..40)) {
        let odd: String = bytes.into_iter().collect();
        for text in [&text, &odd] {
            let _ = (Target::read(text, None).is_ok(), redact(text), Tokens::parse(text).is_ok());
            let _: Result<File, _> = parse_file(text, std::path::Path::new("sendgated.toml"));
        }
    }

    /// Any password, user and database arrives as it was meant.
    #[test]
    fn what_is_quoted_arrives(password in "\\PC{1,20}", user in "\\PC{1,10}") {
        let quoted = |text: &str| text.replace('\\', "\\\\").replace('\'', "\\'");
        let text = format!("host=h user='{}' password='{}'", quoted(&user), quoted(&password));
        let target = Target::read(&text, None).map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(target.driver.get_password(), Some(password.as_bytes()));
        prop_assert_eq!(target.driver.get_user(), Some(user.as_str()));
    }
}
