//! `account ID`: can it send now, and if not, until when and why; in plain words.

use std::sync::Arc;

use clap::Args;
use serde_json::{Value, json};
use tokio_postgres::error::SqlState;

use crate::config::target::Target;
use crate::db::look::AccountFacts;
use crate::db::numbers::ACTIONS;
use crate::db::{Purpose, Session};
use crate::error::{Error, Result};
use crate::terminal::{Style, Tone, instant_of, json_line, print, stripped, text_of};
use crate::words::{ended_by, explained};

/// Operations, corrections and alerts that are shown, of each.
const ROWS_MAX: i64 = 5;

/// What `account` takes.
#[derive(Args, Debug)]
pub struct Arguments {
    /// The account's id
    #[arg(value_name = "ID")]
    account: String,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

/// Shows it. Whether there is such an account.
pub async fn show(target: &Arc<Target>, arguments: &Arguments) -> Result<bool> {
    let session = Session::open(target, Purpose::Command).await?;
    let now = session.now().await?;
    let Some(facts) = session.account_facts(&arguments.account, ROWS_MAX).await? else {
        session.close().await;
        let hint = "sendgated status lists them";
        return Err(Error::Usage(format!("there is no account {}; {hint}", stripped(&arguments.account))));
    };
    let answers = answers(&session, &arguments.account).await?;
    session.close().await;
    if arguments.json {
        print(&json_line(&as_json(&now, &facts, answers.as_deref())));
    } else {
        print(&as_text(Style::of_stdout(), &now, &facts, answers.as_deref()));
    }
    Ok(true)
}

/// What the gate says about each action; none if this session may not ask it.
async fn answers(session: &Session, account: &str) -> Result<Option<Vec<Value>>> {
    let mut answers = Vec::with_capacity(ACTIONS.len());
    for action in ACTIONS {
        match session.preview(account, action).await {
            Ok(answer) => answers.push(answer),
            Err(error) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => return Ok(None),
            Err(error) => return Err(error),
        }
    }
    Ok(Some(answers))
}

fn as_json(now: &str, facts: &AccountFacts, answers: Option<&[Value]>) -> Value {
    let answers = answers.map(|answers| {
        ACTIONS.iter().zip(answers).map(|(action, answer)| ((*action).to_owned(), answer.clone())).collect()
    });
    json!({
        "at": now,
        "card": facts.card,
        "actions": answers.map(Value::Object),
        "counters": facts.counters,
        "breaker": facts.breaker,
        "breaker_history": facts.history,
        "skips_today": facts.skips,
        "unresolved": facts.unresolved,
        "corrections": facts.corrections,
        "alerts": facts.alerts,
    })
}

fn as_text(style: Style, now: &str, facts: &AccountFacts, answers: Option<&[Value]>) -> String {
    let card = &facts.card;
    let of = |name: &str| text_of(&card[name]);
    let title =
        format!("{} {} ({}, {}) at {now}", of("account_id"), of("display_name"), of("tier"), of("status"));
    let mut out = format!("{}\n\n", style.paint(title.trim(), Tone::Strong));
    match answers {
        Some(answers) => {
            for (action, answer) in ACTIONS.iter().zip(answers) {
                out += &format!("{action:<13} {}\n", verdict(style, answer));
            }
        }
        None => {
            out += "What the gate would answer: this login may not ask it (see sendgated doctor)\n";
        }
    }
    out += "\n";
    for action in ACTIONS {
        for counter in facts.counters.iter().filter(|counter| counter["action"] == action) {
            out += &format!("{}\n", counted(counter));
        }
    }
    out += &format!("\nBreaker: {}\n", breaker(style, facts));
    out += &work(style, card);
    out += &list(style, "What happened to its breaker", &facts.history, happened);
    out += &list(style, "Skipped today", &facts.skips, skipped);
    out += &list(style, "Nobody knows what became of", &facts.unresolved, unresolved);
    out += &list(style, "Last corrections", &facts.corrections, correction);
    out += &list(style, "Open alerts", &facts.alerts, |alert| {
        format!("{} of {}: {}", text_of(&alert["kind"]), text_of(&alert["day"]), text_of(&alert["detail"]))
    });
    out
}

/// The gate's answer in a sentence.
fn verdict(style: Style, answer: &Value) -> String {
    if answer["proceed"].as_bool() == Some(true) {
        let more = match text_of(&answer["remaining"]) {
            remaining if remaining.is_empty() => String::new(),
            remaining => format!(", {remaining} more today"),
        };
        return style.paint(&format!("can send now{more}"), Tone::Good);
    }
    let reason = text_of(&answer["reason"]);
    let until = match instant_of(&answer["retry_at"]) {
        until if until.is_empty() => String::new(),
        until => format!(" until {until}"),
    };
    let end = ended_by(&reason).map_or_else(String::new, |function| format!(" ({function})"));
    style.paint(&format!("cannot send{until}: {}{end}", explained(&reason)), Tone::Bad)
}

fn counted(counter: &Value) -> String {
    let of = |name: &str| text_of(&counter[name]);
    let weekly = match of("weekly_cap") {
        cap if cap.is_empty() => String::new(),
        cap => format!(" of {cap}"),
    };
    let (sent, cap, week) = (of("sent_today"), of("daily_cap"), of("sent_this_week"));
    let delivered = of("delivered_today");
    format!("{:<13} {sent} of {cap} today ({delivered} delivered), {week}{weekly} this week", of("action"))
}

/// Cooldown and campaign work, where there is some.
fn work(style: Style, card: &Value) -> String {
    let number = |name: &str| card[name].as_i64().unwrap_or(0);
    let mut out = String::new();
    if number("waiting") + number("parked") > 0 {
        let deferred = match number("deferred") {
            0 => String::new(),
            deferred => format!(", {deferred} of them for credits"),
        };
        out += &format!("Campaign work: {} waiting{deferred}", number("waiting"));
        if number("parked") > 0 {
            out += &format!("; {}", style.paint(&format!("{} parked", number("parked")), Tone::Bad));
        }
        out += "\n";
    }
    out
}

fn happened(line: &Value) -> String {
    let of = |name: &str| text_of(&line[name]);
    let note = match of("note") {
        note if note.is_empty() => String::new(),
        note => format!(": {note}"),
    };
    format!("{} {} ({}) by {}{note}", instant_of(&line["at"]), of("action"), of("reason"), of("actor"))
}

fn skipped(skip: &Value) -> String {
    let of = |name: &str| text_of(&skip[name]);
    let again = match of("repeats") {
        repeats if repeats == "0" => String::new(),
        repeats => format!("; asked for again: {repeats}"),
    };
    format!("{} {}: {}{again}", of("skipped"), of("action"), explained(&of("reason")))
}

fn breaker(style: Style, facts: &AccountFacts) -> String {
    let breaker = &facts.breaker;
    let of = |name: &str| text_of(&breaker[name]);
    let probe = match instant_of(&breaker["probe_lease_until"]) {
        until if until.is_empty() => String::new(),
        until => format!("; a probe is out until {until}"),
    };
    match of("state").as_str() {
        "open" => {
            let (since, until) = (instant_of(&breaker["exhausted_at"]), instant_of(&breaker["resumes_at"]));
            let text = format!("open since {since}, until {until}{probe}");
            style.paint(&text, Tone::Bad)
        }
        "forced_open" => style.paint("forced open by an operator", Tone::Bad),
        "forced_closed" => style.paint("forced closed by an operator: it stops nothing", Tone::Notable),
        _ => style.paint("closed", Tone::Good),
    }
}

fn unresolved(operation: &Value) -> String {
    let of = |name: &str| text_of(&operation[name]);
    let said = match of("error") {
        error if error.is_empty() => "nobody answered in time".to_owned(),
        error => error,
    };
    let (action, prospect, at) = (of("action"), of("prospect_id"), instant_of(&operation["reserved_at"]));
    let settle = format!("resolve_operation(…, '{}', sent => …)", of("operation_id"));
    format!("{action} to {prospect}, reserved {at}: {said}; {settle}")
}

fn correction(drift: &Value) -> String {
    let of = |name: &str| text_of(&drift[name]);
    let (delivered, reserved, unknown) = (of("delivered"), of("reserved"), of("indeterminate"));
    format!(
        "{}: {} of the {} of {} was {}, became {} ({delivered} delivered, {reserved} reserved, {unknown} unknown)",
        instant_of(&drift["at"]),
        of("action"),
        of("period"),
        of("day"),
        of("before"),
        of("after")
    )
}

fn list(style: Style, title: &str, rows: &[Value], show: impl Fn(&Value) -> String) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let mut out = format!("\n{}\n", style.paint(title, Tone::Strong));
    for row in rows {
        out += &format!("  {}\n", show(row));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_until_when_and_why() {
        let refused = json!({"proceed": false, "reason": "account_cooldown", "retry_at": "2025-01-01T00:00:00.25+00:00"});
        let said = verdict(Style::plain(), &refused);
        assert!(said.starts_with("cannot send until 2025-01-01T00:00:00Z: it cools down"), "{said}");
        let granted = json!({"proceed": true, "remaining": 3});
        assert_eq!(verdict(Style::plain(), &granted), "can send now, 3 more today");
        let new = json!({"proceed": false, "reason": "new_reason", "retry_at": null});
        assert_eq!(verdict(Style::plain(), &new), "cannot send: new_reason");
    }
}
