//! The shipped rules, read from the SQL that installs them, against the provider's documented errors and
//! against what the contract says of answers without a documented type.

use sendgate_decision::answer::{Answer, ProviderError};
use sendgate_decision::classify::{Classified, Rule, StatusPattern, classify, folded};
use sendgate_decision::clock::{DAY, HOUR};
use sendgate_decision::names::{Action, Outcome, Scope};
use std::collections::HashMap;

const DEFAULTS: &str = include_str!("../../../sql/70_defaults.sql");
const DOCUMENTED: &str = include_str!("provider-errors.csv");

/// A row of a VALUES list by its column names; NULL is left out.
type Values<'a> = HashMap<&'a str, &'a str>;

/// The rows that the script inserts into the table of shipped rules.
fn inserted() -> Vec<Values<'static>> {
    let mut rows = Vec::new();
    for statement in DEFAULTS.split("INSERT INTO sendgate.error_rule_defaults (").skip(1) {
        let (columns, rest) = statement.split_once(')').expect("a list of columns");
        let values = rest.split_once(';').expect("an end").0;
        let values = values.trim().strip_prefix("VALUES").expect("a VALUES list");
        let columns: Vec<&str> = columns.split(',').map(str::trim).collect();
        for line in values.lines().filter(|line| !line.trim().is_empty()) {
            let line = line.trim().trim_end_matches(',');
            let line = line.strip_prefix('(').and_then(|line| line.strip_suffix(')')).expect("a row");
            let row: Vec<&str> = line.split(',').map(str::trim).collect();
            assert_eq!(row.len(), columns.len(), "{line}");
            let cells = columns.iter().zip(&row).filter(|cell| *cell.1 != "NULL");
            rows.push(cells.map(|(column, value)| (*column, value.trim_matches('\''))).collect());
        }
    }
    rows
}

fn wait(text: &str) -> i64 {
    let (number, unit) = text.split_once(' ').expect("a number and a unit");
    let unit = if unit.starts_with("hour") { HOUR } else { DAY };
    number.parse::<i64>().expect("a number") * unit
}

/// The rules in their order, as the extension compiles them.
fn shipped() -> Vec<Rule> {
    let mut rows = inserted();
    rows.sort_by_key(|row| row["rule_order"].parse::<i32>().expect("a number"));
    rows.iter()
        .map(|row| Rule {
            outcome: Outcome::parse(row["outcome"]).expect("an outcome"),
            action: row.get("action").map(|text| Action::parse(text).expect("an action")),
            error_type: row.get("error_type").map(|text| (*text).to_owned()),
            http_status: row.get("http_status").map(|text| StatusPattern::parse(text).expect("a status")),
            error_text: row.get("error_text").map(|text| folded(text)),
            scope: row.get("scope").map(|text| Scope::parse(text).expect("a scope")),
            wait: row.get("wait").map(|text| wait(text)),
        })
        .collect()
}

fn read(action: Action, message: Option<&str>, kind: Option<&str>, status: Option<i32>) -> Classified {
    let error = ProviderError { message, error_type: kind, http_status: status };
    classify(&shipped(), action, &Answer::read(&error))
}

#[test]
fn no_two_rules_have_the_same_order_and_none_says_what_its_outcome_ignores() {
    let rows = inserted();
    let mut orders: Vec<i32> = rows.iter().map(|row| row["rule_order"].parse().unwrap()).collect();
    let rules = orders.len();
    orders.sort_unstable();
    orders.dedup();
    assert_eq!(orders.len(), rules);
    assert!(orders[0] >= 1000, "users' rules come first");
    for rule in shipped() {
        assert!(rule.outcome.is_for_rules());
        assert!(rule.scope.is_none() || rule.outcome.takes_scope(), "{rule:?}");
        assert!(rule.wait.is_none() || rule.outcome.takes_wait(), "{rule:?}");
    }
}

/// With its prefix and without, with its status, without one, and from a JSON message.
#[test]
fn every_documented_error_is_read_as_documented() {
    let mut lines = DOCUMENTED.lines();
    assert_eq!(lines.next(), Some("http_status,error_type,action,outcome,scope,wait"));
    let mut checked = 0;
    for line in lines {
        let [status, kind, action, outcome, scope, waits] = line.split(',').collect::<Vec<_>>()[..] else {
            panic!("{line}");
        };
        let expected = Classified {
            outcome: Outcome::parse(outcome).expect(line),
            scope: if scope == "action" { Scope::Action } else { Scope::Account },
            wait: (!waits.is_empty()).then(|| wait(waits)),
        };
        for &of in Action::ALL {
            let concerns = match action {
                "" => true,
                "(any other)" => of != Action::Inmail,
                name => name == of.name(),
            };
            if !concerns {
                continue;
            }
            let long = format!("errors/{kind}");
            let json =
                format!("{{\"type\":\"{long}\",\"status\":{status},\"title\":\"Opted out, deleted\"}}");
            let number = Some(status.parse().expect(line));
            for status in [number, None] {
                assert_eq!(read(of, Some("blocked"), Some(kind), status), expected, "{line}");
                assert_eq!(read(of, None, Some(&long), status), expected, "{line}");
                assert_eq!(read(of, Some(&json), None, status), expected, "{line}");
            }
            checked += 1;
        }
    }
    assert!(checked >= 64 * Action::ALL.len(), "only {checked}");
}

#[test]
fn a_status_alone_says_so_much() {
    let of = |status| read(Action::Invite, Some("no"), None, Some(status)).outcome;
    for (status, outcome) in [
        (400, Outcome::Rejected),
        (401, Outcome::AuthLost),
        (403, Outcome::Rejected),
        (404, Outcome::Rejected),
        (408, Outcome::Indeterminate),
        (422, Outcome::Rejected),
        (429, Outcome::RateLimited),
        (499, Outcome::Rejected),
        (500, Outcome::Indeterminate),
        (503, Outcome::Transient),
        (504, Outcome::Indeterminate),
        (200, Outcome::Indeterminate),
        (302, Outcome::Indeterminate),
    ] {
        assert_eq!(of(status), outcome, "{status}");
    }
    assert_eq!(read(Action::Invite, None, Some("unauthorized"), Some(401)).outcome, Outcome::AuthLost);
}

#[test]
fn a_text_says_something_where_the_status_is_422_or_missing() {
    let of = |action, text, status| read(action, Some(text), None, status).outcome;
    for status in [Some(422), None] {
        assert_eq!(of(Action::Inmail, "No more CREDITS", status), Outcome::CreditsExhausted);
        assert_eq!(of(Action::Message, "he has opted out", status), Outcome::RecipientRefused);
        assert_eq!(of(Action::Message, "profile not found", status), Outcome::Rejected);
    }
    assert_eq!(of(Action::Invite, "no more credits", None), Outcome::Indeterminate);
    assert_eq!(of(Action::Invite, "Too Many Requests", None), Outcome::RateLimited);
    assert_eq!(of(Action::Invite, "rate limit exceeded", None), Outcome::RateLimited);
    assert_eq!(of(Action::Invite, "Unauthorized", None), Outcome::AuthLost);
    for (status, outcome) in [
        (400, Outcome::Rejected),
        (403, Outcome::Rejected),
        (502, Outcome::Indeterminate),
        (200, Outcome::Indeterminate),
    ] {
        for text in ["credit", "blocked", "not found", "rate limit", "unauthorized"] {
            assert_eq!(of(Action::Inmail, text, Some(status)), outcome, "{status} {text}");
        }
    }
}
