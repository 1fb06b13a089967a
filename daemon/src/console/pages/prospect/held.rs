//! What holds the next send to a prospect back, with its cause: the suppression, and the gate's own answers. Answers for
//! the same reason are one cause, however many accounts have them.

use std::collections::BTreeSet;

use crate::console::kind::Kind;
use crate::console::links;
use crate::console::pages::action_name;
use crate::db::console::attempt::Attempt;
use crate::db::console::prospect::{Answer, Prospect, Suppression};
use crate::db::{Timestamp, Untrusted};
use crate::words::explained;

/// So many answers of one cause are seen at once; the others are in a fold.
const LISTED: usize = 5;

/// What is shown of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// What cannot go, and why.
    pub heading: String,
    /// Since when.
    pub since: Option<Timestamp>,
    /// Until when, the last of them; none if only a person or a worker ends it.
    pub until: Option<Timestamp>,
    /// Who ends it where no time does.
    pub ends: &'static str,
    /// Who made it so.
    pub by: Option<Untrusted>,
    /// In which words.
    pub words: Option<Untrusted>,
    /// What can be done.
    pub advice: &'static str,
    /// A page or an act that helps: its label, its address, and the function that it calls, if it calls one.
    pub way: Option<(&'static str, String, Option<&'static str>)>,
    /// The answers behind it, if they are several.
    pub each: Vec<One>,
}

/// One of several answers for the same reason.
#[derive(Clone, Debug, PartialEq)]
pub struct One {
    /// The action.
    pub action: String,
    /// The account.
    pub account: Untrusted,
    /// Until when.
    pub until: Option<Timestamp>,
    /// The provider's words about the attempt before.
    pub words: Option<Untrusted>,
}

impl Held {
    /// Whether a person wants it so: then the way out is not what comes first.
    pub fn is_by_choice(&self) -> bool {
        self.by.is_some()
    }

    /// The answers behind it that are seen at once, and the others.
    pub fn listed(&self) -> (&[One], &[One]) {
        self.each.split_at(LISTED.min(self.each.len()))
    }
}

/// What holds sends to the prospect back, the suppression first, then what is about the prospect.
pub fn held(id: &str, found: &Prospect, now: Timestamp) -> Vec<Held> {
    let suppression = found.suppression.as_ref().filter(|suppression| suppression.holds(now));
    let mut held: Vec<Held> =
        suppression.map(|suppression| suppressed(id, suppression)).into_iter().collect();
    let mut causes: Vec<(Rule, Vec<Refusal<'_>>)> = Vec::new();
    for answer in found.answers.iter().filter(|answer| !answer.proceed) {
        // The suppression is told once.
        let Some(reason) = answer.reason.as_deref().filter(|reason| *reason != "prospect_suppressed") else {
            continue;
        };
        let refusal = Refusal::of(answer, reason, &found.attempts);
        let rule = refusal.rule(now);
        match causes.iter_mut().find(|(known, refusals)| *known == rule && refusals[0].reason == reason) {
            Some((_, refusals)) => refusals.push(refusal),
            None => causes.push((rule, vec![refusal])),
        }
    }
    causes.sort_by_key(|(rule, _)| *rule);
    held.extend(causes.iter().map(|(rule, refusals)| together(*rule, refusals)));
    held
}

fn suppressed(id: &str, suppression: &Suppression) -> Held {
    Held {
        heading: "No account may write to this prospect".to_owned(),
        since: Some(suppression.suppressed_at),
        until: suppression.until,
        ends: "for good",
        by: Some(suppression.actor.clone()),
        words: suppression.note.clone(),
        advice: "It wants no contact; unsuppress_prospect(prospect_id, note) takes that back.",
        way: Some((
            Kind::Unsuppress.label(),
            Kind::Unsuppress.link(id, ""),
            Some(Kind::Unsuppress.function()),
        )),
        each: Vec::new(),
    }
}

/// What kind of rule refuses, in the order in which they are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rule {
    /// An earlier attempt has no known outcome, and no worker has it any more.
    Unknown,
    /// A worker has an earlier attempt.
    InFlight,
    /// The last attempt is too near.
    Cooldown,
    /// A rule that holds for the account with every prospect.
    OfAccount,
}

/// An answer and the attempt that it is about.
struct Refusal<'a> {
    answer: &'a Answer,
    reason: &'a str,
    last: Option<&'a Attempt>,
}

