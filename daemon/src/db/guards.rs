//! The triggers by which applications guard tables of their own, for `doctor`.

use super::Session;
use crate::error::Result;

/// Whether the extension can judge them: versions before 0.3.0 cannot.
const CAN_JUDGE: &str = "SELECT to_regclass('sendgate.guard_triggers') IS NOT NULL";

/// The triggers, with what is wrong with their declarations. Reading it fires none of them.
const GUARDS: &str = "SELECT g.function, g.trigger_name, format('%I.%I', g.schema_name, g.table_name),
       g.fault, g.detail, g.hint, g.advice
FROM sendgate.guard_triggers AS g
ORDER BY 3, 2";

/// A trigger of a table of an application.
#[derive(Clone, Debug)]
pub struct Guard {
    /// `guard_send` or `settle_send`.
    pub function: String,
    /// Its name.
    pub trigger: String,
    /// Its table, with the schema.
    pub table: String,
    /// What is wrong with its declaration, if something is.
    pub fault: Option<Fault>,
    /// Something that works, and may not be intended.
    pub advice: Option<String>,
}

/// Why every statement that fires a trigger fails.
#[derive(Clone, Debug)]
pub struct Fault {
    /// What is wrong.
    pub message: String,
    /// Why that is so.
    pub detail: String,
    /// How to declare it.
    pub hint: String,
}

impl Session {
    /// The triggers of applications' tables; none where the extension is older than these readings.
    pub async fn guards(&self) -> Result<Vec<Guard>> {
        let can_judge: bool = self.row("asking for guard_triggers", CAN_JUDGE, &[]).await?.get(0);
        if !can_judge {
            return Ok(Vec::new());
        }
        let rows = self.rows("reading triggers of applications", GUARDS, &[]).await?;
        let fault = |row: &tokio_postgres::Row| {
            row.get::<_, Option<String>>(3).map(|message| Fault {
                message,
                detail: row.get::<_, Option<String>>(4).unwrap_or_default(),
                hint: row.get::<_, Option<String>>(5).unwrap_or_default(),
            })
        };
        let guard = |row: &tokio_postgres::Row| Guard {
            function: row.get(0),
            trigger: row.get(1),
            table: row.get(2),
            fault: fault(row),
            advice: row.get(6),
        };
        Ok(rows.iter().map(guard).collect())
    }
}
