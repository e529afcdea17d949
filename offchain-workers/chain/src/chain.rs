//! The connection to one chain.

use crate::{
    at::At,
    error::ChainError,
    event::ChainEvent,
    rpc::{Methods, Rpc},
    runtime::Runtime,
};
use codec::{Decode, Encode};
use futures::FutureExt;
use sp_core::H256;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use subxt::{
    config::{Config, SubstrateConfig},
    rpcs::client::RpcSubscription,
};
use tokio::sync::Mutex;
use virtengine_primitives::BlockNumber;

type Header = <SubstrateConfig as Config>::Header;

/// How long each kind of wait may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Opening a connection. Default 10 s.
    pub connect: Duration,
    /// The answer to one request. Default 30 s.
    pub request: Duration,
    /// The next head of a stream. Default 60 s: a chain that is silent longer is reported, not waited for.
    pub head: Duration,
    /// A submitted call's final outcome, over all attempts. Default 10 min.
    pub outcome: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            request: Duration::from_secs(30),
            head: Duration::from_secs(60),
            outcome: Duration::from_secs(600),
        }
    }
}

/// How to connect.
#[derive(Clone, Debug, Default)]
pub struct ConnectOptions {
    /// The chain's genesis hash; any chain is taken if absent (and then no other one after a reconnection).
    pub expected_genesis: Option<H256>,
    /// How long to go on trying while the node cannot be reached. Zero (the default): one attempt.
    /// `Duration::MAX`: for ever.
    pub patience: Duration,
    /// Named timeouts.
    pub timeouts: Timeouts,
}

/// A block: its hash and height.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Head {
    /// Blake2b-256 of the header.
    pub hash: H256,
    /// Height.
    pub number: BlockNumber,
}

struct Inner {
    rpc: Rpc,
    methods: Methods,
    genesis: H256,
    timeouts: Timeouts,
    /// What has been learnt of runtimes, by spec version.
    runtimes: Mutex<BTreeMap<u32, Arc<Runtime>>>,
}

/// A connection to one chain; clones share it. It repairs itself: every request made while it is down tries once to
/// open it again and otherwise fails with [`ChainError::Unreachable`].
#[derive(Clone)]
pub struct Chain(Arc<Inner>);

impl std::fmt::Debug for Chain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chain").field("url", &self.url()).finish()
    }
}

