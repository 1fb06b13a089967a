//! A batch of answers, for `confirm_many`, `rollback_many` and `resolve_unresolved`: holds the accounts, reads the operations,
//! decides each element by the same rule as alone, and writes with one statement a table.
//!
//! All of it or nothing: one element that is wrong names its index and changes nothing.

use crate::postgres::clock;
use crate::postgres::error::{Code, Error, Result};
use crate::postgres::function::{Args, ID_CHARACTERS_MAX, check_text, null_argument};
use crate::postgres::ids::{self, Id};
use crate::postgres::statement::Spi;
use crate::settle::delivery::{self, Report};
use crate::tables::accounts::held::Held;
use crate::tables::accounts::many::Busy;
use crate::tables::accounts::{self, AccountRow};
use crate::tables::credits;
use crate::tables::enrollments;
use crate::tables::enrollments::many::Change;
use crate::tables::events::Event;
use crate::tables::journal::many::Settlement;
use crate::tables::journal::{self, ErrorNote, JournalRow};
use pgrx::datum::Uuid;
use sendgate_decision::account::Account;
use sendgate_decision::clock::Instant;
use sendgate_decision::names::{Action, OperationId, OperationState, Outcome};
use sendgate_decision::settle::Failure;
use std::collections::{BTreeMap, HashMap};

/// Most answers of one call: the accounts stay held until it ends.
pub const ANSWERS_MAX: usize = 10_000;

/// Whose answers they are: the two arrays that both functions begin with.
pub struct Keys {
    /// The accounts.
    pub accounts: Vec<String>,
    /// Their operations.
    pub operations: Vec<OperationId>,
}

impl Keys {
    /// Reads `account_ids` and `operation_ids`.
    pub fn read(args: &Args) -> Result<Keys> {
        let accounts: Vec<Option<String>> = args.required(0, "account_ids")?;
        let operations: Vec<Option<Uuid>> = args.required(1, "operation_ids")?;
        if accounts.len() > ANSWERS_MAX {
            return Err(Error::new(
                Code::UnequalArrays,
                format!("account_ids has {} elements", accounts.len()),
                format!("At most {ANSWERS_MAX} answers are settled in one call."),
                "Settle them in several calls; each is a transaction of its own.",
            ));
        }
        check_length(("operation_ids", operations.len()), ("account_ids", accounts.len()))?;
        let account = |(i, id): (usize, Option<String>)| {
            let id = id.ok_or_else(|| null_argument("account_id").at(i))?;
            check_text(&id, "account_id", ID_CHARACTERS_MAX).map_err(|error| error.at(i))?;
            Ok(id)
        };
        let operation = |(i, id): (usize, Option<Uuid>)| match id {
            Some(id) => Ok(*id.as_bytes()),
            None => Err(null_argument("operation_id").at(i)),
        };
        Ok(Keys {
            accounts: accounts.into_iter().enumerate().map(account).collect::<Result<_>>()?,
            operations: operations.into_iter().enumerate().map(operation).collect::<Result<_>>()?,
        })
    }

    /// An array that goes with them: none where it is NULL as a whole.
    pub fn optional<T>(&self, values: Option<Vec<Option<T>>>, name: &str) -> Result<Vec<Option<T>>> {
        let Some(values) = values else {
            return Ok(self.accounts.iter().map(|_| None).collect());
        };
        check_length((name, values.len()), ("account_ids", self.accounts.len()))?;
        Ok(values)
    }
}

/// Passes an array that is as long as another.
///
/// # Errors
/// `SG020`.
pub fn check_length((name, length): (&str, usize), (other, expected): (&str, usize)) -> Result<()> {
    if length == expected {
        return Ok(());
    }
    Err(Error::new(
        Code::UnequalArrays,
        format!("{name} has {length} elements, {other} has {expected}"),
        format!("Element {} of one has no partner in the other.", length.min(expected) + 1),
        "Pass arrays of the same length; an element may be NULL where the single function allows NULL.",
    ))
}

