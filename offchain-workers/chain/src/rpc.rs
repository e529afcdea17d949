//! One JSON-RPC connection that repairs itself.
//!
//! A request made while the connection is down opens a new one, once, and fails if that fails: patience is the
//! caller's, who knows what may wait. A new connection is used only after the node has shown the expected genesis.

use crate::{chain::Timeouts, error::ChainError};
use futures::StreamExt;
use sp_core::H256;
use std::{sync::Arc, time::Duration};
use subxt::{
    config::RpcConfigFor,
    ext::jsonrpsee::{
        core::{
            client::{
                Client, ClientT, Error as JsonRpcError, SubscriptionClientT, SubscriptionKind,
            },
            traits::ToRpcParams,
        },
        types::SubscriptionId,
        ws_client::{PingConfig, WsClientBuilder},
    },
    rpcs::{
        client::{RawRpcFuture, RawRpcSubscription, RawValue, RpcClientT},
        Error as RpcError, LegacyRpcMethods, RpcClient,
    },
    SubstrateConfig,
};
use tokio::sync::Mutex;

pub(crate) type Methods = LegacyRpcMethods<RpcConfigFor<SubstrateConfig>>;

/// Largest answer that is taken: metadata and full blocks are a few megabytes.
const MAX_RESPONSE: u32 = 64 * 1024 * 1024;

/// Why the connection gave no answer; travels inside `RpcError::Client`.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error("{0}")]
    Lost(String),
    #[error("no answer to {method} within {after:?}")]
    Silent { method: String, after: Duration },
    #[error("wrong genesis {found:?}, expected {expected:?}")]
    WrongGenesis { expected: H256, found: H256 },
}

fn fault(fault: Fault) -> RpcError {
    RpcError::Client(Box::new(fault))
}

struct Inner {
    url: String,
    timeouts: Timeouts,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    client: Option<Arc<Client>>,
    genesis: Option<H256>,
}

/// The connection. Clones share it.
#[derive(Clone)]
pub(crate) struct Rpc(Arc<Inner>);

impl std::fmt::Debug for Rpc {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rpc").field("url", &self.0.url).finish()
    }
}

struct Params(Option<Box<RawValue>>);

impl ToRpcParams for Params {
    fn to_rpc_params(self) -> Result<Option<Box<RawValue>>, serde_json::Error> {
        Ok(self.0)
    }
}

impl Rpc {
    /// Checks the URL; connects to nothing yet.
    pub fn new(
        url: &str,
        timeouts: Timeouts,
        expected_genesis: Option<H256>,
    ) -> Result<Self, ChainError> {
        let address = url
            .strip_prefix("ws://")
            .or_else(|| url.strip_prefix("wss://"))
            .ok_or_else(|| ChainError::BadUrl {
                url: url.into(),
                reason: "it must begin with ws:// or wss://".into(),
            })?;
        if address.trim_matches('/').is_empty() || address.chars().any(char::is_whitespace) {
            return Err(ChainError::BadUrl {
                url: url.into(),
                reason: "it names no host".into(),
            });
        }
        let state = State {
            client: None,
            genesis: expected_genesis,
        };
        Ok(Self(Arc::new(Inner {
            url: url.into(),
            timeouts,
            state: Mutex::new(state),
        })))
    }

    pub fn methods(&self) -> Methods {
        LegacyRpcMethods::new(RpcClient::new(self.clone()))
    }

    pub fn url(&self) -> &str {
        &self.0.url
    }

    /// The genesis hash, connecting if need be.
    pub async fn genesis(&self) -> Result<H256, ChainError> {
        self.client(None)
            .await
            .map_err(|e| self.explain("connect", e))?;
        self.0
            .state
            .lock()
            .await
            .genesis
            .ok_or_else(|| ChainError::Incompatible("the node serves no genesis block".into()))
    }

    /// An open connection to a node of the right chain; never `broken`, which has failed already.
    async fn client(&self, broken: Option<&Arc<Client>>) -> Result<Arc<Client>, RpcError> {
        let mut state = self.0.state.lock().await;
        let usable =
            |c: &&Arc<Client>| c.is_connected() && !broken.is_some_and(|b| Arc::ptr_eq(b, c));
        if let Some(client) = state.client.as_ref().filter(usable) {
            return Ok(client.clone());
        }
        state.client = None;
        let connecting = WsClientBuilder::new()
            .connection_timeout(self.0.timeouts.connect)
            .request_timeout(self.0.timeouts.request)
            .max_response_size(MAX_RESPONSE)
            .max_buffer_capacity_per_subscription(4096)
            .enable_ws_ping(PingConfig::new())
            .build(&self.0.url);
        // The builder's own time counts for the socket only, not for the handshake.
        let after = self.0.timeouts.connect;
        let client = tokio::time::timeout(after, connecting)
            .await
            .map_err(|_| {
                fault(Fault::Silent {
                    method: "the connection".into(),
                    after,
                })
            })?
            .map_err(|e| fault(Fault::Lost(e.to_string())))?;
        let zero = serde_json::value::to_raw_value(&[0u32]).map_err(RpcError::Serialization)?;
        let found: String = self
            .within(
                "chain_getBlockHash",
                client.request("chain_getBlockHash", Params(Some(zero))),
            )
            .await?;
        let found = hash_of(&found)
            .ok_or_else(|| fault(Fault::Lost(format!("{found:?} is no genesis hash"))))?;
        match state.genesis {
            Some(expected) if expected != found => {
                return Err(fault(Fault::WrongGenesis { expected, found }))
            }
            _ => state.genesis = Some(found),
        }
        let client = Arc::new(client);
        state.client = Some(client.clone());
        Ok(client)
    }

