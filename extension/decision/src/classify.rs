//! The classifier: what a provider's answer says about the attempt.
//!
//! The rules are data (the view `sendgate.error_rules`), asked in order; the first that matches
//! decides. What no rule knows is `indeterminate`, and its slot is held.

use crate::names::{Action, Outcome};

/// The prefix that providers put before their error types, or leave out.
const TYPE_PREFIX: &str = "errors/";

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

/// HTTP statuses that a rule covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusPattern {
    /// One status, such as `429`.
    Exact(i32),
    /// A class of a hundred, such as `4xx`.
    Class(i32),
}

impl StatusPattern {
    /// Reads `429` or `4xx`; `None` for anything else.
    pub fn parse(text: &str) -> Option<StatusPattern> {
        if let Some(class) = text.strip_suffix("xx") {
            return match class.as_bytes() {
                [digit @ b'1'..=b'5'] => Some(StatusPattern::Class(i32::from(digit - b'0'))),
                _ => None,
            };
        }
        let all_digits = text.len() == 3 && text.bytes().all(|b| b.is_ascii_digit());
        let status: i32 = if all_digits {
            text.parse().ok()?
        } else {
            return None;
        };
        (100..=599).contains(&status).then_some(StatusPattern::Exact(status))
    }

    fn covers(self, status: i32) -> bool {
        match self {
            StatusPattern::Exact(exact) => status == exact,
            StatusPattern::Class(class) => status / 100 == class,
        }
    }
}

/// One rule: all conditions that it names must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// What a match means.
    pub outcome: Outcome,
    /// Only this action.
    pub action: Option<Action>,
    /// Only this provider type, with or without the prefix `errors/`.
    pub error_type: Option<String>,
    /// Only these statuses.
    pub http_status: Option<StatusPattern>,
    /// Only messages that contain this literal, [`folded`].
    pub error_text: Option<String>,
}

impl Rule {
    fn matches(&self, action: Action, error: &ProviderError<'_>, message: &str) -> bool {
        let without_prefix = |t: &str| t.strip_prefix(TYPE_PREFIX).unwrap_or(t).to_owned();
        self.action.is_none_or(|only| only == action)
            && self.error_type.as_deref().is_none_or(|only| {
                error.error_type.is_some_and(|t| without_prefix(t) == without_prefix(only))
            })
            && self.http_status.is_none_or(|only| error.http_status.is_some_and(|s| only.covers(s)))
            && self.error_text.as_deref().is_none_or(|only| message.contains(only))
    }
}

/// A text without its case, to be compared: character by character, because a lower case that looks at
/// neighbours, as that of the Greek sigma does, would hide a word from a rule that has it alone.
pub fn folded(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let lower = text.chars().flat_map(char::to_lowercase);
    lower.flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect()
}

/// What `error` means for an attempt of `action`. No error at all means that the caller never
/// sent anything.
pub fn classify(rules: &[Rule], action: Action, error: &ProviderError<'_>) -> Outcome {
    if error.message.is_none() && error.error_type.is_none() && error.http_status.is_none() {
        return Outcome::Released;
    }
    let message = folded(error.message.unwrap_or_default());
    rules
        .iter()
        .find(|rule| rule.matches(action, error, &message))
        .map_or(Outcome::Indeterminate, |rule| rule.outcome)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(outcome: Outcome) -> Rule {
        Rule { outcome, action: None, error_type: None, http_status: None, error_text: None }
    }

    #[test]
    fn no_error_is_never_sent_and_anything_unknown_is_indeterminate() {
        let none = ProviderError::default();
        assert_eq!(classify(&[], Action::Inmail, &none), Outcome::Released);
        let blank = ProviderError { message: Some(""), ..none };
        assert_eq!(classify(&[], Action::Inmail, &blank), Outcome::Indeterminate);
        let odd = ProviderError { http_status: Some(302), ..none };
        assert_eq!(classify(&[], Action::Inmail, &odd), Outcome::Indeterminate);
    }

    #[test]
    fn types_match_with_and_without_their_prefix() {
        let rules = [Rule { error_type: Some("errors/x".into()), ..rule(Outcome::Transient) }];
        for given in ["x", "errors/x"] {
            let error = ProviderError { error_type: Some(given), ..ProviderError::default() };
            assert_eq!(classify(&rules, Action::Inmail, &error), Outcome::Transient);
        }
        let error = ProviderError { error_type: Some("xy"), ..ProviderError::default() };
        assert_eq!(classify(&rules, Action::Inmail, &error), Outcome::Indeterminate);
    }

    #[test]
    fn all_conditions_of_a_rule_must_hold_and_the_first_rule_wins() {
        let rules = [
            Rule {
                action: Some(Action::Inmail),
                error_text: Some("credit".into()),
                ..rule(Outcome::CreditsExhausted)
            },
            Rule { http_status: StatusPattern::parse("4xx"), ..rule(Outcome::RecipientRefused) },
        ];
        let error =
            ProviderError { message: Some("NOT ENOUGH CREDITS"), error_type: None, http_status: Some(422) };
        assert_eq!(classify(&rules, Action::Inmail, &error), Outcome::CreditsExhausted);
        assert_eq!(classify(&rules, Action::Message, &error), Outcome::RecipientRefused);
    }

    #[test]
    fn status_patterns() {
        assert_eq!(StatusPattern::parse("429"), Some(StatusPattern::Exact(429)));
        assert_eq!(StatusPattern::parse("4xx"), Some(StatusPattern::Class(4)));
        for bad in ["", "xx", "9xx", "44xx", "600", "099", "42", "4290", "+42", "4XX", "４２９"] {
            assert_eq!(StatusPattern::parse(bad), None, "{bad}");
        }
    }
}