/// An account of a batch.
struct Entry<'a> {
    held: Held<'a>,
    row: AccountRow,
    /// Whether it is to be written.
    changed: bool,
}

/// Held accounts and their operations, changed in memory and written at the end.
pub struct Batch<'a> {
    spi: &'a Spi,
    keys: &'a Keys,
    /// When everything is decided.
    pub now: Instant,
    accounts: HashMap<&'a str, Entry<'a>>,
    rows: Vec<JournalRow>,
    /// The element that first names an operation, by account and operation.
    first: HashMap<(&'a str, OperationId), usize>,
    /// By the first element of each operation, so that every row is written once.
    settlements: BTreeMap<usize, Settlement<'a>>,
    enrollments: BTreeMap<usize, Change<'a>>,
}

impl<'a> Batch<'a> {
    /// Holds the accounts, in ascending order, and reads the operations as they are then.
    ///
    /// # Errors
    /// `SG101`, `SG102` for the first element whose account or operation is unknown; `SG301`.
    pub fn hold(spi: &'a Spi, keys: &'a Keys) -> Result<Batch<'a>> {
        let ids = keys.accounts.iter().map(String::as_str);
        let mut accounts: HashMap<&str, Entry<'_>> = accounts::many::hold(spi, ids, Busy::Wait)?
            .into_iter()
            .map(|(held, row)| (held.id(), Entry { held, row, changed: false }))
            .collect();
        for (i, account) in keys.accounts.iter().enumerate() {
            if !accounts.contains_key(account.as_str()) {
                return Err(accounts::unknown(account).at(i));
            }
        }
        let rows = journal::many::read(spi, &keys.accounts, &keys.operations)?;
        let mut first = HashMap::new();
        for (i, key) in keys.accounts.iter().zip(&keys.operations).enumerate() {
            first.entry((key.0.as_str(), *key.1)).or_insert(i);
        }
        let now = clock::now();
        for (id, entry) in &mut accounts {
            credits::roll(spi, id, &mut entry.row, now);
        }
        Ok(Batch {
            spi,
            keys,
            now,
            accounts,
            rows,
            first,
            settlements: BTreeMap::new(),
            enrollments: BTreeMap::new(),
        })
    }

    /// The operation of an element, as the elements before it left it.
    pub fn row(&self, i: usize) -> &JournalRow {
        &self.rows[self.place(i)]
    }

    fn place(&self, i: usize) -> usize {
        self.first[&(self.keys.accounts[i].as_str(), self.keys.operations[i])]
    }

    /// The account of an element, as the elements before it left it.
    pub fn account(&self, i: usize) -> &Account {
        &self.entry(i).row.account
    }

    /// How many InMails of an element's account are in flight beside it, as the elements before it left them.
    pub fn others_unanswered(&self, i: usize) -> i32 {
        let (account, op) = (self.keys.accounts[i].as_str(), &self.row(i).operation);
        let credits = self.account(i).credits;
        let in_journal = credits::others_unanswered(self.spi, account, credits, Some(op.id), self.now);
        // Those that this batch has settled are not written yet.
        let settled = self.settlements.values().filter(|settled| {
            let was = &settled.before;
            let in_flight =
                was.state.is_unresolved() && was.reserved_at <= self.now && was.expires_at > self.now;
            settled.account.id() == account
                && was.id != op.id
                && was.action == Action::Inmail
                && in_flight
                && !settled.state.is_unresolved()
        });
        in_journal.saturating_sub(settled.count() as i32)
    }

    /// The proof that the account of an element is held.
    pub fn held(&self, i: usize) -> Held<'a> {
        self.entry(i).held
    }

    fn entry(&self, i: usize) -> &Entry<'a> {
        &self.accounts[self.keys.accounts[i].as_str()]
    }

    /// Takes over what settling an element changes.
    pub fn settle(
        &mut self,
        i: usize,
        state: OperationState,
        outcome: Option<Outcome>,
        note: ErrorNote,
        account: Option<Account>,
    ) {
        if let (Some(account), Some(entry)) = (account, self.accounts.get_mut(self.keys.accounts[i].as_str()))
        {
            entry.row.account = account;
            entry.changed = true;
        }
        let (place, account) = (self.place(i), self.held(i));
        let row = &mut self.rows[place];
        let before = row.operation;
        (row.operation.state, row.operation.outcome) = (state, outcome);
        row.operation.settled_at = (!state.is_unresolved()).then_some(self.now);
        let (before, note) = match self.settlements.remove(&place) {
            Some(earlier) => (earlier.before, note.over(earlier.note)),
            None => (before, note),
        };
        self.settlements.insert(place, Settlement { account, before, state, outcome, note });
    }

    /// Settles an element as delivered; the id of its event, or none where it is not proven. The caller
    /// writes `events` after the batch.
    ///
    /// # Errors
    /// `SG202` for another chat id than its event has, `SG007` when it lies before the operation.
    pub fn deliver(
        &mut self,
        i: usize,
        report: &Report<'a>,
        note: &ErrorNote,
        events: &mut Vec<Event<'a>>,
    ) -> Result<Option<Id>> {
        let row = self.row(i);
        if row.event.is_some() {
            delivery::check_same_chat(row, report.operation, report.chat_id)?;
            return Ok(row.event);
        }
        let Some(planned) = delivery::plan(report, note, self.account(i), row, self.now)? else {
            delivery::warn_unproven(report);
            return Ok(None);
        };
        delivery::log_delivery(self.spi, self.held(i), row, self.account(i), &planned, self.now);
        let event = Event {
            id: ids::fresh(),
            account: self.held(i),
            operation: row.operation,
            prospect: row.prospect.clone(),
            campaign: row.campaign.clone(),
            chat_id: report.chat_id,
            occurred_at: planned.occurred_at,
        };
        let changes = planned.changes(self.account(i));
        let error = planned.note.message.clone().filter(|_| planned.unproven);
        if self.row(i).operation.state != OperationState::Delivered {
            self.enrollment(i, planned.unproven.then_some(Failure::UNPROVEN), error, None);
        }
        let settled = planned.settled;
        self.settle(i, settled.state, settled.outcome, planned.note, changes.then_some(settled.account));
        if planned.unproven {
            delivery::warn_unproven(report);
            return Ok(None);
        }
        let id = event.id;
        self.proven(i, id, report.chat_id);
        events.push(event);
        Ok(Some(id))
    }

    /// Takes over that an element's event was written.
    fn proven(&mut self, i: usize, event: Id, chat_id: Option<&str>) {
        let place = self.place(i);
        self.rows[place].event = Some(event);
        self.rows[place].chat_id = chat_id.map(str::to_owned);
    }

    /// Takes over what becomes of an element's enrollment; none = delivered.
    pub fn enrollment(
        &mut self,
        i: usize,
        failure: Option<Failure>,
        error: Option<String>,
        after: Option<Box<Account>>,
    ) {
        let row = self.row(i);
        let change = Change {
            account: self.held(i),
            operation: row.operation,
            prospect: row.prospect.clone(),
            // A delivery ends the campaign's work also where reserve took the slot.
            campaign: row.campaign.clone().filter(|_| row.step.is_some() || failure.is_none()),
            step: row.step,
            awaited: row.awaited,
            failure,
            error,
            after,
        };
        self.enrollments.insert(self.place(i), change);
    }

    /// Writes everything.
    pub fn write(self) {
        let changed = self.accounts.values().filter(|entry| entry.changed);
        let changed: Vec<(Held<'_>, &Account)> =
            changed.map(|entry| (entry.held, &entry.row.account)).collect();
        accounts::many::write(self.spi, &changed);
        let after = |account: Held<'_>| self.accounts[account.id()].row.account.clone();
        let enrollments: Vec<&Change<'_>> = self.enrollments.values().collect();
        enrollments::many::settle(self.spi, &enrollments, after, self.now);
        journal::many::settle(self.spi, self.settlements.values(), self.now);
    }
}

/// Names the element in an error about it.
pub fn at<T>(i: usize, result: Result<T>) -> Result<T> {
    result.map_err(|error| error.at(i))
}
