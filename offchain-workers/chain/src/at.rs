//! Reads at one block.

use crate::{chain::Chain, error::ChainError, event::ChainEvent, money::Unit, Head};
use codec::{Decode, Encode};
use sp_core::{crypto::AccountId32, H256};
use virtengine_primitives::{
    apis::PAGE,
    billing::{Agreement, Allocation, Dispute, Invoice, InvoiceKey, InvoiceLine, Month, PricePlan},
    envelope::{EncryptionKey, KeyId},
    escrow::Ledger,
    hpc::{Candidate, Cluster, Job, JobRequest},
    mmr,
    providers::Provider,
    AccountState, AgreementId, AssetId, AssetKind, Balance, BlockNumber, ClusterId, Moment, Name,
    PlanId, ProviderId, Role, TemplateHash,
};

/// An account's balances in the chain's own token, in smallest units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct AccountBalances {
    /// Can be spent, less what is frozen.
    pub free: Balance,
    /// Held for escrow, bonds and deposits.
    pub held: Balance,
    /// The part of `free` that cannot be spent.
    pub frozen: Balance,
}

/// The chain as it was at one block. Cheap to clone; every read is a request to the node.
#[derive(Clone, Debug)]
pub struct At {
    chain: Chain,
    head: Head,
}

impl At {
    pub(crate) fn new(chain: Chain, head: Head) -> Self {
        Self { chain, head }
    }

    /// The block.
    pub fn head(&self) -> Head {
        self.head
    }

    /// Height of the block.
    pub fn number(&self) -> BlockNumber {
        self.head.number
    }

    /// Hash of the block.
    pub fn hash(&self) -> H256 {
        self.head.hash
    }

    /// The connection.
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// Calls a runtime API (`Trait_method`) with SCALE-encoded arguments and decodes the whole answer.
    pub async fn state_call<R: Decode>(
        &self,
        method: &str,
        arguments: impl Encode,
    ) -> Result<R, ChainError> {
        let bytes = self
            .chain
            .state_call(method, &arguments.encode(), self.head.hash)
            .await
            .map_err(|error| match error {
                // The executor's words for what the runtime does not export.
                ChainError::Rpc { reason, .. }
                    if reason.contains(&format!("Exported method {method} is not found")) =>
                {
                    ChainError::Incompatible(format!(
                        "it has no {method}; upgrade the chain first, or use an older release of this program"
                    ))
                }
                other => other,
            })?;
        let mut rest = &bytes[..];
        let value = R::decode(&mut rest)
            .map_err(|e| ChainError::Incompatible(format!("the answer of {method}: {e}")))?;
        if rest.is_empty() {
            Ok(value)
        } else {
            Err(ChainError::Incompatible(format!(
                "the answer of {method} is {} bytes longer than expected",
                rest.len()
            )))
        }
    }

    /// Asks a runtime API that answers each of a page of questions.
    async fn one_each<K: Encode, V: Decode>(
        &self,
        method: &str,
        keys: &[K],
    ) -> Result<Vec<V>, ChainError> {
        let mut all = Vec::with_capacity(keys.len());
        for page in keys.chunks(PAGE as usize) {
            let answers: Vec<V> = self.state_call(method, page).await?;
            if answers.len() != page.len() {
                let (got, asked) = (answers.len(), page.len());
                let why = format!("{method} gave {got} answers to {asked} questions");
                return Err(ChainError::Incompatible(why));
            }
            all.extend(answers);
        }
        Ok(all)
    }

    /// State and roles of an account.
    pub async fn account(
        &self,
        who: &AccountId32,
    ) -> Result<(AccountState, Vec<Role>), ChainError> {
        self.state_call("AccountsApi_account", who).await
    }

    /// One page of those who hold a role, after `after`; those who are not active cannot use it.
    pub async fn with_role(
        &self,
        role: Role,
        after: Option<&AccountId32>,
    ) -> Result<Vec<(AccountId32, AccountState)>, ChainError> {
        self.state_call("AccountsApi_with_role", (role, after))
            .await
    }

