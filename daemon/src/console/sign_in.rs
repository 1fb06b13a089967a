//! Signing in with a token, which begins a session, and signing out, which ends it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use askama::Template;
use axum::Extension;
use axum::extract::{ConnectInfo, Form, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::access::set_cookie;
use super::pages::{Answer, Page, rendered};
use super::sessions::Visitor;
use super::{Console, csrf, links};

/// The address's query.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct SignInQuery {
    next: String,
}

/// The form that signs in.
#[derive(Deserialize)]
pub struct SignInForm {
    token: String,
    #[serde(default)]
    next: String,
}

/// The form that signs out.
#[derive(Deserialize)]
pub struct SignOutForm {
    csrf: String,
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage {
    page: Page,
    next: String,
    problem: Option<&'static str>,
}

/// Shows the form that asks for a token.
pub async fn ask(State(console): State<Arc<Console>>, Query(query): Query<SignInQuery>) -> Response {
    asked(&console, &query.next, None)
}

fn asked(console: &Console, next: &str, problem: Option<&'static str>) -> Response {
    let page =
        Page { title: "Sign in".to_owned(), can_sign_in: !console.tokens.is_empty(), ..Page::default() };
    rendered(&SignInPage { page, next: links::within(next).to_owned(), problem })
}

/// Begins a session if the token is right. Wrong tokens from one place are limited.
pub async fn sign_in(
    State(console): State<Arc<Console>>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    Form(form): Form<SignInForm>,
) -> Answer {
    if !console.attempts().begin(from.ip(), Instant::now()) {
        tracing::warn!(from = %from.ip(), "too many wrong tokens");
        let problem = Some("Too many wrong tokens came from there. Wait five minutes.");
        return Ok((StatusCode::TOO_MANY_REQUESTS, asked(&console, &form.next, problem)).into_response());
    }
    let Some((name, role)) = console.tokens.owner_of(&form.token) else {
        tracing::warn!(from = %from.ip(), "a wrong token");
        let problem = Some("No operator has this token.");
        return Ok((StatusCode::FORBIDDEN, asked(&console, &form.next, problem)).into_response());
    };
    console.attempts().was_right(from.ip());
    if let Some(before) = console.visitor(&headers) {
        console.sessions().end(&before);
    }
    let id = console.sessions().begin((name, role), Instant::now())?;
    tracing::info!(operator = name, from = %from.ip(), "signed in");
    let cookie = [(header::SET_COOKIE, set_cookie(&id, &headers))];
    Ok((cookie, Redirect::to(links::within(&form.next))).into_response())
}

/// Ends the session.
pub async fn sign_out(
    State(console): State<Arc<Console>>,
    Extension(visitor): Extension<Option<Visitor>>,
    headers: HeaderMap,
    Form(form): Form<SignOutForm>,
) -> Answer {
    let visitor = csrf::owner(visitor, &form.csrf)?;
    console.sessions().end(&visitor);
    tracing::info!(operator = visitor.name, "signed out");
    let cookie = [(header::SET_COOKIE, set_cookie("", &headers))];
    Ok((cookie, Redirect::to("/")).into_response())
}
