//! The flags that every command takes; each is also an environment variable.

use std::path::PathBuf;

use clap::Args;

use super::ConsoleMode;

/// The options that every command takes.
#[derive(Args, Clone, Debug, Default)]
pub struct Options {
    /// The database: postgres://user@host:5432/database, or libpq's key=value pairs. Every user
    /// of this machine can read a password in a flag; put it elsewhere. Give it several times, or
    /// several URLs in the variable, one a line, to serve several databases
    #[arg(long, global = true, value_name = "URL", env = "SENDGATED_DATABASE_URL", hide_env_values = true)]
    pub database_url: Vec<String>,
    /// File whose first line is the password. Otherwise PGPASSWORD, PGPASSFILE and ~/.pgpass are
    /// asked
    #[arg(long, global = true, value_name = "FILE", env = "SENDGATED_PASSWORD_FILE")]
    pub password_file: Option<PathBuf>,
    /// Where run serves the console, /metrics, /healthz and /readyz [default: 127.0.0.1:8787]
    #[arg(long, global = true, value_name = "HOST:PORT", env = "SENDGATED_LISTEN")]
    pub listen: Option<String>,
    /// Let --listen be an address that other machines reach. Needs --tokens-file; without signing in
    /// (or a token as Authorization: Bearer) only /healthz and /readyz are served then
    #[arg(long, global = true, env = "SENDGATED_LISTEN_ANYWHERE")]
    pub listen_anywhere: bool,
    /// How often run asks the database what is due, in seconds, from 0.005 to 60 [default: 3].
    /// Midnight is written down at most this late
    #[arg(long, global = true, value_name = "SECONDS", env = "SENDGATED_POLL")]
    pub poll: Option<f64>,
    /// Who sees the console: read-only = every visitor, and operators who are signed in can act;
    /// signed-in = only these operators; off = there is none [default: read-only]
    #[arg(long, global = true, value_name = "WHO", env = "SENDGATED_CONSOLE")]
    pub console: Option<ConsoleMode>,
    /// Who may sign in: a TOML file (chmod 600) with the table [tokens] and a line name = "token" for
    /// each operator; openssl rand -base64 24 makes one. Read at the start
    #[arg(long, global = true, value_name = "FILE", env = "SENDGATED_TOKENS_FILE")]
    pub tokens_file: Option<PathBuf>,
    /// Names under which the console is reached, behind a proxy say; addresses and localhost always work
    #[arg(
        long,
        global = true,
        value_name = "NAME,…",
        env = "SENDGATED_CONSOLE_HOSTS",
        value_delimiter = ','
    )]
    pub console_hosts: Vec<String>,
    /// Seconds after which an idle session ends [default: 1800]
    #[arg(long, global = true, value_name = "SECONDS", env = "SENDGATED_SESSION_IDLE_SECONDS",
          value_parser = clap::value_parser!(u32).range(1..=43_200))]
    pub session_idle_seconds: Option<u32>,
    /// TOML file with the same settings
    #[arg(long, global = true, value_name = "FILE", env = "SENDGATED_CONFIG")]
    pub config: Option<PathBuf>,
}
