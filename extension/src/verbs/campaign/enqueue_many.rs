//! `enqueue_many`: a list of work in one call, a statement a table. A bad element stops none of the others.

use crate::postgres::arrivals;
use crate::postgres::clock;
use crate::postgres::error::{Code, Error, Result};
use crate::postgres::function::{
    Answer, Args, ID_CHARACTERS_MAX, check_text, finite_instant, null_argument, sql_statements, unknown_value,
};
use crate::postgres::jsonb::{self, Jsonb};
use crate::postgres::param::{Element, IntoParam, Param, array, params, types};
use crate::postgres::record;
use crate::postgres::row::Row;
use crate::postgres::statement::{Spi, Statement};
use crate::postgres::subtransaction::attempt_or_fail;
use crate::settle::batch::check_length;
use crate::tables::accounts;
use crate::tables::accounts::many::{Busy, hold};
use crate::tables::dispatch_queue;
use crate::tables::suppressions::{self, Suppressed};
use crate::verbs::campaign::work::{self, Work};
use pgrx::datum::TimestampWithTimeZone;
use pgrx::pg_sys;
use sendgate_decision::clock::Instant;
use sendgate_decision::names::Action;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

sql_statements!(sendgate_enqueue_many, pg_finfo_sendgate_enqueue_many, enqueue_many);

/// Most elements of one call: some tenths of a second, and at most 80 MB of payloads.
const ELEMENTS_MAX: usize = 10_000;

/// How often a list is put in anew because other sessions put in parts of it meanwhile.
const TRIES_MAX: usize = 8;

static KNOWN: Statement = Statement::new(
    "SELECT a.id FROM sendgate.accounts a WHERE a.id OPERATOR(pg_catalog.=) ANY ($1::pg_catalog.text[])",
    types![texts],
);

/// In the order of the arrays, which is the same for every call: two calls with the same work wait for each
/// other, and never both.
static INSERT: Statement = Statement::new(
    "INSERT INTO sendgate.enrollments (enqueued_at, changed_at, next_dispatch_at, is_connection, account_id,
         prospect_id, campaign_id, action, step, priority, payload)
     SELECT $1, $1, u.due_at, u.is_connection, u.account_id, u.prospect_id, u.campaign_id, u.action, u.step,
            u.priority, u.payload
     FROM unnest($2::pg_catalog.text[], $3::pg_catalog.text[], $4::pg_catalog.text[],
                            $5::pg_catalog.text[], $6::pg_catalog.int4[], $7::pg_catalog.timestamptz[],
                            $8::pg_catalog.bool[], $9::pg_catalog.int4[], $10::pg_catalog.jsonb[])
          AS u (account_id, prospect_id, campaign_id, action, step, due_at, is_connection, priority, payload)
     ON CONFLICT (account_id, prospect_id, campaign_id, action, step) DO NOTHING
     RETURNING account_id, prospect_id, campaign_id, action, step",
    types![instant, texts, texts, texts, texts, int4s, instants, bools, int4s, jsonbs],
);

const KEY_TYPES: &[pg_sys::Oid] = types![texts, texts, texts, texts, int4s];

/// Accounts of work that is there and whose connection flag is to become true.
static UNCONNECTED: Statement = Statement::new(
    "SELECT DISTINCT e.account_id
     FROM unnest($1::pg_catalog.text[], $2::pg_catalog.text[], $3::pg_catalog.text[],
                 $4::pg_catalog.text[], $5::pg_catalog.int4[])
          AS u (account_id, prospect_id, campaign_id, action, step)
     JOIN sendgate.enrollments e
         ON e.account_id OPERATOR(pg_catalog.=) u.account_id
            AND e.prospect_id OPERATOR(pg_catalog.=) u.prospect_id
            AND e.campaign_id OPERATOR(pg_catalog.=) u.campaign_id
            AND e.action OPERATOR(pg_catalog.=) u.action AND e.step OPERATOR(pg_catalog.=) u.step
     WHERE NOT e.is_connection",
    KEY_TYPES,
);

