//! The classifier: what a provider's answer says about the attempt.
//!
//! The rules are data (the view `sendgate.error_rules`), asked in order; the first that matches
//! decides. What no rule knows is `indeterminate`, and its slot is held.

use crate::answer::Answer;
use crate::clock::{DAY, HOUR, SECOND};
use crate::names::{Action, Outcome, Scope};

/// The cooldown of `action_unavailable` where its rule does not say one.
pub const UNAVAILABLE_WAIT: i64 = 24 * HOUR;

/// The wait of `recipient_later` where neither the provider nor the rule says one.
pub const RECIPIENT_WAIT: i64 = DAY;

/// The longest wait that makes sense, in days: a provider that asks for more than a year means for ever.
pub const WAIT_DAYS_MAX: i64 = 366;

/// The shortest wait that a provider can tell: HTTP's Retry-After counts whole seconds.
pub const WAIT_MIN: i64 = SECOND;

/// How a pattern says that a missing status fits too.
const OR_NONE: &str = " or none";

/// The prefix that providers put before their error types, or leave out.
const TYPE_PREFIX: &str = "errors/";

/// HTTP statuses that a rule covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusPattern {
    /// Which statuses.
    pub statuses: Statuses,
    /// Whether an answer without a status is covered too.
    pub or_none: bool,
}

/// One status or a class of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statuses {
    /// One status, such as `429`.
    Exact(i32),
    /// A class of a hundred, such as `4xx`.
    Class(i32),
}

impl StatusPattern {
    /// Reads `429` or `4xx`, and either with ` or none` behind it; `None` for anything else.
    pub fn parse(text: &str) -> Option<StatusPattern> {
        let (statuses, or_none) =
            text.strip_suffix(OR_NONE).map_or((text, false), |statuses| (statuses, true));
        Statuses::parse(statuses).map(|statuses| StatusPattern { statuses, or_none })
    }

    fn covers(self, status: Option<i32>) -> bool {
        status.map_or(self.or_none, |status| self.statuses.covers(status))
    }
}

impl Statuses {
    fn parse(text: &str) -> Option<Statuses> {
        if let Some(class) = text.strip_suffix("xx") {
            return match class.as_bytes() {
                [digit @ b'1'..=b'5'] => Some(Statuses::Class(i32::from(digit - b'0'))),
                _ => None,
            };
        }
        let all_digits = text.len() == 3 && text.bytes().all(|b| b.is_ascii_digit());
        let status: i32 = if all_digits {
            text.parse().ok()?
        } else {
            return None;
        };
        (100..=599).contains(&status).then_some(Statuses::Exact(status))
    }

