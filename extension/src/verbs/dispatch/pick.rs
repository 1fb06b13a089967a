//! Which accounts to look at, holding them, and what each of them says before any prospect is asked
//! about.

use crate::gate::known_credits;
use crate::gate::rule::{Rule, ask};
use crate::postgres::clock;
use crate::postgres::error::Result;
use crate::postgres::ids::Id;
use crate::postgres::row::{Place, Row};
use crate::postgres::statement::Spi;
use crate::tables::accounts::held::Held;
use crate::tables::accounts::turns::{self, AllTurns};
use crate::tables::accounts::{AccountRow, read_columns};
use crate::tables::credits;
use crate::tables::events;
use crate::tables::journal;
use crate::tables::suppressions;
use crate::verbs::dispatch::Filter;
use crate::verbs::dispatch::due::{self, Cursor, Page};
use sendgate_decision::breaker::Reading;
use sendgate_decision::clock::{Day, Instant};
use sendgate_decision::gate::Verdict;
use sendgate_decision::names::{Action, OperationId, Reason};
use std::collections::{HashMap, HashSet};

/// Where the account is asked before any operation.
const NO_OPERATION: OperationId = [0; 16];

/// An account that is being looked at, and held for it: [`pick`] makes these, and nothing else.
pub(super) struct Visited {
    id: String,
    /// Its row, as it was when it was picked or as the call has written it since.
    pub row: AccountRow,
    /// Where its row lies, which is held there.
    pub at: Place,
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
///
/// # Errors
/// `SG301` when another session has a table locked for too long.
pub(super) fn pick(spi: &Spi, filter: &Filter<'_>, at: (&Cursor, Instant), limit: usize) -> Result<Picked> {
    let mut picking = Picking::new();
    let count = due::read(spi, filter, at, limit, &mut picking)?;
    let mut picked = picking.picked;
    if count < limit {
        picked.next = None;
    }
    Ok(picked)
}

/// A page that is being read.
struct Picking {
    picked: Picked,
    places: HashMap<String, usize>,
    seen: HashMap<(usize, Action), usize>,
}

impl Picking {
    fn new() -> Picking {
        let told = suppressions::changes();
        let picked = Picked { accounts: Vec::new(), pairs: Vec::new(), next: None, told };
        Picking { picked, places: HashMap::new(), seen: HashMap::new() }
    }
}

impl Page for Picking {
    fn holds(&self, account: &str) -> bool {
        self.places.contains_key(account)
    }

    fn add_account(&mut self, id: &str, columns: &mut Row) {
        let (at, turns) = (columns.place(), turns::unpack(columns.nullable()));
        let row = read_columns(columns);
        let id = id.to_owned();
        self.places.insert(id.clone(), self.picked.accounts.len());
        self.picked.accounts.push(Visited { id, row, at, evidence: false, first_expiry: None, turns });
    }

    fn add_ticket(&mut self, cursor: Cursor) {
        let Some(&account) = self.places.get(&cursor.account) else { return };
        if let Some(action) = Action::parse(&cursor.action) {
            let pairs = &mut self.picked.pairs;
            let pair = *self.seen.entry((account, action)).or_insert_with(|| {
                let (outlook, at) = (Outlook::Open(0), cursor.clone());
                pairs.push(Pair { account, action, outlook, at, tickets: Vec::new() });
                pairs.len() - 1
            });
            pairs[pair].tickets.push(cursor.ticket);
        }
        self.picked.next = Some(cursor);
    }
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

/// Counts the days before the rows' own and the attempts of that where a row does not know them yet. What is written
/// of such an account holds them.
fn count_days(spi: &Spi, picked: &mut Picked) {
    let uncounted = |(_, visited): &(usize, &Visited)| visited.row.account.sent_before.is_none();
    let uncounted: Vec<usize> =
        picked.accounts.iter().enumerate().filter(uncounted).map(|(i, _)| i).collect();
    let asked: Vec<(&str, Day)> =
        uncounted.iter().map(|&i| (picked.accounts[i].id(), picked.accounts[i].row.account.day)).collect();
    let counted = journal::many::recall(spi, &asked);
    for (i, recalled) in uncounted.into_iter().zip(counted) {
        picked.accounts[i].row.account.recall(&recalled);
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