static CONNECT: Statement = Statement::new(
    "UPDATE sendgate.enrollments e SET is_connection = true
     FROM unnest($1::pg_catalog.text[], $2::pg_catalog.text[], $3::pg_catalog.text[],
                 $4::pg_catalog.text[], $5::pg_catalog.int4[])
          AS u (account_id, prospect_id, campaign_id, action, step)
     WHERE e.account_id OPERATOR(pg_catalog.=) u.account_id
       AND e.prospect_id OPERATOR(pg_catalog.=) u.prospect_id
       AND e.campaign_id OPERATOR(pg_catalog.=) u.campaign_id
       AND e.action OPERATOR(pg_catalog.=) u.action AND e.step OPERATOR(pg_catalog.=) u.step
       AND NOT e.is_connection",
    KEY_TYPES,
);

/// The arguments: arrays of the same length.
struct List {
    campaigns: Vec<Option<String>>,
    prospects: Vec<Option<String>>,
    accounts: Vec<Option<String>>,
    actions: Vec<Option<String>>,
    dispatch_ats: Option<Vec<Option<TimestampWithTimeZone>>>,
    are_connections: Option<Vec<Option<bool>>>,
    steps: Option<Vec<Option<i32>>>,
    payloads: Option<Vec<Option<Jsonb>>>,
    priorities: Option<Vec<Option<i32>>>,
}

impl List {
    fn read(args: &Args) -> Result<List> {
        let list = List {
            campaigns: args.required(0, "campaign_ids")?,
            prospects: args.required(1, "prospect_ids")?,
            accounts: args.required(2, "account_ids")?,
            actions: args.required(3, "actions")?,
            dispatch_ats: args.optional(4),
            are_connections: args.optional(5),
            steps: args.optional(6),
            payloads: jsonb::array(args, 7),
            priorities: args.optional(8),
        };
        let length = list.campaigns.len();
        if length > ELEMENTS_MAX {
            return Err(Error::new(
                Code::UnequalArrays,
                format!("campaign_ids has {length} elements"),
                format!("At most {ELEMENTS_MAX} pieces of work are put in by one call."),
                "Put them in by several calls; each is a transaction of its own.",
            ));
        }
        let lengths = [
            ("prospect_ids", Some(list.prospects.len())),
            ("account_ids", Some(list.accounts.len())),
            ("actions", Some(list.actions.len())),
            ("dispatch_ats", list.dispatch_ats.as_ref().map(Vec::len)),
            ("are_connections", list.are_connections.as_ref().map(Vec::len)),
            ("steps", list.steps.as_ref().map(Vec::len)),
            ("payloads", list.payloads.as_ref().map(Vec::len)),
            ("priorities", list.priorities.as_ref().map(Vec::len)),
        ];
        for (name, of) in lengths {
            check_length((name, of.unwrap_or(length)), ("campaign_ids", length))?;
        }
        Ok(list)
    }

    /// An element, checked as `enqueue` checks its arguments.
    fn work(&self, i: usize) -> Result<Work<'_>> {
        let action = self.actions[i].as_deref().ok_or_else(|| null_argument("action"))?;
        let at = self.dispatch_ats.as_ref().and_then(|all| all[i]);
        let payload = self.payloads.as_ref().and_then(|all| all[i].clone());
        Ok(Work {
            campaign: id(&self.campaigns[i], "campaign_id")?,
            prospect: id(&self.prospects[i], "prospect_id")?,
            account: id(&self.accounts[i], "account_id")?,
            action: Action::parse(action)
                .ok_or_else(|| unknown_value("action", action, &Action::allowed()))?,
            dispatch_at: at.map(|at| finite_instant(at.into(), "dispatch_at")).transpose()?,
            is_connection: given(&self.are_connections, i, false, "is_connection")?,
            step: work::step(given(&self.steps, i, 1, "step")?)?,
            payload: payload.map(work::payload).transpose()?,
            priority: work::priority(given(&self.priorities, i, 0, "priority")?)?,
        })
    }
}

fn id<'a>(id: &'a Option<String>, name: &str) -> Result<&'a str> {
    check_text(id.as_deref().ok_or_else(|| null_argument(name))?, name, ID_CHARACTERS_MAX)
}

/// An element of an array that has a default as a whole, but none for a single element.
fn given<T: Copy>(values: &Option<Vec<Option<T>>>, i: usize, default: T, name: &str) -> Result<T> {
    values.as_ref().map_or(Ok(default), |values| values[i].ok_or_else(|| null_argument(name)))
}

/// What becomes of an element.
enum Outcome {
    /// It is put in.
    New,
    /// The same work is there already, or stands before it in the list.
    Exists,
    /// Its account is not known.
    UnknownAccount,
    /// Its prospect is suppressed for good.
    Suppressed,
    /// `enqueue` would have raised this.
    Invalid(String),
}

