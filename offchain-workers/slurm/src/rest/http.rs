//! Requests to slurmrestd, bounded in time and size.

use std::{path::PathBuf, time::Duration};

use reqwest::{
    header::{HeaderValue, CONTENT_TYPE},
    Client, Method, Url,
};
use secrecy::{ExposeSecret, SecretString};

use super::token::Token;

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Where slurmrestd listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// `http://host:port` or `https://host:port`, with or without a path in front of slurmrestd's own.
    Url(String),
    /// A Unix socket, for a slurmrestd on this machine.
    Unix(PathBuf),
}

/// Why a request has no answer that could be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NoReply {
    /// Nothing was sent.
    NotSent(String),
    /// It was sent, or may have been; what became of it is not known.
    Lost(String),
}

/// An answer, whatever it says.
#[derive(Debug)]
pub(crate) struct Reply {
    pub status: u16,
    pub body: Vec<u8>,
}

/// A client of one slurmrestd.
#[derive(Debug)]
pub(crate) struct Http {
    client: Client,
    base: Url,
    timeout: Duration,
    max_body: usize,
}

impl Http {
    pub fn new(endpoint: &Endpoint, timeout: Duration, max_body: usize) -> Result<Self, String> {
        // Another part of the process may have installed one already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = Client::builder()
            // slurmrestd never redirects, and a token must not travel anywhere else.
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .connect_timeout(CONNECT_TIMEOUT);
        let base = match endpoint {
            Endpoint::Url(url) => {
                Url::parse(url).map_err(|e| format!("{url:?} is not a URL: {e}"))?
            }
            Endpoint::Unix(path) => {
                builder = builder.unix_socket(path.clone());
                Url::parse("http://localhost/").map_err(|e| e.to_string())?
            }
        };
        if !matches!(base.scheme(), "http" | "https") || base.host().is_none() {
            return Err(format!(
                "{base} must begin with http:// or https:// and name a host"
            ));
        }
        if !base.username().is_empty() || base.password().is_some() {
            return Err("the URL must not contain a password; tokens are configured apart".into());
        }
        let client = builder
            .build()
            .map_err(|e| format!("HTTP client: {}", chain(&e)))?;
        Ok(Self {
            client,
            base,
            timeout,
            max_body,
        })
    }

    /// Asks once. `query` is encoded here, `path` must be made of safe segments.
    pub async fn call(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        token: &Token,
        body: Option<Vec<u8>>,
    ) -> Result<Reply, NoReply> {
        let mut url = self.base.clone();
        url.set_path(&format!(
            "{}/{path}",
            self.base.path().trim_end_matches('/')
        ));
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let mut request = self
            .client
            .request(method, url)
            .timeout(self.timeout)
            .header("X-SLURM-USER-NAME", plain(&token.user)?)
            .header("X-SLURM-USER-TOKEN", secret(&token.text)?);
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, "application/json").body(body);
        }
        let mut response = request.send().await.map_err(|e| no_reply(&e))?;
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| no_reply(&e))? {
            if body.len().saturating_add(chunk.len()) > self.max_body {
                return Err(NoReply::Lost(format!(
                    "slurmrestd's answer is longer than {} bytes",
                    self.max_body
                )));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Reply { status, body })
    }
}

fn plain(text: &str) -> Result<HeaderValue, NoReply> {
    HeaderValue::from_str(text)
        .map_err(|_| NoReply::NotSent("the user's name cannot be put into a header".into()))
}

fn secret(text: &SecretString) -> Result<HeaderValue, NoReply> {
    let mut value = HeaderValue::from_str(text.expose_secret()).map_err(|_| {
        NoReply::NotSent("the token contains characters that no token has; write a new one".into())
    })?;
    value.set_sensitive(true);
    Ok(value)
}

fn no_reply(error: &reqwest::Error) -> NoReply {
    let text = format!("slurmrestd: {}", chain(error));
    if error.is_connect() || error.is_builder() {
        NoReply::NotSent(text)
    } else {
        NoReply::Lost(text)
    }
}

/// An error with its causes; reqwest's own text names only the outermost.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}
