//! Whether a form is one that its session was given.

use axum::http::StatusCode;
use subtle::ConstantTimeEq;

use super::pages::Problem;
use super::sessions::Visitor;

/// The visitor, if the form is one of that session.
pub fn owner(visitor: Option<Visitor>, csrf: &str) -> Result<Visitor, Problem> {
    visitor.filter(|visitor| is_same_secret(&visitor.csrf, csrf)).ok_or_else(not_your_form)
}

/// Whether two secrets are the same, in a time that does not tell how much of them is.
fn is_same_secret(one: &str, other: &str) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}

/// A form that this session was not given.
fn not_your_form() -> Problem {
    let text = "The form is not one of this session, and nothing was changed. Open the page again.";
    Problem::new(StatusCode::FORBIDDEN, "Not your form", text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_compared_whole() {
        assert!(is_same_secret("abc", "abc"));
        assert!(!is_same_secret("abc", "abd") && !is_same_secret("abc", "ab") && !is_same_secret("abc", ""));
    }
}
