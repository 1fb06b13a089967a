//! The list of accounts, all or those of one tier or with a text: problems first, then all others by id. Or those with one trouble,
//! by id.

mod found;
mod trouble;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use askama::Template;
use axum::Extension;
use axum::extract::{Query, State};
use axum::http::{StatusCode, Uri};
use serde::Deserialize;

use super::{Answer, Frames, Page, Problem, percent, rendered};
use crate::console::lists::{self, List, ListQuery};
use crate::console::scope::{Answers, Name, Row, each};
use crate::console::sessions::Visitor;
use crate::console::span::flag_of;
use crate::console::{Console, links};
use crate::db::account::ACTIONS;
use crate::db::console::Frame;
use crate::db::console::accounts::{Card, Flag};
use crate::db::console::fleet::Fleet;
use crate::db::console::search::LOOKED_AT_MAX;
use crate::db::served::Member;
use crate::db::why::Why;
use crate::db::{Session, Untrusted};
use crate::error::Result;
use found::{CALM, Found, Together, Wanted, find, together};
use trouble::{Told, is_asked};

/// Most prospects that a search shows.
const PROSPECTS_MAX: i64 = 10;
/// The headings of the ranks, from 1, and of all others.
const RANKS: [&str; CALM as usize] = [
    "Cannot send at all",
    "InMails are stopped",
    "An action fails or cools down",
    "Unknown outcomes",
    "Open alerts",
    "All others, by id",
];
/// The heading of a list without ranks.
const BY_ID: &str = "By id";
/// The address's query.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct AccountsQuery {
    q: String,
    filter: String,
    tier: String,
    /// The rank of the account in `after`, if the list is the one of problems.
    rank: String,
    after: String,
    /// Of several databases, the one that the account in `after` is in.
    of: String,
}

#[derive(Template)]
#[template(path = "accounts.html")]
struct AccountsPage {
    page: Page,
    query: AccountsQuery,
    flag: Flag,
    fleet: Option<Arc<Fleet>>,
    age_seconds: u64,
    prospects: Vec<Row<Untrusted>>,
    /// The cards under their headings; an empty heading is none.
    groups: Vec<(String, Vec<Row<Told>>)>,
    is_first: bool,
    next: Option<String>,
    looked: Option<i64>,
}

impl AccountsQuery {
    /// The address of the same list, with other values.
    fn link(&self, filter: &str, tier: &str, place: Option<&(i32, String)>) -> String {
        self.link_after(filter, tier, place, "")
    }

    /// The same after an account of one of several databases.
    fn link_after(&self, filter: &str, tier: &str, place: Option<&(i32, String)>, of: &str) -> String {
        let rank = place.filter(|(rank, _)| *rank > 0).map_or_else(String::new, |(rank, _)| rank.to_string());
        let after = place.map_or("", |(_, after)| after.as_str());
        links::query(
            "/",
            &[
                ("q", &self.q),
                ("filter", filter),
                ("tier", tier),
                ("rank", &rank),
                ("after", after),
                ("of", of),
            ],
        )
    }

    /// The list.
    ///
    /// # Errors
    ///
    /// A page with status 400 if there is no such filter or rank.
    fn wanted(&self) -> std::result::Result<Wanted<'_>, Problem> {
        let rank = match self.rank.as_str() {
            "" => Some(0),
            text => text.parse().ok().filter(|rank| (1..=CALM).contains(rank)),
        };
        let flag = flag_of(&self.filter)?;
        let odd = || {
            Problem::new(
                StatusCode::BAD_REQUEST,
                "This is no place in the list",
                "Begin with its first page.",
            )
        };
        let rank = rank.ok_or_else(odd)?;
        Ok(Wanted { flag, tier: &self.tier, text: &self.q, rank, after: &self.after, with_it: false })
    }
}

impl AccountsPage {
    fn bar(&self, card: &Card) -> i32 {
        percent(card.sent, card.cap)
    }

    fn link(&self, told: &Row<Told>) -> String {
        told.link(|told| links::account(told.card.id.raw()))
    }

    /// Whether there is no account at all, as far as that is known.
    fn has_none(&self) -> bool {
        self.fleet.as_ref().is_some_and(|fleet| fleet.totals.accounts == 0)
    }

    /// The same list as a file of values; the lists of several databases are asked for one by one.
    fn as_csv(&self) -> String {
        let AccountsQuery { q, filter, tier, .. } = &self.query;
        links::query("/", &[("q", q), ("filter", filter), ("tier", tier), ("format", "csv")])
    }

    fn prospect_link(&self, prospect: &Row<Untrusted>) -> String {
        prospect.link(|prospect| links::prospect(prospect.raw()))
    }

    /// The page of the prospect whose whole id was looked for.
    fn whole_prospect(&self) -> Option<String> {
        super::is_id(&self.query.q).then(|| links::prospect(&self.query.q))
    }

