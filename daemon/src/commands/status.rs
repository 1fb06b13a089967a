//! `status`: the accounts' cards, the jobs and the open alerts.

use std::sync::Arc;

use clap::Args;
use serde_json::{Value, json};

use crate::config::target::Target;
use crate::db::{Purpose, Session};
use crate::error::{Error, Result};
use crate::terminal::{Cell, Style, Tone, json_line, print, stripped, table, text_of};

/// Open alerts that are shown; there are rarely as many.
const ALERTS_MAX: i64 = 20;

/// What `status` takes.
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

/// Shows it. Whether the books are kept.
pub async fn show(target: &Arc<Target>, arguments: &Arguments) -> Result<bool> {
    let session = Session::open(target, Purpose::Command).await?;
    let now = session.now().await?;
    let after = arguments.after.as_deref();
    if let Some(account) = after
        && !session.is_known(account).await?
    {
        session.close().await;
        return Err(Error::Usage(format!("there is no account {} to go on after", stripped(account))));
    }
    let (cards, accounts) = session.cards(arguments.limit, after).await?;
    let jobs = session.jobs().await?;
    let alerts = session.open_alerts(ALERTS_MAX).await?;
    session.close().await;
    let kept = !jobs.iter().any(is_stale);
    if arguments.json {
        let all = json!({ "at": now, "accounts": accounts, "cards": cards, "jobs": jobs, "alerts": alerts });
        print(&json_line(&all));
        return Ok(kept);
    }
    let style = Style::of_stdout();
    let mut out = format!("{}\n", style.paint(&format!("{accounts} accounts at {now}"), Tone::Strong));
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

/// How to see the accounts that are not shown, if there may be some.
fn more(cards: &[Value], accounts: i64, arguments: &Arguments) -> String {
    let last = match cards.last() {
        Some(card) if (cards.len() as i64) < accounts && cards.len() as i64 == arguments.limit => {
            text_of(&card["account_id"])
        }
        _ => return String::new(),
    };
    // What a shell would take apart is quoted as shells do it.
    let quoted = format!("'{}'", last.replace('\'', "'\\''"));
    let shown = if arguments.after.is_some() {
        "the next".to_owned()
    } else {
        format!("… and {} more", accounts - arguments.limit)
    };
    format!("{shown}: sendgated status --limit {} --after {quoted}\n", arguments.limit)
}

/// Whether a job missed two runs.
pub fn is_stale(job: &Value) -> bool {
    job["stale"].as_bool().unwrap_or(true)
}

fn cards_table(style: Style, cards: &[Value]) -> String {
    let row = |card: &Value| {
        let status = text_of(&card["status"]);
        let calm = if status == "connected" { Tone::Good } else { Tone::Bad };
        let count = |name: &str, tone: Tone| {
            let counted = card[name].as_i64().unwrap_or(0);
            Cell::number(&counted.to_string()).in_tone(if counted == 0 { Tone::Plain } else { tone })
        };
        let sent = format!("{}/{}", text_of(&card["inmails_sent_today"]), text_of(&card["inmail_daily_cap"]));
        vec![
            Cell::text(&text_of(&card["account_id"])),
            Cell::name(&text_of(&card["display_name"])),
            Cell::text(&status).in_tone(calm),
            Cell::number(&sent),
            count("inmails_delivered_today", Tone::Plain),
            count("drift", Tone::Bad),
            count("in_flight", Tone::Plain),
            count("unresolved", Tone::Bad),
            count("waiting", Tone::Plain),
            count("parked", Tone::Bad),
            count("skipped_today", Tone::Notable),
            Cell::text(&text_of(&card["pill"])).in_tone(Tone::Notable),
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
        "",
    ];
    table(style, &headings, &cards.iter().map(row).collect::<Vec<_>>())
}

fn jobs_table(style: Style, jobs: &[Value]) -> String {
    let row = |job: &Value| {
        let (verdict, tone) = if is_stale(job) { ("stale", Tone::Bad) } else { ("", Tone::Plain) };
        let state = match text_of(&job["last_state"]) {
            state if state.is_empty() => "never ran".to_owned(),
            state => state,
        };
        let failed = matches!(state.as_str(), "failed" | "crashed" | "never ran");
        vec![
            Cell::text(&text_of(&job["job"])),
            Cell::text(&state).in_tone(if failed { Tone::Bad } else { Tone::Good }),
            Cell::text(text_of(&job["age"]).split('.').next().unwrap_or_default()),
            Cell::number(&text_of(&job["checked"])),
            Cell::number(&text_of(&job["changed"])),
            Cell::text(verdict).in_tone(tone),
            Cell::text(&text_of(&job["error"])).in_tone(Tone::Bad),
        ]
    };
    let headings = ["job", "last run", "age", "checked", "changed", "", ""];
    table(style, &headings, &jobs.iter().map(row).collect::<Vec<_>>())
}

fn alerts_table(style: Style, alerts: &[Value]) -> String {
    let row = |alert: &Value| {
        vec![
            Cell::text(&text_of(&alert["kind"])).in_tone(Tone::Bad),
            Cell::text(&text_of(&alert["account_id"])),
            Cell::text(&text_of(&alert["day"])),
            Cell::text(&text_of(&alert["acknowledged_by"])),
            Cell::text(&text_of(&alert["detail"])),
        ]
    };
    let headings = ["open alert", "account", "day", "acknowledged by", ""];
    table(style, &headings, &alerts.iter().map(row).collect::<Vec<_>>())
}
