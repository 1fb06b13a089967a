//! `status`: what is stopped, the accounts' cards with problems first, the jobs and the open alerts.

use std::sync::Arc;

use clap::Args;
use serde_json::json;

use crate::config::target::Target;
use crate::db::alerts::Alert;
use crate::db::heartbeats::Heartbeat;
use crate::db::status::{AccountCard, Observed};
use crate::db::stopped::Stopped;
use crate::db::{Purpose, Session, Untrusted};
use crate::error::{Error, Result};
use crate::terminal::{Cell, Style, Tone, json_line, print, stripped, table};
use crate::words::{self, COPIED, explained};

/// Most observed accounts that are named.
const NAMED_MAX: usize = 5;
/// Most open alerts that are shown; there are rarely so many.
const ALERTS_MAX: i64 = 20;

/// The arguments of `status`.
#[derive(Args, Debug)]
pub struct Arguments {
    /// Print one JSON object instead of tables
    #[arg(long)]
    json: bool,
    /// Accounts to show; those that stand still or have an open alert come first
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(i64).range(0..=1_000_000))]
    limit: i64,
    /// The next page: accounts after this one, in the same order
    #[arg(long, value_name = "ID")]
    after: Option<String>,
}

/// Shows all of it. Answers whether no job is late.
pub async fn show(target: &Arc<Target>, arguments: &Arguments) -> Result<bool> {
    let session = Session::open(target, Purpose::Command).await?;
    let (now, stopped) = session.stopped().await?;
    let after = arguments.after.as_deref();
    if let Some(account) = after
        && !session.is_known(account).await?
    {
        session.close().await;
        return Err(Error::Usage(format!("there is no account {} to go on after", stripped(account))));
    }
    let copied = session.is_copy().await?;
    let observed = session.observed().await?;
    let (cards, accounts) = session.cards(arguments.limit, after).await?;
    let jobs = session.heartbeats().await?;
    let alerts = session.open_alerts(None, None, ALERTS_MAX).await?;
    let webhooks = session.webhooks().await?;
    session.close().await;
    let kept = !jobs.iter().any(|job| job.stale);
    if arguments.json {
        let all = json!({ "at": now.to_iso(), "copied_database": copied, "observed": observed, "stopped": stopped, "accounts": accounts, "cards": cards, "jobs": jobs, "alerts": alerts, "webhooks": webhooks });
        print(&json_line(&all));
        return Ok(kept);
    }
    let style = Style::of_stdout();
    let mut out = String::new();
    if copied {
        out += &style.lines(COPIED, Tone::Bad, 0);
    }
    out += &stopped_lines(style, &stopped);
    for line in observed_lines(&observed) {
        out += &style.lines(&line, Tone::Notable, 0);
    }
    for webhook in webhooks.iter().filter(|webhook| webhook.failing_since.is_some()) {
        out += &style.lines(&stripped(&webhook.told()), Tone::Bad, 0);
    }
    if !out.is_empty() {
        out += "\n";
    }
    let noun = if accounts == 1 { "account" } else { "accounts" };
    out += &format!("{}\n", style.paint(&format!("{accounts} {noun} at {}", now.to_iso()), Tone::Strong));
    out += &cards_table(style, &cards);
    out += &more(&cards, accounts, arguments);
    out += &format!("\n{}", jobs_table(style, &jobs));
    out += &match alerts.len() {
        0 => format!("\n{}\n", style.paint("no open alerts", Tone::Good)),
        _ => format!("\n{}", alerts_table(style, &alerts)),
    };
    print(&out);
    Ok(kept)
}

/// Who is only observed.
fn observed_lines(observed: &Observed) -> Vec<String> {
    let mut lines = Vec::new();
    if observed.by_setting {
        lines.push(words::OBSERVED_BY_SETTING.to_owned());
    }
    if !observed.accounts.is_empty() {
        let named: Vec<String> =
            observed.accounts.iter().take(NAMED_MAX).map(|id| stripped(id.raw())).collect();
        let more = if observed.accounts.len() > NAMED_MAX { ", …" } else { "" };
        lines.push(format!("only observed, {}: {}{more}", observed.counted(), named.join(", ")));
    }
    lines
}

/// What holds for all accounts, above everything else.
fn stopped_lines(style: Style, stopped: &Stopped) -> String {
    let mut out = String::new();
    for line in stopped.told() {
        let tone = if line.stops { Tone::Bad } else { Tone::Notable };
        out += &style.lines(&stripped(&line.what), tone, 0);
        out += &style.lines(line.todo, Tone::Plain, 2);
    }
    out
}