    /// Which prospects the search finds.
    fn looked_for(&self) -> String {
        format!(
            "Shown are prospects with campaign work or a suppression whose ids are the text or begin with it; and ids with the \
             text anywhere in them, in any case, in {looked} pieces of work and about the newest {looked} attempts.",
            looked = grouped(LOOKED_AT_MAX)
        )
    }

    fn first(&self) -> String {
        self.query.link(&self.query.filter, &self.query.tier, None)
    }

    /// The filters: label, address, how many accounts, and whether it is the one that is chosen.
    fn filters(&self) -> Vec<(&'static str, String, Option<String>, bool)> {
        let line = |flag: Flag| {
            let link = self.query.link(flag.name(), &self.query.tier, None);
            (flag.label(), link, self.count(flag), flag == self.flag)
        };
        Flag::ALL.into_iter().map(line).collect()
    }

    fn count(&self, flag: Flag) -> Option<String> {
        let fleet = self.fleet.as_ref()?;
        match flag {
            Flag::None => Some(grouped(fleet.totals.accounts)),
            Flag::Drifting => {
                let (count, is_all) = fleet.drifting;
                Some(if is_all { grouped(count) } else { format!("{}+", grouped(count)) })
            }
            _ => fleet.counted(flag).map(|counted| grouped(counted.count)),
        }
    }

    /// The tiers: name, address, how many accounts, and whether it is the one that is chosen.
    fn tiers(&self) -> Vec<(String, String, String, bool)> {
        let Some(fleet) = &self.fleet else { return Vec::new() };
        let line = |(tier, count): &(String, i64)| {
            let is_chosen = *tier == self.query.tier;
            let link = self.query.link(&self.query.filter, if is_chosen { "" } else { tier }, None);
            (Untrusted::from(super::spoken(tier)).to_string(), link, grouped(*count), is_chosen)
        };
        fleet.totals.tiers.iter().map(line).collect()
    }

    /// The fleet in a line.
    fn totals(&self) -> Option<String> {
        let totals = &self.fleet.as_ref()?.totals;
        let cannot = self.fleet.as_ref()?.counted(Flag::CannotSend).map_or(0, |counted| counted.count);
        let sent = |(action, count): (&'static str, &i64)| {
            let name = super::action_name(action);
            format!("{} {}", grouped(*count), plural(name, *count))
        };
        let sent: Vec<String> = ACTIONS.into_iter().zip(&totals.sent).map(sent).collect();
        let who = match (totals.accounts, cannot) {
            (1, _) if self.page.is_stopped() => "1 account, and it gets no slot".to_owned(),
            (all, _) if self.page.is_stopped() => format!("{} accounts, and none gets a slot", grouped(all)),
            (1, 0) => "1 account, and it can send".to_owned(),
            (1, _) => "1 account, and it cannot send".to_owned(),
            (all, 0) => format!("{} accounts, and all of them can send", grouped(all)),
            (all, _) => format!("{} accounts, {} of them can send", grouped(all), grouped(all - cannot)),
        };
        (totals.accounts > 0).then(|| format!("{who}. Slots taken today: {}.", sent.join(", ")))
    }

    fn is_searched(&self) -> bool {
        !self.query.q.is_empty()
    }
}

/// A number with spaces between thousands.
fn grouped(number: i64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) && digit.is_ascii_digit() {
            out.push('\u{a0}');
        }
        out.push(digit);
    }
    out
}

fn plural(name: &str, count: i64) -> String {
    let name = if name == "InMail" { name.to_owned() } else { name.to_lowercase() };
    if count == 1 { name } else { format!("{name}s") }
}

/// Shows the page.
pub async fn show(
    State(console): State<Arc<Console>>,
    Extension(visitor): Extension<Option<Visitor>>,
    uri: Uri,
    Query(query): Query<AccountsQuery>,
    Query(list): Query<ListQuery>,
) -> Answer {
    if lists::is_csv(&list.format) {
        return lists::csv(&console, List::Accounts, &list).await;
    }
    let wanted = query.wanted()?;
    let flag = wanted.flag;
    let last = console.place_of(&query.of);
    let here = &*console;
    let gathered = each!(console, |session, member| async {
        let with_it = last.is_some_and(|last| here.place_of(&member.name).is_some_and(|own| own > last));
        gather(here, session, &member, Wanted { with_it, ..wanted }).await
    })?;
    let All { frames, fleet, together, mut cards, prospects } = put_together(gathered);
    // The fleet's counts are those of all accounts.
    let counted = fleet.as_deref().filter(|_| wanted.is_all());
    let groups = grouped_by_rank(&together.accounts, &mut cards, counted);
    let name = |n: usize| cards.get(n).and_then(|(name, _)| name.as_deref()).unwrap_or_default();
    let page = AccountsPage {
        page: Page::new(&console, "accounts", frames, visitor, &uri).titled("Accounts"),
        flag,
        age_seconds: fleet.as_ref().map_or(0, |fleet| fleet.age_seconds(Instant::now())),
        fleet,
        prospects,
        groups,
        is_first: query.after.is_empty() && query.rank.is_empty(),
        next: together
            .next
            .as_ref()
            .map(|(place, n)| query.link_after(&query.filter, &query.tier, Some(place), name(*n))),
        looked: together.looked,
        query,
    };
    Ok(rendered(&page))
}