impl Outcome {
    fn text(&self) -> String {
        match self {
            Outcome::New => "new".to_owned(),
            Outcome::Exists => "exists".to_owned(),
            Outcome::UnknownAccount => "unknown_account".to_owned(),
            Outcome::Suppressed => "suppressed".to_owned(),
            Outcome::Invalid(why) => format!("invalid: {why}"),
        }
    }
}

/// The key of an enrollment. Its order is the one in which every call puts work in.
type Key<'a> = (&'a str, &'a str, &'a str, &'a str, i16);

/// Work to be put in: the element that says so first, and whether one of the same calls it a connection.
struct Entry<'a> {
    element: usize,
    work: Work<'a>,
    is_connection: bool,
}

fn key<'a>(work: &Work<'a>) -> Key<'a> {
    (work.account, work.prospect, work.campaign, work.action.name(), work.step)
}

fn enqueue_many(args: &Args) -> Answer {
    let list = List::read(args)?;
    let outcomes = Spi::connect(|spi| enqueue(spi, &list))?;
    let rows: Vec<(i32, String)> = (1..).zip(outcomes.iter().map(Outcome::text)).collect();
    record::return_rows(args, &rows, |(element, result)| params![*element, result].to_vec());
    Ok(Some(pg_sys::Datum::null()))
}

fn enqueue(spi: &Spi, list: &List) -> Result<Vec<Outcome>> {
    let checked: Vec<Result<Work<'_>>> = (0..list.campaigns.len()).map(|i| list.work(i)).collect();
    let known = known(spi, &checked)?;
    let suppressed = suppressed(&checked)?;
    let mut entries: BTreeMap<Key<'_>, Entry<'_>> = BTreeMap::new();
    let mut outcomes = Vec::with_capacity(checked.len());
    for (element, checked) in checked.into_iter().enumerate() {
        outcomes.push(match checked {
            Err(why) => Outcome::Invalid(why.message().to_owned()),
            Ok(work) => match turn_away(&work, &known, &suppressed) {
                Some(outcome) => outcome,
                None => {
                    let is_connection = work.is_connection;
                    let entry = entries.entry(key(&work));
                    let entry = entry.or_insert(Entry { element, work, is_connection });
                    entry.is_connection |= is_connection;
                    Outcome::Exists
                }
            },
        });
    }
    for new in put_in(spi, &entries)? {
        outcomes[new] = Outcome::New;
    }
    Ok(outcomes)
}

/// Why sound work is not put in, whatever is there already.
fn turn_away(work: &Work<'_>, known: &HashSet<String>, suppressed: &HashSet<String>) -> Option<Outcome> {
    if !known.contains(work.account) {
        return Some(Outcome::UnknownAccount);
    }
    suppressed.contains(work.prospect).then_some(Outcome::Suppressed)
}