/// What an account that stands still waits for, in a few words; none for the others.
fn problem(card: &AccountCard) -> Option<String> {
    let alert = || card.alert.as_deref().map(|kind| format!("alert: {}", kind.replace('_', " ")));
    let Some(why) = &card.why else { return alert() };
    if let Some(pill) = card.pill.as_ref().filter(|_| why.action == "inmail") {
        return Some(pill.raw().to_owned());
    }
    let reason = explained(why.reason.as_deref().unwrap_or_default());
    let until = why.until.map_or_else(String::new, |until| format!(" until {}", until.to_iso()));
    let words = why.note.clone().or_else(|| why.words());
    let words = words.map_or_else(String::new, |words| format!(": {}", words.raw()));
    Some(format!("{reason}{until}{words}"))
}

/// The command that shows the next accounts, if there may be more.
fn more(cards: &[AccountCard], accounts: i64, arguments: &Arguments) -> String {
    let last = match cards.last() {
        Some(card) if (cards.len() as i64) < accounts && cards.len() as i64 == arguments.limit => {
            stripped(card.account_id.raw())
        }
        _ => return String::new(),
    };
    // Quoted for a shell.
    let quoted = format!("'{}'", last.replace('\'', "'\\''"));
    let shown = if arguments.after.is_some() {
        "the next".to_owned()
    } else {
        format!("… and {} more", accounts - arguments.limit)
    };
    format!("{shown}: sendgated status --limit {} --after {quoted}\n", arguments.limit)
}

fn cards_table(style: Style, cards: &[AccountCard]) -> String {
    let row = |card: &AccountCard| {
        let calm = if card.status == "connected" { Tone::Good } else { Tone::Bad };
        let count = |counted: i64, tone: Tone| {
            Cell::number(&counted.to_string()).in_tone(if counted == 0 { Tone::Plain } else { tone })
        };
        vec![
            Cell::text(card.account_id.raw()),
            Cell::name(card.display_name.as_ref().map_or("", Untrusted::raw)),
            Cell::text(&card.status).in_tone(calm),
            Cell::number(&format!("{}/{}", card.inmails_sent_today, card.inmail_daily_cap)),
            count(card.inmails_delivered_today, Tone::Plain),
            count(card.drift, Tone::Bad),
            count(card.in_flight, Tone::Plain),
            count(card.unresolved, Tone::Bad),
            count(card.waiting, Tone::Plain),
            count(card.parked, Tone::Bad),
            count(card.skipped_today, Tone::Notable),
            credits(card),
            Cell::text(problem(card).as_deref().unwrap_or_default()).in_tone(Tone::Notable),
        ]
    };
    let headings = [
        "account",
        "name",
        "status",
        "inmails",
        "delivered",
        "drift",
        "in flight",
        "unresolved",
        "waiting",
        "parked",
        "skipped",
        "credits",
        "",
    ];
    table(style, &headings, &cards.iter().map(row).collect::<Vec<_>>())
}

/// What is left of a balance that was told; nothing where none is counted.
fn credits(card: &AccountCard) -> Cell {
    let left = card.credits_left.map_or_else(String::new, |left| left.to_string());
    match card.credits_state.as_str() {
        "exhausted" => Cell::number(&left).in_tone(Tone::Bad),
        "low" => Cell::number(&format!("{left} low")).in_tone(Tone::Notable),
        _ => Cell::number(&left),
    }
}

fn jobs_table(style: Style, jobs: &[Heartbeat]) -> String {
    let row = |job: &Heartbeat| {
        let (verdict, tone) = if job.stale { ("stale", Tone::Bad) } else { ("", Tone::Plain) };
        let state = job.last_state.as_deref().unwrap_or("never ran");
        let has_failed = job.has_failed() || job.last_state.is_none();
        let number = |rows: Option<i64>| rows.map_or_else(String::new, |rows| rows.to_string());
        vec![
            Cell::text(&job.job),
            Cell::text(state).in_tone(if has_failed { Tone::Bad } else { Tone::Good }),
            // An interval to the second.
            Cell::text(job.age.as_deref().unwrap_or_default().split('.').next().unwrap_or_default()),
            Cell::number(&number(job.checked)),
            Cell::number(&number(job.changed)),
            Cell::text(verdict).in_tone(tone),
            Cell::text(job.error.as_ref().map_or("", Untrusted::raw)).in_tone(Tone::Bad),
        ]
    };
    let headings = ["job", "last run", "age", "checked", "changed", "", ""];
    table(style, &headings, &jobs.iter().map(row).collect::<Vec<_>>())
}

fn alerts_table(style: Style, alerts: &[Alert]) -> String {
    let row = |alert: &Alert| {
        vec![
            Cell::text(&alert.kind).in_tone(Tone::Bad),
            Cell::text(alert.account_id.raw()),
            Cell::text(&alert.day),
            Cell::text(alert.acknowledged_by.as_ref().map_or("", Untrusted::raw)),
            Cell::text(alert.detail.raw()),
        ]
    };
    let headings = ["open alert", "account", "day", "acknowledged by", ""];
    table(style, &headings, &alerts.iter().map(row).collect::<Vec<_>>())
}
