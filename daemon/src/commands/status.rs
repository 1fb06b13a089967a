//! `status`: what is stopped, the accounts' cards with problems first, the jobs and the open alerts; of all databases.

mod gathered;

use clap::Args;

use crate::config::databases::Database;
use crate::db::Untrusted;
use crate::db::alerts::Alert;
use crate::db::heartbeats::Heartbeat;
use crate::db::status::{AccountCard, Observed};
use crate::db::stopped::Stopped;
use crate::error::Result;
use crate::terminal::{Cell, Style, Tone, json_line, print, stripped, table};
use crate::words::{self, COPIED, explained};
use gathered::{Gathered, gather};

/// Most observed accounts that are named.
const NAMED_MAX: usize = 5;
/// Most open alerts that are shown; there are rarely so many.
const ALERTS_MAX: usize = 20;

/// What is said where there is no account.
const FIRST_ACCOUNT: &str =
    "add one: SELECT sendgate.upsert_account('acc-1', 'sales_navigator', 'Ada Byron')";

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
    /// Of several databases, the one that the account of --after is in
    #[arg(long, value_name = "NAME", requires = "after")]
    after_database: Option<String>,
}

/// Shows all of it. Answers whether no job is late, and every database was asked.
pub async fn show(databases: &[Database], arguments: &Arguments) -> Result<bool> {
    let all = gather(databases, arguments).await?;
    let kept = all.down.is_empty() && !all.jobs.iter().any(|(_, job)| job.stale);
    if arguments.json {
        print(&json_line(&all.as_json()));
        return Ok(kept);
    }
    print(&as_text(Style::of_stdout(), &all, arguments));
    Ok(kept)
}

fn as_text(style: Style, all: &Gathered, arguments: &Arguments) -> String {
    let mut out = String::new();
    for (name, error) in &all.down {
        let text = format!("database {name} cannot be asked: {error}; what follows is without it");
        out += &style.lines(&stripped(&text), Tone::Bad, 0);
    }
    for of in &all.databases {
        let named = |text: &str| match &of.database {
            Some(name) => format!("{}: {text}", stripped(name)),
            None => text.to_owned(),
        };
        if of.copied {
            out += &style.lines(&named(COPIED), Tone::Bad, 0);
        }
        out += &stopped_lines(style, &of.stopped, named);
        for line in observed_lines(&of.observed) {
            out += &style.lines(&named(&line), Tone::Notable, 0);
        }
        for webhook in of.webhooks.iter().filter(|webhook| webhook.failing_since.is_some()) {
            out += &style.lines(&named(&stripped(&webhook.told())), Tone::Bad, 0);
        }
    }
    if !out.is_empty() {
        out += "\n";
    }
    let accounts = all.accounts();
    let noun = if accounts == 1 { "account" } else { "accounts" };
    let several =
        if all.are_several { format!(" in {} databases", all.databases.len()) } else { String::new() };
    let at = all.databases.first().map_or_else(String::new, |of| format!(" at {}", of.now.to_iso()));
    out += &format!("{}\n", style.paint(&format!("{accounts} {noun}{several}{at}"), Tone::Strong));
    // Without an account a table would be a head and nothing else.
    out += &match accounts {
        0 => format!("{FIRST_ACCOUNT}\n"),
        _ => cards_table(style, all),
    };
    out += &more(all, accounts, arguments);
    out += &format!("\n{}", jobs_table(style, all));
    out += &match all.alerts.len() {
        0 => format!("\n{}\n", style.paint("no open alerts", Tone::Good)),
        _ => format!("\n{}", alerts_table(style, all)),
    };
    out
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
fn stopped_lines(style: Style, stopped: &Stopped, named: impl Fn(&str) -> String) -> String {
    let mut out = String::new();
    for line in stopped.told() {
        let tone = if line.stops { Tone::Bad } else { Tone::Notable };
        out += &style.lines(&named(&stripped(&line.what)), tone, 0);
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
    let of = if holds_for_all(why.reason.as_deref()) { String::new() } else { format!("{}: ", why.action) };
    Some(format!("{of}{reason}{until}{words}"))
}

/// Whether a reason holds for all actions of an account.
fn holds_for_all(reason: Option<&str>) -> bool {
    matches!(
        reason,
        Some("paused_by_operator" | "account_not_connected" | "account_cooldown" | "outside_sending_window")
    )
}

/// The command that shows the next accounts, if there may be more.
fn more(all: &Gathered, accounts: i64, arguments: &Arguments) -> String {
    let shown = all.cards.len() as i64;
    let (database, last) = match all.cards.last() {
        Some((database, card)) if shown < accounts && shown == arguments.limit => {
            (database, stripped(card.account_id.raw()))
        }
        _ => return String::new(),
    };
    // Quoted for a shell.
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "'\\''"));
    let of = database
        .as_ref()
        .map_or_else(String::new, |name| format!(" --after-database {}", quoted(&stripped(name))));
    let shown = if arguments.after.is_some() {
        "the next".to_owned()
    } else {
        format!("… and {} more", accounts - arguments.limit)
    };
    format!("{shown}: sendgated status --limit {} --after {}{of}\n", arguments.limit, quoted(&last))
}

