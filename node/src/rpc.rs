//! The RPC methods that depend on the runtime. Everything else (`chain`, `state`, `author`, `chainHead_v1`,
//! `transactionWatch_v1`, `archive_v1`, …) the service adds by itself.

use crate::service::{FullBackend, FullClient, FullPool, FullSelectChain};
use jsonrpsee::RpcModule;
use sc_consensus_babe::BabeWorkerHandle;
use sc_consensus_grandpa::{
    FinalityProofProvider, GrandpaJustificationStream, SharedAuthoritySet, SharedVoterState,
};
use sc_rpc::SubscriptionTaskExecutor;
use sp_keystore::KeystorePtr;
use std::sync::Arc;
use virtengine_runtime_common::{BlockNumber, Hash, OpaqueBlock as Block};

/// What the methods work with.
pub struct Deps {
    /// The chain.
    pub client: Arc<FullClient>,
    /// Transactions that wait.
    pub pool: Arc<FullPool>,
    /// Which fork is best.
    pub select_chain: FullSelectChain,
    /// The chain spec this node was started with.
    pub chain_spec: Box<dyn sc_chain_spec::ChainSpec>,
    /// Answers questions about epochs. BABE stops when the last handle is dropped.
    pub babe_worker: BabeWorkerHandle<Block>,
    /// Keys of this node.
    pub keystore: KeystorePtr,
    /// State of the finality vote.
    pub shared_voter_state: SharedVoterState,
    /// Who votes.
    pub shared_authority_set: SharedAuthoritySet<Hash, BlockNumber>,
    /// Proofs of finality as they come.
    pub justification_stream: GrandpaJustificationStream<Block>,
    /// Proofs of finality of the past.
    pub finality_provider: Arc<FinalityProofProvider<FullBackend, Block>>,
}

/// Puts the methods together.
pub fn create(
    deps: Deps,
    executor: SubscriptionTaskExecutor,
) -> Result<RpcModule<()>, Box<dyn std::error::Error + Send + Sync>> {
    use pallet_transaction_payment_rpc::{TransactionPayment, TransactionPaymentApiServer};
    use sc_consensus_babe_rpc::{Babe, BabeApiServer};
    use sc_consensus_grandpa_rpc::{Grandpa, GrandpaApiServer};
    use sc_sync_state_rpc::{SyncState, SyncStateApiServer};
    use substrate_frame_rpc_system::{System, SystemApiServer};

    let mut module = RpcModule::new(());
    module.merge(System::new(deps.client.clone(), deps.pool).into_rpc())?;
    module.merge(TransactionPayment::new(deps.client.clone()).into_rpc())?;
    module.merge(
        Babe::new(
            deps.client.clone(),
            deps.babe_worker.clone(),
            deps.keystore,
            deps.select_chain,
        )
        .into_rpc(),
    )?;
    module.merge(
        Grandpa::new(
            executor,
            deps.shared_authority_set.clone(),
            deps.shared_voter_state,
            deps.justification_stream,
            deps.finality_provider,
        )
        .into_rpc(),
    )?;
    module.merge(
        SyncState::new(
            deps.chain_spec,
            deps.client,
            deps.shared_authority_set,
            deps.babe_worker,
        )?
        .into_rpc(),
    )?;
    Ok(module)
}