impl Chain {
    /// Connects to the node at `url` (`ws://` or `wss://`) and checks its genesis.
    ///
    /// Errors: [`ChainError::BadUrl`], [`ChainError::WrongGenesis`] at once; [`ChainError::Unreachable`] after
    /// `options.patience`.
    pub async fn connect(url: &str, options: ConnectOptions) -> Result<Self, ChainError> {
        let rpc = Rpc::new(url, options.timeouts, options.expected_genesis)?;
        let begun = tokio::time::Instant::now();
        let mut pause = Duration::from_millis(250);
        let genesis = loop {
            match rpc.genesis().await {
                Ok(genesis) => break genesis,
                Err(e) if e.is_transient() && begun.elapsed() < options.patience => {
                    tracing::warn!(%url, error = %e, "node not reachable; trying again in {pause:?}");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(10));
                }
                Err(e) => return Err(e),
            }
        };
        let methods = rpc.methods();
        Ok(Self(Arc::new(Inner {
            rpc,
            methods,
            genesis,
            timeouts: options.timeouts,
            runtimes: Mutex::default(),
        })))
    }

    /// Hash of the chain's first block: which chain it is.
    pub fn genesis(&self) -> H256 {
        self.0.genesis
    }

    /// Where the node is.
    pub fn url(&self) -> &str {
        self.0.rpc.url()
    }

    /// The named timeouts of this connection.
    pub fn timeouts(&self) -> Timeouts {
        self.0.timeouts
    }

    /// The latest finalised block.
    pub async fn finalized_head(&self) -> Result<Head, ChainError> {
        let hash = self
            .0
            .methods
            .chain_get_finalized_head()
            .await
            .map_err(|e| self.explain("chain_getFinalizedHead", e))?;
        self.head(H256(hash.0)).await
    }

    /// The tip of the best chain; may still be replaced.
    pub async fn best_head(&self) -> Result<Head, ChainError> {
        let header = self
            .0
            .methods
            .chain_get_header(None)
            .await
            .map_err(|e| self.explain("chain_getHeader", e))?
            .ok_or(ChainError::NoBlock(H256::zero()))?;
        Ok(head_of(&header))
    }

    /// A block by its hash.
    pub async fn head(&self, hash: H256) -> Result<Head, ChainError> {
        let header = self
            .0
            .methods
            .chain_get_header(Some(subxt_hash(hash)))
            .await
            .map_err(|e| self.explain("chain_getHeader", e))?
            .ok_or(ChainError::NoBlock(hash))?;
        Ok(Head {
            hash,
            number: head_of(&header).number,
        })
    }

    /// Hash of the block of a height on the best chain; `None` above its tip.
    pub async fn hash_of(&self, number: BlockNumber) -> Result<Option<H256>, ChainError> {
        let hash = self
            .0
            .methods
            .chain_get_block_hash(Some(number.into()))
            .await
            .map_err(|e| self.explain("chain_getBlockHash", e))?;
        Ok(hash.map(|h| H256(h.0)))
    }

    /// Reads at the latest finalised block: what a worker acts on.
    pub async fn at_finalized(&self) -> Result<At, ChainError> {
        Ok(At::new(self.clone(), self.finalized_head().await?))
    }

    /// Reads at the tip of the best chain: what a person may be shown.
    pub async fn at_best(&self) -> Result<At, ChainError> {
        Ok(At::new(self.clone(), self.best_head().await?))
    }

    /// Reads at a given block.
    pub async fn at(&self, hash: H256) -> Result<At, ChainError> {
        Ok(At::new(self.clone(), self.head(hash).await?))
    }

    /// Reads at a block whose hash and height are known to belong together.
    pub fn at_head(&self, head: Head) -> At {
        At::new(self.clone(), head)
    }

    /// Newest finalised heads, as they come.
    pub fn finalized(&self) -> Heads {
        Heads::new(self.clone(), true)
    }

    /// Newest tips of the best chain, as they come.
    pub fn best(&self) -> Heads {
        Heads::new(self.clone(), false)
    }

    /// Extrinsics of a block, SCALE-encoded with their length prefix.
    pub(crate) async fn body(&self, hash: H256) -> Result<Vec<Vec<u8>>, ChainError> {
        let block = self
            .0
            .methods
            .chain_get_block(Some(subxt_hash(hash)))
            .await
            .map_err(|e| self.explain("chain_getBlock", e))?
            .ok_or(ChainError::NoBlock(hash))?;
        Ok(block.block.extrinsics.into_iter().map(|b| b.0).collect())
    }

    pub(crate) async fn state_call(
        &self,
        method: &str,
        arguments: &[u8],
        at: H256,
    ) -> Result<Vec<u8>, ChainError> {
        self.0
            .methods
            .state_call(method, Some(arguments), Some(subxt_hash(at)))
            .await
            .map_err(|e| self.explain(method, e))
    }

    pub(crate) async fn storage(
        &self,
        key: &[u8],
        at: H256,
    ) -> Result<Option<Vec<u8>>, ChainError> {
        self.0
            .methods
            .state_get_storage(key, Some(subxt_hash(at)))
            .await
            .map_err(|e| self.explain("state_getStorage", e))
    }

    /// The events of a block that are wanted, by their pallet and the index of the extrinsic that caused them.
    pub(crate) async fn events_at(
        &self,
        at: H256,
        wanted: impl Fn(&str, Option<u32>) -> bool,
    ) -> Result<Vec<ChainEvent>, ChainError> {
        let key = [
            sp_crypto_hashing::twox_128(b"System"),
            sp_crypto_hashing::twox_128(b"Events"),
        ]
        .concat();
        let bytes = self.storage(&key, at).await?.unwrap_or_default();
        self.runtime_at(at).await?.decode_events(bytes, wanted)
    }

    /// The runtime that is in force *after* a block. Its metadata is fetched once per spec version.
    pub(crate) async fn runtime_at(&self, at: H256) -> Result<Arc<Runtime>, ChainError> {
        /// The beginning of `sp_version::RuntimeVersion`.
        #[derive(Decode)]
        struct Version {
            _spec_name: String,
            _impl_name: String,
            _authoring_version: u32,
            spec_version: u32,
            _impl_version: u32,
            _apis: Vec<([u8; 8], u32)>,
            transaction_version: u32,
        }
        let bytes = self.state_call("Core_version", &[], at).await?;
        let version = Version::decode(&mut &bytes[..])
            .map_err(|e| ChainError::Incompatible(format!("Core_version: {e}")))?;
        let mut runtimes = self.0.runtimes.lock().await;
        if let Some(known) = runtimes.get(&version.spec_version) {
            return Ok(known.clone());
        }
        let answer = self
            .state_call("Metadata_metadata_at_version", &15u32.encode(), at)
            .await?;
        let metadata = Option::<Vec<u8>>::decode(&mut &answer[..])
            .ok()
            .flatten()
            .ok_or_else(|| ChainError::Incompatible("it offers no metadata V15".into()))?;
        let runtime = Arc::new(Runtime::new(
            self.0.genesis,
            version.spec_version,
            version.transaction_version,
            &metadata,
        )?);
        runtimes.insert(version.spec_version, runtime.clone());
        Ok(runtime)
    }

    pub(crate) fn methods(&self) -> &Methods {
        &self.0.methods
    }

    pub(crate) fn explain(&self, method: &str, error: subxt::rpcs::Error) -> ChainError {
        self.0.rpc.explain(method, error)
    }
}

