//! Sending calls for one account, each exactly once.
//!
//! A transaction is signed once, for an era of blocks. From then on there is only *that* transaction: if the pool
//! drops it or the connection is lost, the very same bytes are sent again, which cannot act twice. Whether it was
//! included is read from the chain. Only when its era has ended at a finalised block without it is it known to be
//! void ([`ChainError::NotIncluded`]), and the caller decides anew from the state it then reads.

use crate::{
    chain::{Chain, Head, Heads},
    error::ChainError,
    event::ChainEvent,
    runtime::Signed,
    signer::Signer,
    Call,
};
use sp_core::{crypto::AccountId32, H256};
use std::{
    sync::{
        atomic::{AtomicUsize, Ordering},
        Arc,
    },
    time::Duration,
};
use subxt::rpcs::{client::RpcSubscription, methods::legacy::TransactionStatus};
use tokio::sync::Mutex;
use virtengine_primitives::AssetId;

type Status = TransactionStatus<subxt::config::substrate::H256>;

/// Blocks for which a transaction is valid.
const ERA: u32 = 64;
/// How long the pool may take to say that it has a transaction.
const ACCEPTED_WITHIN: Duration = Duration::from_secs(30);

/// What to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Inclusion in a block of the best chain; may still be undone.
    Included,
    /// Inclusion in a finalised block.
    Finalized,
}

/// Where a submission stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The pool has it; its hash.
    Sent(H256),
    /// In a block of the best chain.
    Included(Head),
    /// In a finalised block.
    Finalized(Head),
}

/// A call that was executed with success.
#[derive(Clone, Debug)]
pub struct Submitted {
    /// `Pallet.call`.
    pub call: String,
    /// Hash of the transaction.
    pub hash: H256,
    /// The block it is in.
    pub block: Head,
    /// Whether that block is final.
    pub finalized: bool,
    /// What it caused, in order.
    pub events: Vec<ChainEvent>,
}

impl Submitted {
    /// The first event of that name.
    pub fn find(&self, pallet: &str, name: &str) -> Option<&ChainEvent> {
        self.events.iter().find(|e| e.is(pallet, name))
    }

    /// As [`Self::find`], for an event that the call always causes.
    pub fn expect(&self, pallet: &str, name: &str) -> Result<&ChainEvent, ChainError> {
        self.find(pallet, name).ok_or_else(|| {
            ChainError::Incompatible(format!("{} caused no event {pallet}.{name}", self.call))
        })
    }
}

/// Transactions under way; counted down also when a caller stops waiting.
#[derive(Clone, Default)]
struct Open(Arc<AtomicUsize>);

impl Open {
    fn enter(&self) -> Self {
        self.0.fetch_add(1, Ordering::SeqCst);
        self.clone()
    }
}

/// One transaction under way.
struct Under(Open);

