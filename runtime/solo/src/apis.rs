//! What the node, wallets and workers ask the runtime.

use crate::{configs::consensus::EPOCH_CONFIG, *};
use alloc::vec::Vec;
use frame_support::{
    genesis_builder_helper::{build_state, get_preset},
    traits::KeyOwnerProofSystem,
    weights::Weight,
};
use sp_api::impl_runtime_apis;
use sp_core::OpaqueMetadata;
use sp_runtime::{
    traits::{Block as BlockT, NumberFor},
    transaction_validity::{TransactionSource, TransactionValidity},
    ApplyExtrinsicResult, ExtrinsicInclusionMode,
};
use sp_session::OpaqueGeneratedSessionKeys;
use virtengine_primitives::{
    billing::{Agreement, Allocation, Dispute, Invoice, InvoiceKey, InvoiceLine, Month, PricePlan},
    envelope::{EncryptionKey, KeyId},
    escrow::Ledger,
    hpc::{Candidate, Cluster, Job, JobRequest},
    mmr,
    providers::Provider,
    AccountState, AgreementId, ClusterId, Name, PlanId, ProviderId, Role, TemplateHash,
};

impl_runtime_apis! {
    impl sp_api::Core<Block> for Runtime {
        fn version() -> RuntimeVersion {
            VERSION
        }

        fn execute_block(block: <Block as BlockT>::LazyBlock) {
            Executive::execute_block(block);
        }

        fn initialize_block(header: &<Block as BlockT>::Header) -> ExtrinsicInclusionMode {
            Executive::initialize_block(header)
        }
    }

    impl sp_api::Metadata<Block> for Runtime {
        fn metadata() -> OpaqueMetadata {
            OpaqueMetadata::new(Runtime::metadata().into())
        }

        fn metadata_at_version(version: u32) -> Option<OpaqueMetadata> {
            Runtime::metadata_at_version(version)
        }

        fn metadata_versions() -> Vec<u32> {
            Runtime::metadata_versions()
        }
    }

    impl frame_support::view_functions::runtime_api::RuntimeViewFunction<Block> for Runtime {
        fn execute_view_function(
            id: frame_support::view_functions::ViewFunctionId,
            input: Vec<u8>,
        ) -> Result<Vec<u8>, frame_support::view_functions::ViewFunctionDispatchError> {
            Runtime::execute_view_function(id, input)
        }
    }

    impl sp_block_builder::BlockBuilder<Block> for Runtime {
        fn apply_extrinsic(extrinsic: <Block as BlockT>::Extrinsic) -> ApplyExtrinsicResult {
            Executive::apply_extrinsic(extrinsic)
        }

        fn finalize_block() -> <Block as BlockT>::Header {
            Executive::finalize_block()
        }

        fn inherent_extrinsics(data: sp_inherents::InherentData) -> Vec<<Block as BlockT>::Extrinsic> {
            data.create_extrinsics()
        }

        fn check_inherents(
            block: <Block as BlockT>::LazyBlock,
            data: sp_inherents::InherentData,
        ) -> sp_inherents::CheckInherentsResult {
            data.check_extrinsics(&block)
        }
    }

    impl sp_transaction_pool::runtime_api::TaggedTransactionQueue<Block> for Runtime {
        fn validate_transaction(
            source: TransactionSource,
            tx: <Block as BlockT>::Extrinsic,
            block_hash: <Block as BlockT>::Hash,
        ) -> TransactionValidity {
            Executive::validate_transaction(source, tx, block_hash)
        }
    }

    impl sp_offchain::OffchainWorkerApi<Block> for Runtime {
        fn offchain_worker(header: &<Block as BlockT>::Header) {
            Executive::offchain_worker(header)
        }
    }

    impl sp_session::SessionKeys<Block> for Runtime {
        fn generate_session_keys(owner: Vec<u8>, seed: Option<Vec<u8>>) -> OpaqueGeneratedSessionKeys {
            SessionKeys::generate(&owner, seed).into()
        }

        fn decode_session_keys(
            encoded: Vec<u8>,
        ) -> Option<Vec<(Vec<u8>, sp_core::crypto::KeyTypeId)>> {
            SessionKeys::decode_into_raw_public_keys(&encoded)
        }
    }

    impl sp_consensus_babe::BabeApi<Block> for Runtime {
        fn configuration() -> sp_consensus_babe::BabeConfiguration {
            let epoch = Babe::epoch_config().unwrap_or(EPOCH_CONFIG);
            sp_consensus_babe::BabeConfiguration {
                slot_duration: Babe::slot_duration(),
                epoch_length: parameters::EpochLength::<Runtime>::get(),
                c: epoch.c,
                authorities: Babe::authorities().to_vec(),
                randomness: Babe::randomness(),
                allowed_slots: epoch.allowed_slots,
            }
        }

        fn current_epoch_start() -> sp_consensus_babe::Slot {
            Babe::current_epoch_start()
        }

        fn current_epoch() -> sp_consensus_babe::Epoch {
            Babe::current_epoch()
        }

        fn next_epoch() -> sp_consensus_babe::Epoch {
            Babe::next_epoch()
        }

        fn generate_key_ownership_proof(
            _slot: sp_consensus_babe::Slot,
            authority_id: sp_consensus_babe::AuthorityId,
        ) -> Option<sp_consensus_babe::OpaqueKeyOwnershipProof> {
            Historical::prove((sp_consensus_babe::KEY_TYPE, authority_id))
                .map(|proof| sp_consensus_babe::OpaqueKeyOwnershipProof::new(codec::Encode::encode(&proof)))
        }

        fn submit_report_equivocation_unsigned_extrinsic(
            equivocation_proof: sp_consensus_babe::EquivocationProof<<Block as BlockT>::Header>,
            key_owner_proof: sp_consensus_babe::OpaqueKeyOwnershipProof,
        ) -> Option<()> {
            Babe::submit_unsigned_equivocation_report(equivocation_proof, key_owner_proof.decode()?)
        }
    }

    impl sp_consensus_grandpa::GrandpaApi<Block> for Runtime {
        fn grandpa_authorities() -> sp_consensus_grandpa::AuthorityList {
            Grandpa::grandpa_authorities()
        }

        fn current_set_id() -> sp_consensus_grandpa::SetId {
            pallet_grandpa::CurrentSetId::<Runtime>::get()
        }

        fn generate_key_ownership_proof(
            _set_id: sp_consensus_grandpa::SetId,
            authority_id: sp_consensus_grandpa::AuthorityId,
        ) -> Option<sp_consensus_grandpa::OpaqueKeyOwnershipProof> {
            Historical::prove((sp_consensus_grandpa::KEY_TYPE, authority_id))
                .map(|proof| sp_consensus_grandpa::OpaqueKeyOwnershipProof::new(codec::Encode::encode(&proof)))
        }

        fn submit_report_equivocation_unsigned_extrinsic(
            equivocation_proof: sp_consensus_grandpa::EquivocationProof<
                <Block as BlockT>::Hash,
                NumberFor<Block>,
            >,
            key_owner_proof: sp_consensus_grandpa::OpaqueKeyOwnershipProof,
        ) -> Option<()> {
            Grandpa::submit_unsigned_equivocation_report(equivocation_proof, key_owner_proof.decode()?)
        }
    }

    impl frame_system_rpc_runtime_api::AccountNonceApi<Block, AccountId, Nonce> for Runtime {
        fn account_nonce(account: AccountId) -> Nonce {
            System::account_nonce(account)
        }
    }

    impl pallet_transaction_payment_rpc_runtime_api::TransactionPaymentApi<Block, Balance> for Runtime {
        fn query_info(
            uxt: <Block as BlockT>::Extrinsic,
            len: u32,
        ) -> pallet_transaction_payment_rpc_runtime_api::RuntimeDispatchInfo<Balance> {
            TransactionPayment::query_info(uxt, len)
        }

        fn query_fee_details(
            uxt: <Block as BlockT>::Extrinsic,
            len: u32,
        ) -> pallet_transaction_payment::FeeDetails<Balance> {
            TransactionPayment::query_fee_details(uxt, len)
        }

        fn query_weight_to_fee(weight: Weight) -> Balance {
            TransactionPayment::weight_to_fee(weight)
        }

        fn query_length_to_fee(length: u32) -> Balance {
            TransactionPayment::length_to_fee(length)
        }
    }

    impl pallet_transaction_payment_rpc_runtime_api::TransactionPaymentCallApi<Block, Balance, RuntimeCall>
        for Runtime
    {
        fn query_call_info(
            call: RuntimeCall,
            len: u32,
        ) -> pallet_transaction_payment_rpc_runtime_api::RuntimeDispatchInfo<Balance> {
            TransactionPayment::query_call_info(call, len)
        }

        fn query_call_fee_details(
            call: RuntimeCall,
            len: u32,
        ) -> pallet_transaction_payment::FeeDetails<Balance> {
            TransactionPayment::query_call_fee_details(call, len)
        }

        fn query_weight_to_fee(weight: Weight) -> Balance {
            TransactionPayment::weight_to_fee(weight)
        }

        fn query_length_to_fee(length: u32) -> Balance {
            TransactionPayment::length_to_fee(length)
        }
    }

    impl sp_genesis_builder::GenesisBuilder<Block> for Runtime {
        fn build_state(config: Vec<u8>) -> sp_genesis_builder::Result {
            build_state::<RuntimeGenesisConfig>(config)
        }

        fn get_preset(id: &Option<sp_genesis_builder::PresetId>) -> Option<Vec<u8>> {
            get_preset::<RuntimeGenesisConfig>(id, genesis_config_presets::get_preset)
        }

        fn preset_names() -> Vec<sp_genesis_builder::PresetId> {
            genesis_config_presets::preset_names()
        }
    }

    impl virtengine_primitives::apis::AccountsApi<Block, AccountId> for Runtime {
        fn account(who: AccountId) -> (AccountState, Vec<Role>) {
            Accounts::account(who)
        }

        fn with_role(role: Role, after: Option<AccountId>) -> Vec<(AccountId, AccountState)> {
            Accounts::with_role(role, after)
        }
    }

    impl virtengine_primitives::apis::KeyringApi<Block, AccountId> for Runtime {
        fn keys(who: AccountId) -> Vec<(KeyId, EncryptionKey)> {
            Keyring::keys(who)
        }

        fn key_owner(key: KeyId) -> Option<AccountId> {
            Keyring::key_owner(key)
        }
    }

    impl virtengine_primitives::apis::ProvidersApi<Block, AccountId> for Runtime {
        fn provider(id: ProviderId) -> Option<Provider<AccountId>> {
            Providers::provider(id)
        }

        fn provider_of(who: AccountId) -> Option<ProviderId> {
            Providers::provider_of(who)
        }

        fn hot_keys(id: ProviderId) -> Vec<AccountId> {
            Providers::hot_keys(id)
        }
    }

    impl virtengine_primitives::apis::EscrowApi<Block, AccountId> for Runtime {
        fn ledger(agreement: AgreementId) -> Option<Ledger<AccountId>> {
            Escrow::ledger(agreement)
        }
    }

    impl virtengine_primitives::apis::BillingApi<Block, AccountId> for Runtime {
        fn plan(id: PlanId) -> Option<(ProviderId, PricePlan)> {
            Billing::plan(id)
        }

        fn agreement(id: AgreementId) -> Option<Agreement<AccountId>> {
            Billing::agreement(id)
        }

        fn agreements(ids: Vec<AgreementId>) -> Vec<Option<Agreement<AccountId>>> {
            Billing::agreements(ids)
        }

        fn dispute(id: AgreementId) -> Option<Dispute> {
            Billing::dispute_of(id)
        }

        fn disputes(after: Option<AgreementId>) -> Vec<(AgreementId, Dispute)> {
            Billing::disputes(after)
        }

        fn invoice(key: InvoiceKey<AccountId>) -> Option<Invoice> {
            Billing::invoice(key)
        }

        fn invoices(payer: AccountId, month: Month) -> Vec<(InvoiceKey<AccountId>, Invoice)> {
            Billing::invoices(payer, month)
        }

        fn invoice_lines(key: InvoiceKey<AccountId>, from: u32) -> Vec<InvoiceLine> {
            Billing::invoice_lines(key, from)
        }

        fn prove_line(key: InvoiceKey<AccountId>, index: u32) -> Option<(InvoiceLine, mmr::Proof)> {
            Billing::prove_line(key, index)
        }

        fn quote(plan: PlanId, allocation: Allocation) -> Option<(AssetKind, Balance)> {
            Billing::quote(plan, allocation)
        }
    }

    impl virtengine_primitives::apis::HpcApi<Block, AccountId> for Runtime {
        fn cluster(id: ClusterId) -> Option<Cluster> {
            Hpc::cluster(id)
        }

        fn clusters(from: ClusterId) -> (Vec<(ClusterId, Cluster)>, Option<ClusterId>) {
            Hpc::clusters(from)
        }

        fn templates(id: ClusterId) -> Vec<(TemplateHash, Name)> {
            Hpc::templates(id)
        }

        fn job(id: AgreementId) -> Option<Job<AccountId>> {
            Hpc::job(id)
        }

        fn jobs(ids: Vec<AgreementId>) -> Vec<Option<Job<AccountId>>> {
            Hpc::jobs(ids)
        }

        fn jobs_of(
            customer: AccountId,
            after: Option<AgreementId>,
        ) -> Vec<(AgreementId, Job<AccountId>)> {
            Hpc::jobs_of(customer, after)
        }

        fn open_jobs(
            cluster: ClusterId,
            after: Option<AgreementId>,
        ) -> Vec<(AgreementId, Job<AccountId>)> {
            Hpc::open_jobs(cluster, after)
        }

        fn candidates(
            customer: AccountId,
            request: JobRequest,
        ) -> Result<Vec<Candidate>, sp_runtime::DispatchError> {
            Hpc::candidates(customer, request)
        }

        fn next_job() -> AgreementId {
            Hpc::next_job()
        }

        fn limits() -> (BlockNumber, BlockNumber, BlockNumber) {
            Hpc::limits()
        }
    }

    #[cfg(feature = "runtime-benchmarks")]
    impl frame_benchmarking::Benchmark<Block> for Runtime {
        fn benchmark_metadata(
            extra: bool,
        ) -> (Vec<frame_benchmarking::BenchmarkList>, Vec<frame_support::traits::StorageInfo>) {
            benchmarks::metadata(extra)
        }

        fn dispatch_benchmark(
            config: frame_benchmarking::BenchmarkConfig,
        ) -> Result<Vec<frame_benchmarking::BenchmarkBatch>, alloc::string::String> {
            benchmarks::dispatch(config)
        }
    }

    #[cfg(feature = "try-runtime")]
    impl frame_try_runtime::TryRuntime<Block> for Runtime {
        fn on_runtime_upgrade(checks: frame_try_runtime::UpgradeCheckSelect) -> (Weight, Weight) {
            // A failed check must stop the dry run; this code is in no chain.
            let weight = Executive::try_runtime_upgrade(checks).expect("the dry run of the upgrade failed");
            (weight, virtengine_runtime_common::limits::RuntimeBlockWeights::get().max_block)
        }

        fn execute_block(
            block: <Block as BlockT>::LazyBlock,
            state_root_check: bool,
            signature_check: bool,
            select: frame_try_runtime::TryStateSelect,
        ) -> Weight {
            Executive::try_execute_block(block, state_root_check, signature_check, select)
                .expect("the dry run of the block failed")
        }
    }
}
