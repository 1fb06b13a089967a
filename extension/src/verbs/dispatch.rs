//! `dispatch`: a worker's whole loop in one call.
//!
//! ```text
//! pick      due tickets, holding their accounts (due reads them); what each account says about itself
//! candidates  due enrollments of those that may send, campaign by campaign in turn, and what the journal says
//!           about their prospects; waiting reads them by index (walk), shares knows which campaigns are held back
//! plan      the same rule as reserve's, in memory, one enrollment after the other
//! write     straight into the tables, or a statement a table, in a subtransaction that is taken back if the plan was
//!           overtaken
//! tickets   when to look at each account again; queue holds and moves its tickets
//! ```

mod batch;
mod candidates;
mod due;
mod met;
mod paced;
mod pages;
mod pick;
mod plan;
mod queue;
mod requests;
mod shares;
mod straight;
mod tickets;
mod together;
mod visit;
mod waiting;
mod walk;
mod write;

use crate::gate::transaction;
use crate::postgres::clock;
use crate::postgres::error::Result;
use crate::postgres::function::{Answer, Args, sql_statements};
use crate::postgres::ids::Id;
use crate::postgres::jsonb::Jsonb;
use crate::postgres::param::params;
use crate::postgres::record;
use crate::postgres::statement::Spi;
use crate::tables::accounts;
use crate::tables::config;
use pgrx::pg_sys;
use sendgate_decision::clock::Instant;
use sendgate_decision::names::{Action, OperationId};
use visit::Visit;

sql_statements!(sendgate_dispatch, pg_finfo_sendgate_dispatch, dispatch);

/// Most slots of one call. A call holds its accounts until it ends; a thousand take some tens of
/// milliseconds, and no worker sends a thousand before they expire.
const OPERATIONS_MAX: i32 = 1_000;

/// What the worker wants work for.
#[derive(Clone, Copy)]
struct Filter<'a> {
    /// Only this action.
    pub action: Option<Action>,
    /// Only this account.
    pub account: Option<&'a str>,
    /// Only this campaign.
    pub campaign: Option<&'a str>,
}

/// A row of the answer: an enrollment that holds a slot.
struct Handed {
    /// The account to send through.
    pub account: String,
    /// The campaign.
    pub campaign: String,
    /// Whom to send to.
    pub prospect: String,
    /// What to send.
    pub action: Action,
    /// The operation that holds the slot.
    pub operation: OperationId,
    /// Until when the worker may call the provider.
    pub expires_at: Instant,
    /// Which attempt it is, from 1.
    pub attempt: i32,
    /// Which step of the campaign's work.
    pub step: i16,
    /// The payload of its enqueue.
    pub payload: Option<Jsonb>,
}

fn dispatch(args: &Args) -> Answer {
    let max = args.number(0, "max_operations", 1, OPERATIONS_MAX)? as usize;
    let filter = Filter {
        action: args.optional_action(1)?,
        account: args.optional_id(2, "account_id")?,
        campaign: args.optional_id(4, "campaign_id")?,
    };
    let request = args.optional_uuid(3);
    transaction::check("dispatch")?;
    let handed = Spi::connect(|spi| answer(spi, max, &filter, request))?;
    record::return_rows(args, &handed, |row| {
        params![
            row.account.as_str(),
            row.campaign.as_str(),
            row.prospect.as_str(),
            row.action.name(),
            row.operation,
            row.expires_at,
            row.attempt,
            i32::from(row.step),
            row.payload.as_ref()
        ]
        .to_vec()
    });
    Ok(Some(pg_sys::Datum::null()))
}

fn answer(spi: &Spi, max: usize, filter: &Filter<'_>, request: Option<Id>) -> Result<Vec<Handed>> {
    if let Some(account) = filter.account {
        accounts::read(account)?;
    }
    if let Some(request) = request
        && let Some(handed) = replay(spi, max, filter, request)?
    {
        return Ok(handed);
    }
    // It waits for no account, but a session that has a table locked, or a piece of work, keeps it waiting.
    let handed = spi.waiting(|| Visit::new(spi, max, filter).run())?;
    if let Some(request) = request {
        requests::remember(spi, request, max, filter, &handed, clock::now())?;
    }
    Ok(handed)
}

/// What the request got before, under the configuration as it is when the answer is given.
fn replay(spi: &Spi, max: usize, filter: &Filter<'_>, request: Id) -> Result<Option<Vec<Handed>>> {
    loop {
        let reading = config::read(spi);
        let handed = requests::replay(spi, request, max, filter, reading.config.paused(), clock::now())?;
        if handed.as_ref().is_none_or(Vec::is_empty) || reading.still_holds() {
            return Ok(handed);
        }
    }
}
