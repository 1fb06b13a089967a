//! A provider's answer as the caller passes it on, and what a JSON message in it says by itself.

use serde_json::{Map, Value};
use std::borrow::Cow;

/// What the provider answered, as far as the caller knows.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProviderError<'a> {
    /// Text of the error.
    pub message: Option<&'a str>,
    /// The provider's own type, such as `errors/insufficient_credits`.
    pub error_type: Option<&'a str>,
    /// HTTP status as the caller has it; any number, also one that is none.
    pub http_status: Option<i32>,
}

/// An answer as the rules look at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer<'a> {
    /// The type: the caller's, or else that of a JSON message.
    pub error_type: Option<Cow<'a, str>>,
    /// The status: the caller's, or else that of a JSON message.
    pub http_status: Option<i32>,
    /// The words that text rules look at.
    pub text: Cow<'a, str>,
    given: bool,
}

impl<'a> Answer<'a> {
    /// Reads an error. A message that is a JSON object (RFC 9457) adds the type and the status that the
    /// caller does not give, and its words are its title and detail alone. Where its status contradicts
    /// the caller's, it is about something else, and says nothing.
    pub fn read(error: &ProviderError<'a>) -> Answer<'a> {
        let message = error.message.unwrap_or_default();
        let mut answer = Answer {
            error_type: error.error_type.map(Cow::Borrowed),
            http_status: error.http_status,
            text: Cow::Borrowed(message),
            given: error.message.is_some() || error.error_type.is_some() || error.http_status.is_some(),
        };
        if let Some(problem) = object(message) {
            answer.add(&problem);
        }
        answer
    }

    /// Whether there is no error at all.
    pub fn is_empty(&self) -> bool {
        !self.given
    }

    fn add(&mut self, problem: &Map<String, Value>) {
        self.text = Cow::Borrowed("");
        let status = problem.get("status").and_then(Value::as_i64);
        let status = status.and_then(|status| i32::try_from(status).ok());
        let status = status.filter(|status| (100..=599).contains(status));
        if status.is_some() && self.http_status.is_some() && status != self.http_status {
            return;
        }
        let word = |name| problem.get(name).and_then(Value::as_str);
        self.http_status = self.http_status.or(status);
        if self.error_type.is_none() {
            self.error_type = word("type").map(|kind| Cow::Owned(kind.to_owned()));
        }
        // On lines of their own, so that no rule finds its words across the two.
        let words: Vec<&str> = [word("title"), word("detail")].into_iter().flatten().collect();
        self.text = Cow::Owned(words.join("\n"));
    }
}

fn object(message: &str) -> Option<Map<String, Value>> {
    let begins = message.trim_start().starts_with('{');
    begins.then(|| serde_json::from_str(message).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(
        message: &str,
        error_type: Option<&str>,
        http_status: Option<i32>,
    ) -> (Option<String>, Option<i32>, String) {
        let answer = Answer::read(&ProviderError { message: Some(message), error_type, http_status });
        (answer.error_type.map(Cow::into_owned), answer.http_status, answer.text.into_owned())
    }

    const PROBLEM: &str = r#" {"type": "errors/x", "status": 422, "title": "No", "detail": "Blocked.",
        "instance": "/credits"} "#;

    #[test]
    fn a_json_message_says_what_the_caller_does_not() {
        let (kind, status, text) = read(PROBLEM, None, None);
        assert_eq!((kind.as_deref(), status, text.as_str()), (Some("errors/x"), Some(422), "No\nBlocked."));
        let (kind, status, _) = read(PROBLEM, Some("mine"), Some(422));
        assert_eq!((kind.as_deref(), status), (Some("mine"), Some(422)));
    }

    #[test]
    fn a_contradiction_says_nothing() {
        assert_eq!(read(PROBLEM, None, Some(503)), (None, Some(503), String::new()));
    }

    #[test]
    fn a_status_is_an_integer_of_its_range() {
        for odd in ["\"422\"", "422.0", "422.5", "99", "600", "-422", "1e2", "null", "99999999999999999999"] {
            let message = format!("{{\"status\": {odd}, \"type\": \"t\"}}");
            assert_eq!(read(&message, None, None), (Some("t".into()), None, String::new()), "{odd}");
            assert_eq!(read(&message, None, Some(503)).1, Some(503), "{odd} contradicts nothing");
        }
        assert_eq!(read(r#"{"status": 100}"#, None, None).1, Some(100));
    }

    #[test]
    fn what_is_no_object_is_plain_text() {
        for plain in ["", "no", "[1]", "\"{}\"", "{", "{} and more", "{\"status\": 422"] {
            assert_eq!(read(plain, None, None), (None, None, plain.to_owned()));
        }
        let deep = format!("{}1{}", "{\"a\":".repeat(5_000), "}".repeat(5_000));
        assert_eq!(read(&deep, None, None).2, deep, "nor does a deep one end the process");
        assert_eq!(
            read(r#"{"type": 1, "title": [], "detail": {}}"#, None, None),
            (None, None, String::new())
        );
    }

    #[test]
    fn no_error_is_empty_and_a_blank_one_is_not() {
        assert!(Answer::read(&ProviderError::default()).is_empty());
        assert!(!Answer::read(&ProviderError { message: Some(""), ..ProviderError::default() }).is_empty());
    }
}