impl<'a> Refusal<'a> {
    fn of(answer: &'a Answer, reason: &'a str, attempts: &'a [Attempt]) -> Refusal<'a> {
        let is_one =
            |attempt: &&Attempt| attempt.account_id == answer.account_id && attempt.action == answer.action;
        let last =
            |wanted: fn(&Attempt) -> bool| attempts.iter().filter(is_one).find(|attempt| wanted(attempt));
        let last = match reason {
            "operation_in_flight" => {
                last(|attempt| matches!(attempt.state.as_str(), "reserved" | "indeterminate"))
            }
            "prospect_cooldown" => last(|attempt| attempt.state != "released"),
            _ => None,
        };
        Refusal { answer, reason, last }
    }

    fn rule(&self, now: Timestamp) -> Rule {
        let is_with_worker = |attempt: &Attempt| attempt.state == "reserved" && attempt.expires_at > now;
        match self.reason {
            "operation_in_flight" if self.last.is_some_and(is_with_worker) => Rule::InFlight,
            "operation_in_flight" => Rule::Unknown,
            "prospect_cooldown" => Rule::Cooldown,
            _ => Rule::OfAccount,
        }
    }
}

/// Refusals for the same reason as one cause.
fn together(rule: Rule, refusals: &[Refusal<'_>]) -> Held {
    let account = refusals[0].answer.account_id.raw();
    let is_one = refusals.len() == 1;
    let (ends, advice, way) = match rule {
        Rule::Unknown => (
            "a person settles it",
            "Its outcome is not known yet. Look at the provider, then settle it: resolve_operation(account_id, operation_id, sent, …).",
            Some(if is_one {
                ("Settle it", links::query("/unknown", &[("of", account)]), None)
            } else {
                ("Settle them", links::query("/unknown", &[]), None)
            }),
        ),
        Rule::InFlight => (
            "its worker answers",
            "A worker has it now: wait for its answer. What it never answers is listed among the unknown outcomes.",
            None,
        ),
        Rule::Cooldown => (
            "a person ends it",
            "So soon after the last one it would be too much: it goes on by itself; the setting sendgate.prospect_cooldown says after how long.",
            None,
        ),
        Rule::OfAccount => (
            "its account's page says",
            "This holds for the account with every prospect: its page says since when, and what ends it.",
            is_one.then(|| ("Its account", links::account(account), None)),
        ),
    };
    let one = |refusal: &Refusal<'_>| One {
        action: refusal.answer.action.clone(),
        account: refusal.answer.account_id.clone(),
        until: refusal.answer.retry_at,
        words: refusal.last.and_then(Attempt::words),
    };
    let last = refusals.iter().filter_map(|refusal| refusal.last);
    let until = refusals.iter().map(|refusal| refusal.answer.retry_at);
    Held {
        heading: heading(refusals),
        since: last.map(|attempt| attempt.reserved_at).min(),
        // Where one of them has no end, all together have none.
        until: until.clone().all(|until| until.is_some()).then(|| until.flatten().max()).flatten(),
        ends,
        by: None,
        words: refusals[0].last.filter(|_| is_one).and_then(Attempt::words),
        advice,
        way,
        each: if is_one { Vec::new() } else { refusals.iter().map(one).collect() },
    }
}

/// Which actions through which accounts cannot go, and why.
fn heading(refusals: &[Refusal<'_>]) -> String {
    let another = if refusals.iter().any(|refusal| refusal.last.is_some()) { "Another " } else { "" };
    let actions = refusals.iter().fold(Vec::new(), |mut names: Vec<&str>, refusal| {
        let name = action_name(&refusal.answer.action);
        if !names.contains(&name) {
            names.push(name);
        }
        names
    });
    let accounts: BTreeSet<&str> = refusals.iter().map(|refusal| refusal.answer.account_id.raw()).collect();
    let through = match accounts.len() {
        1 => refusals[0].answer.account_id.to_string(),
        several => format!("{several} accounts"),
    };
    let actions = match actions.as_slice() {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    };
    format!("{another}{actions} through {through} cannot go: {}", explained(refusals[0].reason))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, from_value, json};

    use super::*;

    const NOW: &str = "2026-11-30T12:00:00+00:00";

    fn at(text: &str) -> Timestamp {
        from_value(json!(text)).expect("an instant")
    }

    fn attempt(account: &str, state: &str, expires_at: &str) -> Attempt {
        from_value(json!({
            "reserved_at": "2026-11-30T11:50:00+00:00", "account_id": account, "action": "invite",
            "prospect_id": "p", "campaign_id": null, "state": state, "origin": "gate", "expires_at": expires_at,
            "outcome": null, "http_status": null, "error_type": null, "error": null,
        }))
        .expect("an attempt")
    }

    fn answer(account: &str, reason: &str, retry_at: Value) -> Answer {
        from_value(json!({
            "account_id": account, "action": "invite", "proceed": false, "reason": reason, "retry_at": retry_at,
        }))
        .expect("an answer")
    }

    fn prospect(answers: Vec<Answer>, attempts: Vec<Attempt>) -> Prospect {
        let (suppression, last) = (None, None);
        Prospect { suppression, work: Vec::new(), attempts, skips: Vec::new(), answers, looked_at: 0, last }
    }

    #[test]
    fn answers_for_the_same_reason_are_one_cause_and_none_is_lost() {
        let later = |hour: usize| json!(format!("2026-11-30T{hour}:00:00+00:00"));
        let mut answers: Vec<Answer> =
            (13..=20).map(|hour| answer(&format!("a{hour}"), "prospect_cooldown", later(hour))).collect();
        answers.push(answer("b", "operation_in_flight", Value::Null));
        answers.push(answer("c", "operation_in_flight", Value::Null));
        answers.push(answer("d", "account_cooldown", later(14)));
        answers.push(answer("e", "account_not_connected", Value::Null));
        let mut attempts: Vec<Attempt> =
            (13..=20).map(|hour| attempt(&format!("a{hour}"), "delivered", NOW)).collect();
        attempts.push(attempt("b", "indeterminate", NOW));
        attempts.push(attempt("c", "reserved", "2026-11-30T12:05:00+00:00"));
        let held = held("p", &prospect(answers, attempts), at(NOW));
        let headings: Vec<&str> =
            held.iter().map(|held| held.heading.split(':').next().unwrap_or("")).collect();
        assert_eq!(
            headings,
            [
                "Another Invite through b cannot go",
                "Another Invite through c cannot go",
                "Another Invite through 8 accounts cannot go",
                "Invite through d cannot go",
                "Invite through e cannot go",
            ]
        );
        let many = &held[2];
        assert_eq!((many.until, many.each.len()), (Some(at("2026-11-30T20:00:00+00:00")), 8));
        let (first, others) = many.listed();
        assert_eq!((first.len(), others.len()), (LISTED, 3));
        assert_eq!((held[0].ends, held[1].ends), ("a person settles it", "its worker answers"));
        assert!(held[1].way.is_none(), "what a worker has is not yet to be settled");
    }
}