    /// Keys of an account that have not been revoked.
    pub async fn keys(&self, who: &AccountId32) -> Result<Vec<(KeyId, EncryptionKey)>, ChainError> {
        self.state_call("KeyringApi_keys", who).await
    }

    /// Owner of a key.
    pub async fn key_owner(&self, key: &KeyId) -> Result<Option<AccountId32>, ChainError> {
        self.state_call("KeyringApi_key_owner", key).await
    }

    /// A provider.
    pub async fn provider(
        &self,
        id: ProviderId,
    ) -> Result<Option<Provider<AccountId32>>, ChainError> {
        self.state_call("ProvidersApi_provider", id).await
    }

    /// The provider that an account owns or works for.
    pub async fn provider_of(&self, who: &AccountId32) -> Result<Option<ProviderId>, ChainError> {
        self.state_call("ProvidersApi_provider_of", who).await
    }

    /// The provider's hot keys.
    pub async fn hot_keys(&self, id: ProviderId) -> Result<Vec<AccountId32>, ChainError> {
        self.state_call("ProvidersApi_hot_keys", id).await
    }

    /// Ledger of an agreement.
    pub async fn ledger(&self, id: AgreementId) -> Result<Option<Ledger<AccountId32>>, ChainError> {
        self.state_call("EscrowApi_ledger", id).await
    }

    /// A price plan and whose it is.
    pub async fn plan(&self, id: PlanId) -> Result<Option<(ProviderId, PricePlan)>, ChainError> {
        self.state_call("BillingApi_plan", id).await
    }

    /// An agreement.
    pub async fn agreement(
        &self,
        id: AgreementId,
    ) -> Result<Option<Agreement<AccountId32>>, ChainError> {
        self.state_call("BillingApi_agreement", id).await
    }

    /// Some agreements: an answer for each, in order.
    pub async fn agreements(
        &self,
        ids: &[AgreementId],
    ) -> Result<Vec<Option<Agreement<AccountId32>>>, ChainError> {
        self.one_each("BillingApi_agreements", ids).await
    }

    /// The open dispute of an agreement.
    pub async fn dispute(&self, id: AgreementId) -> Result<Option<Dispute>, ChainError> {
        self.state_call("BillingApi_dispute", id).await
    }

    /// One page of the open disputes, after `after`.
    pub async fn disputes(
        &self,
        after: Option<AgreementId>,
    ) -> Result<Vec<(AgreementId, Dispute)>, ChainError> {
        self.state_call("BillingApi_disputes", after).await
    }

    /// All open disputes, page by page, in order of number.
    pub async fn all_disputes(&self) -> Result<Vec<(AgreementId, Dispute)>, ChainError> {
        let mut all: Vec<(AgreementId, Dispute)> = Vec::new();
        loop {
            let page = self.disputes(all.last().map(|(id, _)| *id)).await?;
            if page.is_empty() {
                all.sort_by_key(|(id, _)| *id);
                return Ok(all);
            }
            all.extend(page);
        }
    }

    /// An invoice.
    pub async fn invoice(
        &self,
        key: &InvoiceKey<AccountId32>,
    ) -> Result<Option<Invoice>, ChainError> {
        self.state_call("BillingApi_invoice", key).await
    }

    /// Invoices of a payer in a month.
    pub async fn invoices(
        &self,
        payer: &AccountId32,
        month: Month,
    ) -> Result<Vec<(InvoiceKey<AccountId32>, Invoice)>, ChainError> {
        self.state_call("BillingApi_invoices", (payer, month)).await
    }

    /// One page of an invoice's lines from `from` on (at most `apis::PAGE`).
    pub async fn invoice_lines(
        &self,
        key: &InvoiceKey<AccountId32>,
        from: u32,
    ) -> Result<Vec<InvoiceLine>, ChainError> {
        self.state_call("BillingApi_invoice_lines", (key, from))
            .await
    }

