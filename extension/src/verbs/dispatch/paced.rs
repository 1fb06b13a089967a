//! Accounts with a pace of their own: one slot at a time, of the action granted longest ago.
//!
//! Tickets are in the order in which they fall due, which says nothing about that: actions of a paced account
//! mostly fall due together. So a call that meets one of them looks at all of them.

use crate::gate::rule::Rule;
use crate::postgres::error::Result;
use crate::postgres::ids::Id;
use crate::postgres::param::{Element, array, params, types};
use crate::postgres::statement::{Spi, Statement};
use crate::verbs::dispatch::candidates::Found;
use crate::verbs::dispatch::due::Cursor;
use crate::verbs::dispatch::pick::{self, Outlook, Pair, Picked, look_out};
use crate::verbs::dispatch::{Filter, Handed};
use sendgate_decision::clock::Instant;
use sendgate_decision::names::Action;
use std::collections::{HashMap, HashSet};

/// Most tickets of one account and action that are read here; others of them stay due.
const TICKETS_MAX: i64 = 8;

/// Due tickets of accounts that are held, whatever the action.
static TICKETS: Statement = Statement::new(
    "SELECT u.n::pg_catalog.int4, t.action, t.ticket_id
     FROM unnest($1::pg_catalog.text[]) WITH ORDINALITY AS u (account_id, n)
     CROSS JOIN unnest($2::pg_catalog.text[]) AS v (action)
     CROSS JOIN LATERAL (
         SELECT q.action, q.ticket_id FROM sendgate.dispatch_queue q
         WHERE q.account_id OPERATOR(pg_catalog.=) u.account_id AND q.action OPERATOR(pg_catalog.=) v.action
           AND q.due_at OPERATOR(pg_catalog.<=) $3
         LIMIT $4
     ) t",
    types![texts, texts, instant, int8],
);

/// Actions of paced accounts that had their turn in this call, and nothing to hand out.
pub(super) type Passed = HashSet<(String, Action)>;

/// Picks a page; of each paced account one action may send. Also returns the instant at which they were asked.
///
/// # Errors
/// As [`pick::pick`].
pub(super) fn pick(
    spi: &Spi,
    rule: &Rule,
    filter: &Filter<'_>,
    at: (&Cursor, Instant),
    tickets: usize,
    passed: &Passed,
) -> Result<(Picked, Instant)> {
    let mut picked = pick::pick(spi, filter, at, tickets)?;
    if filter.action.is_none() {
        complete(spi, &mut picked, at.1);
    }
    let now = pick::ask_accounts(spi, rule, &mut picked);
    line_up(&mut picked, passed);
    Ok((picked, now))
}

/// Adds the due tickets of paced accounts that lie behind the page, each beside the account's first.
fn complete(spi: &Spi, picked: &mut Picked, until: Instant) {
    let mut paced: Vec<usize> =
        (0..picked.accounts.len()).filter(|&i| picked.accounts[i].row.account.pace.is_set()).collect();
    // An action that the library does not know makes no pair.
    paced.retain(|i| picked.pairs.iter().any(|pair| pair.account == *i));
    if paced.is_empty() {
        return;
    }
    let rows = spi.run(
        &TICKETS,
        &[
            array(Element::Text, paced.iter().map(|&i| picked.accounts[i].id())),
            array(Element::Text, Action::ALL.iter().map(|action| action.name())),
            params![until][0],
            params![TICKETS_MAX][0],
        ],
    );
    let mut others: HashMap<(usize, Action), Vec<Id>> = HashMap::new();
    for mut row in rows.iter() {
        let account = paced[row.value::<i32>() as usize - 1];
        let action = row.one_of(Action::parse);
        others.entry((account, action)).or_default().extend(row.nullable_uuid());
    }
    for pair in &mut picked.pairs {
        if let Some(tickets) = others.remove(&(pair.account, pair.action)) {
            let known: HashSet<Id> = pair.tickets.iter().copied().collect();
            pair.tickets.extend(tickets.into_iter().filter(|ticket| !known.contains(ticket)));
        }
    }
    // Backwards, so that they stand behind the account's first in the order of their list.
    for (account, &action) in paced.iter().flat_map(|&i| Action::ALL.iter().rev().map(move |a| (i, a))) {
        let Some(tickets) = others.remove(&(account, action)) else { continue };
        let first = picked.pairs.iter().position(|pair| pair.account == account);
        let first = first.expect("an account without a pair was left out");
        let at = picked.pairs[first].at.clone();
        picked.pairs.insert(first + 1, Pair { account, action, outlook: Outlook::Open(0), at, tickets });
    }
}

/// Of the actions of a paced account that may send, all but the one granted longest ago stand behind; those
/// that had their turn in this call come last.
fn line_up(picked: &mut Picked, passed: &Passed) {
    for (i, visited) in picked.accounts.iter().enumerate() {
        let account = &visited.row.account;
        if !account.pace.is_set() {
            continue;
        }
        let is_open = |pair: &Pair| pair.account == i && matches!(pair.outlook, Outlook::Open(_));
        let open: Vec<usize> = (0..picked.pairs.len()).filter(|&p| is_open(&picked.pairs[p])).collect();
        let rank = |&p: &usize| {
            let action = picked.pairs[p].action;
            let had_its_turn = !passed.is_empty() && passed.contains(&(visited.id().to_owned(), action));
            (had_its_turn, account.last_granted_at[action.index()])
        };
        let first = open.iter().copied().min_by_key(rank);
        for p in open.into_iter().filter(|&p| Some(p) != first) {
            picked.pairs[p].outlook = Outlook::Behind;
        }
    }
}

/// After the page was handed out: who stood behind a grant is refused by the pace now. Where there was no grant,
/// an action that had its turn is passed over in the next round, unless work of it was moved: there may be more.
pub(super) fn take_turns(
    rule: &Rule,
    picked: &mut Picked,
    found: &mut Found,
    now: Instant,
    refused: &HashMap<usize, Option<Instant>>,
    handed: &[Handed],
    passed: &mut Passed,
) {
    let behind = |pair: &Pair| matches!(pair.outlook, Outlook::Behind);
    let waiting: HashSet<usize> = picked.pairs.iter().filter(|p| behind(p)).map(|p| p.account).collect();
    for p in 0..picked.pairs.len() {
        let Pair { account, action, .. } = picked.pairs[p];
        if !waiting.contains(&account) {
            continue;
        }
        let visited = &picked.accounts[account];
        if handed.iter().any(|row| row.account == visited.id()) {
            if behind(&picked.pairs[p]) {
                picked.pairs[p].outlook = look_out(rule, visited, action, now);
                found.looked_at[p] = true;
            }
        } else if found.looked_at[p] && matches!(picked.pairs[p].outlook, Outlook::Open(_)) {
            let had_work = found.candidates.iter().any(|candidate| candidate.pair == p);
            if !had_work || refused.contains_key(&p) {
                passed.insert((visited.id().to_owned(), action));
            }
        }
    }
}
