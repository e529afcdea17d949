//! Runtime APIs: a typed answer for every question that a wallet, a worker or an integrator asks.
//!
//! Pages are capped by `PAGE` whatever is asked for; no answer iterates a whole map.

use crate::{
    billing::*, envelope::*, escrow::Ledger, hpc::*, mmr, providers::Provider, AccountState,
    AgreementId, AssetKind, Balance, BlockNumber, ClusterId, PlanId, ProviderId, Role,
    TemplateHash,
};
use alloc::vec::Vec;
use codec::Codec;

/// Most items of one page.
pub const PAGE: u32 = 100;

sp_api::decl_runtime_apis! {
    /// Roles and standing.
    pub trait AccountsApi<AccountId> where AccountId: Codec {
        /// State and roles of an account.
        fn account(who: AccountId) -> (AccountState, Vec<Role>);
        /// Who holds a role, at most `PAGE` after `after`, in no order that means anything. Those who are not active
        /// cannot use it.
        fn with_role(role: Role, after: Option<AccountId>) -> Vec<(AccountId, AccountState)>;
    }

    /// Encryption keys.
    pub trait KeyringApi<AccountId> where AccountId: Codec {
        /// Keys of an account that have not been revoked.
        fn keys(who: AccountId) -> Vec<(KeyId, EncryptionKey)>;
        /// Owner of a key.
        fn key_owner(key: KeyId) -> Option<AccountId>;
    }

    /// Provider organisations.
    pub trait ProvidersApi<AccountId> where AccountId: Codec {
        /// A provider.
        fn provider(id: ProviderId) -> Option<Provider<AccountId>>;
        /// The provider that an account owns or works for.
        fn provider_of(who: AccountId) -> Option<ProviderId>;
        /// The provider's hot keys.
        fn hot_keys(id: ProviderId) -> Vec<AccountId>;
    }

    /// Money.
    pub trait EscrowApi<AccountId> where AccountId: Codec {
        /// Ledger of an agreement.
        fn ledger(agreement: AgreementId) -> Option<Ledger<AccountId>>;
    }

    /// Plans, agreements, invoices.
    pub trait BillingApi<AccountId> where AccountId: Codec {
        /// A price plan and whose it is.
        fn plan(id: PlanId) -> Option<(ProviderId, PricePlan)>;
        /// An agreement.
        fn agreement(id: AgreementId) -> Option<Agreement<AccountId>>;
        /// Of the first `PAGE` of some agreements, an answer for each, in order.
        fn agreements(ids: Vec<AgreementId>) -> Vec<Option<Agreement<AccountId>>>;
        /// The open dispute of an agreement.
        fn dispute(id: AgreementId) -> Option<Dispute>;
        /// Open disputes, at most `PAGE` after `after`, in no order that means anything.
        fn disputes(after: Option<AgreementId>) -> Vec<(AgreementId, Dispute)>;
        /// An invoice.
        fn invoice(key: InvoiceKey<AccountId>) -> Option<Invoice>;
        /// Invoices of a payer in a month.
        fn invoices(payer: AccountId, month: Month) -> Vec<(InvoiceKey<AccountId>, Invoice)>;
        /// Lines of an invoice from `from` on, at most `PAGE`.
        fn invoice_lines(key: InvoiceKey<AccountId>, from: u32) -> Vec<InvoiceLine>;
        /// Merkle proof of a line against the invoice's root.
        fn prove_line(key: InvoiceKey<AccountId>, index: u32) -> Option<(InvoiceLine, mmr::Proof)>;
        /// Cost of an allocation under a plan, at most.
        fn quote(plan: PlanId, allocation: Allocation) -> Option<(AssetKind, Balance)>;
    }

    /// Clusters and jobs.
    pub trait HpcApi<AccountId> where AccountId: Codec {
        /// A cluster.
        fn cluster(id: ClusterId) -> Option<Cluster>;
        /// Clusters from `from` on, at most `PAGE`, with the number to continue from.
        fn clusters(from: ClusterId) -> (Vec<(ClusterId, Cluster)>, Option<ClusterId>);
        /// Templates that a cluster runs.
        fn templates(id: ClusterId) -> Vec<(TemplateHash, crate::Name)>;
        /// A job.
        fn job(id: AgreementId) -> Option<Job<AccountId>>;
        /// Of the first `PAGE` of some jobs, an answer for each, in order.
        fn jobs(ids: Vec<AgreementId>) -> Vec<Option<Job<AccountId>>>;
        /// Jobs of a customer after `after`, at most `PAGE`, in order of number.
        fn jobs_of(customer: AccountId, after: Option<AgreementId>) -> Vec<(AgreementId, Job<AccountId>)>;
        /// Jobs assigned to a cluster and not ended, after `after`, at most `PAGE`: what its worker must look after.
        fn open_jobs(cluster: ClusterId, after: Option<AgreementId>) -> Vec<(AgreementId, Job<AccountId>)>;
        /// What `submit` would do: the candidates in the order in which they would be tried, or why not.
        fn candidates(customer: AccountId, request: JobRequest) -> Result<Vec<Candidate>, sp_runtime::DispatchError>;
        /// Number that the next job will get.
        fn next_job() -> AgreementId;
        /// Blocks that constants of the pallet stand for: (accept timeout, cancel timeout, longest job life).
        fn limits() -> (BlockNumber, BlockNumber, BlockNumber);
    }
}
