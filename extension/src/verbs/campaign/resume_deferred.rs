//! `resume_deferred`: an account's deferred InMails become due now, breaker or not; where it is still
//! open they are skipped and deferred again. Work that was given up after too many attempts, or that
//! PostgreSQL refused, starts afresh; what waits for an outcome goes on waiting for it.

use crate::postgres::clock;
use crate::postgres::function::{Answer, Args, sql_function};
use crate::postgres::param::IntoParam;
use crate::postgres::statement::Spi;
use crate::tables::accounts;
use crate::tables::admin_log;
use crate::tables::enrollments;
use serde_json::{Value, json};

sql_function!(sendgate_resume_deferred, pg_finfo_sendgate_resume_deferred, resume_deferred);

fn resume_deferred(args: &Args) -> Answer {
    let account = args.id(0, "account_id")?;
    let released = Spi::connect(|spi| {
        let (held, _) = accounts::hold(account)?;
        let now = clock::now();
        let released = (enrollments::release(spi, held, now) + enrollments::unpark(spi, held, now)) as i32;
        if released > 0 {
            let change = (Value::Null, json!({ "released": released }));
            admin_log::write(spi, "resume_deferred", Some(account), None, change, None);
        }
        Ok(released)
    })?;
    Ok(released.param())
}