    async fn within<T>(
        &self,
        method: &str,
        answer: impl std::future::Future<Output = Result<T, JsonRpcError>>,
    ) -> Result<T, RpcError> {
        let after = self.0.timeouts.request;
        let silent = || {
            fault(Fault::Silent {
                method: method.into(),
                after,
            })
        };
        match tokio::time::timeout(after, answer).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(JsonRpcError::RequestTimeout)) | Err(_) => Err(silent()),
            Ok(Err(e @ JsonRpcError::Call(_))) => Err(e.into()),
            Ok(Err(e)) => Err(fault(Fault::Lost(e.to_string()))),
        }
    }

    /// Says in our words what an RPC error means.
    pub fn explain(&self, method: &str, error: RpcError) -> ChainError {
        match error {
            RpcError::User(e) => {
                // The node puts the useful half into `data`, a JSON string.
                let data = e.data.as_ref().map(|d| d.get().trim_matches('"'));
                ChainError::Rpc {
                    method: method.into(),
                    reason: data.map_or(e.message.clone(), |d| format!("{}: {d}", e.message)),
                }
            }
            RpcError::Client(e) => match e.downcast_ref::<Fault>() {
                Some(Fault::WrongGenesis { expected, found }) => ChainError::WrongGenesis {
                    expected: *expected,
                    found: *found,
                },
                _ => ChainError::Unreachable {
                    url: self.0.url.clone(),
                    reason: e.to_string(),
                },
            },
            RpcError::DisconnectedWillReconnect(reason) => ChainError::Unreachable {
                url: self.0.url.clone(),
                reason,
            },
            other => ChainError::Incompatible(format!("{method}: {other}")),
        }
    }
}

fn is_lost(error: &RpcError) -> bool {
    matches!(error, RpcError::Client(e) if matches!(e.downcast_ref(), Some(Fault::Lost(_))))
}

fn hash_of(text: &str) -> Option<H256> {
    let bytes = hex::decode(text.strip_prefix("0x")?).ok()?;
    (bytes.len() == 32).then(|| H256::from_slice(&bytes))
}

impl RpcClientT for Rpc {
    fn request_raw<'a>(
        &'a self,
        method: &'a str,
        params: Option<Box<RawValue>>,
    ) -> RawRpcFuture<'a, Box<RawValue>> {
        Box::pin(async move {
            let client = self.client(None).await?;
            let first = self
                .within(method, client.request(method, Params(params.clone())))
                .await;
            match first {
                // Nothing that is sent acts twice (a transaction is the same bytes), and a connection that was dead
                // already says nothing about the node.
                Err(e) if is_lost(&e) => {
                    let client = self.client(Some(&client)).await?;
                    self.within(method, client.request(method, Params(params)))
                        .await
                }
                other => other,
            }
        })
    }

    fn subscribe_raw<'a>(
        &'a self,
        sub: &'a str,
        params: Option<Box<RawValue>>,
        unsub: &'a str,
    ) -> RawRpcFuture<'a, RawRpcSubscription> {
        Box::pin(async move {
            let mut client = self.client(None).await?;
            let mut subscribed = self
                .within(
                    sub,
                    client.subscribe::<Box<RawValue>, _>(sub, Params(params.clone()), unsub),
                )
                .await;
            if subscribed.as_ref().is_err_and(is_lost) {
                client = self.client(Some(&client)).await?;
                subscribed = self
                    .within(
                        sub,
                        client.subscribe::<Box<RawValue>, _>(sub, Params(params), unsub),
                    )
                    .await;
            }
            let stream = subscribed?;
            let id = match stream.kind() {
                SubscriptionKind::Subscription(SubscriptionId::Str(id)) => {
                    Some(id.clone().into_owned())
                }
                _ => None,
            };
            let stream = stream
                .map(|item| item.map_err(|e| fault(Fault::Lost(e.to_string()))))
                .boxed();
            Ok(RawRpcSubscription { stream, id })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_should_be_refused_when_it_is_no_web_socket() {
        for bad in [
            "",
            "http://localhost:9944",
            "ws://",
            "ws:// x",
            "localhost:9944",
        ] {
            assert!(
                matches!(
                    Rpc::new(bad, Timeouts::default(), None),
                    Err(ChainError::BadUrl { .. })
                ),
                "{bad}"
            );
        }
        assert!(Rpc::new("ws://127.0.0.1:9944", Timeouts::default(), None).is_ok());
    }

    #[tokio::test]
    async fn node_should_be_unreachable_when_nothing_listens() {
        let rpc = Rpc::new("ws://127.0.0.1:9", Timeouts::default(), None).unwrap();
        assert!(matches!(
            rpc.genesis().await,
            Err(ChainError::Unreachable { .. })
        ));
    }
}