pub(crate) fn subxt_hash(hash: H256) -> subxt::config::substrate::H256 {
    subxt::config::substrate::H256(hash.0)
}

fn head_of(header: &Header) -> Head {
    Head {
        hash: H256(sp_crypto_hashing::blake2_256(&header.encode())),
        // Heights are 32 bits on this chain.
        number: BlockNumber::try_from(header.number).unwrap_or(BlockNumber::MAX),
    }
}

/// A stream of heads that is never behind: it yields the newest head and skips those that were missed.
pub struct Heads {
    chain: Chain,
    finalized: bool,
    subscription: Option<RpcSubscription<Header>>,
    last: Option<Head>,
}

impl Heads {
    fn new(chain: Chain, finalized: bool) -> Self {
        Self {
            chain,
            finalized,
            subscription: None,
            last: None,
        }
    }

    /// Waits for a head other than the last one and returns the newest. The first call returns the present head.
    ///
    /// Errors: [`ChainError::Unreachable`] once when the connection is lost (the next call subscribes again),
    /// [`ChainError::Timeout`] when there was no new head for `timeouts.head`. After either, call again when it
    /// suits; nothing is lost, because the newest head is what counts.
    ///
    /// Cancel safe.
    pub async fn next(&mut self) -> Result<Head, ChainError> {
        loop {
            let head = match self.subscription.as_mut() {
                None => self.subscribe().await?,
                Some(subscription) => {
                    let after = self.chain.timeouts().head;
                    let item = tokio::time::timeout(after, subscription.next()).await;
                    let mut item = item.map_err(|_| ChainError::Timeout {
                        what: "the next block",
                        after,
                    })?;
                    // Whatever else has arrived is newer.
                    while let Some(newer) = subscription.next().now_or_never() {
                        item = newer;
                        if !matches!(item, Some(Ok(_))) {
                            break;
                        }
                    }
                    match item {
                        Some(Ok(header)) => head_of(&header),
                        Some(Err(e)) => {
                            self.subscription = None;
                            return Err(self.chain.explain("heads", e));
                        }
                        None => {
                            self.subscription = None;
                            return Err(ChainError::Unreachable {
                                url: self.chain.url().into(),
                                reason: "the node closed the stream of heads".into(),
                            });
                        }
                    }
                }
            };
            if self.last != Some(head) {
                self.last = Some(head);
                return Ok(head);
            }
        }
    }

    async fn subscribe(&mut self) -> Result<Head, ChainError> {
        let methods = self.chain.methods();
        let subscription = if self.finalized {
            methods.chain_subscribe_finalized_heads().await
        } else {
            methods.chain_subscribe_new_heads().await
        };
        self.subscription = Some(subscription.map_err(|e| self.chain.explain("heads", e))?);
        if self.finalized {
            self.chain.finalized_head().await
        } else {
            self.chain.best_head().await
        }
    }
}
