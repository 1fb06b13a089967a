//! One account: whether it can send now, and if not, until when and why; and the rows that explain it.

mod buttons;

use std::borrow::Cow;
use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Query, State};
use axum::http::Uri;
use serde::Deserialize;

use super::{Answer, Page, no_such_account, percent, rendered};
use crate::console::chart::Chart;
use crate::console::kind::Kind;
use crate::console::lists::{self, List, ListQuery};
use crate::console::month::Drawing;
use crate::console::sessions::Visitor;
use crate::console::{Console, links};
use crate::db::account::{ACTIONS, Account, Counter, Decision, Unresolved};
use crate::db::alerts::Alert;
use crate::db::console::Frame;
use crate::db::console::account::{Quarter, WORK_COUNTED_MAX, Window, Work};
use crate::db::console::accounts::Card;
use crate::db::console::attempt::Attempt;
use crate::db::console::month::{Cause as Stopper, Month, Stop};
use crate::db::why::{Cause, Why, causes};
use crate::db::{Session, Timestamp, Untrusted};
use crate::error::Result;
use crate::words::explained;

/// Most rows of each list.
const ROWS_MAX: i64 = 20;

/// How many of its last attempts are shown.
const ATTEMPTS_MAX: i64 = 50;
/// How many of them are seen at once; the others are in a fold.
const ATTEMPTS_OPEN: usize = 10;