impl Drop for Under {
    fn drop(&mut self) {
        self.0 .0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Sends calls for one account. Clones share the account's nonces; use one submitter per account and process.
#[derive(Clone)]
pub struct Submitter {
    chain: Chain,
    signer: Signer,
    /// The next nonce that this submitter would use; counts only while some of its transactions are under way.
    next: Arc<Mutex<Option<u32>>>,
    open: Open,
    fee: Option<AssetId>,
}

impl Submitter {
    /// A submitter for the signer's account.
    pub fn new(chain: Chain, signer: Signer) -> Self {
        Self {
            chain,
            signer,
            next: Arc::default(),
            open: Open::default(),
            fee: None,
        }
    }

    /// Pays fees in an asset that the chain takes for them, instead of its own token.
    pub fn paying_fees_in(self, asset: Option<AssetId>) -> Self {
        Self { fee: asset, ..self }
    }

    /// The account that signs and pays the fee.
    pub fn account(&self) -> &AccountId32 {
        self.signer.account()
    }

    /// The connection.
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// Submits a call and waits until its outcome is final.
    ///
    /// May be called from many tasks at once. Errors: [`ChainError::RuntimeRefused`] with the runtime's own words
    /// (for batches: of the first item that failed), [`ChainError::InvalidTransaction`] if the pool would not take
    /// it, [`ChainError::NotIncluded`] if it can never happen any more, [`ChainError::Timeout`] if the outcome is
    /// still unknown after `timeouts.outcome`. After `Timeout` or `Unreachable` read the chain before submitting
    /// again: it may have happened.
    ///
    /// Cancelling the future does not recall the transaction.
    pub async fn submit(&self, call: Call) -> Result<Submitted, ChainError> {
        self.submit_until(call, Until::Finalized, |_| ()).await
    }

    /// As [`Self::submit`], waiting as long as asked and telling about progress.
    pub async fn submit_until(
        &self,
        call: Call,
        until: Until,
        mut progress: impl FnMut(Progress) + Send,
    ) -> Result<Submitted, ChainError> {
        let (signed, watch, _under) = self.send(&call).await?;
        progress(Progress::Sent(signed.hash));
        let after = self.chain.timeouts().outcome;
        let outcome = Tracked {
            submitter: self,
            call: call.title(),
            signed: &signed,
            scanned: signed.valid_before.saturating_sub(ERA),
        };
        let outcome =
            tokio::time::timeout(after, outcome.follow(watch, until, &mut progress)).await;
        // A transaction that may never happen leaves a gap: ask the node again.
        if !matches!(outcome, Ok(Ok(_) | Err(ChainError::RuntimeRefused { .. }))) {
            *self.next.lock().await = None;
        }
        outcome.map_err(|_| ChainError::Timeout {
            what: "the outcome of a transaction",
            after,
        })?
    }

    /// Submits several calls in one transaction: all take effect or none.
    pub async fn submit_all(&self, calls: Vec<Call>) -> Result<Submitted, ChainError> {
        self.submit(crate::calls::utility::batch_all(calls)).await
    }

    /// Signs with the next nonce and hands the transaction to the pool; one at a time per account.
    async fn send(
        &self,
        call: &Call,
    ) -> Result<(Signed, Option<RpcSubscription<Status>>, Under), ChainError> {
        let mut next = self.next.lock().await;
        if self.open.0.load(Ordering::SeqCst) == 0 {
            *next = None;
        }
        let birth = self.chain.finalized_head().await?;
        let runtime = self.chain.runtime_at(birth.hash).await?;
        let account = subxt::utils::AccountId32(*self.account().as_ref());
        let pool = self
            .chain
            .methods()
            .system_account_next_index(&account)
            .await
            .map_err(|e| self.chain.explain("system_accountNextIndex", e))?;
        let pool = u32::try_from(pool)
            .map_err(|_| ChainError::Incompatible("the account's nonce".into()))?;
        // The pool's answer may lag behind what this submitter has just sent.
        let nonce = next.map_or(pool, |own| own.max(pool));
        let signed = runtime.sign(call, &self.signer, nonce, birth, ERA, self.fee)?;
        let watch = self.offer(&signed, &call.title()).await?;
        *next = nonce.checked_add(1);
        Ok((signed, watch, Under(self.open.enter())))
    }

    /// Offers the bytes to the pool. `None`: the pool's answer is not known (the connection was lost) or it has the
    /// transaction already; the chain will tell.
    async fn offer(
        &self,
        signed: &Signed,
        what: &str,
    ) -> Result<Option<RpcSubscription<Status>>, ChainError> {
        let offered = self
            .chain
            .methods()
            .author_submit_and_watch_extrinsic(&signed.bytes)
            .await
            .map_err(|e| self.chain.explain("author_submitAndWatchExtrinsic", e));
        match offered {
            Ok(watch) => Ok(Some(watch)),
            Err(ChainError::Rpc { reason, .. }) if is_known(&reason) => Ok(None),
            Err(ChainError::Rpc { reason, .. }) => Err(ChainError::InvalidTransaction {
                what: what.into(),
                reason,
            }),
            Err(ChainError::Unreachable { .. }) => Ok(None),
            Err(e) => Err(e),
        }
    }
}

/// Whether the pool's refusal means that it has, or had, the very same transaction.
fn is_known(reason: &str) -> bool {
    let reason = reason.to_lowercase();
    reason.contains("already imported") || reason.contains("temporarily banned")
}

/// One signed transaction on its way.
struct Tracked<'a> {
    submitter: &'a Submitter,
    call: String,
    signed: &'a Signed,
    /// All finalised blocks up to this height are known not to contain it.
    scanned: u32,
}

impl Tracked<'_> {
    async fn follow(
        mut self,
        watch: Option<RpcSubscription<Status>>,
        until: Until,
        progress: &mut (impl FnMut(Progress) + Send),
    ) -> Result<Submitted, ChainError> {
        if let Some(watch) = watch {
            if let Some(done) = self.watch(watch, until, progress).await? {
                return Ok(done);
            }
        }
        self.search(progress).await
    }

