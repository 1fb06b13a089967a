//! One account: can it send now, and if not, until when and why; and everything that explains it.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Query, State};
use axum::http::Uri;
use serde::Deserialize;

use super::{Answer, Page, no_such_account, percent, rendered};
use crate::console::chart::Chart;
use crate::console::kind::Kind;
use crate::console::sessions::Visitor;
use crate::console::{Console, links};
use crate::db::Session;
use crate::db::console::Frame;
use crate::db::console::account::{
    Answer as Told, BreakerLine, Correction, Quarter, Skips, State as Account, Unresolved, WORK_COUNTED_MAX,
    Work,
};
use crate::db::console::accounts::Card;
use crate::db::console::logs::Alert;
use crate::db::numbers::ACTIONS;
use crate::error::Result;
use crate::words::explained;

/// Rows of each list.
const ROWS_MAX: i64 = 20;

/// What the address asks for.
#[derive(Debug, Deserialize)]
pub struct AccountQuery {
    id: String,
    #[serde(default)]
    chart: String,
}

/// Everything about one account.
struct Facts {
    frame: Frame,
    card: Card,
    account: Account,
    answers: Vec<Told>,
    quarters: Vec<Quarter>,
    breaker_log: Vec<BreakerLine>,
    skips: Vec<Skips>,
    unresolved: Vec<Unresolved>,
    corrections: Vec<Correction>,
    alerts: Vec<Alert>,
    work: Work,
}

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage {
    page: Page,
    facts: Facts,
    chart: Chart,
    charted: &'static str,
    charted_cap: i32,
    charted_counter: i32,
    charts: Vec<(&'static str, String)>,
}

/// Shows it.
pub async fn show(
    State(console): State<Arc<Console>>,
    Extension(visitor): Extension<Option<Visitor>>,
    uri: Uri,
    Query(query): Query<AccountQuery>,
) -> Answer {
    let charted = ACTIONS.into_iter().find(|action| *action == query.chart).unwrap_or(ACTIONS[0]);
    let found = console.turn(async |session| gather(session, &query.id, charted).await).await?;
    let Some(facts) = found else { return Err(no_such_account(&query.id)) };
    let told = facts.answers.iter().find(|told| told.action == charted);
    let (charted_counter, charted_cap) = told.map_or((0, 0), |told| (told.sent, told.cap));
    let title = facts.card.name.as_ref().unwrap_or(&facts.card.id).to_string();
    let page = AccountPage {
        page: Page::new(&console, "accounts", facts.frame.clone(), visitor, &uri).titled(title),
        chart: Chart::draw(&facts.quarters, charted_cap, quarter_of(&facts.frame.at)),
        charted,
        charted_cap,
        charted_counter,
        charts: ACTIONS
            .map(|action| (action, links::query("/account", &[("id", &query.id), ("chart", action)])))
            .to_vec(),
        facts,
    };
    Ok(rendered(&page))
}

async fn gather(session: &Session, id: &str, charted: &str) -> Result<Option<Facts>> {
    let frame = session.console_frame().await?;
    let ids = [id.to_owned()];
    // Sent one after the other without waiting for answers in between.
    let (account, cards) =
        tokio::try_join!(session.account_state(id), session.account_list(&ids, &frame.today))?;
    let (Some(account), Some(card)) = (account, cards.into_iter().next()) else { return Ok(None) };
    let (answers, quarters, breaker_log, skips, unresolved, corrections, alerts, work) = tokio::try_join!(
        session.account_answers(id),
        session.account_quarters(id, &frame.today, charted),
        session.account_breaker_log(id, ROWS_MAX),
        session.account_skips(id),
        session.account_unresolved(id, ROWS_MAX, None),
        session.account_corrections(id, ROWS_MAX),
        session.account_alerts(id, ROWS_MAX, None),
        session.account_work(id),
    )?;
    Ok(Some(Facts {
        frame,
        card,
        account,
        answers,
        quarters,
        breaker_log,
        skips,
        unresolved,
        corrections,
        alerts,
        work,
    }))
}

/// The quarter of an hour of `2025-05-20 09:14:03`.
fn quarter_of(at: &str) -> i32 {
    let number = |range| at.get(range).and_then(|digits: &str| digits.parse().ok()).unwrap_or(0);
    number(11..13) * 4 + number(14..16) / 15
}

impl AccountPage {
    /// The gate's answer in words.
    fn verdict(&self, told: &Told) -> String {
        if told.proceed {
            return match told.remaining {
                Some(remaining) => format!("Yes, {remaining} more today"),
                None => "Yes".to_owned(),
            };
        }
        let until = told.retry_at.as_ref().map_or_else(String::new, |at| format!(", until {at}"));
        format!("No{until}: {}", explained(told.reason.as_deref().unwrap_or("the gate gave no reason")))
    }

    /// What ends the refusals that do not end by themselves, each once, in the order of the actions.
    fn advice(&self) -> Vec<String> {
        let mut advice: Vec<String> = Vec::new();
        for reason in self.facts.answers.iter().filter_map(|told| told.reason.as_deref()) {
            if let Some(said) = self.advised(reason)
                && !advice.contains(&said)
            {
                advice.push(said);
            }
        }
        advice
    }

    /// What this visitor can press; where there is no button, whom it takes.
    fn advised(&self, reason: &str) -> Option<String> {
        let offered = |kind: Kind| match kind {
            Kind::ResumeAll => self.page.may(kind.function()),
            _ => self.offered().contains(&kind),
        };
        let press = |kind: Kind, end: &str| offered(kind).then(|| format!("press “{}” {end}", kind.label()));
        let pressed: Vec<String> = match reason {
            "paused_by_operator" => vec![press(Kind::ResumeAll, "to let all accounts send again")],
            "breaker_forced_open" => {
                vec![press(Kind::ForceAuto, "to let its InMails go by its credits again")]
            }
            "account_inmail_credits_exhausted" => {
                vec![press(Kind::Probe, "to try one InMail"), press(Kind::Clear, "if the credits are back")]
            }
            "account_not_connected" => {
                return Some("Once the account is connected again, the application says so.".to_owned());
            }
            _ => return None,
        }
        .into_iter()
        .flatten()
        .collect();
        if pressed.is_empty() {
            let may_sign_in = self.page.visitor.is_none() && self.page.can_sign_in;
            return may_sign_in.then(|| "Sign in to change what an operator can.".to_owned());
        }
        let mut sentence = pressed.join(", or ") + ".";
        sentence.replace_range(..1, "P");
        Some(sentence)
    }

    fn breaker(&self) -> String {
        let account = &self.facts.account;
        let of = |time: &Option<String>| time.clone().unwrap_or_default();
        match account.breaker.as_str() {
            "open" => format!(
                "Open since {}. InMails resume by themselves at {}.",
                of(&account.exhausted_at),
                of(&account.resumes_at)
            ),
            "forced_open" => "Held open by an operator, whatever the credits.".to_owned(),
            "forced_closed" => "Held closed by an operator: it stops nothing.".to_owned(),
            _ => "Closed: it stops nothing.".to_owned(),
        }
    }

    fn probe(&self) -> Option<String> {
        let until = self.facts.account.probe_until.as_ref()?;
        Some(if self.facts.account.probe_taken {
            format!("A probe is under way: an InMail has the permit and must answer by {until}.")
        } else {
            format!("A probe is granted: the next InMail may try, until {until}.")
        })
    }

    fn window(&self) -> String {
        let account = &self.facts.account;
        let Some((start, end)) = &account.window else { return "at any time".to_owned() };
        let names = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
        let name = |day: &i32| usize::try_from(*day - 1).ok().and_then(|n| names.get(n)).copied();
        let days: Vec<&str> = account.days.iter().flatten().filter_map(name).collect();
        format!("{start}–{end} on {}", days.join(", "))
    }

    fn bar(&self, told: &Told) -> i32 {
        percent(told.sent, told.cap)
    }

    /// Where each thing that an operator can do is asked about.
    fn acts(&self) -> Vec<(&'static str, String)> {
        let link = |kind: Kind| (kind.label(), kind.link(self.facts.card.id.raw(), ""));
        self.offered().into_iter().map(link).collect()
    }

    /// What this visitor can do about the account; what makes no sense now is left out.
    fn offered(&self) -> Vec<Kind> {
        let account = &self.facts.account;
        let makes_sense = |kind: Kind| match kind {
            Kind::Clear => account.exhausted_at.is_some(),
            Kind::Probe => account.breaker == "open" && account.probe_until.is_none(),
            Kind::ForceOpen => account.mode != "open",
            Kind::ForceAuto => account.mode != "auto",
            _ => false,
        };
        let kinds = [Kind::Probe, Kind::Clear, Kind::ForceOpen, Kind::ForceAuto];
        kinds.into_iter().filter(|kind| makes_sense(*kind) && self.page.may(kind.function())).collect()
    }

    fn settle(&self, operation: &Unresolved, sent: bool) -> String {
        let kind = if sent { Kind::Sent } else { Kind::NotSent };
        kind.link(self.facts.card.id.raw(), &operation.id)
    }

    fn acknowledge(&self, alert: &Alert) -> String {
        Kind::Acknowledge.link(alert.account.raw(), &alert.cursor.id)
    }

    fn events_link(&self) -> String {
        links::events(self.facts.card.id.raw(), "", "")
    }

    fn counted(&self, count: &i64) -> String {
        let work = self.facts.work;
        let all = work.waiting + work.parked;
        if all >= WORK_COUNTED_MAX { format!("{count} or more") } else { count.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quarters_are_read_from_the_clock() {
        assert_eq!(quarter_of("2025-05-20 00:00:00"), 0);
        assert_eq!(quarter_of("2025-05-20 09:14:59"), 36);
        assert_eq!(quarter_of("2025-05-20 23:45:00"), 95);
        assert_eq!(quarter_of("nonsense"), 0);
    }
}