/// The address's query.
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
    decisions: Vec<Decision>,
    why: Vec<Why>,
    attempts: Vec<Attempt>,
    window: Window,
    quarters: Vec<Quarter>,
    month: Month,
    work: Work,
}

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage {
    page: Page,
    facts: Facts,
    chart: Chart,
    month: Drawing,
    charted: &'static str,
    charted_cap: i32,
    charted_counter: i32,
    charts: Vec<(&'static str, String)>,
}

/// Shows the page.
pub async fn show(
    State(console): State<Arc<Console>>,
    Extension(visitor): Extension<Option<Visitor>>,
    uri: Uri,
    Query(query): Query<AccountQuery>,
    Query(list): Query<ListQuery>,
) -> Answer {
    if lists::is_csv(&list.format) {
        return lists::csv(&console, List::Attempts, &list).await;
    }
    let found = console.turn(async |session| gather(session, &query).await).await?;
    let Some((charted, facts)) = found else { return Err(no_such_account(&query.id)) };
    let counter = facts.account.counters.iter().find(|counter| counter.action == charted);
    let (charted_counter, charted_cap) =
        counter.map_or((0, 0), |counter| (counter.sent_today, counter.daily_cap));
    let title = facts.card.name.as_ref().unwrap_or(&facts.card.id).to_string();
    let page = AccountPage {
        page: Page::new(&console, "accounts", facts.frame.clone(), visitor, &uri).titled(title),
        month: Drawing::draw(&with_force(&facts, charted)),
        chart: Chart::draw(&facts.quarters, charted_cap, facts.frame.at.quarter() as i32),
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

/// The action in the charts, and everything.
async fn gather(session: &Session, query: &AccountQuery) -> Result<Option<(&'static str, Facts)>> {
    let id = query.id.as_str();
    let frame = session.console_frame().await?;
    let ids = [id.to_owned()];
    let (account, cards, window) = tokio::try_join!(
        session.account(id, ROWS_MAX),
        session.account_list(&ids, frame.at.day()),
        session.account_window(id),
    )?;
    let (Some(account), Some(card), Some(window)) = (account, cards.into_iter().next(), window) else {
        return Ok(None);
    };
    let (decisions, why, attempts, work) = tokio::try_join!(
        session.account_decisions(id),
        session.account_why(id),
        session.account_attempts(id, ATTEMPTS_MAX),
        session.account_work(id),
    )?;
    let asked = ACTIONS.into_iter().find(|action| *action == query.chart);
    let charted = asked.unwrap_or_else(|| in_trouble(&why, &account.counters));
    let (quarters, month) = tokio::try_join!(
        session.account_quarters(id, frame.at.day(), charted),
        session.account_month(id, frame.at.day(), charted),
    )?;
    let facts = Facts { frame, card, account, decisions, why, attempts, window, quarters, month, work };
    Ok(Some((charted, facts)))
}

/// The action that people look for first: the first that cannot go and is not switched off by a cap of 0; then one that would
/// be refused if the account were not only observed; else InMails.
fn in_trouble(why: &[Why], counters: &[Counter]) -> &'static str {
    let is_off = |action: &str| counters.iter().any(|of| of.action == action && of.daily_cap == 0);
    let first = |is: &dyn Fn(&Why) -> bool| {
        let lines = why.iter().filter(|line| !is_off(&line.action) && is(line));
        lines.filter_map(|line| ACTIONS.into_iter().find(|action| *action == line.action)).next()
    };
    first(&|line| !line.proceed).or_else(|| first(&|line| line.reason.is_some())).unwrap_or(ACTIONS[0])
}

/// The month with the stop that an operator made and that holds until now: the breaker's log has only those for credits.
fn with_force(facts: &Facts, charted: &str) -> Month {
    let mut month = facts.month.clone();
    let forced = |why: &&Why| why.action == charted && why.reason.as_deref() == Some("breaker_forced_open");
    if let Some(since) = facts.why.iter().find(forced).and_then(|why| why.since) {
        month.stops.push(Stop { cause: Stopper::Breaker, since, until: facts.frame.at });
    }
    month
}

impl AccountPage {
    /// Each action's counter and what the gate would answer; both lists are in the order of [`ACTIONS`].
    fn actions(&self) -> impl Iterator<Item = (&Counter, &Decision)> {
        self.facts.account.counters.iter().zip(&self.facts.decisions)
    }

    /// A reason in words; of an account that is not connected, what it is.
    fn explained<'a>(&self, reason: &'a str) -> Cow<'a, str> {
        let status = &self.facts.card.status;
        match reason {
            "account_not_connected" if status != "connected" => format!("the account is {status}").into(),
            _ => explained(reason).into(),
        }
    }

    /// The gate's answer in words.
    fn verdict(&self, decision: &Decision) -> String {
        let now = self.facts.frame.at;
        let until = decision.retry_at.map_or_else(String::new, |at| format!(", until {}", at.told(now)));
        match (&decision.reason, self.permit().filter(|_| decision.action == ACTIONS[0])) {
            (None, Some(permit)) => format!("One test InMail may go, until {}", permit.told(now)),
            (None, None) => match decision.remaining {
                Some(remaining) => format!("Yes, {remaining} more today"),
                None => "Yes".to_owned(),
            },
            (Some(reason), _) if decision.proceed => {
                format!("Yes, only observed: {}", self.explained(reason))
            }
            (Some(reason), _) => format!("No{until}: {}", self.explained(reason)),
        }
    }

    /// How many more may go today.
    fn left(&self, decision: &Decision) -> String {
        match decision.remaining {
            Some(_) if self.is_a_test(decision) => "1, as a test".to_owned(),
            Some(remaining) => remaining.to_string(),
            None => "–".to_owned(),
        }
    }

    /// Whether the gate would let go a test InMail, and no more.
    fn is_a_test(&self, decision: &Decision) -> bool {
        decision.proceed
            && decision.reason.is_none()
            && decision.action == ACTIONS[0]
            && self.permit().is_some()
    }

    /// What stopped the action that is charted.
    fn stopped(&self) -> Vec<Stopper> {
        [Stopper::Breaker, Stopper::Cooldown]
            .into_iter()
            .filter(|cause| self.month.was_stopped(*cause))
            .collect()
    }

    /// Until when one test InMail may go through an open breaker.
    fn permit(&self) -> Option<Timestamp> {
        let breaker = &self.facts.account.breaker;
        let until = breaker.probe_until(self.facts.frame.at)?;
        (breaker.state == "open" && breaker.probe_operation_id.is_none()).then_some(until)
    }

    /// The answers of the gate, each once with its actions; refusals first.
    fn causes(&self) -> Vec<Cause> {
        causes(&self.facts.why)
    }

    /// The heading of a cause: which actions, and whether they may go.
    fn heading(&self, cause: &Cause) -> String {
        let names: Vec<&str> = cause.actions.iter().map(|action| super::action_name(action)).collect();
        let names = if names.len() == ACTIONS.len() { "Everything".to_owned() } else { names.join(", ") };
        match &cause.why.reason {
            Some(reason) if cause.why.proceed => {
                format!("{names} may go, only observed: {}", self.explained(reason))
            }
            Some(reason) if cause.actions.len() == ACTIONS.len() => {
                format!("Nothing can go: {}", self.explained(reason))
            }
            Some(reason) => format!("{names} cannot go: {}", self.explained(reason)),
            None if cause.actions == ACTIONS[..1] && self.permit().is_some() => {
                "One test InMail may go".to_owned()
            }
            None => format!("{names} may go"),
        }
    }

    /// What became of an attempt.
    fn ended<'a>(&self, attempt: &'a Attempt) -> &'a str {
        attempt.ended(self.facts.frame.at)
    }

    /// An instant, and how far it is from now.
    fn instant(&self, at: &Timestamp) -> String {
        match at.relative_to(self.facts.frame.at) {
            relative if relative.is_empty() => at.to_string(),
            relative => format!("{at}, {relative}"),
        }
    }

    /// Whether signing in would offer a button.
    fn may_sign_in(&self) -> bool {
        self.page.visitor.is_none()
            && self.page.can_sign_in
            && self.facts.why.iter().any(|line| !line.proceed)
    }

    fn breaker(&self) -> String {
        let breaker = &self.facts.account.breaker;
        let now = self.facts.frame.at;
        let of = |time: Option<Timestamp>| time.map_or_else(String::new, |time| time.told(now));
        match breaker.state.as_str() {
            "open" => format!(
                "Open since {}. InMails resume by themselves at {}.",
                of(breaker.exhausted_at),
                of(breaker.resumes_at)
            ),
            "forced_open" => "Held open by an operator, whatever the credits.".to_owned(),
            "forced_closed" => "Held closed by an operator: it stops nothing.".to_owned(),
            _ => "Closed: it stops nothing.".to_owned(),
        }
    }

    fn window(&self) -> String {
        let window = &self.facts.window;
        let Some((start, end)) = &window.hours else { return "at any time".to_owned() };
        let names = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
        let name = |day: &i32| usize::try_from(*day - 1).ok().and_then(|n| names.get(n)).copied();
        let days: Vec<&str> = window.days.iter().flatten().filter_map(name).collect();
        let days = if days.len() == names.len() {
            "every day".to_owned()
        } else {
            format!("on {}", days.join(", "))
        };
        format!("{start}–{end} {days}")
    }

    /// What is left of the InMail credits, until when it lasts and what comes next; none where no balance is
    /// counted.
    fn credits(&self) -> Option<String> {
        self.facts.account.credits.as_ref()?.sentence(|at| at.told(self.facts.frame.at))
    }

    fn credits_are_low(&self) -> bool {
        self.facts.account.credits.as_ref().is_some_and(|credits| credits.state != "ok")
    }

    /// What is left of the most that the account can have, in percent.
    fn credits_share(&self) -> i32 {
        self.facts.account.credits.as_ref().map_or(0, |credits| {
            let left = credits.credits_left.unwrap_or(0);
            percent(left, credits.ceiling.unwrap_or(left).max(left))
        })
    }

    fn bar(&self, counter: &Counter) -> i32 {
        percent(counter.sent_today, counter.daily_cap)
    }

    fn settle(&self, operation: &Unresolved, sent: bool) -> String {
        let kind = if sent { Kind::Sent } else { Kind::NotSent };
        kind.link(self.facts.card.id.raw(), &operation.operation_id)
    }

    fn acknowledge(&self, alert: &Alert) -> String {
        Kind::Acknowledge.link(alert.account_id.raw(), &alert.alert_id)
    }

    /// The newest attempts, and those before them, which are folded away.
    fn attempts(&self) -> (&[Attempt], &[Attempt]) {
        self.facts.attempts.split_at(ATTEMPTS_OPEN.min(self.facts.attempts.len()))
    }

    /// Its last attempts as a file of values.
    fn attempts_csv(&self) -> String {
        links::query("/account", &[("id", self.facts.card.id.raw()), ("format", "csv")])
    }

    /// Whether today's chart of the action would show nothing.
    fn is_empty_day(&self) -> bool {
        self.charted_counter == 0 && self.chart.taken_sum == 0 && self.chart.proven_sum == 0
    }

    /// The lists that are empty, in a sentence each.
    fn nothing(&self) -> String {
        let account = &self.facts.account;
        // An operator's force is in the log of acts, not in its history.
        let is_closed = account.breaker.state == "closed" && account.breaker_history.is_empty();
        let said = [
            (account.unresolved.is_empty(), "Every outcome is known."),
            (account.alerts.is_empty(), "No alert is open."),
            (is_closed, "The breaker never opened."),
            (account.cooldown_history.is_empty(), "It never cooled down."),
            (account.corrections.is_empty(), "No counter was corrected."),
            (account.skips_today.is_empty(), "Nothing was skipped today."),
        ];
        let said: Vec<&str> = said.into_iter().filter(|(empty, _)| *empty).map(|(_, said)| said).collect();
        said.join(" ")
    }

    fn prospect_link(&self, prospect: &Untrusted) -> String {
        links::prospect(prospect.raw())
    }

    fn unknown_link(&self) -> String {
        links::query("/unknown", &[("of", self.facts.card.id.raw())])
    }

    fn events_link(&self) -> String {
        links::events(self.facts.card.id.raw(), "", "")
    }

    /// The account's campaign work in words.
    fn work(&self) -> String {
        let work = &self.facts.work;
        if work.waiting + work.parked == 0 {
            return "None of its campaign work waits.".to_owned();
        }
        let [waiting, parked] = [&work.waiting, &work.parked].map(|count| self.counted(count));
        format!("Campaign work: {waiting} waiting, {} of it for credits; {parked} parked.", work.deferred)
    }

    fn counted(&self, count: &i64) -> String {
        let work = self.facts.work;
        let all = work.waiting + work.parked;
        if all >= WORK_COUNTED_MAX { format!("{count} or more") } else { count.to_string() }
    }
}