/// Puts a column with the database behind the first one, where several are served.
fn with_database(all: &Gathered, cells: &mut Vec<Cell>, database: Option<&str>) {
    if all.are_several {
        cells.insert(1, Cell::text(database.unwrap_or_default()));
    }
}

/// The headings, with that of the database where several are served.
fn headings(all: &Gathered, headings: &[&'static str]) -> Vec<&'static str> {
    let mut headings = headings.to_vec();
    if all.are_several {
        headings.insert(1, "database");
    }
    headings
}

fn cards_table(style: Style, all: &Gathered) -> String {
    let row = |(database, card): &(gathered::Name, AccountCard)| {
        let calm = if card.status == "connected" { Tone::Good } else { Tone::Bad };
        let count = |counted: i64, tone: Tone| {
            Cell::number(&counted.to_string()).in_tone(if counted == 0 { Tone::Plain } else { tone })
        };
        let mut cells = vec![
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
        ];
        with_database(all, &mut cells, database.as_deref());
        cells
    };
    let names = [
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
    table(style, &headings(all, &names), &all.cards.iter().map(row).collect::<Vec<_>>())
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

fn jobs_table(style: Style, all: &Gathered) -> String {
    let row = |(database, job): &(gathered::Name, Heartbeat)| {
        let (verdict, tone) = if job.stale { ("stale", Tone::Bad) } else { ("", Tone::Plain) };
        let state = job.last_state.as_deref().unwrap_or("never ran");
        let has_failed = job.has_failed() || job.last_state.is_none();
        let number = |rows: Option<i64>| rows.map_or_else(String::new, |rows| rows.to_string());
        let mut cells = vec![
            Cell::text(&job.job),
            Cell::text(state).in_tone(if has_failed { Tone::Bad } else { Tone::Good }),
            // An interval to the second.
            Cell::text(job.age.as_deref().unwrap_or_default().split('.').next().unwrap_or_default()),
            Cell::number(&number(job.checked)),
            Cell::number(&number(job.changed)),
            Cell::text(verdict).in_tone(tone),
            Cell::text(job.error.as_ref().map_or("", Untrusted::raw)).in_tone(Tone::Bad),
        ];
        with_database(all, &mut cells, database.as_deref());
        cells
    };
    let names = ["job", "last run", "age", "checked", "changed", "", ""];
    table(style, &headings(all, &names), &all.jobs.iter().map(row).collect::<Vec<_>>())
}

fn alerts_table(style: Style, all: &Gathered) -> String {
    let row = |(database, alert): &(gathered::Name, Alert)| {
        let mut cells = vec![
            Cell::text(&alert.kind).in_tone(Tone::Bad),
            Cell::text(alert.account_id.raw()),
            Cell::text(&alert.day),
            Cell::text(alert.acknowledged_by.as_ref().map_or("", Untrusted::raw)),
            Cell::text(alert.detail.raw()),
        ];
        with_database(all, &mut cells, database.as_deref());
        cells
    };
    let names = ["open alert", "account", "day", "acknowledged by", ""];
    table(style, &headings(all, &names), &all.alerts.iter().map(row).collect::<Vec<_>>())
}
