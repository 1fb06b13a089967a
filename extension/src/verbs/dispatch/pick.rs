//! Which accounts to look at, holding them, and what each of them says before any prospect is asked
//! about.

use crate::gate::known_credits;
use crate::gate::rule::{Rule, ask};
use crate::postgres::clock;
use crate::postgres::ids::Id;
use crate::postgres::param::{params, types};
use crate::postgres::row::Row;
use crate::postgres::statement::{Rows, Spi, Statement};
use crate::tables::accounts::held::Held;
use crate::tables::accounts::turns::{self, AllTurns};
use crate::tables::accounts::{AccountRow, account_columns, read_columns};
use crate::tables::credits;
use crate::tables::events;
use crate::tables::journal;
use crate::tables::suppressions;
use crate::verbs::dispatch::Filter;
use pgrx::pg_sys;
use sendgate_decision::breaker::Reading;
use sendgate_decision::clock::{Day, Instant};
use sendgate_decision::gate::Verdict;
use sendgate_decision::names::{Action, OperationId, Reason};
use std::collections::{HashMap, HashSet};

/// The columns of a ticket with its account, as [`read`] expects them.
macro_rules! picked_columns {
    () => {
        concat!("SELECT q.due_at, q.ticket_id, q.account_id, q.action, a.turns, ", account_columns!())
    };
}

/// Due tickets in their order, after the last one that was read.
macro_rules! after_the_last {
    () => {
        "q.due_at OPERATOR(pg_catalog.<=) $1
         AND (q.due_at, q.account_id, q.action, q.ticket_id) OPERATOR(pg_catalog.>) ($2, $3, $4, $5)"
    };
}

/// Accounts that another session holds are passed over, and no more are held than the page has. No session
/// waits here, so the order in which accounts are held is free.
macro_rules! hold {
    () => {
        " FOR NO KEY UPDATE OF a SKIP LOCKED"
    };
}

/// Where the account is asked before any operation.
const NO_OPERATION: OperationId = [0; 16];

const PICK_TYPES: &[pg_sys::Oid] = types![instant, instant, text, text, uuid, int8, text, text];

static PICK: Statement = Statement::new(
    concat!(
        picked_columns!(),
        " FROM sendgate.dispatch_queue q
          JOIN sendgate.accounts a ON a.id OPERATOR(pg_catalog.=) q.account_id
          WHERE ",
        after_the_last!(),
        " AND $7 IS NULL AND $8 IS NULL
          ORDER BY q.due_at, q.account_id, q.action, q.ticket_id LIMIT $6",
        hold!()
    ),
    PICK_TYPES,
);

/// The bounds are those of one index. Otherwise the planner may walk the tickets of all actions in order, which
/// looks as cheap to it, but is not if nearly all are of another action.
static PICK_OF_ACTION: Statement = Statement::new(
    concat!(
        picked_columns!(),
        " FROM sendgate.dispatch_queue q
          JOIN sendgate.accounts a ON a.id OPERATOR(pg_catalog.=) q.account_id
          WHERE (q.action, q.due_at) OPERATOR(pg_catalog.<=) ($7, $1)
            AND (q.action, q.due_at, q.account_id, q.ticket_id) OPERATOR(pg_catalog.>) ($7, $2, $3, $5)
            AND $8 IS NULL
          ORDER BY q.action, q.due_at, q.account_id, q.ticket_id LIMIT $6",
        hold!()
    ),
    PICK_TYPES,
);

/// Reads the account's few tickets and then sorts them. A walk over all due tickets in order, until one of this
/// account comes, is cheap only while there are few, as at the time when the plan is made.
static PICK_OF_ACCOUNT: Statement = Statement::new(
    concat!(
        picked_columns!(),
        " FROM (
              SELECT t.due_at, t.ticket_id, t.account_id, t.action FROM sendgate.dispatch_queue t
              WHERE t.account_id OPERATOR(pg_catalog.=) $8 OFFSET 0
          ) q
          JOIN sendgate.accounts a ON a.id OPERATOR(pg_catalog.=) q.account_id
          WHERE a.id OPERATOR(pg_catalog.=) $8
            AND (q.action OPERATOR(pg_catalog.=) $7 OR $7 IS NULL) AND ",
        after_the_last!(),
        " ORDER BY q.due_at, q.account_id, q.action, q.ticket_id LIMIT $6",
        hold!()
    ),
    PICK_TYPES,
);

