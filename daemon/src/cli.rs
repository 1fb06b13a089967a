//! The command line: options that all commands share, the commands, and the exit status.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::commands::{account, check_config, doctor, proxy_sql, run, status, tick};
use crate::config::Config;
use crate::config::options::Options;
use crate::config::redact::redact;
use crate::error::{Error, Result};
use crate::logging;
use crate::terminal::stripped;

/// Longest wait at the end for threads that still write.
const THREADS_END_WITHIN: Duration = Duration::from_millis(100);

const AFTER_HELP: &str = "\
First steps:
  export SENDGATED_DATABASE_URL=postgres://sendgated@db.example.org/app
  export PGPASSFILE=/etc/sendgated/pgpass    # or --password-file; never a password in a flag
  sendgated doctor                           # is everything as it should be? what to do if not
  sendgated run                              # until SIGTERM; run two for availability

The login needs the role sendgate_daemon (GRANT sendgate_daemon TO sendgated), and a direct
connection: a pooler in transaction mode breaks it. Several daemons and pg_cron may run at once.

TLS: sslmode, sslrootcert in the URL as with libpq. Without sslmode: verify-full, with the system's
authorities; none on loopback and Unix sockets.

Output of run: standard output has one JSON line for each set, clear and skip of a breaker
(\"source\":\"inmail_credit_breaker\"), and nothing else. Its own log is JSON on standard error
(\"source\":\"sendgated\"); SENDGATED_LOG=debug says more.

The console: open the address of --listen in a browser. To act on accounts, sign in:
  printf '[tokens]\nada = \"%s\"\n' \"$(openssl rand -base64 24)\" > tokens.toml; chmod 600 tokens.toml
  sendgated run --tokens-file tokens.toml

Flags win over the environment, the environment over the file. The file is TOML with the keys
database_url, password_file, listen, listen_anywhere, poll, console, tokens_file, console_hosts,
session_idle_seconds; a table [[webhook]] for each address that is told of events: url, events,
secret_file, format, name, retry_seconds, timeout_seconds.

Several databases: --database-url several times, several URLs in SENDGATED_DATABASE_URL, one a line, or
a table [[database]] for each in the file (url, name, password_file, poll) instead of database_url.
sendgated check-config shows the list.";

/// Keeps sendgate's books straight, prints its breaker's lines, and shows operators what happens.
#[derive(Debug, Parser)]
#[command(name = "sendgated", version, after_help = AFTER_HELP)]
struct Cli {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon: jobs, breaker lines, metrics, the console
    Run,
    /// Run once whatever is due, and end; status 1 if a job failed
    Tick,
    /// Show the accounts, the jobs and the open alerts
    Status(status::Arguments),
    /// Say of one account whether it can send now, and if not, until when, why, and what can be done
    Account(account::Arguments),
    /// Check the installation and say what to do; status 1 if something is to be done
    Doctor(doctor::Arguments),
    /// Read the configuration, ask each database who it is, show the list, and start nothing; status 2 if
    /// the configuration is wrong, 1 if a database cannot be asked
    CheckConfig,
    /// Print the script that makes an empty database a proxy in front of the databases, its partitions; status 1
    /// if something speaks against it
    ProxySql(proxy_sql::Arguments),
}

/// Reads the command line and runs the command. The exit status is 0 if all is well, 1 if not, 2 if the
/// command line or the configuration is wrong.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refused(&error),
    };
    // A command's result is on its output, so its log is for warnings only.
    logging::start(if matches!(cli.command, Command::Run) { "info" } else { "warn" });
    if let Some(error) = lost(&cli, std::env::args()) {
        return failed(&error);
    }
    if !cli.options.database_url.is_empty() && password_in_arguments(std::env::args()) {
        tracing::warn!(
            "a password on the command line can be read by every user of this machine; \
             use SENDGATED_DATABASE_URL, --password-file or PGPASSFILE"
        );
    }
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&Error::Usage(format!("cannot start: {error}"))),
    };
    let done = runtime.block_on(execute(cli));
    // A thread may be stuck in a write to a full pipe.
    runtime.shutdown_timeout(THREADS_END_WITHIN);
    done.unwrap_or_else(|error| failed(&error))
}

async fn execute(cli: Cli) -> Result<ExitCode> {
    let config = Config::read(&cli.options)?;
    let all_well = match cli.command {
        Command::Run => run::run(config).await.map(|()| true),
        Command::Tick => tick::tick(&config.databases).await,
        Command::Status(arguments) => status::show(&config.databases, &arguments).await,
        Command::Account(arguments) => account::show(&config.databases, &arguments).await,
        Command::Doctor(arguments) => doctor::examine(&config.databases, &config.webhooks, &arguments).await,
        Command::ProxySql(arguments) => proxy_sql::print(&config.databases, &arguments).await,
        Command::CheckConfig => check_config::show(&config).await,
    }?;
    Ok(if all_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Prints help and version, or the error of the command line, which may quote a URL.
fn refused(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    let rendered = error.render();
    let text =
        if std::io::stderr().is_terminal() { rendered.ansi().to_string() } else { rendered.to_string() };
    let _ = write!(std::io::stderr(), "{}", redact(&text));
    ExitCode::from(2)
}

fn failed(error: &Error) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "error: {}", stripped(&redact(&error.to_string())));
    match error {
        Error::Usage(_) => ExitCode::from(2),
        _ => ExitCode::FAILURE,
    }
}

/// The error of databases that are named before the command as well as after it: the parser keeps only the latter.
fn lost(cli: &Cli, arguments: impl Iterator<Item = String>) -> Option<Error> {
    let flag = |argument: &String| argument == "--database-url" || argument.starts_with("--database-url=");
    let named = arguments.take_while(|argument| argument != "--").filter(flag).count();
    (named > cli.options.database_url.len()).then(|| {
        Error::Usage(format!(
            "--database-url is given {named} times, on both sides of the command: give all of them after it"
        ))
    })
}

/// Whether some argument is, or holds, a connection string with a password.
fn password_in_arguments(arguments: impl Iterator<Item = String>) -> bool {
    arguments.skip(1).any(|argument| redact(&argument) != argument)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn passwords_in_arguments_are_noticed() {
        let arguments = |text: &'static str| ["sendgated", "run", text].map(str::to_owned).into_iter();
        assert!(password_in_arguments(arguments("--database-url=postgres://u:p@h/d")));
        assert!(password_in_arguments(arguments("host=h password=p")));
        assert!(!password_in_arguments(arguments("postgres://u@h/d")));
        assert!(!password_in_arguments(arguments("--password-file=/run/secret")));
    }
}
