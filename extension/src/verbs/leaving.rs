//! What leaves for ever: an account with all its rows, and who a prospect was.

mod forget_prospect;
mod remove_account;

use crate::postgres::error::{Code, Error, Result};
use crate::postgres::function::{Args, show_instant, shown};
use sendgate_decision::clock::Instant;

/// Most rows of one call.
const ROWS_MAX: i32 = 1_000_000;

fn max_rows(args: &Args, position: usize) -> Result<i64> {
    args.number(position, "max_rows", 1, ROWS_MAX).map(i64::from)
}

/// The error for what cannot leave yet. `what` is the account or the prospect.
fn under_way(what: &str, id: &str, until: Instant) -> Error {
    Error::new(
        Code::SendUnderWay,
        format!("a send is under way: {what} \"{}\"", shown(id)),
        format!(
            "An operation of this {what} is unresolved and in time until {}: a worker may be calling the provider.",
            show_instant(until)
        ),
        "Nothing was changed. Wait for its outcome, or for that instant, and call again.",
    )
}
