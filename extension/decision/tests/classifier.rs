//! The classifier under any rules and any answer: against a reading of the contract that is written
//! the plain way, and with text in other cases.

use proptest::option::of;
use proptest::prelude::*;
use sendgate_decision::answer::{Answer, ProviderError};
use sendgate_decision::classify::{Rule, StatusPattern, Statuses, classify, folded};
use sendgate_decision::names::{Action, Outcome, Scope};

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
        (400..430).prop_map(|code: i32| StatusPattern::parse(&format!("{code} or none")).expect("both")),
    ]
}

fn outcome(rules: &[Rule], action: Action, error: &ProviderError<'_>) -> Outcome {
    classify(rules, action, &Answer::read(error)).outcome
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
            scope: None,
            wait: None,
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
        let covered = match (error.http_status, wanted.statuses) {
            (None, _) => wanted.or_none,
            (Some(given), Statuses::Exact(status)) => given == status,
            (Some(given), Statuses::Class(class)) => (class * 100..class * 100 + 100).contains(&given),
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

    /// Scope and wait are those of the rule that decides.
    #[test]
    fn the_deciding_rule_says_scope_and_wait(
        rules in prop::collection::vec(rule(), 1..6), message in text(), action in 0..Action::ALL.len(),
    ) {
        let action = Action::ALL[action];
        let rules: Vec<Rule> = (1..)
            .zip(rules)
            .map(|(n, rule)| Rule { wait: Some(n), scope: (n % 2 == 0).then_some(Scope::Action), ..rule })
            .collect();
        let error = ProviderError { message: Some(&message), error_type: None, http_status: None };
        prop_assume!(!message.trim_start().starts_with('{'));
        let classified = classify(&rules, action, &Answer::read(&error));
        let rule = rules.iter().find(|rule| says(rule, action, &error));
        prop_assert_eq!(classified.wait, rule.and_then(|rule| rule.wait));
        let scope = rule.and_then(|rule| rule.scope).unwrap_or(Scope::Account);
        prop_assert_eq!(classified.scope, scope);
    }

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
            // The provider answered, so it was called, and the attempt counts.
            Some(Rule { outcome: Outcome::Released | Outcome::NotSent, .. }) => Outcome::Transient,
            Some(rule) => rule.outcome,
            None => Outcome::Indeterminate,
        };
        prop_assert_eq!(outcome(&rules, action, &error), expected);
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
        prop_assert_eq!(outcome(&[], Action::Inmail, &error), expected);
    }

    #[test]
    fn error_text_matches_in_any_case_and_place(
        before in text(), wanted in text(), after in text(),
    ) {
        let rules = [Rule {
            outcome: Outcome::Transient, action: None, error_type: None, http_status: None,
            error_text: Some(folded(&wanted)), scope: None, wait: None,
        }];
        for spelled in [wanted.clone(), wanted.to_lowercase(), wanted.to_uppercase()] {
            let message = format!("{before}{spelled}{after}");
            let error = ProviderError { message: Some(&message), error_type: None, http_status: None };
            prop_assert_eq!(outcome(&rules, Action::Inmail, &error), Outcome::Transient, "{:?}", message);
        }
    }

    #[test]
    fn patterns_are_three_characters_of_their_kind(
        text in prop_oneof!["[0-9xX+ ]{0,4}", "\\PC{0,4}"], or_none in any::<bool>(),
    ) {
        let bytes = text.as_bytes();
        let fits = bytes.len() == 3
            && (b'1'..=b'5').contains(&bytes[0])
            && (&bytes[1..] == b"xx" || bytes[1..].iter().all(u8::is_ascii_digit));
        let pattern = StatusPattern::parse(&format!("{text}{}", if or_none { " or none" } else { "" }));
        prop_assert_eq!(pattern.map(|pattern| pattern.or_none), fits.then_some(or_none), "{:?}", text);
    }

    /// A JSON message says what its parts would say, told one by one.
    #[test]
    fn a_json_message_is_its_parts(
        rules in prop::collection::vec(rule(), 0..6),
        (kind, title, detail) in (of(text()), of(text()), of(text())),
        (told, given) in (of(100..600i32), of(100..600i32)), action in 0..Action::ALL.len(),
    ) {
        let action = Action::ALL[action];
        let member = |name: &str, value: &Option<String>| {
            value.as_ref().map(|value| format!("{name:?}:{}", serde_json::Value::from(value.as_str())))
        };
        let status = told.map(|told| format!("\"status\":{told}"));
        let members = [member("type", &kind), member("title", &title), member("detail", &detail), status];
        let message = format!("{{{}}}", members.into_iter().flatten().collect::<Vec<_>>().join(","));
        let json = ProviderError { message: Some(&message), error_type: None, http_status: given };
        let words: Vec<String> = [title, detail].into_iter().flatten().collect();
        let words = words.join("\n");
        let contradicts = told.is_some() && given.is_some() && told != given;
        let plain = if contradicts {
            ProviderError { message: Some(""), error_type: None, http_status: given }
        } else {
            ProviderError {
                message: Some(&words), error_type: kind.as_deref(), http_status: given.or(told),
            }
        };
        // Words that are an object themselves would be read once more.
        prop_assume!(!words.trim_start().starts_with('{'));
        prop_assert_eq!(outcome(&rules, action, &json), outcome(&rules, action, &plain));
    }
}
