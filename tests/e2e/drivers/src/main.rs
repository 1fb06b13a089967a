//! Does with tokio-postgres what its standard input says, a JSON line each, and answers with a line each:
//! `{"sql", "values", "name"}` asks, `{"rows"}` or `{"error"}` (a SQLSTATE) is the answer, and
//! `{"cancel": true}` cuts it short. For `tests/e2e/gate/test_drivers.py`.

use std::collections::HashMap;
use std::error::Error;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio_postgres::config::Host;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{CancelToken, Client, Config, NoTls, Row, Statement};

/// A cancel request has 16 bytes, of a newer protocol some hundred.
const MESSAGE_BYTES_MAX: usize = 1024;

type Prepared = Arc<Mutex<HashMap<String, Statement>>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let config: Config = std::env::var("DATABASE_URL")?.parse()?;
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    let (client, prepared) = (Arc::new(client), Prepared::default());
    let cancel = client.cancel_token();
    println!("{}", json!({"rows": []}));
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let asked: Value = serde_json::from_str(&line)?;
        if asked["cancel"] == true {
            cancel_and_wait(&config, &cancel).await?;
            continue;
        }
        let (client, prepared) = (client.clone(), prepared.clone());
        tokio::spawn(async move {
            let answer = match ask(&client, &prepared, &asked).await {
                Ok(rows) => json!({ "rows": rows }),
                Err(error) => {
                    json!({"error": error.code().map_or(error.to_string(), |code| code.code().to_owned())})
                }
            };
            println!("{answer}");
        });
    }
    Ok(())
}

/// `cancel_query` hangs up as soon as it has spoken, and PgBouncer then forgets what it was asked (1.18 does).
/// So this stays on the line until the other side has hung up, as libpq does.
async fn cancel_and_wait(config: &Config, cancel: &CancelToken) -> Result<(), Box<dyn Error>> {
    let (spoken, mut heard) = tokio::io::duplex(MESSAGE_BYTES_MAX);
    cancel.cancel_query_raw(spoken, NoTls).await?;
    let mut message = Vec::new();
    heard.read_to_end(&mut message).await?;
    let Some(Host::Tcp(host)) = config.get_hosts().first() else {
        return Err("no host in DATABASE_URL".into());
    };
    let port = config.get_ports().first().copied().unwrap_or(5432);
    let mut line = TcpStream::connect((host.as_str(), port)).await?;
    line.write_all(&message).await?;
    line.read_to_end(&mut Vec::new()).await?;
    Ok(())
}

/// Asks with a statement that is prepared under a name of the driver's own, or with one that has none. The
/// values are texts, and so are the columns.
async fn ask(
    client: &Client,
    prepared: &Prepared,
    asked: &Value,
) -> Result<Vec<Vec<Option<String>>>, tokio_postgres::Error> {
    let sql = asked["sql"].as_str().unwrap_or_default();
    let values: Vec<Option<&str>> =
        asked["values"].as_array().into_iter().flatten().map(Value::as_str).collect();
    let rows = if asked["name"].is_string() {
        let mut prepared = prepared.lock().await;
        if !prepared.contains_key(sql) {
            prepared.insert(sql.to_owned(), client.prepare(sql).await?);
        }
        let values: Vec<&(dyn ToSql + Sync)> =
            values.iter().map(|value| value as &(dyn ToSql + Sync)).collect();
        client.query(&prepared[sql], &values).await?
    } else {
        let values: Vec<(&(dyn ToSql + Sync), Type)> =
            values.iter().map(|value| (value as &(dyn ToSql + Sync), Type::TEXT)).collect();
        client.query_typed(sql, &values).await?
    };
    Ok(rows.iter().map(columns).collect())
}

fn columns(row: &Row) -> Vec<Option<String>> {
    (0..row.len()).map(|column| row.get(column)).collect()
}
