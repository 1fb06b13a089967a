//! The ids of a page of accounts, and where the next ones begin.

use std::collections::HashSet;

use crate::db::Session;
use crate::db::console::Frame;
use crate::db::console::accounts::{Flag, Walked};
use crate::db::console::fleet::{Fleet, IDS_MAX};
use crate::error::Result;

/// Most cards on one page.
const CARDS_MAX: usize = 24;
/// Accounts that a page looks at if a trouble is looked for: reading so many takes some ten milliseconds.
const LOOKED_AT_MAX: i64 = 5_000;
/// The same if a tier is looked for.
const OF_TIER_MAX: i64 = 20_000;
/// The same if a part of ids and names is looked for.
const SEARCHED_MAX: i64 = 100_000;

/// The rank of accounts without a trouble.
pub const CALM: i32 = 6;

/// The list that an address asks for.
#[derive(Clone, Copy)]
pub struct Wanted<'a> {
    /// The trouble.
    pub flag: Flag,
    /// The tier, or empty.
    pub tier: &'a str,
    /// A part of ids and names, or empty.
    pub text: &'a str,
    /// The rank of the account in `after`; 0: none is named.
    pub rank: i32,
    /// The account after which the page begins, or empty.
    pub after: &'a str,
    /// Whether an account of this id comes after the place, too: in a list of several databases, that of a later one.
    pub with_it: bool,
}

/// The accounts of a page and where the next ones begin.
#[derive(Default)]
pub struct Found {
    /// Each with its rank; 0 in the lists of a trouble, which have none.
    pub accounts: Vec<(i32, String)>,
    /// Rank and id after which the next page begins.
    pub next: Option<(i32, String)>,
    /// How many were looked at, if that is why the page ended.
    pub looked: Option<i64>,
}

impl Wanted<'_> {
    /// Whether it is the list of all accounts.
    pub fn is_all(&self) -> bool {
        self.flag == Flag::None && self.tier.is_empty() && self.text.is_empty()
    }

    /// The first id that may be next. In byte order no text lies between a text and the same text followed by U+0001.
    fn from(&self) -> String {
        match self.after {
            "" => String::new(),
            after if self.with_it => after.to_owned(),
            after => format!("{after}\u{1}"),
        }
    }
}

/// The ids of a page.
pub async fn find(
    session: &Session,
    frame: &Frame,
    fleet: Option<&Fleet>,
    wanted: &Wanted<'_>,
) -> Result<Found> {
    if wanted.flag == Flag::None {
        return with_problems_first(session, fleet, wanted).await;
    }
    let from = wanted.from();
    let rows_max = CARDS_MAX as i64 + 1;
    let what = (wanted.tier, wanted.text);
    if wanted.flag == Flag::Drifting {
        return Ok(of_walk(session.walk_drifting(frame.at.day(), what, &from, rows_max).await?));
    }
    // The first of each trouble are known already.
    let counted = fleet.and_then(|fleet| fleet.counted(wanted.flag)).filter(|_| what == ("", ""));
    if let Some(counted) = counted {
        let ids = counted.ids.as_deref().unwrap_or_default();
        let rest: Vec<String> = ids.iter().filter(|id| **id >= from).take(CARDS_MAX + 1).cloned().collect();
        if rest.len() > CARDS_MAX || (ids.len() as i64) < IDS_MAX {
            return Ok(of_walk(Walked { ids: rest, whole: true, ..Walked::default() }));
        }
    }
    Ok(of_walk(session.walk_accounts(wanted.flag, what, &from, LOOKED_AT_MAX, rows_max).await?))
}

/// All accounts, or those of a tier or with a text: those with a trouble, worst first, then the others by id.
async fn with_problems_first(session: &Session, fleet: Option<&Fleet>, wanted: &Wanted<'_>) -> Result<Found> {
    let worst = fleet.map_or(&[][..], |fleet| &fleet.totals.worst);
    let what = (wanted.tier, wanted.text);
    let mut accounts: Vec<(i32, String)> = Vec::new();
    // An address with an id alone leads to the others.
    let is_calm = wanted.rank == CALM || wanted.rank == 0 && !wanted.after.is_empty();
    if !is_calm {
        let place = (wanted.rank, wanted.after);
        let rest = worst.iter().filter(|(rank, id)| {
            let own = (*rank, id.as_str());
            own > place || wanted.with_it && own == place
        });
        if wanted.is_all() {
            accounts.extend(rest.take(CARDS_MAX + 1).cloned());
        } else {
            accounts.extend(rest.cloned());
            let ids: Vec<String> = accounts.iter().map(|(_, id)| id.clone()).collect();
            let belong = session.accounts_among(&ids, what, CARDS_MAX as i64 + 1).await?;
            let belong: HashSet<String> = belong.into_iter().collect();
            accounts.retain(|(_, id)| belong.contains(id));
        }
    }
    let mut looked = None;
    let mut next = None;
    if accounts.len() <= CARDS_MAX {
        let from = if is_calm { wanted.from() } else { String::new() };
        // As many as may be known already, and those of a page.
        let rows_max = (CARDS_MAX + 1 + worst.len()) as i64;
        let looks_at = match what {
            ("", "") => rows_max,
            (_, "") => OF_TIER_MAX,
            _ => SEARCHED_MAX,
        };
        let walked = session.walk_accounts(Flag::None, what, &from, looks_at, rows_max).await?;
        let known: HashSet<&String> = worst.iter().map(|(_, id)| id).collect();
        let calm = walked.ids.iter().filter(|id| !known.contains(id));
        accounts.extend(calm.take(CARDS_MAX + 1 - accounts.len()).map(|id| (CALM, id.clone())));
        if accounts.len() <= CARDS_MAX && !walked.whole {
            next = walked.last.map(|last| (CALM, last));
            looked = Some(walked.looked_at);
        }
    }
    if accounts.len() > CARDS_MAX {
        accounts.truncate(CARDS_MAX);
        next = accounts.last().cloned();
        looked = None;
    }
    Ok(Found { accounts, next, looked })
}

