//! Accepts connections: a limited number at a time, each for a limited time.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tower_service::Service;

use crate::shutdown::Shutdown;

/// Connections at the same time; more wait until one ends. Each may hold a page of some hundred kilobytes,
/// and all of them together have to fit into the daemon's few megabytes.
const CONNECTIONS_MAX: usize = 64;
/// Longest time for a client to send the head of a request, also of its next one.
const HEAD_WITHIN: Duration = Duration::from_secs(10);
/// After this time a connection takes no other request, so that no client keeps others out for long.
const CONNECTION_WITHIN: Duration = Duration::from_secs(60);
/// A request that is being answered then still gets its answer within this time: a browser that loses its
/// connection in mid-answer sends its form once more.
const ANSWERED_WITHIN: Duration = Duration::from_secs(25);
/// Longest head of a request, in bytes: an address holds ids of 128 characters, each up to twelve bytes.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Longest wait for requests that are being answered at shutdown; a client that never sends the end of its
/// request must not hold it up.
const FINISH_WITHIN: Duration = Duration::from_secs(2);
/// Pause after an error of accept: no file descriptor is free, for example.
const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(200);

/// Serves until it is told to stop.
pub async fn serve(listener: TcpListener, app: Router, mut shutdown: Shutdown) {
    let free = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        let taken = tokio::select! {
            taken = take(&listener, &free) => taken,
            () = shutdown.wait() => break,
        };
        while connections.try_join_next().is_some() {}
        match taken {
            Ok((stream, from, place)) => {
                let (app, shutdown) = (app.clone(), shutdown.clone());
                connections.spawn(async move {
                    let both = CONNECTION_WITHIN + ANSWERED_WITHIN;
                    let _ = timeout(both, answer(stream, from, app, shutdown, CONNECTION_WITHIN)).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be taken");
                shutdown.sleep(ACCEPT_AGAIN_AFTER).await;
            }
        }
    }
    drop(listener);
    let _ = timeout(FINISH_WITHIN, async { while connections.join_next().await.is_some() {} }).await;
    connections.shutdown().await;
}

/// The next connection, once there is a place for it.
async fn take(
    listener: &TcpListener,
    free: &Arc<Semaphore>,
) -> std::io::Result<(TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
    let place = free.clone().acquire_owned().await.map_err(std::io::Error::other)?;
    let (stream, from) = listener.accept().await?;
    Ok((stream, from, place))
}

/// Answers the requests of one connection, and takes new ones for at most `within`.
async fn answer(stream: TcpStream, from: SocketAddr, app: Router, mut shutdown: Shutdown, within: Duration) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: Request<Incoming>| {
        let mut app = app.clone();
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(from));
        async move { Ok::<_, Infallible>(app.call(request).await.unwrap_or_else(|never| match never {})) }
    });
    let mut connection = std::pin::pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_WITHIN)
            .max_buf_size(HEAD_BYTES_MAX)
            .serve_connection(TokioIo::new(stream), service)
    );
    // An error is the client's: it went away, or sent no HTTP.
    tokio::select! {
        _ = connection.as_mut() => return,
        () = shutdown.wait() => (),
        () = sleep(within) => (),
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::shutdown;

    #[tokio::test]
    async fn an_answer_that_was_begun_is_ended_and_no_other_request_is_taken() {
        const WITHIN: Duration = Duration::from_millis(500);
        let app = Router::new().route(
            "/",
            get(|| async {
                sleep(4 * WITHIN).await;
                "all of it"
            }),
        );
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (_stopper, shutdown) = shutdown::channel();
        let served = tokio::spawn(async move {
            let (stream, from) = listener.accept().await.expect("a connection");
            answer(stream, from, app, shutdown, WITHIN).await;
        });
        let mut client = TcpStream::connect(address).await.expect("a connection");
        let request = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";
        client.write_all(&[&request[..], request].concat()).await.expect("to write");
        let mut said = String::new();
        client.read_to_string(&mut said).await.expect("an end");
        assert!(said.starts_with("HTTP/1.1 200") && said.ends_with("all of it"), "{said}");
        assert_eq!(said.matches("HTTP/1.1").count(), 1);
        served.await.expect("no panic");
    }
}