    /// All lines of an invoice, page by page.
    pub async fn all_invoice_lines(
        &self,
        key: &InvoiceKey<AccountId32>,
    ) -> Result<Vec<InvoiceLine>, ChainError> {
        let mut lines: Vec<InvoiceLine> = Vec::new();
        loop {
            let from = u32::try_from(lines.len()).unwrap_or(u32::MAX);
            let page = self.invoice_lines(key, from).await?;
            if page.is_empty() {
                return Ok(lines);
            }
            lines.extend(page);
        }
    }

    /// Merkle proof of a line against the invoice's root.
    pub async fn prove_line(
        &self,
        key: &InvoiceKey<AccountId32>,
        index: u32,
    ) -> Result<Option<(InvoiceLine, mmr::Proof)>, ChainError> {
        self.state_call("BillingApi_prove_line", (key, index)).await
    }

    /// Cost of an allocation under a plan, at most.
    pub async fn quote(
        &self,
        plan: PlanId,
        allocation: &Allocation,
    ) -> Result<Option<(AssetKind, Balance)>, ChainError> {
        self.state_call("BillingApi_quote", (plan, allocation))
            .await
    }

    /// A cluster.
    pub async fn cluster(&self, id: ClusterId) -> Result<Option<Cluster>, ChainError> {
        self.state_call("HpcApi_cluster", id).await
    }

    /// One page of clusters from `from` on, with the number to continue from.
    #[allow(clippy::type_complexity)]
    pub async fn clusters(
        &self,
        from: ClusterId,
    ) -> Result<(Vec<(ClusterId, Cluster)>, Option<ClusterId>), ChainError> {
        self.state_call("HpcApi_clusters", from).await
    }

    /// All clusters, page by page.
    pub async fn all_clusters(&self) -> Result<Vec<(ClusterId, Cluster)>, ChainError> {
        let (mut all, mut next) = (Vec::new(), Some(0));
        while let Some(from) = next {
            let (page, after) = self.clusters(from).await?;
            all.extend(page);
            next = after.filter(|n| *n > from);
        }
        Ok(all)
    }

    /// Templates that a cluster runs.
    pub async fn templates(&self, id: ClusterId) -> Result<Vec<(TemplateHash, Name)>, ChainError> {
        self.state_call("HpcApi_templates", id).await
    }

    /// A job.
    pub async fn job(&self, id: AgreementId) -> Result<Option<Job<AccountId32>>, ChainError> {
        self.state_call("HpcApi_job", id).await
    }

    /// Some jobs: an answer for each, in order.
    pub async fn jobs(
        &self,
        ids: &[AgreementId],
    ) -> Result<Vec<Option<Job<AccountId32>>>, ChainError> {
        self.one_each("HpcApi_jobs", ids).await
    }

    /// One page of a customer's jobs after `after`, in order of number.
    pub async fn jobs_of(
        &self,
        customer: &AccountId32,
        after: Option<AgreementId>,
    ) -> Result<Vec<(AgreementId, Job<AccountId32>)>, ChainError> {
        self.state_call("HpcApi_jobs_of", (customer, after)).await
    }

    /// All jobs of a customer that have not been pruned, page by page.
    pub async fn all_jobs_of(
        &self,
        customer: &AccountId32,
    ) -> Result<Vec<(AgreementId, Job<AccountId32>)>, ChainError> {
        let mut jobs: Vec<(AgreementId, Job<AccountId32>)> = Vec::new();
        loop {
            let page = self
                .jobs_of(customer, jobs.last().map(|(id, _)| *id))
                .await?;
            if page.is_empty() {
                return Ok(jobs);
            }
            jobs.extend(page);
        }
    }