    fn covers(self, status: i32) -> bool {
        match self {
            Statuses::Exact(exact) => status == exact,
            Statuses::Class(class) => status / 100 == class,
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
    /// What a rate limit stops; none = the account.
    pub scope: Option<Scope>,
    /// How long the outcome's cooldown or wait lasts, in microseconds; none = as long as is usual.
    pub wait: Option<i64>,
}

impl Rule {
    fn matches(&self, action: Action, answer: &Answer<'_>, text: &str) -> bool {
        let without_prefix = |t: &str| t.strip_prefix(TYPE_PREFIX).unwrap_or(t).to_owned();
        self.action.is_none_or(|only| only == action)
            && self.error_type.as_deref().is_none_or(|only| {
                answer.error_type.as_deref().is_some_and(|t| without_prefix(t) == without_prefix(only))
            })
            && self.http_status.is_none_or(|only| only.covers(answer.http_status))
            && self.error_text.as_deref().is_none_or(|only| text.contains(only))
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

/// What a rule makes of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Classified {
    /// What it means for the attempt.
    pub outcome: Outcome,
    /// What a rate limit stops.
    pub scope: Scope,
    /// How long the rule says to wait, in microseconds.
    pub wait: Option<i64>,
}

impl Classified {
    fn plainly(outcome: Outcome) -> Classified {
        Classified { outcome, scope: Scope::Account, wait: None }
    }

    /// How long the cooldown lasts or the recipient is left alone: as the provider says, else the rule,
    /// else as is usual; 0 for an outcome that knows no wait. All in microseconds. A provider that says 0, or less
    /// than a second, tells no wait: with a cooldown of next to nothing an account that is refused each time would
    /// call until its attempts of the day are used up.
    pub fn wait(&self, retry_after: Option<i64>, rate_limit_cooldown: i64) -> i64 {
        let retry_after = retry_after.filter(|wait| *wait >= WAIT_MIN);
        match self.outcome {
            Outcome::RateLimited => retry_after.or(self.wait).unwrap_or(rate_limit_cooldown),
            Outcome::RecipientLater => retry_after.or(self.wait).unwrap_or(RECIPIENT_WAIT),
            // A plan does not change because some time has passed.
            Outcome::ActionUnavailable => self.wait.unwrap_or(UNAVAILABLE_WAIT),
            _ => 0,
        }
    }
}

/// What `answer` means for an attempt of `action`; a provider that answered was called. No error at all means that the caller never sent
/// anything.
pub fn classify(rules: &[Rule], action: Action, answer: &Answer<'_>) -> Classified {
    if answer.is_empty() {
        return Classified::plainly(Outcome::Released);
    }
    let text = folded(&answer.text);
    let rule = rules.iter().find(|rule| rule.matches(action, answer, &text));
    rule.map_or(Classified::plainly(Outcome::Indeterminate), |rule| Classified {
        // A rule of before may say `released`: the slot is given back as it says, and the attempt stays counted.
        outcome: if rule.outcome.is_for_rules() { rule.outcome } else { Outcome::Transient },
        scope: rule.scope.unwrap_or(Scope::Account),
        wait: rule.wait,
    })
}

/// A provider's `retry_after`, in the parts of an interval, as microseconds; none where it makes no sense
/// (negative, months, more than 366 days) and counts as not given.
pub fn sensible_wait(months: i32, days: i32, micros: i64) -> Option<i64> {
    let wait = i64::from(days).checked_mul(DAY)?.checked_add(micros)?;
    (months == 0 && (0..=WAIT_DAYS_MAX * DAY).contains(&wait)).then_some(wait)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::ProviderError;

    fn rule(outcome: Outcome) -> Rule {
        Rule {
            outcome,
            action: None,
            error_type: None,
            http_status: None,
            error_text: None,
            scope: None,
            wait: None,
        }
    }

    fn outcome(rules: &[Rule], action: Action, error: &ProviderError<'_>) -> Outcome {
        classify(rules, action, &Answer::read(error)).outcome
    }

    #[test]
    fn no_error_is_never_sent_and_anything_unknown_is_indeterminate() {
        let none = ProviderError::default();
        assert_eq!(outcome(&[], Action::Inmail, &none), Outcome::Released);
        let blank = ProviderError { message: Some(""), ..none };
        assert_eq!(outcome(&[], Action::Inmail, &blank), Outcome::Indeterminate);
        let odd = ProviderError { http_status: Some(302), ..none };
        assert_eq!(outcome(&[], Action::Inmail, &odd), Outcome::Indeterminate);
    }

    #[test]
    fn a_provider_that_answered_was_called_whatever_an_old_rule_says() {
        for said in [Outcome::Released, Outcome::NotSent] {
            let rules = [Rule { http_status: StatusPattern::parse("503"), ..rule(said) }];
            let busy = ProviderError { http_status: Some(503), ..ProviderError::default() };
            assert_eq!(outcome(&rules, Action::Inmail, &busy), Outcome::Transient);
        }
    }

    #[test]
    fn types_match_with_and_without_their_prefix() {
        let rules = [Rule { error_type: Some("errors/x".into()), ..rule(Outcome::Transient) }];
        for given in ["x", "errors/x"] {
            let error = ProviderError { error_type: Some(given), ..ProviderError::default() };
            assert_eq!(outcome(&rules, Action::Inmail, &error), Outcome::Transient);
        }
        let error = ProviderError { error_type: Some("xy"), ..ProviderError::default() };
        assert_eq!(outcome(&rules, Action::Inmail, &error), Outcome::Indeterminate);
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
        assert_eq!(outcome(&rules, Action::Inmail, &error), Outcome::CreditsExhausted);
        assert_eq!(outcome(&rules, Action::Message, &error), Outcome::RecipientRefused);
    }

    #[test]
    fn status_patterns() {
        let statuses = |text| StatusPattern::parse(text).map(|pattern| (pattern.statuses, pattern.or_none));
        assert_eq!(statuses("429"), Some((Statuses::Exact(429), false)));
        assert_eq!(statuses("4xx"), Some((Statuses::Class(4), false)));
        assert_eq!(statuses("422 or none"), Some((Statuses::Exact(422), true)));
        let bad =
            ["", "xx", "9xx", "44xx", "600", "099", "42", "4290", "+42", "4XX", "４２９", " or none", "none"];
        for bad in bad {
            assert_eq!(StatusPattern::parse(bad), None, "{bad}");
        }
        let pattern = StatusPattern::parse("422 or none").unwrap();
        assert!(pattern.covers(None) && pattern.covers(Some(422)) && !pattern.covers(Some(421)));
    }

    #[test]
    fn the_provider_says_how_long_then_the_rule_then_the_setting() {
        let of = |outcome, wait| Classified { outcome, scope: Scope::Account, wait };
        let limited = of(Outcome::RateLimited, Some(5));
        let told = |wait| limited.wait(wait, 9);
        assert_eq!((told(Some(SECOND)), told(Some(0)), told(None)), (SECOND, 5, 5));
        assert_eq!((told(Some(1)), told(Some(SECOND - 1))), (5, 5), "less than can be told");
        assert_eq!(of(Outcome::RecipientLater, None).wait(Some(0), 9), DAY);
        assert_eq!(of(Outcome::RateLimited, None).wait(None, 9), 9);
        assert_eq!(of(Outcome::RecipientLater, None).wait(None, 9), DAY);
        assert_eq!(of(Outcome::ActionUnavailable, None).wait(Some(5), 9), DAY);
        assert_eq!(of(Outcome::Rejected, Some(5)).wait(Some(5), 9), 0);
    }

    #[test]
    fn a_wait_without_sense_is_none() {
        assert_eq!(sensible_wait(0, 1, -HOUR), Some(23 * HOUR));
        assert_eq!(sensible_wait(0, 366, 0), Some(366 * DAY));
        for (months, days, micros) in [(1, 0, 0), (0, 366, 1), (0, 0, -1), (0, i32::MAX, i64::MAX)] {
            assert_eq!(sensible_wait(months, days, micros), None);
        }
    }
}
