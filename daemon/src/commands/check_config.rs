//! `check-config`: what the configuration says, and whether each database is there. It starts nothing.

use crate::config::Config;
use crate::db::Purpose;
use crate::db::served::{Reached, close, reach};
use crate::error::Result;
use crate::terminal::{Cell, Style, Tone, print, stripped, table};

/// Shows it. Answers whether every database can be asked and has the extension.
///
/// # Errors
///
/// [`Error::Usage`](crate::error::Error::Usage) if two of them are one database; with one database those of its
/// connection.
pub async fn show(config: &Config) -> Result<bool> {
    let listening = config.listen_addresses().await?;
    let reached = reach(&config.databases, Purpose::Command).await?;
    let mut well = true;
    let mut rows = Vec::with_capacity(reached.len());
    for one in &reached {
        let (is_well, row) = row(one).await;
        well &= is_well;
        rows.push(row);
    }
    close(reached).await;
    let style = Style::of_stdout();
    let databases =
        if rows.len() == 1 { "1 database".to_owned() } else { format!("{} databases", rows.len()) };
    let mut out = format!("{}\n", style.paint(&databases, Tone::Strong));
    out += &table(style, &["database", "place", "login", ""], &rows);
    let addresses: Vec<String> = listening.iter().map(ToString::to_string).collect();
    let webhooks = config.webhooks.len();
    out += &format!("\nlistens on {}; webhooks: {webhooks}\n", stripped(&addresses.join(", ")));
    print(&out);
    Ok(well)
}

/// A line of the list, and whether all is well with it.
async fn row(one: &Reached) -> (bool, Vec<Cell>) {
    let found = match &one.session {
        Ok(session) => session.extension_version().await.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    let (is_well, text) = match found {
        Ok(Some(version)) => (true, format!("sendgate {version}")),
        Ok(None) => (false, "the extension sendgate is not in this database".to_owned()),
        Err(error) => (false, format!("cannot be asked: {error}")),
    };
    let tone = if is_well { Tone::Good } else { Tone::Bad };
    let login = one.target.driver.get_user().unwrap_or_default();
    let cells = vec![
        Cell::text(&one.name),
        Cell::text(&one.target.place()),
        Cell::text(login),
        Cell::text(&text).in_tone(tone),
    ];
    (is_well, cells)
}
