//! `/metrics` and `/healthz`.

use anyhow::{Context, Result};
use axum::{extract::State, http::StatusCode, routing::get, Router};
use prometheus::{Encoder, Registry, TextEncoder};
use std::{net::SocketAddr, time::Duration};
use ve_provider::Health;

/// After this long without a decision the worker calls itself unhealthy.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is served.
#[derive(Clone)]
pub struct Served {
    /// Everything that is counted.
    pub registry: Registry,
    /// Health by role.
    pub roles: Vec<(&'static str, Health)>,
}

async fn metrics(State(served): State<Served>) -> Result<Vec<u8>, StatusCode> {
    let mut text = Vec::new();
    let encoded = TextEncoder::new().encode(&served.registry.gather(), &mut text);
    encoded.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(text)
}

async fn healthz(State(served): State<Served>) -> (StatusCode, String) {
    let mut status = StatusCode::OK;
    let mut roles = serde_json::Map::new();
    for (name, health) in &served.roles {
        let state = match health.check(PATIENCE) {
            Ok(()) => "ok".to_owned(),
            Err(reason) => {
                status = StatusCode::SERVICE_UNAVAILABLE;
                reason
            }
        };
        roles.insert((*name).to_owned(), state.into());
    }
    (status, format!("{}\n", serde_json::Value::Object(roles)))
}

/// Binds the address, then serves until the process ends. Returns the address that was really bound.
pub async fn serve(listen: SocketAddr, served: Served) -> Result<SocketAddr> {
    let app = Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(healthz))
        .with_state(served);
    let listener = tokio::net::TcpListener::bind(listen)
        .await
        .with_context(|| {
            format!("metrics.listen: {listen} cannot be bound; is another worker running?")
        })?;
    let bound = listener.local_addr()?;
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, app).await {
            tracing::error!(%error, "metrics and health are not served any more");
        }
    });
    Ok(bound)
}
