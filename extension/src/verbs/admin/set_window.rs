//! `set_window`, and reading a window's three arguments.

use crate::postgres::clock;
use crate::postgres::error::{Code, Error, Result};
use crate::postgres::function::{Answer, Args, VOID, sql_function};
use crate::postgres::param::{params, types};
use crate::postgres::statement::{Spi, Statement};
use crate::tables::accounts;
use crate::tables::accounts::held::Held;
use crate::tables::admin_log;
use crate::tables::dispatch_queue;
use pgrx::pg_sys;
use sendgate_decision::window::{Impossible, Window};
use serde_json::{Value, json};

sql_function!(sendgate_set_window, pg_finfo_sendgate_set_window, set_window);

static WRITE: Statement = Statement::new(
    "UPDATE sendgate.accounts a
     SET version = a.version OPERATOR(pg_catalog.+) 1, window_start = $2, window_end = $3, window_days = $4
     WHERE a.id OPERATOR(pg_catalog.=) $1",
    types![text, time, time, int2],
);

static READ: Statement = Statement::new(
    "SELECT pg_catalog.jsonb_build_object('window_start', a.window_start, 'window_end', a.window_end,
         'window_days', sendgate.window_days_array(a.window_days))::pg_catalog.text
     FROM sendgate.accounts a WHERE a.id OPERATOR(pg_catalog.=) $1",
    types![text],
);

/// The three arguments of a window, each given or not.
pub(super) struct Parts {
    start: Option<i64>,
    end: Option<i64>,
    days: Option<u8>,
}

impl Parts {
    /// Reads start, end and days from three arguments in a row.
    pub fn read(args: &Args, position: usize) -> Result<Parts> {
        let days: Option<Vec<Option<i32>>> = args.optional(position + 2);
        let days = days.as_deref().map(mask).transpose()?;
        Ok(Parts { start: args.time(position), end: args.time(position + 1), days })
    }

    /// The window of these parts over those of an earlier one; none when there are no parts at all.
    ///
    /// # Errors
    /// `SG006` when some parts are missing, or when there can be no such window.
    pub fn over(&self, earlier: Option<Window>) -> Result<Option<Window>> {
        let (start, end, days) = earlier.map_or((None, None, None), |window| {
            let (start, end, days) = window.parts();
            (Some(start), Some(end), Some(days))
        });
        match (self.start.or(start), self.end.or(end), self.days.or(days)) {
            (None, None, None) => Ok(None),
            (Some(start), Some(end), Some(days)) => Window::new(start, end, days).map(Some).map_err(describe),
            _ => Err(impossible(
                "window_start, window_end and window_days belong together",
                "Some of them are null, and the account has no window that they could change.",
            )),
        }
    }
}

fn mask(days: &[Option<i32>]) -> Result<u8> {
    let mut mask = 0u8;
    for day in days {
        match day {
            Some(day @ 1..=7) => mask |= 1 << (day - 1),
            Some(day) => {
                return Err(impossible(
                    &format!("window_days holds {day}"),
                    "Days are ISO: 1 = Monday to 7 = Sunday.",
                ));
            }
            None => {
                return Err(impossible(
                    "window_days holds a null",
                    "Days are ISO: 1 = Monday to 7 = Sunday.",
                ));
            }
        }
    }
    Ok(mask)
}

fn describe(problem: Impossible) -> Error {
    match problem {
        Impossible::TimeOutOfRange => {
            impossible("window_start is 24:00", "A window may end at 24:00 but not start there.")
        }
        Impossible::Empty => impossible(
            "window_start and window_end are the same",
            "Such a window could mean never or always; it is neither.",
        ),
        Impossible::Days => impossible("window_days is empty", "A window without a day never opens."),
    }
}

fn impossible(message: &str, detail: &str) -> Error {
    Error::new(
        Code::ImpossibleWindow,
        message,
        detail,
        "Write a window as time '09:00', time '17:00', '{1,2,3,4,5}'; one past midnight belongs to the day it starts. Three nulls in set_window remove it.",
    )
}

/// Writes the window of an account, or removes it.
pub(super) fn write(spi: &Spi, account: Held<'_>, window: Option<Window>) {
    let (start, end, days) = match window.map(|window| window.parts()) {
        Some((start, end, days)) => (Some(start), Some(end), Some(days)),
        None => (None, None, None),
    };
    let time = |micros: Option<i64>| micros.map(pg_sys::Datum::from);
    let id = params![account.id()][0];
    spi.run(&WRITE, &[id, time(start), time(end), days.map(|days| pg_sys::Datum::from(i16::from(days)))])
        .must_be(1, "accounts");
}

fn show(spi: &Spi, account: &str) -> Value {
    let text: Option<String> = spi.run(&READ, params![account]).first().and_then(|mut row| row.nullable());
    text.map_or(Value::Null, |text| serde_json::from_str(&text).unwrap_or_else(|_| json!(text)))
}

fn set_window(args: &Args) -> Answer {
    let account = args.id(0, "account_id")?;
    let window = Parts::read(args, 1)?.over(None)?;
    Spi::connect(|spi| {
        let (held, _) = accounts::hold(account)?;
        let before = show(spi, account);
        write(spi, held, window);
        dispatch_queue::wake(spi, held, None, clock::now());
        admin_log::write(spi, "set_window", Some(account), None, (before, show(spi, account)), None);
        Ok(())
    })?;
    VOID
}