    /// One page of the jobs assigned to a cluster and not ended, after `after`.
    pub async fn open_jobs(
        &self,
        cluster: ClusterId,
        after: Option<AgreementId>,
    ) -> Result<Vec<(AgreementId, Job<AccountId32>)>, ChainError> {
        self.state_call("HpcApi_open_jobs", (cluster, after)).await
    }

    /// Everything that a cluster's worker must look after: its jobs that have not ended, page by page.
    pub async fn all_open_jobs(
        &self,
        cluster: ClusterId,
    ) -> Result<Vec<(AgreementId, Job<AccountId32>)>, ChainError> {
        let mut jobs: Vec<(AgreementId, Job<AccountId32>)> = Vec::new();
        loop {
            let page = self
                .open_jobs(cluster, jobs.last().map(|(id, _)| *id))
                .await?;
            if page.is_empty() {
                return Ok(jobs);
            }
            jobs.extend(page);
        }
    }

    /// What submitting a job would do: the candidates in the order in which they would be tried.
    ///
    /// Errors: [`ChainError::WouldRefuse`] with the runtime's reason if it would be refused.
    pub async fn candidates(
        &self,
        customer: &AccountId32,
        request: &JobRequest,
    ) -> Result<Vec<Candidate>, ChainError> {
        let bytes = self
            .chain
            .state_call(
                "HpcApi_candidates",
                &(customer, request).encode(),
                self.head.hash,
            )
            .await?;
        match bytes.split_first() {
            Some((0, rest)) => Vec::<Candidate>::decode(&mut &rest[..])
                .map_err(|e| ChainError::Incompatible(format!("HpcApi_candidates: {e}"))),
            Some((1, rest)) => {
                let (pallet, name, docs) = self
                    .chain
                    .runtime_at(self.head.hash)
                    .await?
                    .dispatch_error(rest);
                Err(ChainError::WouldRefuse { pallet, name, docs })
            }
            _ => Err(ChainError::Incompatible(
                "HpcApi_candidates answered nothing".into(),
            )),
        }
    }

    /// Number that the next job will get.
    pub async fn next_job(&self) -> Result<AgreementId, ChainError> {
        self.state_call("HpcApi_next_job", ()).await
    }

    /// Blocks of the hpc pallet's constants: (accept timeout, cancel timeout, longest job life).
    pub async fn limits(&self) -> Result<(BlockNumber, BlockNumber, BlockNumber), ChainError> {
        self.state_call("HpcApi_limits", ()).await
    }

    /// The block's time: unix milliseconds.
    pub async fn timestamp(&self) -> Result<Moment, ChainError> {
        self.storage_value("Timestamp", "Now")
            .await
            .map(Option::unwrap_or_default)
    }

    /// Balances of an account; all zero for an account that does not exist.
    pub async fn balances(&self, who: &AccountId32) -> Result<AccountBalances, ChainError> {
        // frame_system::AccountInfo { nonce, consumers, providers, sufficients, data: { free, reserved, frozen, flags } }
        type Info = (u32, u32, u32, u32, (u128, u128, u128, u128));
        let key = system_account_key(who);
        let Some(bytes) = self.chain.storage(&key, self.head.hash).await? else {
            return Ok(AccountBalances::default());
        };
        let info = Info::decode(&mut &bytes[..])
            .map_err(|e| ChainError::Incompatible(format!("System.Account: {e}")))?;
        Ok(AccountBalances {
            free: info.4 .0,
            held: info.4 .1,
            frozen: info.4 .2,
        })
    }

