//! How the subject of an act stands now, for its page.

use super::fields::ActQuery;
use crate::console::Console;
use crate::console::kind::Kind;
use crate::console::pages::{action_name, log, spoken};
use crate::console::scope::Answers;
use crate::db::account::ACTIONS;
use crate::db::console::Frame;
use crate::db::console::admin_log::Wanted;
use crate::db::console::campaigns::{Limits, States};
use crate::db::console::logs::{Of, UNKNOWN_COUNTED_MAX};
use crate::db::why::causes;
use crate::db::{Session, Timestamp};
use crate::error::Result;
use crate::words::explained;

/// Names and values.
pub type Facts = Vec<(&'static str, String)>;

/// How much of a campaign's work waits, by action.
pub type Waits = Vec<(String, i64)>;

/// The present state of the act's subject; none if the subject does not exist, or not any more. With it what waits, if the act
/// is about that.
pub async fn gather(
    session: &Session,
    kind: Kind,
    query: &ActQuery,
) -> Result<(Frame, Option<Facts>, Waits)> {
    let frame = session.console_frame().await?;
    let mut waits = Waits::new();
    let facts = match kind {
        Kind::PauseAll | Kind::ResumeAll => Some(vec![("Now", paused(&frame))]),
        Kind::Acknowledge => {
            let alerts = session.account_alerts(&query.id, 1, Some(&query.item)).await?;
            alerts.into_iter().next().map(|alert| {
                let seen =
                    alert.acknowledged_by.map_or_else(|| "no operator yet".to_owned(), |by| by.to_string());
                vec![
                    ("Alert", spoken(&alert.kind)),
                    ("Day", alert.day),
                    ("Found", alert.detail.to_string()),
                    ("Seen by", seen),
                ]
            })
        }
        Kind::Sent | Kind::NotSent => {
            let operations = session.account_unresolved(&query.id, 1, Some(&query.item)).await?;
            operations.into_iter().next().map(|operation| {
                let words = operation.error.or(operation.error_type).map(|words| words.to_string());
                vec![
                    ("Operation", format!("{} to {}", action_name(&operation.action), operation.prospect_id)),
                    ("Reserved", operation.reserved_at.told(frame.at)),
                    ("The provider said", words.unwrap_or_else(|| "nothing".to_owned())),
                ]
            })
        }
        Kind::Connect | Kind::Pause | Kind::Cooldown => stands(session, &query.id, &query.item).await?,
        Kind::Pace => pace(session, frame.at, &query.id).await?,
        Kind::Cap => caps(session, &query.id).await?,
        Kind::Suppress | Kind::Unsuppress => Some(suppression(session, &frame, &query.id).await?),
        Kind::PauseCampaign | Kind::ResumeCampaign | Kind::Limits => {
            Some(campaign(session, frame.at, &query.id).await?)
        }
        Kind::SwitchAction => {
            let facts;
            (facts, waits) = moves(session, frame.at, &query.id, "Waits", |of| of.due + of.waiting).await?;
            Some(facts)
        }
        Kind::RequeueParked => Some(moves(session, frame.at, &query.id, "Parked", |of| of.parked).await?.0),
        Kind::Requeue => work(session, query).await?,
        Kind::AllSent | Kind::AllNotSent => Some(unknown(session, query).await?),
        Kind::AcknowledgeAll => {
            let counted = session.alerts_to_see(&query.item, &query.id).await?;
            let kind = if query.item.is_empty() { "of every kind".to_owned() } else { spoken(&query.item) };
            Some(vec![("Alerts", kind), ("Not seen yet", counted.to_string())])
        }
        Kind::Clear | Kind::Probe | Kind::ForceOpen | Kind::ForceAuto => {
            let ids = [query.id.clone()];
            let (card, breaker) = tokio::try_join!(
                session.account_list(&ids, frame.at.day()),
                session.account_breaker(&query.id)
            )?;
            card.into_iter().next().zip(breaker).map(|(card, breaker)| {
                let pill =
                    card.pill.map_or_else(|| "InMails are not stopped".to_owned(), |pill| pill.to_string());
                let probe = match breaker.probe_until(frame.at) {
                    Some(until) => format!("one is out until {}", until.told(frame.at)),
                    None => "none is out".to_owned(),
                };
                vec![
                    ("Status", card.status),
                    ("Now", pill),
                    ("InMails today", format!("{} of {}", card.sent, card.cap)),
                    ("Probe", probe),
                ]
            })
        }
    };
    Ok((frame, facts, waits))
}

/// The action that most of the waiting work has, in all databases together; none if nothing waits.
pub fn most_used(waits: Vec<Waits>) -> Option<String> {
    let waits = waits.concat();
    let sum = |action: &str| waits.iter().filter(|(of, _)| of == action).map(|(_, count)| count).sum::<i64>();
    let most = ACTIONS.into_iter().rev().max_by_key(|action| sum(action))?;
    (sum(most) > 0).then(|| most.to_owned())
}

/// The facts of all databases that the act's page is about, and where several are served, in which the act is done. None
/// if its subject is in none of them.
pub fn of_all(console: &Console, kind: Kind, facts: Answers<Option<Facts>>) -> Option<Facts> {
    let are_several = facts.0.len() > 1;
    let mut all = Facts::new();
    for (name, of_one) in facts.0 {
        let name = name.filter(|_| are_several);
        let named = |value: String| name.as_ref().map_or(value.clone(), |name| format!("{name}: {value}"));
        all.extend(of_one.into_iter().flatten().map(|(what, value)| (what, named(value))));
    }
    if all.is_empty() {
        return None;
    }
    if console.has_several() {
        let targets: Vec<String> =
            console.targets(kind).iter().map(|member| member.name.to_string()).collect();
        let word =
            if targets.len() == 1 { "It is done in the database" } else { "It is done in the databases" };
        all.push((word, targets.join(", ")));
    }
    Some(all)
}

/// What holds the account, or one action of it, back; none if there is no such account.
async fn stands(session: &Session, account: &str, action: &str) -> Result<Option<Facts>> {
    let lines = match session.account_why(account).await {
        Ok(lines) => lines,
        Err(error) if error.is_unknown_account() => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut facts = Vec::new();
    for cause in causes(&lines) {
        if !action.is_empty() && !cause.actions.iter().any(|of| of == action) {
            continue;
        }
        let names: Vec<&str> = cause.actions.iter().map(|action| action_name(action)).collect();
        let names = if names.len() == ACTIONS.len() { "Everything".to_owned() } else { names.join(", ") };
        let answer = match &cause.why.reason {
            Some(reason) => format!("{names}: {}", explained(reason)),
            None => format!("{names}: may go"),
        };
        facts.push(("Now", answer));
        if let Some(note) = &cause.why.note {
            facts.push(("Why", note.to_string()));
        }
        if let Some(words) = cause.why.words() {
            facts.push(("The provider said", words.to_string()));
        }
    }
    Ok(Some(facts))
}

/// The pace that was set last; readers see no other trace of it.
async fn pace(session: &Session, now: Timestamp, account: &str) -> Result<Option<Facts>> {
    if !session.is_known(account).await? {
        return Ok(None);
    }
    let wanted = Wanted { account: Some(account), verb: Some("set_pace"), actor: None };
    let lines = session.admin_log(wanted, None, 1).await?;
    let set = match lines.and_then(|found| found.lines.into_iter().next()) {
        Some(line) => {
            let after = line.after.map_or_else(|| "none".to_owned(), |after| log::told(&after));
            format!("{after}, by {} at {}", line.actor, line.at.told(now))
        }
        None => "never, as far as the log goes".to_owned(),
    };
    Ok(Some(vec![("Set last", set)]))
}

/// What each action used and may use.
async fn caps(session: &Session, account: &str) -> Result<Option<Facts>> {
    if !session.is_known(account).await? {
        return Ok(None);
    }
    let counters = session.account_counters(account).await?;
    let line = |action: &'static str| {
        let counter = counters.iter().find(|counter| counter.action == action)?;
        let week = match (counter.sent_this_week, counter.weekly_cap) {
            (sent, Some(cap)) => format!("; in seven days {} of {cap}", sent.unwrap_or(0)),
            (_, None) => "; no weekly cap".to_owned(),
        };
        Some((action_name(action), format!("{} of {} today{week}", counter.sent_today, counter.daily_cap)))
    };
    Ok(Some(ACTIONS.into_iter().filter_map(line).collect()))
}

async fn suppression(session: &Session, frame: &Frame, prospect: &str) -> Result<Facts> {
    let now = match session.suppression(prospect).await? {
        Some(found) if found.holds(frame.at) => {
            let until = found
                .until
                .map_or_else(|| "for good".to_owned(), |until| format!("until {}", until.told(frame.at)));
            let note = found.note.map_or_else(String::new, |note| format!(": {note}"));
            format!(
                "no account may write to it since {}, {until}, by {}{note}",
                found.suppressed_at.told(frame.at),
                found.actor
            )
        }
        Some(found) => {
            format!("accounts may write to it; a suppression was over at {}", ended(found.until, frame.at))
        }
        None => "accounts may write to it".to_owned(),
    };
    Ok(vec![("Now", now)])
}

fn ended(until: Option<Timestamp>, now: Timestamp) -> String {
    until.map_or_else(String::new, |until| until.told(now))
}

async fn campaign(session: &Session, now: Timestamp, id: &str) -> Result<Facts> {
    let found = session.campaign(id).await?;
    let now = match &found.paused {
        Some(pause) => format!("paused since {}, by {}", pause.paused_at.told(now), pause.actor),
        None => "its work is handed out".to_owned(),
    };
    Ok(vec![("Now", now), ("Of each account's day", limited(found.limits.as_ref()))])
}

/// The campaign, and how much of its work an act is about; the same by action.
async fn moves(
    session: &Session,
    now: Timestamp,
    id: &str,
    name: &'static str,
    of: fn(&States) -> i64,
) -> Result<(Facts, Waits)> {
    let mut facts = campaign(session, now, id).await?;
    let course = session.campaign_course(id, "", &ACTIONS, 1).await?;
    let counted = course.by_action.into_iter().filter(|work| of(work) > 0);
    let waits: Waits = counted
        .map(|work| {
            let count = of(&work);
            (work.action, count)
        })
        .collect();
    let mut counted: Vec<String> =
        waits.iter().map(|(action, count)| format!("{} {count}", action_name(action))).collect();
    if counted.is_empty() {
        counted.push("nothing".to_owned());
    }
    let in_part = if course.last.is_some() { ", as far as it was counted" } else { "" };
    facts.push((name, format!("{}{in_part}", counted.join(", "))));
    Ok((facts, waits))
}

/// A campaign's limits in words.
pub fn limited(limits: Option<&Limits>) -> String {
    let Some(limits) = limits else { return "no limit of its own".to_owned() };
    let named = |(action, limit): (&'static str, Option<i32>)| {
        limit.map(|limit| format!("{} {limit}", action_name(action)))
    };
    let parts: Vec<String> = ACTIONS.into_iter().zip(limits.all()).filter_map(named).collect();
    parts.join(", ")
}

/// A piece of work; none if it is not there any more.
async fn work(session: &Session, query: &ActQuery) -> Result<Option<Facts>> {
    let key = (query.account.as_str(), query.prospect.as_str(), query.id.as_str(), query.item.as_str());
    let found = session.enrollment(key, query.step().unwrap_or(1)).await?;
    Ok(found.map(|work| {
        let reason =
            work.reason.as_deref().map_or_else(String::new, |reason| format!(": {}", spoken(reason)));
        let mut facts = vec![
            ("Work", format!("{} to {}, step {}", action_name(&work.action), work.prospect_id, work.step)),
            ("Account", work.account_id.to_string()),
            ("Now", format!("{}{reason}", work.state)),
            ("Attempts", work.attempts.to_string()),
        ];
        if let Some(error) = work.error {
            facts.push(("The provider said", error.to_string()));
        }
        facts
    }))
}

/// How many unknown outcomes the act is about.
async fn unknown(session: &Session, query: &ActQuery) -> Result<Facts> {
    let (since, before) = query.since_and_before().unwrap_or_default();
    let of = Of { account: &query.id, action: &query.item, since, before };
    let counted = session.unknown_counted(of).await?;
    let counted = if counted >= UNKNOWN_COUNTED_MAX {
        format!("{counted} or more are listed")
    } else {
        format!("{counted} listed")
    };
    let instant = |at: Option<Timestamp>, none: &str| at.map_or_else(|| none.to_owned(), |at| at.to_string());
    let mut facts = vec![("Unknown outcomes", counted)];
    if !query.item.is_empty() {
        facts.push(("Action", action_name(&query.item).to_owned()));
    }
    facts.push(("Reserved from", instant(since, "the first on")));
    facts.push(("Reserved before", instant(before, "now")));
    Ok(facts)
}

fn paused(frame: &Frame) -> String {
    match &frame.stopped.paused {
        Some(paused) => match &paused.quarantine {
            Some(q) if q.checked => {
                format!(
                    "In quarantine since {}, by {}; the books were checked",
                    q.since.told(frame.at),
                    paused.actor
                )
            }
            Some(q) => {
                format!(
                    "In quarantine since {}, by {}; the books are not checked yet",
                    q.since.told(frame.at),
                    paused.actor
                )
            }
            None => {
                let note = paused.note.as_ref().map_or_else(String::new, |note| format!(": {note}"));
                format!(
                    "Everything is paused since {}, by {}{note}",
                    paused.since.told(frame.at),
                    paused.actor
                )
            }
        },
        None => "Accounts may send, each within its own rules".to_owned(),
    }
}