const PICK_TYPES_OF_CAMPAIGN: &[pg_sys::Oid] =
    types![instant, instant, text, text, uuid, int8, text, text, text];

/// Tickets of accounts that have due work of the campaign. Only their accounts are held: other work waits
/// behind most tickets. OFFSET keeps it a look-up for each ticket, and not a reading of the whole campaign.
macro_rules! has_work_of_campaign {
    () => {
        " AND EXISTS (
              SELECT FROM sendgate.enrollments w
              WHERE w.account_id OPERATOR(pg_catalog.=) q.account_id AND w.action OPERATOR(pg_catalog.=) q.action
                AND w.campaign_id OPERATOR(pg_catalog.=) $9 AND w.next_dispatch_at OPERATOR(pg_catalog.<=) $1
              OFFSET 0)"
    };
}

static PICK_OF_CAMPAIGN: Statement = Statement::new(
    concat!(
        picked_columns!(),
        " FROM sendgate.dispatch_queue q
          JOIN sendgate.accounts a ON a.id OPERATOR(pg_catalog.=) q.account_id
          WHERE ",
        after_the_last!(),
        " AND (q.action OPERATOR(pg_catalog.=) $7 OR $7 IS NULL) AND $8 IS NULL",
        has_work_of_campaign!(),
        " ORDER BY q.due_at, q.account_id, q.action, q.ticket_id LIMIT $6",
        hold!()
    ),
    PICK_TYPES_OF_CAMPAIGN,
);

static PICK_OF_ACCOUNT_AND_CAMPAIGN: Statement = Statement::new(
    concat!(
        picked_columns!(),
        " FROM (
              SELECT t.due_at, t.ticket_id, t.account_id, t.action FROM sendgate.dispatch_queue t
              WHERE t.account_id OPERATOR(pg_catalog.=) $8 OFFSET 0
          ) q
          JOIN sendgate.accounts a ON a.id OPERATOR(pg_catalog.=) q.account_id
          WHERE a.id OPERATOR(pg_catalog.=) $8
            AND (q.action OPERATOR(pg_catalog.=) $7 OR $7 IS NULL) AND ",
        after_the_last!(),
        has_work_of_campaign!(),
        " ORDER BY q.due_at, q.account_id, q.action, q.ticket_id LIMIT $6",
        hold!()
    ),
    PICK_TYPES_OF_CAMPAIGN,
);

/// Where reading the tickets goes on.
#[derive(Clone)]
pub(super) struct Cursor {
    due_at: Instant,
    account: String,
    action: String,
    ticket: Id,
}

impl Cursor {
    /// Before the first ticket.
    pub fn start() -> Cursor {
        // The beginning of time as timestamptz has it.
        Cursor { due_at: Instant(i64::MIN), account: String::new(), action: String::new(), ticket: [0; 16] }
    }
}

/// An account that is being looked at, and held for it: [`pick`] makes these, and nothing else.
pub(super) struct Visited {
    id: String,
    /// Its row, as it was when it was picked or as the call has written it since.
    pub row: AccountRow,
    /// Whether the event log proves a delivery after its breaker's stamp.
    pub evidence: bool,
    /// When its first unanswered InMail expires, where its known credits are used up.
    pub first_expiry: Option<Instant>,
    /// Whose turn it is between campaigns that share it.
    pub turns: AllTurns,
}

impl Visited {
    /// Its id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The day that its slots count on.
    pub fn day(&self, now: Instant) -> Day {
        self.row.account.rolled(now).day
    }

    /// The proof that it is held.
    pub fn held(&self) -> Held<'_> {
        Held::by_statement(&self.id)
    }
}