/// The page of a walk.
fn of_walk(mut walked: Walked) -> Found {
    let is_full = walked.ids.len() > CARDS_MAX;
    walked.ids.truncate(CARDS_MAX);
    let next =
        if is_full { walked.ids.last().cloned() } else { walked.last.clone().filter(|_| !walked.whole) };
    Found {
        looked: (!is_full && !walked.whole).then_some(walked.looked_at),
        next: next.map(|id| (0, id)),
        accounts: walked.ids.into_iter().map(|id| (0, id)).collect(),
    }
}

/// The pages of several databases as one, in the order of their places; `found` are in the order of the databases.
pub fn together(mut found: Vec<Found>) -> Together {
    if found.len() == 1 {
        let Found { accounts, next, looked } = found.remove(0);
        let accounts = accounts.into_iter().map(|place| (place, 0)).collect();
        return Together { accounts, next: next.map(|place| (place, 0)), looked };
    }
    // Of a database that stopped early, nothing is known behind the place where it did.
    let horizon = found.iter().enumerate().filter_map(|(n, of)| Some((of.next.clone()?, n))).min();
    let looked = found.iter().filter_map(|of| of.looked).sum();
    let of_each = found.into_iter().enumerate();
    let mut accounts: Vec<((i32, String), usize)> =
        of_each.flat_map(|(n, of)| of.accounts.into_iter().map(move |place| (place, n))).collect();
    accounts.sort();
    accounts.retain(|place| horizon.as_ref().is_none_or(|end| place <= end));
    let is_full = accounts.len() > CARDS_MAX;
    accounts.truncate(CARDS_MAX);
    let next = if is_full { accounts.last().cloned() } else { horizon };
    let ends_early = !is_full && next.is_some() && next.as_ref() != accounts.last();
    Together { looked: (ends_early && looked > 0).then_some(looked), next, accounts }
}

/// A page of accounts of several databases.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Together {
    /// Each with its rank and id, and the place of its database.
    pub accounts: Vec<((i32, String), usize)>,
    /// Rank, id and database after which the next page begins.
    pub next: Option<((i32, String), usize)>,
    /// How many were looked at, if that is why the page ended.
    pub looked: Option<i64>,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// A page of one database as `find` makes it: a few accounts after a place, and perhaps an early end.
    fn page(
        all: &[(i32, String)],
        after: Option<&((i32, String), usize)>,
        n: usize,
        at_most: usize,
    ) -> Found {
        let comes = |place: &&(i32, String)| {
            after.is_none_or(|(last, of)| if n > *of { **place >= *last } else { **place > *last })
        };
        let rest: Vec<(i32, String)> = all.iter().filter(comes).cloned().collect();
        let accounts: Vec<(i32, String)> = rest.iter().take(at_most).cloned().collect();
        let next = if rest.len() > at_most { accounts.last().cloned() } else { None };
        Found { looked: next.is_some().then_some(at_most as i64), next, accounts }
    }

    proptest! {
        #[test]
        fn page_after_page_shows_every_account_of_every_database_once_and_in_order(
            databases in prop::collection::vec(prop::collection::btree_map("[a-c]{1,3}", 1..4_i32, 0..40), 1..4),
            at_most in 1..30_usize,
        ) {
            let sorted = |ids: &BTreeMap<String, i32>| {
                let mut all: Vec<(i32, String)> = ids.iter().map(|(id, rank)| (*rank, id.clone())).collect();
                all.sort();
                all
            };
            let databases: Vec<Vec<(i32, String)>> = databases.iter().map(sorted).collect();
            let mut expected: Vec<((i32, String), usize)> = databases
                .iter()
                .enumerate()
                .flat_map(|(n, all)| all.iter().map(move |place| (place.clone(), n)))
                .collect();
            expected.sort();
            let (mut shown, mut after) = (Vec::new(), None);
            loop {
                let found = databases.iter().enumerate().map(|(n, all)| page(all, after.as_ref(), n, at_most));
                let one = together(found.collect());
                prop_assert!(one.accounts.len() <= CARDS_MAX);
                shown.extend(one.accounts);
                prop_assert!(shown.len() <= expected.len(), "it goes on for ever");
                match one.next {
                    Some(next) => after = Some(next),
                    None => break,
                }
            }
            prop_assert_eq!(shown, expected);
        }
    }

    #[test]
    fn a_page_says_where_the_next_begins() {
        let ids = |count: usize| (0..count).map(|n| format!("{n:03}")).collect::<Vec<_>>();
        let walked = |ids, whole| Walked { ids, looked_at: 5_000, last: Some("999".to_owned()), whole };
        let next = |ids, whole| of_walk(walked(ids, whole)).next.map(|(_, id)| id);
        assert_eq!(next(ids(CARDS_MAX), true), None);
        assert_eq!(next(ids(CARDS_MAX + 1), false), Some("023".to_owned()));
        assert_eq!(next(ids(3), false), Some("999".to_owned()));
        assert_eq!(next(ids(3), true), None);
    }

    #[test]
    fn filters_have_names_of_their_own() {
        assert!(Flag::ALL.iter().all(|flag| Flag::named(flag.name()) == Some(*flag)));
    }
}
