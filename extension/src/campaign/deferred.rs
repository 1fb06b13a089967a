//! `resume_deferred`: an account's deferred InMails become due now, breaker or not; where it is still
//! open they are skipped and deferred again.

use serde_json::{Value, json};

use crate::account_row;
use crate::clock;
use crate::enrollment;
use crate::entry::{Answer, Args, sql_function};
use crate::log;
use crate::statement::{IntoParam, Spi};

sql_function!(sendgate_resume_deferred, pg_finfo_sendgate_resume_deferred, resume_deferred);

fn resume_deferred(args: &Args) -> Answer {
    let account = args.id(0, "account_id")?;
    let released = Spi::connect(|spi| {
        account_row::hold(spi, account)?;
        let released = enrollment::release(spi, account, clock::now()) as i32;
        if released > 0 {
            let change = (Value::Null, json!({ "released": released }));
            log::admin(spi, "resume_deferred", Some(account), None, change, None);
        }
        Ok(released)
    })?;
    Ok(released.param())
}
