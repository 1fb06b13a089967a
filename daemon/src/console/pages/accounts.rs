//! The list of accounts: a card each, filtered and searched, in pages by id.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Query, State};
use axum::http::Uri;
use serde::Deserialize;

use super::{Answer, Page, percent, rendered};
use crate::console::lists::{self, List, ListQuery};
use crate::console::sessions::Visitor;
use crate::console::{Console, links};
use crate::db::Session;
use crate::db::console::Frame;
use crate::db::console::accounts::{Card, Filter, Range, Walked};
use crate::error::Result;

/// Most cards on one page.
const CARDS_MAX: usize = 24;

/// The filters: name in an address, label on the page.
const FILTERS: [(&str, &str, Filter); 5] = [
    ("", "All", Filter::Everybody),
    ("exhausted", "Credits exhausted", Filter::Exhausted),
    ("cooling", "Cooling down", Filter::Cooling),
    ("drifting", "Drifting", Filter::Drifting),
    ("not-connected", "Not connected", Filter::NotConnected),
];

/// The address's query.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct AccountsQuery {
    q: String,
    /// Not empty: the text is looked for anywhere in ids and names, and not only at the beginning of ids.
    anywhere: String,
    filter: String,
    after: String,
}

#[derive(Template)]
#[template(path = "accounts.html")]
struct AccountsPage {
    page: Page,
    search: String,
    filter: &'static str,
    filters: Vec<(&'static str, &'static str, String)>,
    cards: Vec<Card>,
    is_first: bool,
    first: String,
    /// The same search anywhere in ids and names, if only their beginnings were compared.
    elsewhere: Option<String>,
    next: Option<String>,
    looked: Option<i64>,
}

impl AccountsPage {
    fn bar(&self, card: &Card) -> i32 {
        percent(card.sent, card.cap)
    }

    fn link(&self, card: &Card) -> String {
        links::account(card.id.raw())
    }
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
    let (name, _, filter) =
        FILTERS.into_iter().find(|(name, ..)| *name == query.filter).unwrap_or(FILTERS[0]);
    let (frame, walked, anywhere, cards) =
        console.turn(async |session| gather(session, filter, &query).await).await?;
    let place = |after: &str| {
        let link = links::accounts(&query.q, name, after);
        if anywhere { format!("{link}&anywhere=1") } else { link }
    };
    let next = walked.next().map(|after| place(&after));
    let searches = !query.q.is_empty() && filter == Filter::Everybody;
    let page = AccountsPage {
        page: Page::new(&console, "accounts", frame, visitor, &uri).titled("Accounts"),
        filter: name,
        filters: FILTERS.map(|(name, label, _)| (name, label, links::accounts(&query.q, name, ""))).to_vec(),
        cards,
        is_first: query.after.is_empty(),
        first: place(""),
        elsewhere: (searches && !anywhere)
            .then(|| format!("{}&anywhere=1", links::accounts(&query.q, name, ""))),
        looked: walked.stopped_short().then_some(walked.looked_at),
        next,
        search: query.q,
    };
    Ok(rendered(&page))
}

async fn gather(
    session: &Session,
    filter: Filter,
    query: &AccountsQuery,
) -> Result<(Frame, Walked, bool, Vec<Card>)> {
    let frame = session.console_frame().await?;
    let before = end_of_prefix(&query.q);
    // In byte order no text lies between a text and the same text followed by U+0001.
    let from = if query.after.is_empty() { query.q.clone() } else { format!("{}\u{1}", query.after) };
    let range = Range { from: &from, before: before.as_deref() };
    let mut anywhere = !query.anywhere.is_empty() && !query.q.is_empty() && filter == Filter::Everybody;
    let cards_max = CARDS_MAX as i64 + 1;
    let mut walked = match anywhere {
        false => session.walk_accounts(filter, range, frame.at.day(), cards_max).await?,
        true => {
            let from = if query.after.is_empty() { "" } else { &from };
            session.search_accounts(&query.q, Range { from, before: None }, cards_max).await?
        }
    };
    // No id begins like that: the text may be a part of one, or of a name.
    if walked.ids.is_empty()
        && !anywhere
        && filter == Filter::Everybody
        && !query.q.is_empty()
        && query.after.is_empty()
    {
        anywhere = true;
        walked = session.search_accounts(&query.q, Range { from: "", before: None }, cards_max).await?;
    }
    let shown = &walked.ids[..walked.ids.len().min(CARDS_MAX)];
    let cards = session.account_list(shown, frame.at.day()).await?;
    Ok((frame, walked, anywhere, cards))
}

impl Walked {
    /// The id after which the next page begins; none if this is the last page.
    fn next(&self) -> Option<String> {
        if self.ids.len() > CARDS_MAX {
            return Some(self.ids[CARDS_MAX - 1].clone());
        }
        if self.stopped_short() { self.last.clone() } else { None }
    }

    /// Whether the page ended at the limit of rows to look at, and not at the last account.
    fn stopped_short(&self) -> bool {
        self.ids.len() <= CARDS_MAX && !self.whole
    }
}

/// The smallest text that sorts after all texts with this prefix; none if there is none.
fn end_of_prefix(prefix: &str) -> Option<String> {
    let mut characters: Vec<char> = prefix.chars().collect();
    while let Some(last) = characters.pop() {
        if let Some(greater) = after(last) {
            characters.push(greater);
            return Some(characters.into_iter().collect());
        }
    }
    None
}

/// The next character in byte order; surrogates are no characters.
fn after(c: char) -> Option<char> {
    if c == '\u{d7ff}' { Some('\u{e000}') } else { char::from_u32(c as u32 + 1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_a_range_of_ids() {
        for prefix in ["a", "acc-", "ü", "\u{d7ff}", "\u{e000}", "a\u{10ffff}", "\u{1}"] {
            let until = end_of_prefix(prefix).expect("an end");
            for id in [prefix.to_owned(), format!("{prefix}\u{1}"), format!("{prefix}\u{10ffff}\u{10ffff}")] {
                assert!(*prefix <= *id && id < until, "{prefix:?}: {id:?}");
            }
            assert!(!until.starts_with(prefix));
        }
        assert_eq!(end_of_prefix(""), None);
        assert_eq!(end_of_prefix("\u{10ffff}"), None);
    }

    #[test]
    fn a_page_says_where_the_next_begins() {
        let ids = |count: usize| (0..count).map(|n| format!("{n:03}")).collect::<Vec<_>>();
        let walked = |ids, whole| Walked { ids, looked_at: 5_000, last: Some("999".to_owned()), whole };
        assert_eq!(walked(ids(CARDS_MAX), true).next(), None);
        assert_eq!(walked(ids(CARDS_MAX + 1), false).next(), Some("023".to_owned()));
        assert_eq!(walked(ids(3), false).next(), Some("999".to_owned()));
        assert_eq!(walked(ids(3), true).next(), None);
    }
}