/// Which prospects of the list are suppressed for good.
fn suppressed(checked: &[Result<Work<'_>>]) -> Result<HashSet<String>> {
    let asked: BTreeSet<&str> = checked.iter().flatten().map(|work| work.prospect).collect();
    let found = suppressions::of_many(asked.iter().copied())?;
    let for_good = |found: &Option<Suppressed>| found.is_some_and(|found| found.rule.until.is_none());
    let of = asked.iter().zip(found).filter(|(_, found)| for_good(found));
    Ok(of.map(|(prospect, _)| (*prospect).to_owned()).collect())
}

/// Which accounts of the list there are. None of them is removed before the work is committed.
fn known(spi: &Spi, checked: &[Result<Work<'_>>]) -> Result<HashSet<String>> {
    let asked: BTreeSet<&str> = checked.iter().flatten().map(|work| work.account).collect();
    if asked.is_empty() {
        return Ok(HashSet::new());
    }
    for account in &asked {
        arrivals::lock(account)?;
    }
    let wanted = asked.len();
    let rows = spi.run_on_latest_snapshot(&KNOWN, &[array(Element::Text, asked)]);
    if rows.count() < wanted {
        accounts::must_be_plain();
    }
    Ok(rows.iter().map(|mut row| row.value()).collect())
}

/// Puts in what is not there yet; the elements that are new. The flags of what is there come first, because their
/// accounts are held for it, and no account is waited for by a session that others wait for.
fn put_in(spi: &Spi, entries: &BTreeMap<Key<'_>, Entry<'_>>) -> Result<Vec<usize>> {
    if entries.is_empty() {
        return Ok(Vec::new());
    }
    let flagged: Vec<Key<'_>> =
        entries.iter().filter(|(_, entry)| entry.is_connection).map(|(key, _)| *key).collect();
    if flagged.is_empty() {
        return insert(spi, entries);
    }
    for _ in 0..TRIES_MAX {
        connect(spi, &flagged)?;
        // What another session has put in since, without the flag, is connected by the next try.
        let put_in = attempt_or_fail(|| {
            let new = insert(spi, entries)?;
            let open = spi.run_on_latest_snapshot(&UNCONNECTED, &keys(&flagged)).count();
            Ok((open == 0).then_some(new))
        })?;
        if let Some(new) = put_in {
            return Ok(new);
        }
    }
    Err(Error::new(
        Code::Undecided,
        "the list cannot be put in while its work is being enqueued",
        format!(
            "{TRIES_MAX} times another session had enqueued some of it meanwhile, without the connection flag."
        ),
        "Nothing was changed: try again.",
    ))
}

/// Connects the work that is there already.
fn connect(spi: &Spi, flagged: &[Key<'_>]) -> Result<()> {
    let values = keys(flagged);
    let rows = spi.run_on_latest_snapshot(&UNCONNECTED, &values);
    let accounts: HashSet<String> = rows.iter().map(|mut row| row.value()).collect();
    if accounts.is_empty() {
        return Ok(());
    }
    let _held = hold(spi, accounts.iter().map(String::as_str), Busy::Wait)?;
    let of_held: Vec<Key<'_>> = flagged.iter().copied().filter(|key| accounts.contains(key.0)).collect();
    spi.write_on_latest_snapshot(&CONNECT, &keys(&of_held));
    Ok(())
}

/// Inserts the work and tells dispatch when to look; the elements that are new.
fn insert(spi: &Spi, entries: &BTreeMap<Key<'_>, Entry<'_>>) -> Result<Vec<usize>> {
    let now = clock::now();
    let due_at = |entry: &Entry<'_>| entry.work.dispatch_at.unwrap_or(now);
    let all: Vec<Key<'_>> = entries.keys().copied().collect();
    let of = || entries.values();
    let [account, prospect, campaign, action, step] = keys(&all);
    let values = [
        now.param(),
        account,
        prospect,
        campaign,
        action,
        step,
        array(Element::Timestamp, of().map(due_at)),
        array(Element::Bool, of().map(|entry| entry.is_connection)),
        array(Element::Int4, of().map(|entry| i32::from(entry.work.priority))),
        array(Element::Jsonb, of().map(|entry| entry.work.payload.as_ref())),
    ];
    let rows = spi.run_waiting(&INSERT, &values)?;
    let new: Vec<&Entry<'_>> = if rows.count() == entries.len() {
        of().collect()
    } else {
        let inserted = |mut row: Row| {
            let (account, prospect, campaign, action): (&str, &str, &str, &str) =
                (row.value(), row.value(), row.value(), row.value());
            entries.get(&(account, prospect, campaign, action, row.value()))
        };
        rows.iter().filter_map(inserted).collect()
    };
    let mut first: HashMap<(&str, Action), Instant> = HashMap::new();
    for entry in &new {
        let at = first.entry((entry.work.account, entry.work.action)).or_insert(Instant::MAX);
        *at = (*at).min(due_at(entry));
    }
    let mut due: Vec<_> = first.into_iter().map(|((account, action), at)| (account, action, at)).collect();
    due.sort_unstable();
    if !due.is_empty() {
        dispatch_queue::tickets_of_unheld(spi, &due);
    }
    Ok(new.iter().map(|entry| entry.element).collect())
}

/// Account, prospect, campaign, action and step, each as an array.
fn keys(of: &[Key<'_>]) -> [Param; 5] {
    [
        array(Element::Text, of.iter().map(|key| key.0)),
        array(Element::Text, of.iter().map(|key| key.1)),
        array(Element::Text, of.iter().map(|key| key.2)),
        array(Element::Text, of.iter().map(|key| key.3)),
        array(Element::Int4, of.iter().map(|key| i32::from(key.4))),
    ]
}
