//! The classifier under any rules and any answer: against a reading of the contract that is written
//! the plain way, and with text in other cases.

use proptest::option::of;
use proptest::prelude::*;
use sendgate_decision::classify::{ProviderError, Rule, StatusPattern, classify, folded};
use sendgate_decision::names::{Action, Outcome};

/// Texts that meet each other often, and texts of any kind.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[aAsSİıßẞΣσς ]{0,3}",
        "(errors/){0,2}[xy]{0,2}",
        "\\PC{0,30}",
        "[\u{0}-\u{1f}%_'\\\\\u{202e}\u{feff}]{0,8}",
    ]
}

fn status() -> impl Strategy<Value = i32> {
    prop_oneof![390..=430, 498..=505, any::<i32>(), Just(i32::MIN), Just(i32::MAX), Just(-429)]
}

fn pattern() -> impl Strategy<Value = StatusPattern> {
    prop_oneof![
        (100..600).prop_map(|code: i32| StatusPattern::parse(&code.to_string()).expect("a status")),
        (1..=5).prop_map(|class: i32| StatusPattern::parse(&format!("{class}xx")).expect("a class")),
    ]
}

fn rule() -> impl Strategy<Value = Rule> {
    let action = of((0..Action::ALL.len()).prop_map(|n| Action::ALL[n]));
    let outcome = (0..Outcome::ALL.len()).prop_map(|n| Outcome::ALL[n]);
    (outcome, action, of(text()), of(pattern()), of(text())).prop_map(
        |(outcome, action, kind, status, text)| Rule {
            outcome,
            action,
            error_type: kind,
            http_status: status,
            error_text: text.map(|text| folded(&text)),
        },
    )
}

/// Whether a rule says something about this answer, as section 5 of the contract puts it.
fn says(rule: &Rule, action: Action, error: &ProviderError<'_>) -> bool {
    if rule.action.is_some() && rule.action != Some(action) {
        return false;
    }
    if let Some(wanted) = &rule.error_type {
        let Some(given) = error.error_type else { return false };
        let short = |kind: &str| kind.strip_prefix("errors/").map_or(kind.to_owned(), str::to_owned);
        if short(wanted) != short(given) {
            return false;
        }
    }
    if let Some(wanted) = rule.http_status {
        let Some(given) = error.http_status else { return false };
        let covered = match wanted {
            StatusPattern::Exact(status) => given == status,
            StatusPattern::Class(class) => (class * 100..class * 100 + 100).contains(&given),
        };
        if !covered {
            return false;
        }
    }
    match &rule.error_text {
        Some(wanted) => folded(error.message.unwrap_or("")).contains(wanted.as_str()),
        None => true,
    }
}

/// Characters one by one: of text, only the Greek sigma's lower case is more than that of its characters.
#[test]
fn folding_ignores_the_case_of_every_character() {
    let differ: Vec<char> = ('\0'..=char::MAX)
        .filter(|c| {
            let plain = folded(&c.to_string());
            plain != folded(&c.to_lowercase().to_string()) || plain != folded(&c.to_uppercase().to_string())
        })
        .collect();
    assert_eq!(differ, []);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn first_matching_rule_decides(
        rules in prop::collection::vec(rule(), 0..6),
        (message, kind, status) in (of(text()), of(text()), of(status())),
        action in 0..Action::ALL.len(),
    ) {
        let action = Action::ALL[action];
        let error = ProviderError {
            message: message.as_deref(), error_type: kind.as_deref(), http_status: status,
        };
        let expected = match rules.iter().find(|rule| says(rule, action, &error)) {
            _ if message.is_none() && kind.is_none() && status.is_none() => Outcome::Released,
            Some(rule) => rule.outcome,
            None => Outcome::Indeterminate,
        };
        prop_assert_eq!(classify(&rules, action, &error), expected);
    }

    /// An answer that no rule foresaw does not give the slot back.
    #[test]
    fn unmatched_answer_keeps_the_slot(
        (message, kind, status) in (of(text()), of(text()), of(status())),
    ) {
        let error = ProviderError {
            message: message.as_deref(), error_type: kind.as_deref(), http_status: status,
        };
        let unknown = message.is_some() || kind.is_some() || status.is_some();
        let expected = if unknown { Outcome::Indeterminate } else { Outcome::Released };
        prop_assert_eq!(classify(&[], Action::Inmail, &error), expected);
    }

    #[test]
    fn error_text_matches_in_any_case_and_place(
        before in text(), wanted in text(), after in text(),
    ) {
        let rules = [Rule {
            outcome: Outcome::Transient, action: None, error_type: None, http_status: None,
            error_text: Some(folded(&wanted)),
        }];
        for spelled in [wanted.clone(), wanted.to_lowercase(), wanted.to_uppercase()] {
            let message = format!("{before}{spelled}{after}");
            let error = ProviderError { message: Some(&message), error_type: None, http_status: None };
            prop_assert_eq!(classify(&rules, Action::Inmail, &error), Outcome::Transient, "{:?}", message);
        }
    }

    #[test]
    fn patterns_are_three_characters_of_their_kind(text in prop_oneof!["[0-9xX+ ]{0,4}", "\\PC{0,4}"]) {
        let bytes = text.as_bytes();
        let fits = bytes.len() == 3
            && (b'1'..=b'5').contains(&bytes[0])
            && (&bytes[1..] == b"xx" || bytes[1..].iter().all(u8::is_ascii_digit));
        prop_assert_eq!(StatusPattern::parse(&text).is_some(), fits, "{:?}", text);
    }
}
