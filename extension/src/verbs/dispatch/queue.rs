//! Tickets that are held, and then moved or deleted.

use crate::postgres::ids::Id;
use crate::postgres::index_scan::{Lookup, key};
use crate::postgres::param::{Element, IntoParam, Param, array, params, types};
use crate::postgres::row::Place;
use crate::postgres::statement::{Spi, Statement};
use crate::postgres::table_write::{Table, Writing};
use crate::verbs::dispatch::pick::Picked;
use pgrx::pg_sys;
use sendgate_decision::clock::Instant;
use std::collections::{HashMap, HashSet};

/// The tickets of a pair.
static OF_PAIR: Lookup = Lookup::new(
    c"dispatch_queue",
    &[key::text(c"account_id"), key::text(c"action")],
    "ticket_id, due_at, ctid",
);

static QUEUE: Table = Table::changed_or_deleted(c"dispatch_queue", &[("due_at", pg_sys::TIMESTAMPTZOID)]);

const DUE_AT: usize = 0;

/// Locks the picked tickets that no enqueue holds. Locked tickets, and those that were added since the pick,
/// stay due. Also returns whether the pair has another due ticket.
static HOLD: Statement = Statement::new(
    "SELECT u.pair, q.ticket_id,
         EXISTS (
             SELECT FROM sendgate.dispatch_queue o
             WHERE o.account_id OPERATOR(pg_catalog.=) q.account_id AND o.action OPERATOR(pg_catalog.=) q.action
               AND o.ticket_id OPERATOR(pg_catalog.<>) q.ticket_id
               AND o.due_at OPERATOR(pg_catalog.<=) $5)
     FROM unnest($1::pg_catalog.int4[], $2::pg_catalog.text[], $3::pg_catalog.text[],
                 $4::pg_catalog.uuid[]) AS u (pair, account_id, action, ticket_id)
     JOIN sendgate.dispatch_queue q
         ON q.account_id OPERATOR(pg_catalog.=) u.account_id AND q.action OPERATOR(pg_catalog.=) u.action
            AND q.ticket_id OPERATOR(pg_catalog.=) u.ticket_id
            AND q.due_at OPERATOR(pg_catalog.<=) $5
     FOR UPDATE OF q SKIP LOCKED",
    types![int4s, texts, texts, uuids, instant],
);

const MOVE_TYPES: &[pg_sys::Oid] = types![texts, texts, uuids, instants];

static MOVE: Statement = Statement::new(
    "UPDATE sendgate.dispatch_queue q SET due_at = u.due_at
     FROM unnest($1::pg_catalog.text[], $2::pg_catalog.text[], $3::pg_catalog.uuid[],
                            $4::pg_catalog.timestamptz[])
          AS u (account_id, action, ticket_id, due_at)
     WHERE q.account_id OPERATOR(pg_catalog.=) u.account_id AND q.action OPERATOR(pg_catalog.=) u.action
       AND q.ticket_id OPERATOR(pg_catalog.=) u.ticket_id
       AND q.due_at OPERATOR(pg_catalog.<>) u.due_at",
    MOVE_TYPES,
);

static DROP: Statement = Statement::new(
    "DELETE FROM sendgate.dispatch_queue q
     USING unnest($1::pg_catalog.text[], $2::pg_catalog.text[], $3::pg_catalog.uuid[])
          AS u (account_id, action, ticket_id)
     WHERE q.account_id OPERATOR(pg_catalog.=) u.account_id AND q.action OPERATOR(pg_catalog.=) u.action
       AND q.ticket_id OPERATOR(pg_catalog.=) u.ticket_id",
    types![texts, texts, uuids],
);

/// A ticket that is held.
pub(super) struct Ticket {
    /// Its pair.
    pub pair: usize,
    id: Id,
    /// Where its row lies; none where statements write it.
    at: Option<Place>,
}

/// The tickets that are held.
pub(super) struct Tickets {
    /// Each of them.
    pub all: Vec<Ticket>,
    /// Pairs with another due ticket, so ours can be deleted. No session deletes the other one meanwhile,
    /// because the account is held.
    pub spare: HashSet<usize>,
    /// Pairs that have one.
    seen: HashSet<usize>,
    /// None where statements write them.
    queue: Option<Writing>,
}

impl Tickets {
    /// Holds those picked tickets of these pairs that no enqueue holds. On the latest snapshot: at REPEATABLE READ the
    /// transaction's own may show tickets that are gone.
    pub fn hold(spi: &Spi, picked: &Picked, pairs: &[usize], now: Instant) -> Tickets {
        let mut tickets =
            Tickets { all: Vec::new(), spare: HashSet::new(), seen: HashSet::new(), queue: None };
        match QUEUE.open_on_latest_snapshot() {
            Some(queue) => tickets.hold_straight(queue, picked, pairs, now),
            None => tickets.hold_by_statement(spi, picked, pairs, now),
        }
        tickets
    }