/// What one database says.
struct Gathered {
    frame: Frame,
    fleet: Option<Arc<Fleet>>,
    found: Found,
    cards: Vec<Told>,
    prospects: Vec<Untrusted>,
}

async fn gather(
    console: &Console,
    session: &Session,
    member: &Member,
    wanted: Wanted<'_>,
) -> Result<Gathered> {
    let frame = session.console_frame().await?;
    let fleet = console.fleet(session, member).await?;
    let found = find(session, &frame, fleet.as_deref(), &wanted).await?;
    let ids: Vec<String> = found.accounts.iter().map(|(_, id)| id.clone()).collect();
    let cards = session.account_list(&ids, frame.at.day()).await?;
    // While everything is stopped there is one reason for all accounts, and a banner tells it.
    let is_stopped = frame.copied || frame.stopped.paused.is_some();
    let refused = match is_stopped {
        true => Vec::new(),
        false => session.account_refusals(&ids, is_asked(wanted.flag)).await?,
    };
    let mut refused: HashMap<String, Vec<Why>> = refused.into_iter().map(|of| (of.id, of.lines)).collect();
    let told = |card: Card| {
        let lines = refused.remove(card.id.raw()).unwrap_or_default();
        Told::of(card, &lines, frame.at)
    };
    let cards = cards.into_iter().map(told).collect();
    let asks_for_prospects = !wanted.text.is_empty() && wanted.flag == Flag::None && wanted.after.is_empty();
    let prospects = match asks_for_prospects {
        true => session.prospects_like(wanted.text, PROSPECTS_MAX).await?,
        false => Vec::new(),
    };
    Ok(Gathered { frame, fleet, found, cards, prospects })
}

/// Cards by id, of each database.
type Cards = Vec<(Name, HashMap<String, Told>)>;

/// What all databases say.
struct All {
    frames: Frames,
    fleet: Option<Arc<Fleet>>,
    together: Together,
    cards: Cards,
    prospects: Vec<Row<Untrusted>>,
}

fn put_together(gathered: Answers<Gathered>) -> All {
    let (mut frames, mut fleets, mut found) = (Vec::new(), Vec::new(), Vec::new());
    let (mut cards, mut prospects) = (Vec::new(), Vec::new());
    for (name, one) in gathered.0 {
        frames.push((name.clone(), one.frame));
        fleets.push(one.fleet);
        found.push(one.found);
        let own = one.prospects.into_iter().map(|prospect| Row::of(name.clone(), prospect));
        prospects.extend(own);
        let by_id = one.cards.into_iter().map(|told| (told.card.id.raw().to_owned(), told));
        cards.push((name, by_id.collect()));
    }
    let fleets: Option<Vec<Arc<Fleet>>> = fleets.into_iter().collect();
    let fleet = fleets.and_then(|fleets| match fleets.as_slice() {
        [only] => Some(only.clone()),
        several => Fleet::together(several).map(Arc::new),
    });
    All { frames: Frames(Answers(frames)), fleet, together: together(found), cards, prospects }
}

/// The cards in the order of the page, under the headings of their ranks. `fleet` has the number of accounts of each rank, if the
/// page is about all of them.
fn grouped_by_rank(
    accounts: &[((i32, String), usize)],
    cards: &mut Cards,
    fleet: Option<&Fleet>,
) -> Vec<(String, Vec<Row<Told>>)> {
    let mut groups: Vec<(i32, Vec<Row<Told>>)> = Vec::new();
    for ((rank, id), n) in accounts {
        let (name, of_database) = &mut cards[*n];
        let Some(card) = of_database.remove(id) else { continue };
        let card = Row::of(name.clone(), card);
        match groups.last_mut() {
            Some((last, group)) if last == rank => group.push(card),
            _ => groups.push((*rank, vec![card])),
        }
    }
    let is_alone = groups.len() == 1 && groups[0].0 == CALM;
    let heading = |rank: i32| match rank {
        0 | CALM if accounts.len() < 2 => String::new(),
        0 => BY_ID.to_owned(),
        CALM if is_alone => BY_ID.to_owned(),
        CALM => RANKS[RANKS.len() - 1].to_owned(),
        rank => {
            let name = RANKS[rank as usize - 1];
            fleet.map_or_else(|| name.to_owned(), |fleet| format!("{name}: {}", grouped(fleet.ranked(rank))))
        }
    };
    groups.into_iter().map(|(rank, cards)| (heading(rank), cards)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_numbers_are_read_in_thousands() {
        for (number, text) in
            [(0, "0"), (999, "999"), (1_000, "1\u{a0}000"), (1_234_567, "1\u{a0}234\u{a0}567")]
        {
            assert_eq!(grouped(number), text);
        }
    }
}
