//! Checks that a form was given to the session that sends it.

use axum::http::StatusCode;
use subtle::ConstantTimeEq;

use super::pages::Problem;
use super::sessions::Visitor;

/// The visitor, if the form carries the secret of that session.
///
/// # Errors
///
/// A page with status 403.
pub fn owner(visitor: Option<Visitor>, csrf: &str) -> Result<Visitor, Problem> {
    visitor.filter(|visitor| is_same_secret(&visitor.csrf, csrf)).ok_or_else(not_your_form)
}

/// Whether two secrets are equal. The time does not tell how much of them is equal.
fn is_same_secret(one: &str, other: &str) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}

/// The refusal of a form that this session was not given.
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