    /// Listens to the pool. `None` when the pool has nothing final to say: the chain must be searched.
    async fn watch(
        &self,
        mut watch: RpcSubscription<Status>,
        until: Until,
        progress: &mut (impl FnMut(Progress) + Send),
    ) -> Result<Option<Submitted>, ChainError> {
        loop {
            // A pool that stays silent (a dropped connection without a goodbye) is not waited for.
            let silent = self.submitter.chain.timeouts().head.max(ACCEPTED_WITHIN);
            let Ok(status) = tokio::time::timeout(silent, watch.next()).await else {
                return Ok(None);
            };
            match status {
                Some(Ok(TransactionStatus::InBlock(hash))) => {
                    let head = self.submitter.chain.head(H256(hash.0)).await;
                    let Ok(head) = head else { continue };
                    progress(Progress::Included(head));
                    if until == Until::Included {
                        return self.outcome(head, false).await;
                    }
                }
                Some(Ok(TransactionStatus::Finalized(hash))) => {
                    let head = self.submitter.chain.head(H256(hash.0)).await?;
                    progress(Progress::Finalized(head));
                    return self.outcome(head, true).await;
                }
                Some(Ok(
                    TransactionStatus::Future
                    | TransactionStatus::Ready
                    | TransactionStatus::Broadcast(_)
                    | TransactionStatus::Retracted(_),
                )) => {}
                // Usurped, dropped, invalid, finality timeout, or the connection: none of them proves that it did not
                // or will not happen.
                Some(_) | None => return Ok(None),
            }
        }
    }

    /// Reads finalised blocks until the transaction is found or its era has ended, offering it again meanwhile.
    async fn search(
        &mut self,
        progress: &mut (impl FnMut(Progress) + Send),
    ) -> Result<Submitted, ChainError> {
        let chain = self.submitter.chain.clone();
        let mut heads: Heads = chain.finalized();
        let mut pause = Duration::from_millis(500);
        loop {
            let step = match heads.next().await {
                Ok(head) => self.scan(head.number).await.map(|found| (found, head)),
                Err(e) => Err(e),
            };
            match step {
                Ok((Some(head), _)) => {
                    progress(Progress::Finalized(head));
                    if let Some(done) = self.outcome(head, true).await? {
                        return Ok(done);
                    }
                }
                Ok((None, head)) if head.number >= self.signed.valid_before => {
                    return Err(ChainError::NotIncluded {
                        what: self.call.clone(),
                        valid_before: self.signed.valid_before,
                    })
                }
                Ok((None, _)) => {
                    pause = Duration::from_millis(500);
                    // The same bytes: harmless if the pool has them, a second chance if it lost them. A refusal is
                    // not the last word, another node may hold them.
                    let _ = chain
                        .methods()
                        .author_submit_extrinsic(&self.signed.bytes)
                        .await;
                }
                Err(e) if e.is_transient() => {
                    tracing::debug!(error = %e, call = %self.call, "waiting for the outcome");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(10));
                }
                Err(e) => return Err(e),
            }
        }
    }

    /// Looks for the transaction in the finalised blocks not yet looked at.
    async fn scan(&mut self, finalized: u32) -> Result<Option<Head>, ChainError> {
        let chain = &self.submitter.chain;
        while self.scanned < finalized.min(self.signed.valid_before) {
            let number = self.scanned.saturating_add(1);
            let Some(hash) = chain.hash_of(number).await? else {
                return Ok(None);
            };
            if chain.body(hash).await?.iter().any(|x| self.is_it(x)) {
                return Ok(Some(Head { hash, number }));
            }
            self.scanned = number;
        }
        Ok(None)
    }

    fn is_it(&self, extrinsic: &[u8]) -> bool {
        sp_crypto_hashing::blake2_256(extrinsic) == self.signed.hash.0
    }

    /// What the block says about the transaction; `None` if the transaction is not in it after all.
    async fn outcome(&self, block: Head, finalized: bool) -> Result<Option<Submitted>, ChainError> {
        let chain = &self.submitter.chain;
        let body = chain.body(block.hash).await?;
        let Some(index) = body.iter().position(|x| self.is_it(x)) else {
            return Ok(None);
        };
        let index = u32::try_from(index).ok();
        let its_own = |_: &str, of: Option<u32>| of.is_some() && of == index;
        let events = chain.events_at(block.hash, its_own).await?;
        for event in &events {
            // The items of a `force_batch` may fail one by one; that is for its caller to see.
            let error = match (event.pallet.as_str(), event.name.as_str()) {
                ("System", "ExtrinsicFailed") => event.refusal("dispatch_error"),
                ("Utility", "BatchInterrupted") => event.refusal("error"),
                // `Sudid { sudo_result }`: a `Result`.
                ("Sudo", "Sudid") if event.bytes.first() == Some(&1) => {
                    let runtime = chain.runtime_at(block.hash).await?;
                    event.bytes.get(1..).map(|e| runtime.dispatch_error(e))
                }
                _ => None,
            };
            if let Some((pallet, name, docs)) = error {
                return Err(ChainError::RuntimeRefused {
                    call: self.call.clone(),
                    pallet,
                    name,
                    docs,
                });
            }
        }
        Ok(Some(Submitted {
            call: self.call.clone(),
            hash: self.signed.hash,
            block,
            finalized,
            events,
        }))
    }
}
