//! `account ID`: whether it can send now, and if not, until when and why, in plain words.

use std::collections::BTreeMap;
use std::sync::Arc;

use clap::Args;
use serde::{Serialize, Serializer};
use tokio_postgres::error::SqlState;

use crate::config::target::Target;
use crate::db::account::{Account, Breaker, BreakerChange, Correction, Counter, Decision, Skips, Unresolved};
use crate::db::alerts::Alert;
use crate::db::status::AccountCard;
use crate::db::{Purpose, Session, Timestamp, Untrusted};
use crate::error::{Error, Result};
use crate::terminal::{Style, Tone, json_line, print, stripped};
use crate::words::{ended_by, explained};

/// Most rows of each list that are shown.
const ROWS_MAX: i64 = 5;

/// The arguments of `account`.
#[derive(Args, Debug)]
pub struct Arguments {
    /// The account's id
    #[arg(value_name = "ID")]
    account: String,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

/// Everything that is shown.
#[derive(Serialize)]
struct Report {
    /// The clock by which all of it is read.
    #[serde(serialize_with = "to_the_second")]
    at: Timestamp,
    /// Whether the account is only observed: its rules refuse nothing.
    observed: bool,
    card: AccountCard,
    /// What the gate would answer, by action; none if this login may not ask it.
    #[serde(rename = "actions", serialize_with = "by_action")]
    decisions: Option<Vec<Decision>>,
    #[serde(flatten)]
    account: Account,
}

/// Shows it and answers true.
///
/// # Errors
///
/// [`Error::Usage`] if there is no such account.
pub async fn show(target: &Arc<Target>, arguments: &Arguments) -> Result<bool> {
    let session = Session::open(target, Purpose::Command).await?;
    let report = report(&session, &arguments.account).await?;
    session.close().await;
    let Some(report) = report else {
        let hint = "sendgated status lists them";
        return Err(Error::Usage(format!("there is no account {}; {hint}", stripped(&arguments.account))));
    };
    if arguments.json {
        print(&json_line(&report));
    } else {
        print(&as_text(Style::of_stdout(), &report));
    }
    Ok(true)
}

async fn report(session: &Session, id: &str) -> Result<Option<Report>> {
    let at = session.now().await?;
    let observed = session.is_observed(id).await?;
    let (Some(card), Some(account)) = (session.card(id).await?, session.account(id, ROWS_MAX).await?) else {
        return Ok(None);
    };
    let decisions = match session.account_decisions(id).await {
        Ok(decisions) => Some(decisions),
        Err(error) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => None,
        Err(error) => return Err(error),
    };
    Ok(Some(Report { at, observed, card, decisions, account }))
}

fn to_the_second<S: Serializer>(at: &Timestamp, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.serialize_str(&at.to_iso())
}

fn by_action<S: Serializer>(
    decisions: &Option<Vec<Decision>>,
    serializer: S,
) -> std::result::Result<S::Ok, S::Error> {
    let by_action = |decisions: &Vec<Decision>| -> BTreeMap<String, Decision> {
        decisions.iter().map(|decision| (decision.action.clone(), decision.clone())).collect()
    };
    decisions.as_ref().map(by_action).serialize(serializer)
}

fn as_text(style: Style, report: &Report) -> String {
    let Report { at, observed, card, decisions, account } = report;
    let (id, name, tier) = (shown(&card.account_id), shown_or_nothing(&card.display_name), shown(&card.tier));
    let observed = if *observed { ", only observed" } else { "" };
    let title = format!("{id} {name} ({tier}, {}{observed}) at {}", card.status, at.to_iso());
    let mut out = format!("{}\n\n", style.paint(title.trim(), Tone::Strong));
    match decisions {
        Some(decisions) => {
            for decision in decisions {
                out += &format!("{:<13} {}\n", decision.action, verdict(style, decision));
            }
        }
        None => {
            out += "What the gate would answer: this login may not ask it (see sendgated doctor)\n";
        }
    }
    out += "\n";
    for counter in &account.counters {
        out += &format!("{}\n", counted(counter));
    }
    out += &format!("\nBreaker: {}\n", breaker(style, &account.breaker, *at));
    if let Some(said) = account.credits.as_ref().and_then(|credits| credits.sentence(Timestamp::to_iso)) {
        out += &format!("Credits: {}\n", stripped(&said));
    }
    out += &work(style, card);
    out += &list(style, "What happened to its breaker", &account.breaker_history, changed);
    out += &list(style, "Skipped today", &account.skips_today, skipped);
    out += &list(style, "Nobody knows what became of", &account.unresolved, unresolved);
    out += &list(style, "Last corrections", &account.corrections, corrected);
    out += &list(style, "Open alerts", &account.alerts, alerted);
    out
}

/// Text of other people, for a terminal.
fn shown(text: &Untrusted) -> String {
    stripped(text.raw())
}

fn shown_or_nothing(text: &Option<Untrusted>) -> String {
    text.as_ref().map_or_else(String::new, shown)
}

/// The gate's answer in a sentence.
fn verdict(style: Style, decision: &Decision) -> String {
    if decision.proceed {
        let more = decision.remaining.map_or_else(String::new, |slots| format!(", {slots} more today"));
        return style.paint(&format!("can send now{more}"), Tone::Good);
    }
    let reason = stripped(decision.reason.as_deref().unwrap_or_default());
    let until = decision.retry_at.map_or_else(String::new, |at| format!(" until {}", at.to_iso()));
    let end = ended_by(&reason).map_or_else(String::new, |function| format!(" ({function})"));
    style.paint(&format!("cannot send{until}: {}{end}", explained(&reason)), Tone::Bad)
}

fn counted(counter: &Counter) -> String {
    let Counter { action, sent_today, daily_cap, delivered_today, .. } = counter;
    let sent_this_week = counter.sent_this_week.map_or("not counted yet".to_owned(), |sent| sent.to_string());
    let weekly = counter.weekly_cap.map_or_else(String::new, |cap| format!(" of {cap}"));
    format!(
        "{action:<13} {sent_today} of {daily_cap} today ({delivered_today} delivered), \
         {sent_this_week}{weekly} this week"
    )
}

/// Campaign work, if there is some.
fn work(style: Style, card: &AccountCard) -> String {
    let mut out = String::new();
    if card.waiting + card.parked > 0 {
        let deferred = match card.deferred {
            0 => String::new(),
            deferred => format!(", {deferred} of them for credits"),
        };
        out += &format!("Campaign work: {} waiting{deferred}", card.waiting);
        if card.parked > 0 {
            out += &format!("; {}", style.paint(&format!("{} parked", card.parked), Tone::Bad));
        }
        out += "\n";
    }
    out
}

fn changed(line: &BreakerChange) -> String {
    let note = line.note.as_ref().map_or_else(String::new, |note| format!(": {}", shown(note)));
    format!("{} {} ({}) by {}{note}", line.at.to_iso(), line.action, line.reason, shown(&line.actor))
}

fn skipped(skips: &Skips) -> String {
    let again = match skips.repeats {
        0 => String::new(),
        repeats => format!("; asked for again: {repeats}"),
    };
    format!("{} {}: {}{again}", skips.skipped, skips.action, stripped(explained(&skips.reason)))
}

fn breaker(style: Style, breaker: &Breaker, now: Timestamp) -> String {
    let of = |time: Option<Timestamp>| time.map_or_else(String::new, Timestamp::to_iso);
    match breaker.state.as_str() {
        "open" => {
            let until = breaker.probe_until(now);
            let probe =
                until.map_or_else(String::new, |until| format!("; a probe is out until {}", until.to_iso()));
            let (since, until) = (of(breaker.exhausted_at), of(breaker.resumes_at));
            style.paint(&format!("open since {since}, until {until}{probe}"), Tone::Bad)
        }
        "forced_open" => style.paint("forced open by an operator", Tone::Bad),
        "forced_closed" => style.paint("forced closed by an operator: it stops nothing", Tone::Notable),
        _ => style.paint("closed", Tone::Good),
    }
}

fn unresolved(operation: &Unresolved) -> String {
    let said = operation.error.as_ref().map_or_else(|| "nobody answered in time".to_owned(), shown);
    let (prospect, at) = (shown(&operation.prospect_id), operation.reserved_at.to_iso());
    let settle = format!("resolve_operation(…, '{}', sent => …)", operation.operation_id);
    format!("{} to {prospect}, reserved {at}: {said}; {settle}", operation.action)
}

fn corrected(line: &Correction) -> String {
    let Correction { action, period, day, before, after, delivered, reserved, indeterminate, .. } = line;
    format!(
        "{}: {action} of the {period} of {day} was {before}, became {after} \
         ({delivered} delivered, {reserved} reserved, {indeterminate} unknown)",
        line.at.to_iso()
    )
}

fn alerted(alert: &Alert) -> String {
    format!("{} of {}: {}", stripped(&alert.kind), alert.day, shown(&alert.detail))
}

fn list<T>(style: Style, title: &str, rows: &[T], show: impl Fn(&T) -> String) -> String {
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
    use serde_json::{Value, from_value, json};

    use super::*;

    #[test]
    fn a_refusal_says_until_when_and_why() {
        let said = |decision: Value| {
            let mut decision = decision;
            decision["action"] = json!("inmail");
            verdict(Style::plain(), &from_value(decision).expect("a decision"))
        };
        let refused = json!({"proceed": false, "reason": "account_cooldown", "retry_at": "2025-01-01T00:00:00.25+00:00"});
        let text = said(refused);
        assert!(text.starts_with("cannot send until 2025-01-01T00:00:00Z: it cools down"), "{text}");
        assert_eq!(said(json!({"proceed": true, "remaining": 3})), "can send now, 3 more today");
        let new = json!({"proceed": false, "reason": "new_reason", "retry_at": null});
        assert_eq!(said(new), "cannot send: new_reason");
    }
}
