//! `account NAME`: whether it can send now, and if not, until when, why, and what can be done; wherever it is.

mod found;

use std::collections::BTreeMap;

use clap::Args;
use serde::{Serialize, Serializer};
use tokio_postgres::error::SqlState;

use crate::config::databases::Database;
use crate::db::account::{Account, Breaker, BreakerChange, Correction, Counter, Decision, Skips, Unresolved};
use crate::db::alerts::Alert;
use crate::db::cooldowns::CooldownChange;
use crate::db::served::{Reached, close, reach};
use crate::db::status::AccountCard;
use crate::db::why::{Why, causes};
use crate::db::{Purpose, Session, Timestamp, Untrusted};
use crate::error::Result;
use crate::terminal::{Style, Tone, json_line, print, stripped};
use crate::words::explained;
use found::{Found, find, no_account};

/// Most rows of each list that are shown.
const ROWS_MAX: i64 = 5;

/// The arguments of `account`.
#[derive(Args, Debug)]
pub struct Arguments {
    /// The account's id, or a part of its id or name in any case
    #[arg(value_name = "NAME")]
    account: String,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

/// Everything that is shown.
#[derive(Serialize)]
struct Report {
    /// The database that it is in, where several are served.
    #[serde(skip_serializing_if = "Option::is_none")]
    database: Option<String>,
    /// The other databases that have an account of this id.
    #[serde(skip_serializing_if = "Option::is_none")]
    also_in: Option<Vec<String>>,
    /// Databases that cannot be asked whether they have it, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    not_asked: Option<Vec<String>>,
    /// The clock by which all of it is read.
    #[serde(serialize_with = "to_the_second")]
    at: Timestamp,
    /// Whether the account is only observed: its rules refuse nothing.
    observed: bool,
    card: AccountCard,
    /// What the gate would answer, by action; none if this login may not ask it.
    #[serde(rename = "actions", serialize_with = "by_action")]
    decisions: Option<Vec<Decision>>,
    /// Why, by action; none if this login may not ask.
    why: Option<Vec<Why>>,
    #[serde(flatten)]
    account: Account,
}

/// Shows it; of an account that is in two databases both. Answers whether it is in one alone, as far as all could be
/// asked.
///
/// # Errors
///
/// [`Error::Usage`] if there is no such account.
pub async fn show(databases: &[Database], arguments: &Arguments) -> Result<bool> {
    let reached = reach(databases, Purpose::Command).await?;
    let reports = reports(&reached, &arguments.account).await;
    close(reached).await;
    let reports = reports?;
    let mut out = String::new();
    for report in &reports {
        if arguments.json {
            out += &json_line(report);
        } else {
            out += &as_text(Style::of_stdout(), report);
        }
    }
    print(&out);
    Ok(reports.len() == 1 && reports.iter().all(|report| report.not_asked.is_none()))
}

async fn reports(reached: &[Reached], text: &str) -> Result<Vec<Report>> {
    let Found { id, places, not_asked } = find(reached, text).await?;
    let mut reports = Vec::with_capacity(places.len());
    for place in &places {
        let one = &reached[*place];
        let Ok(session) = &one.session else { continue };
        let Some(mut found) = report(session, &id).await? else { continue };
        found.database = one.label.as_ref().map(ToString::to_string);
        let others = places.iter().filter(|other| *other != place);
        let others: Vec<String> = others.map(|other| reached[*other].name.to_string()).collect();
        found.also_in = Some(others).filter(|others| !others.is_empty());
        found.not_asked = Some(not_asked.clone()).filter(|names| !names.is_empty());
        reports.push(found);
    }
    if reports.is_empty() { Err(no_account(text, &not_asked)) } else { Ok(reports) }
}

async fn report(session: &Session, id: &str) -> Result<Option<Report>> {
    let at = session.now().await?;
    let observed = session.is_observed(id).await?;
    let (Some(card), Some(account)) = (session.card(id).await?, session.account(id, ROWS_MAX).await?) else {
        return Ok(None);
    };
    let decisions = granted(session.account_decisions(id).await)?;
    let why = granted(session.account_why(id).await)?;
    let (database, also_in, not_asked) = (None, None, None);
    Ok(Some(Report { database, also_in, not_asked, at, observed, card, decisions, why, account }))
}

/// An answer; none if this login may not ask.
fn granted<T>(answer: Result<T>) -> Result<Option<T>> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => Ok(None),
        Err(error) => Err(error),
    }
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
    let Report { at, observed, card, decisions, why, account, .. } = report;
    let (id, name, tier) = (shown(&card.account_id), shown_or_nothing(&card.display_name), shown(&card.tier));
    let observed = if *observed { ", only observed" } else { "" };
    let database =
        report.database.as_ref().map_or_else(String::new, |name| format!(", database {}", stripped(name)));
    let title = format!("{id} {name} ({tier}, {}{observed}{database}) at {}", card.status, at.to_iso());
    let mut out = format!("{}\n", style.paint(title.trim(), Tone::Strong));
    if let Some(others) = &report.also_in {
        let text = format!(
            "this id is also in the database {}: its caps exist twice, and both may send. Find out which one the \
             application sends through; in the other, SELECT sendgate.remove_account('{}', '…')",
            stripped(&others.join(", ")),
            id.replace('\'', "''"),
        );
        out += &style.lines(&text, Tone::Bad, 0);
    }
    if let Some(names) = &report.not_asked {
        let text = format!("not asked whether they have it, too: {}", stripped(&names.join(", ")));
        out += &style.lines(&text, Tone::Notable, 0);
    }
    out += "\n";
    match why {
        Some(lines) => {
            for line in lines {
                let decision = decisions.iter().flatten().find(|decision| decision.action == line.action);
                out += &format!("{:<13} {}\n", line.action, verdict(style, line, decision));
            }
            out += &explanation(style, lines, *at);
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
    out += &list(style, "What happened to its cooldowns", &account.cooldown_history, cooled);
    out += &list(style, "Skipped today", &account.skips_today, skipped);
    out += &list(style, "Unknown outcomes", &account.unresolved, unresolved);
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
fn verdict(style: Style, line: &Why, decision: Option<&Decision>) -> String {
    let until = line.until.map_or_else(String::new, |at| format!(" until {}", at.to_iso()));
    let reason = line.reason.as_deref().map(stripped);
    match reason {
        None if line.until.is_some() => style.paint(&format!("one test InMail may go{until}"), Tone::Notable),
        None => {
            let remaining = decision.and_then(|decision| decision.remaining);
            let more = remaining.map_or_else(String::new, |slots| format!(", {slots} more today"));
            style.paint(&format!("can send now{more}"), Tone::Good)
        }
        Some(reason) if line.proceed => {
            style.paint(&format!("can send now, only observed: {}", explained(&reason)), Tone::Notable)
        }
        Some(reason) => style.paint(&format!("cannot send{until}: {}", explained(&reason)), Tone::Bad),
    }
}

/// What holds it back: each cause once, with its actions, who or what made it so, and what can be done.
fn explanation(style: Style, lines: &[Why], now: Timestamp) -> String {
    let mut out = String::new();
    for cause in causes(lines) {
        let why = &cause.why;
        if why.proceed && why.reason.is_none() && why.until.is_none() {
            continue;
        }
        let mut said = cause.actions.join(", ");
        if let Some(since) = why.since {
            said += &format!(" since {} ({})", since.to_iso(), since.relative_to(now));
        }
        if let Some(actor) = &why.actor {
            said += &format!(" by {}", shown(actor));
        }
        if let Some(note) = &why.note {
            said += &format!(": {}", shown(note));
        }
        out += &format!("\n{}", style.lines(&said, Tone::Strong, 0));
        if let Some(words) = why.words() {
            let of = why.operation_id.as_ref().map_or_else(String::new, |id| format!(" (operation {id})"));
            out += &style.lines(&format!("the provider said: {}{of}", shown(&words)), Tone::Plain, 2);
        }
        if let Some(advice) = &why.advice {
            out += &style.lines(&stripped(advice), Tone::Plain, 2);
        }
    }
    out
}

fn counted(counter: &Counter) -> String {
    let Counter { action, sent_today, daily_cap, delivered_today, .. } = counter;
    let sent_this_week = counter.sent_this_week.map_or("not counted yet".to_owned(), |sent| sent.to_string());
    let weekly = counter.weekly_cap.map_or_else(String::new, |cap| format!(" of {cap}"));
    format!(
        "{action:<13} {sent_today} of {daily_cap} today ({delivered_today} delivered), \
         {sent_this_week}{weekly} in seven days"
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

fn cooled(line: &CooldownChange) -> String {
    let what = line.action.as_deref().unwrap_or("the account");
    let until = line.until.map_or_else(|| "over".to_owned(), |until| format!("until {}", until.to_iso()));
    let words = line.note.clone().or_else(|| line.words());
    let words = words.map_or_else(String::new, |words| format!(": {}", shown(&words)));
    format!("{} {} {until} ({}){words}", line.at.to_iso(), stripped(what), stripped(&line.cause))
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
    let said = operation.error.as_ref().map_or_else(|| "not answered in time".to_owned(), shown);
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
        let said = |mut line: Value| {
            line["action"] = json!("inmail");
            let decision = json!({"action": "inmail", "proceed": true, "reason": null, "retry_at": null, "remaining": 3});
            let decision: Decision = from_value(decision).expect("a decision");
            verdict(Style::plain(), &from_value(line).expect("a line"), Some(&decision))
        };
        let refused =
            json!({"proceed": false, "reason": "account_cooldown", "until": "2025-01-01T00:00:00.25+00:00"});
        assert_eq!(said(refused), "cannot send until 2025-01-01T00:00:00Z: the account cools down");
        assert_eq!(said(json!({"proceed": true})), "can send now, 3 more today");
        let permit = json!({"proceed": true, "until": "2025-01-01T00:00:00+00:00"});
        assert_eq!(said(permit), "one test InMail may go until 2025-01-01T00:00:00Z");
        assert_eq!(said(json!({"proceed": false, "reason": "new_reason"})), "cannot send: new_reason");
    }

    #[test]
    fn the_cause_is_told_with_its_words_and_harmless() {
        let line = json!({"action": "message", "proceed": false, "reason": "account_not_connected",
            "since": "2025-01-01T00:00:00+00:00", "actor": "worker", "http_status": 403, "error": "no\u{1b}[31m",
            "operation_id": "x", "advice": "do this"});
        let lines: Vec<Why> = vec![from_value(line).expect("a line")];
        let now = from_value(json!("2025-01-01T03:00:00+00:00")).expect("an instant");
        let text = explanation(Style::plain(), &lines, now);
        assert!(text.contains("message since 2025-01-01T00:00:00Z (3 h ago) by worker\n"), "{text}");
        assert!(text.contains("the provider said: 403 no") && !text.contains('\u{1b}'), "{text}");
        assert!(text.ends_with("  do this\n"), "{text}");
    }
}