    /// How people count an asset, by what its issuer calls it. `None`: there is no such asset.
    pub async fn unit(&self, asset: AssetKind) -> Result<Option<Unit>, ChainError> {
        let AssetKind::Asset(id) = asset else {
            return Ok(Some(Unit::native()));
        };
        let wrong = |e: codec::Error| ChainError::Incompatible(format!("Assets.Metadata: {e}"));
        if self.asset_storage("Asset", id, None).await?.is_none() {
            return Ok(None);
        }
        // pallet_assets::AssetMetadata { deposit, name, symbol, decimals, is_frozen }
        type Metadata = (u128, Vec<u8>, Vec<u8>, u8, bool);
        let (_, _, symbol, decimals, _) = match self.asset_storage("Metadata", id, None).await? {
            Some(bytes) => Metadata::decode(&mut &bytes[..]).map_err(wrong)?,
            None => Metadata::default(),
        };
        Ok(Some(Unit::of_asset(id, &symbol, decimals)))
    }

    /// What an account has of an asset and could spend but for what keeps it alive; held money is not part of it.
    pub async fn asset_balance(
        &self,
        asset: AssetKind,
        who: &AccountId32,
    ) -> Result<Balance, ChainError> {
        let AssetKind::Asset(id) = asset else {
            return Ok(self.balances(who).await?.free);
        };
        // pallet_assets::AssetAccount { balance, .. }
        match self.asset_storage("Account", id, Some(who)).await? {
            None => Ok(0),
            Some(bytes) => Balance::decode(&mut &bytes[..])
                .map_err(|e| ChainError::Incompatible(format!("Assets.Account: {e}"))),
        }
    }

    /// An item of the assets pallet: by asset, or by asset and account.
    async fn asset_storage(
        &self,
        item: &str,
        id: AssetId,
        who: Option<&AccountId32>,
    ) -> Result<Option<Vec<u8>>, ChainError> {
        let mut key = [
            sp_crypto_hashing::twox_128(b"Assets"),
            sp_crypto_hashing::twox_128(item.as_bytes()),
        ]
        .concat();
        let keys = [Some(id.encode()), who.map(Encode::encode)];
        for part in keys.into_iter().flatten() {
            key.extend(sp_crypto_hashing::blake2_128(&part));
            key.extend(part);
        }
        self.chain.storage(&key, self.head.hash).await
    }

    /// The nonce of an account's next transaction, as of this block.
    pub async fn nonce(&self, who: &AccountId32) -> Result<u32, ChainError> {
        self.state_call("AccountNonceApi_account_nonce", who).await
    }

    /// A plain storage value; `None` when nothing is stored.
    pub async fn storage_value<T: Decode>(
        &self,
        pallet: &str,
        item: &str,
    ) -> Result<Option<T>, ChainError> {
        let key = [
            sp_crypto_hashing::twox_128(pallet.as_bytes()),
            sp_crypto_hashing::twox_128(item.as_bytes()),
        ]
        .concat();
        self.chain
            .storage(&key, self.head.hash)
            .await?
            .map(|bytes| T::decode(&mut &bytes[..]))
            .transpose()
            .map_err(|e| ChainError::Incompatible(format!("{pallet}.{item}: {e}")))
    }

    /// A constant of a pallet.
    pub async fn constant<T: Decode>(&self, pallet: &str, name: &str) -> Result<T, ChainError> {
        self.chain
            .runtime_at(self.head.hash)
            .await?
            .constant(pallet, name)
    }

    /// All events of the block, in order.
    pub async fn events(&self) -> Result<Vec<ChainEvent>, ChainError> {
        self.chain.events_at(self.head.hash, |_, _| true).await
    }

    /// Those of some pallets, in order.
    pub async fn events_of(&self, pallets: &[&str]) -> Result<Vec<ChainEvent>, ChainError> {
        let wanted = |pallet: &str, _| pallets.contains(&pallet);
        self.chain.events_at(self.head.hash, wanted).await
    }
}

/// Storage key of an account's record.
pub(crate) fn system_account_key(who: &AccountId32) -> Vec<u8> {
    let account: &[u8] = who.as_ref();
    [
        &sp_crypto_hashing::twox_128(b"System")[..],
        &sp_crypto_hashing::twox_128(b"Account")[..],
        &sp_crypto_hashing::blake2_128(account)[..],
        account,
    ]
    .concat()
}