/// What the account says about an action before any prospect is asked about.
pub(super) enum Outlook {
    /// It may send: this many slots are free.
    Open(i32),
    /// It may send, but another action of the account comes first: one at a time, by its pace.
    Behind,
    /// The breaker skips whatever is due.
    Skipping,
    /// A rule about the account refuses; the instant at which it stops refusing, if there is one.
    Refused(Reason, Option<Instant>),
    /// The rule cannot be asked, for this reason.
    Undecidable(String),
}

/// An account and an action with due tickets.
pub(super) struct Pair {
    /// Index of the account.
    pub account: usize,
    /// The action.
    pub action: Action,
    /// What the account says about it.
    pub outlook: Outlook,
    /// Where its first ticket lies.
    pub at: Cursor,
    /// Its tickets, as far as they were read.
    pub tickets: Vec<Id>,
}

/// The accounts that a page holds.
pub(super) struct Picked {
    /// The accounts, each once.
    pub accounts: Vec<Visited>,
    /// Their actions, in the order of the tickets.
    pub pairs: Vec<Pair>,
    /// Where to go on; none when that was all.
    pub next: Option<Cursor>,
    /// The number of the list of suppressions when the accounts were picked.
    pub told: u64,
}

/// Reads the next tickets that were due at `until`, and holds their accounts; accounts that another session
/// holds are left out. Tickets that are moved meanwhile lie behind `until`, so a round ends.
pub(super) fn pick(
    spi: &Spi,
    filter: &Filter<'_>,
    (from, until): (&Cursor, Instant),
    limit: usize,
) -> Picked {
    let statement = match filter {
        Filter { account: Some(_), campaign: Some(_), .. } => &PICK_OF_ACCOUNT_AND_CAMPAIGN,
        Filter { campaign: Some(_), .. } => &PICK_OF_CAMPAIGN,
        Filter { account: Some(_), .. } => &PICK_OF_ACCOUNT,
        Filter { action: Some(_), .. } => &PICK_OF_ACTION,
        _ => &PICK,
    };
    let values = params![
        until,
        from.due_at,
        &from.account,
        &from.action,
        from.ticket,
        limit as i64,
        filter.action.map(Action::name),
        filter.account,
        filter.campaign
    ];
    let values = if filter.campaign.is_some() { values } else { &values[..values.len() - 1] };
    let rows = spi.run(statement, values);
    let mut picked = read(&rows);
    if rows.count() < limit {
        picked.next = None;
    }
    picked
}

/// Asks the accounts about their actions; the instant, after they were held, at which they were asked.
pub(super) fn ask_accounts(spi: &Spi, rule: &Rule, picked: &mut Picked) -> Instant {
    let now = clock::now();
    find_evidence(spi, picked, now);
    count_days(spi, picked);
    count_credits(spi, picked, now);
    let Picked { accounts, pairs, .. } = picked;
    for pair in pairs {
        pair.outlook = look_out(rule, &accounts[pair.account], pair.action, now);
    }
    now
}

fn read(rows: &Rows<'_>) -> Picked {
    let told = suppressions::changes();
    let mut picked = Picked { accounts: Vec::new(), pairs: Vec::new(), next: None, told };
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut seen: HashMap<(usize, Action), usize> = HashMap::new();
    for mut columns in rows.iter() {
        let cursor = read_ticket(&mut columns);
        let account = *places.entry(cursor.account.clone()).or_insert_with(|| {
            let turns = turns::unpack(columns.nullable());
            let row = read_columns(&mut columns);
            picked.accounts.push(Visited {
                id: cursor.account.clone(),
                row,
                evidence: false,
                first_expiry: None,
                turns,
            });
            picked.accounts.len() - 1
        });
        if let Some(action) = Action::parse(&cursor.action) {
            let pair = *seen.entry((account, action)).or_insert_with(|| {
                let (outlook, at) = (Outlook::Open(0), cursor.clone());
                picked.pairs.push(Pair { account, action, outlook, at, tickets: Vec::new() });
                picked.pairs.len() - 1
            });
            picked.pairs[pair].tickets.push(cursor.ticket);
        }
        picked.next = Some(cursor);
    }
    picked
}