    fn hold_straight(&mut self, mut queue: Writing, picked: &Picked, pairs: &[usize], now: Instant) {
        for &i in pairs {
            let pair = &picked.pairs[i];
            let mut due: Vec<(Id, Place)> = Vec::new();
            OF_PAIR.each(params![picked.accounts[pair.account].id(), pair.action.name()], |row| {
                let (id, due_at, at) = (row.nullable_uuid().unwrap_or_default(), row.instant(), row.place());
                if due_at <= now {
                    due.push((id, at));
                }
                true
            });
            for &(id, at) in due.iter().filter(|(id, _)| pair.tickets.contains(id)) {
                // One that was moved past it meanwhile is not due any more.
                let is_due =
                    |queue: &Writing| queue.value(DUE_AT).is_some_and(|at| at.value() as i64 <= now.0);
                if queue.lock(at) && is_due(&queue) {
                    let ticket = Ticket { pair: i, id, at: Some(queue.place()) };
                    self.add(ticket, due.iter().any(|(other, _)| *other != id));
                }
            }
        }
        self.queue = Some(queue);
    }

    fn hold_by_statement(&mut self, spi: &Spi, picked: &Picked, pairs: &[usize], now: Instant) {
        let all: Vec<(usize, Id)> = pairs
            .iter()
            .flat_map(|&i| picked.pairs[i].tickets.iter().map(move |ticket| (i, *ticket)))
            .collect();
        let [accounts, actions] = keys(picked, all.iter().map(|(i, _)| *i));
        let values = [
            array(Element::Int4, all.iter().map(|(i, _)| *i as i32)),
            accounts,
            actions,
            array(Element::Uuid, all.iter().map(|(_, ticket)| *ticket)),
            params![now][0],
        ];
        for mut row in spi.write_on_latest_snapshot(&HOLD, &values).iter() {
            let (pair, id) = (row.value::<i32>() as usize, row.nullable_uuid().unwrap_or_default());
            self.add(Ticket { pair, id, at: None }, row.value());
        }
    }

    fn add(&mut self, ticket: Ticket, has_another: bool) {
        if self.seen.insert(ticket.pair) && has_another {
            self.spare.insert(ticket.pair);
        } else {
            self.spare.remove(&ticket.pair);
        }
        self.all.push(ticket);
    }

    /// Leaves them as they lie. They stay held.
    pub fn let_go(self) {
        if let Some(queue) = self.queue {
            queue.close();
        }
    }

    /// Of each pair one ticket is moved to when it is due, and the others are deleted; all of a pair that is not.
    pub fn write(self, spi: &Spi, picked: &Picked, due: &HashMap<usize, Option<Instant>>) {
        let mut first = HashSet::new();
        let due_at = |ticket: &Ticket| due.get(&ticket.pair).copied().flatten();
        let (mut kept, mut dropped): (Vec<Ticket>, Vec<Ticket>) =
            self.all.into_iter().partition(|ticket| due_at(ticket).is_some() && first.insert(ticket.pair));
        if let Some(mut queue) = self.queue {
            let mut is_moved = |ticket: &Ticket| {
                let (Some(at), Some(due_at)) = (ticket.at, due_at(ticket)) else { return false };
                if !queue.read(at) {
                    return false;
                }
                let is_there = queue.value(DUE_AT).is_some_and(|before| before.value() as i64 == due_at.0);
                queue.set(DUE_AT, due_at.param());
                is_there || queue.update()
            };
            kept.retain(|ticket| !is_moved(ticket));
            dropped.retain(|ticket| !ticket.at.is_some_and(|at| queue.delete(at)));
            queue.close();
        }
        let parts = |of: &[Ticket]| {
            let [accounts, actions] = keys(picked, of.iter().map(|ticket| ticket.pair));
            [accounts, actions, array(Element::Uuid, of.iter().map(|ticket| ticket.id))]
        };
        if !kept.is_empty() {
            let at = array(Element::Timestamp, kept.iter().map(due_at));
            let [accounts, actions, ids] = parts(&kept);
            spi.run(&MOVE, &[accounts, actions, ids, at]);
        }
        if !dropped.is_empty() {
            spi.run(&DROP, &parts(&dropped));
        }
    }
}

fn keys(picked: &Picked, pairs: impl Iterator<Item = usize> + Clone) -> [Param; 2] {
    let id = |i: usize| picked.accounts[picked.pairs[i].account].id();
    [
        array(Element::Text, pairs.clone().map(id)),
        array(Element::Text, pairs.map(|i| picked.pairs[i].action.name())),
    ]
}
