//! The list of accounts: problems first, then all others by id; or those with one trouble, of one tier, or with a text.

mod found;

use std::sync::Arc;
use std::time::Instant;

use askama::Template;
use axum::Extension;
use axum::extract::{Query, State};
use axum::http::{StatusCode, Uri};
use serde::Deserialize;

use super::{Answer, Page, Problem, percent, rendered};
use crate::console::lists::{self, List, ListQuery};
use crate::console::sessions::Visitor;
use crate::console::span::flag_of;
use crate::console::{Console, links};
use crate::db::account::ACTIONS;
use crate::db::console::Frame;
use crate::db::console::accounts::{Card, Flag};
use crate::db::console::fleet::Fleet;
use crate::db::console::search::LOOKED_AT_MAX;
use crate::db::{Session, Untrusted};
use crate::error::Result;
use found::{CALM, Found, Wanted, find};

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
}

#[derive(Template)]
#[template(path = "accounts.html")]
struct AccountsPage {
    page: Page,
    query: AccountsQuery,
    flag: Flag,
    fleet: Option<Arc<Fleet>>,
    age_seconds: u64,
    prospects: Vec<Untrusted>,
    /// The cards under their headings; an empty heading is none.
    groups: Vec<(String, Vec<Card>)>,
    is_first: bool,
    next: Option<String>,
    looked: Option<i64>,
}

impl AccountsQuery {
    /// The address of the same list, with other values.
    fn link(&self, filter: &str, tier: &str, place: Option<&(i32, String)>) -> String {
        let rank = place.filter(|(rank, _)| *rank > 0).map_or_else(String::new, |(rank, _)| rank.to_string());
        let after = place.map_or("", |(_, after)| after.as_str());
        links::query(
            "/",
            &[("q", &self.q), ("filter", filter), ("tier", tier), ("rank", &rank), ("after", after)],
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
        Ok(Wanted { flag, tier: &self.tier, text: &self.q, rank, after: &self.after })
    }
}

impl AccountsPage {
    fn bar(&self, card: &Card) -> i32 {
        percent(card.sent, card.cap)
    }

    fn link(&self, card: &Card) -> String {
        links::account(card.id.raw())
    }

    fn prospect_link(&self, prospect: &Untrusted) -> String {
        links::prospect(prospect.raw())
    }

    /// The page of the prospect whose whole id was looked for.
    fn whole_prospect(&self) -> Option<String> {
        super::is_id(&self.query.q).then(|| links::prospect(&self.query.q))
    }

    /// Which prospects the search finds.
    fn looked_for(&self) -> String {
        format!(
            "Found are prospects with campaign work or a suppression whose ids are the text or begin with it; and ids with the \
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
            (1, 0) => "1 account, and it can send".to_owned(),
            (1, _) => "1 account, and it cannot send".to_owned(),
            (all, _) => format!("{} accounts, {} of them can send", grouped(all), grouped(all - cannot)),
        };
        Some(format!("{who}. Slots taken today: {}.", sent.join(", ")))
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
    let (frame, fleet, found, cards, prospects) =
        console.turn(async |session| gather(&console, session, &wanted).await).await?;
    let groups = grouped_by_rank(&found, cards, fleet.as_deref());
    let page = AccountsPage {
        page: Page::new(&console, "accounts", frame, visitor, &uri).titled("Accounts"),
        flag,
        age_seconds: fleet.as_ref().map_or(0, |fleet| fleet.age_seconds(Instant::now())),
        fleet,
        prospects,
        groups,
        is_first: query.after.is_empty() && query.rank.is_empty(),
        next: found.next.as_ref().map(|place| query.link(&query.filter, &query.tier, Some(place))),
        looked: found.looked,
        query,
    };
    Ok(rendered(&page))
}

type Gathered = (Frame, Option<Arc<Fleet>>, Found, Vec<Card>, Vec<Untrusted>);

async fn gather(console: &Console, session: &Session, wanted: &Wanted<'_>) -> Result<Gathered> {
    let frame = session.console_frame().await?;
    let fleet = console.fleet(session).await?;
    let found = find(session, &frame, fleet.as_deref(), wanted).await?;
    let ids: Vec<String> = found.accounts.iter().map(|(_, id)| id.clone()).collect();
    let cards = session.account_list(&ids, frame.at.day()).await?;
    let asks_for_prospects = !wanted.text.is_empty() && wanted.flag == Flag::None && wanted.after.is_empty();
    let prospects = match asks_for_prospects {
        true => session.prospects_like(wanted.text, PROSPECTS_MAX).await?,
        false => Vec::new(),
    };
    Ok((frame, fleet, found, cards, prospects))
}

/// The cards in the order of the page, under the headings of their ranks.
fn grouped_by_rank(found: &Found, cards: Vec<Card>, fleet: Option<&Fleet>) -> Vec<(String, Vec<Card>)> {
    let mut groups: Vec<(i32, Vec<Card>)> = Vec::new();
    let mut cards: std::collections::HashMap<String, Card> =
        cards.into_iter().map(|card| (card.id.raw().to_owned(), card)).collect();
    for (rank, id) in &found.accounts {
        let Some(card) = cards.remove(id) else { continue };
        match groups.last_mut() {
            Some((last, group)) if last == rank => group.push(card),
            _ => groups.push((*rank, vec![card])),
        }
    }
    let is_alone = groups.len() == 1 && groups[0].0 == CALM;
    let heading = |rank: i32| match rank {
        0 => String::new(),
        CALM if is_alone => String::new(),
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