fn read_ticket(columns: &mut Row) -> Cursor {
    let due_at = columns.instant();
    let ticket = columns.nullable_uuid().unwrap_or_default();
    Cursor { due_at, ticket, account: columns.value(), action: columns.value() }
}

fn find_evidence(spi: &Spi, picked: &mut Picked, now: Instant) {
    let is_open = |visited: &Visited| {
        let account = &visited.row.account;
        matches!(account.breaker.read(account.credit_reset_day, now), Reading::Open { .. })
    };
    let inmails: HashSet<usize> =
        picked.pairs.iter().filter(|pair| pair.action == Action::Inmail).map(|pair| pair.account).collect();
    let open: Vec<usize> = inmails.into_iter().filter(|&i| is_open(&picked.accounts[i])).collect();
    if open.is_empty() {
        return;
    }
    let stamped = |&i: &usize| {
        let visited = &picked.accounts[i];
        (visited.id(), visited.row.account.breaker.exhausted_at)
    };
    let stamped: Vec<(&str, Option<Instant>)> = open.iter().map(stamped).collect();
    let proven = events::with_evidence(spi, &stamped, now);
    for i in open {
        let visited = &mut picked.accounts[i];
        visited.evidence = proven.contains(&visited.id);
    }
}

/// Counts the days before the rows' own where a row does not know them yet. What is written of such an account
/// holds them.
fn count_days(spi: &Spi, picked: &mut Picked) {
    let uncounted = |(_, visited): &(usize, &Visited)| visited.row.account.sent_before.is_none();
    let uncounted: Vec<usize> =
        picked.accounts.iter().enumerate().filter(uncounted).map(|(i, _)| i).collect();
    let asked: Vec<(&str, Day)> =
        uncounted.iter().map(|&i| (picked.accounts[i].id(), picked.accounts[i].row.account.day)).collect();
    let counted = journal::many::days_before(spi, &asked);
    for (i, before) in uncounted.into_iter().zip(counted) {
        picked.accounts[i].row.account.sent_before = Some(before);
    }
}

/// Carries known credits over a period's start, and looks for InMails in flight where they are used up. What is
/// written of such an account holds them.
fn count_credits(spi: &Spi, picked: &mut Picked, now: Instant) {
    let Picked { accounts, pairs, .. } = picked;
    for pair in pairs.iter().filter(|pair| pair.action == Action::Inmail) {
        let Visited { id, row, first_expiry, .. } = &mut accounts[pair.account];
        credits::roll(spi, id, row, now);
        *first_expiry = credits::first_expiry(spi, id, row, now);
    }
}

/// What an account that is held says about an action.
pub(super) fn look_out(rule: &Rule, visited: &Visited, action: Action, now: Instant) -> Outlook {
    let mut account = visited.row.account.clone();
    let asked = match ask(rule, visited.id(), &visited.row, visited.evidence, action, now) {
        Ok(asked) => asked,
        Err(why) => return Outlook::Undecidable(why.message().to_owned()),
    };
    asked.in_flight_until(visited.first_expiry);
    loop {
        match asked.decide(&account, NO_OPERATION, None, None, None) {
            Verdict::ClearBreaker(_) => {
                account.breaker.clear(now);
            }
            Verdict::ArmBreaker => known_credits::arm(&mut account, now),
            Verdict::NeedsPeriod => return Outlook::Refused(Reason::CreditsExhausted, None),
            Verdict::NeedsCount => return Outlook::Refused(Reason::WeeklyCapReached, None),
            Verdict::Grant(_) if asked.takes_one_at_a_time(&account) => return Outlook::Open(1),
            Verdict::Grant(grant) => return Outlook::Open(grant.counts.remaining.saturating_add(1)),
            // Without a stamp it only waits for the InMails that are in flight.
            Verdict::Refuse(refusal)
                if refusal.reason == Reason::CreditsExhausted && account.breaker.exhausted_at.is_some() =>
            {
                return Outlook::Skipping;
            }
            Verdict::Refuse(refusal) => return Outlook::Refused(refusal.reason, refusal.retry_at),
        }
    }
}
