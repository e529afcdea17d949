//! Typed calls, one module per pallet. Arguments in the order of the runtime's call; what each does, who may call it
//! and how it fails is said in the runtime's own documentation of the call.

/// Native transfers.
pub mod balances {
    use crate::{AccountId32, Call};
    use codec::Compact;
    use virtengine_primitives::Balance;

    /// Moves `amount` smallest units to `to`; the sender stays alive.
    pub fn transfer_keep_alive(to: &AccountId32, amount: Balance) -> Call {
        Call::new("Balances", "transfer_keep_alive")
            .with(super::address(to))
            .with(Compact(amount))
    }
}

/// Several calls in one transaction.
pub mod utility {
    use crate::Call;

    /// All take effect or none.
    pub fn batch_all(calls: Vec<Call>) -> Call {
        Call::new("Utility", "batch_all").with_calls(calls)
    }

    /// Those that fail are skipped and announced by `Utility.ItemFailed`.
    pub fn force_batch(calls: Vec<Call>) -> Call {
        Call::new("Utility", "force_batch").with_calls(calls)
    }
}

/// Development chains only.
pub mod sudo {
    use crate::Call;

    /// Dispatches the call as root; signed by the sudo key.
    pub fn sudo(call: Call) -> Call {
        Call::new("Sudo", "sudo").with_call(call)
    }
}

/// Roles and standing.
pub mod accounts {
    use crate::{AccountId32, Call};
    use virtengine_primitives::Role;

    /// Gives an account a role.
    pub fn nominate(who: &AccountId32, role: Role) -> Call {
        Call::new("Accounts", "nominate").with(who).with(role)
    }

    /// Takes a role away from an account.
    pub fn revoke(who: &AccountId32, role: Role) -> Call {
        Call::new("Accounts", "revoke").with(who).with(role)
    }

    /// Gives up one of one's own roles.
    pub fn resign(role: Role) -> Call {
        Call::new("Accounts", "resign").with(role)
    }

    /// Becomes a customer.
    pub fn register() -> Call {
        Call::new("Accounts", "register")
    }
}

/// Public encryption keys.
pub mod keyring {
    use crate::Call;
    use virtengine_primitives::{envelope::KeyId, Name};

    /// Registers a 32-byte X25519 public key under a label.
    pub fn register_key(public: [u8; 32], label: &Name) -> Call {
        Call::new("Keyring", "register_key")
            .with(public)
            .with(label)
    }

    /// Registers a key in the place of an older one, which is revoked.
    pub fn rotate_key(old: KeyId, public: [u8; 32], label: &Name) -> Call {
        Call::new("Keyring", "rotate_key")
            .with(old)
            .with(public)
            .with(label)
    }

    /// Revokes a key: nothing new may be sealed to it.
    pub fn revoke_key(key: KeyId) -> Call {
        Call::new("Keyring", "revoke_key").with(key)
    }
}

/// Provider organisations.
pub mod providers {
    use crate::{AccountId32, Call};
    use virtengine_primitives::{Balance, Name, ProviderId};

    /// Registers an organisation that the signer owns; money goes to `payout`.
    pub fn register(name: &Name, payout: &AccountId32) -> Call {
        Call::new("Providers", "register").with(name).with(payout)
    }

    /// Changes where money goes.
    pub fn set_payout(payout: &AccountId32) -> Call {
        Call::new("Providers", "set_payout").with(payout)
    }

    /// Changes the name.
    pub fn set_name(name: &Name) -> Call {
        Call::new("Providers", "set_name").with(name)
    }

    /// Lets an account act as the organisation's worker.
    pub fn add_hot_key(who: &AccountId32) -> Call {
        Call::new("Providers", "add_hot_key").with(who)
    }

    /// Ends that.
    pub fn remove_hot_key(who: &AccountId32) -> Call {
        Call::new("Providers", "remove_hot_key").with(who)
    }

    /// Adds to the bond.
    pub fn bond_more(amount: Balance) -> Call {
        Call::new("Providers", "bond_more").with(amount)
    }

    /// Takes from the free part of the bond.
    pub fn withdraw_bond(amount: Balance) -> Call {
        Call::new("Providers", "withdraw_bond").with(amount)
    }

    /// Accepts an organisation that its owner offered to the signer.
    pub fn accept_transfer(provider: ProviderId) -> Call {
        Call::new("Providers", "accept_transfer").with(provider)
    }

    /// Dissolves the organisation and returns the bond.
    pub fn leave() -> Call {
        Call::new("Providers", "leave")
    }
}

/// Credits of recipients that could not be paid.
pub mod escrow {
    use crate::{AccountId32, Call};
    use virtengine_primitives::AgreementId;

    /// Pays out a recipient's credit.
    pub fn claim(agreement: AgreementId, recipient: &AccountId32) -> Call {
        Call::new("Escrow", "claim").with(agreement).with(recipient)
    }
}

/// Plans, usage, settlement, invoices.
pub mod billing {
    use crate::{AccountId32, Call, H256};
    use virtengine_primitives::{
        billing::{InvoiceKey, PricePlan, UsageReport},
        AgreementId, Balance, PlanId,
    };

    /// Publishes an immutable price plan of the signer's organisation.
    pub fn publish_plan(plan: &PricePlan) -> Call {
        Call::new("Billing", "publish_plan").with(plan)
    }

    /// Ends a plan for new agreements.
    pub fn retire_plan(plan: PlanId) -> Call {
        Call::new("Billing", "retire_plan").with(plan)
    }

    /// Reports usage of one agreement.
    pub fn report(agreement: AgreementId, report: &UsageReport) -> Call {
        Call::new("Billing", "report").with(agreement).with(report)
    }

    /// Reports usage of many agreements; a refused one is announced by `ReportRejected` and skipped.
    pub fn report_many(reports: &[(AgreementId, UsageReport)]) -> Call {
        Call::new("Billing", "report_many").with(reports.to_vec())
    }

    /// Moves what is due. Anyone may.
    pub fn settle(agreement: AgreementId) -> Call {
        Call::new("Billing", "settle").with(agreement)
    }

    /// Freezes part of what is pending. `grounds` is the Blake2b-256 of the payer's grounds.
    pub fn dispute(agreement: AgreementId, amount: Balance, grounds: H256) -> Call {
        Call::new("Billing", "dispute")
            .with(agreement)
            .with(amount)
            .with(grounds)
    }

    /// Opens the evidence in a dispute.
    pub fn open_evidence(agreement: AgreementId, evidence: H256) -> Call {
        Call::new("Billing", "open_evidence")
            .with(agreement)
            .with(evidence)
    }

    /// Decides a dispute (arbiter).
    pub fn decide(agreement: AgreementId, to_payee: Balance) -> Call {
        Call::new("Billing", "decide")
            .with(agreement)
            .with(to_payee)
    }

    /// Gives back part of a line (index from 0).
    pub fn credit_note(invoice: &InvoiceKey<AccountId32>, line: u32, amount: Balance) -> Call {
        Call::new("Billing", "credit_note")
            .with(invoice)
            .with(line)
            .with(amount)
    }

    /// Closes an invoice whose month is long over. Anyone may.
    pub fn close_invoice(invoice: &InvoiceKey<AccountId32>) -> Call {
        Call::new("Billing", "close_invoice").with(invoice)
    }
}

/// Clusters and jobs.
pub mod hpc {
    use crate::Call;
    use virtengine_primitives::{
        hpc::{ClusterSpec, ClusterState, DeclineReason, JobEnd, JobProgress, JobRequest},
        AgreementId, ClusterId, Name, TemplateHash,
    };

    /// Registers a cluster of the signer's organisation.
    pub fn register_cluster(spec: &ClusterSpec) -> Call {
        Call::new("Hpc", "register_cluster").with(spec)
    }

    /// Replaces a cluster's description.
    pub fn update_cluster(cluster: ClusterId, spec: &ClusterSpec) -> Call {
        Call::new("Hpc", "update_cluster").with(cluster).with(spec)
    }

    /// Opens or drains a cluster.
    pub fn set_cluster_state(cluster: ClusterId, state: ClusterState) -> Call {
        Call::new("Hpc", "set_cluster_state")
            .with(cluster)
            .with(state)
    }

    /// Removes a cluster without jobs.
    pub fn deregister_cluster(cluster: ClusterId) -> Call {
        Call::new("Hpc", "deregister_cluster").with(cluster)
    }

    /// Lets a cluster run a template.
    pub fn allow_template(cluster: ClusterId, template: TemplateHash, name: &Name) -> Call {
        Call::new("Hpc", "allow_template")
            .with(cluster)
            .with(template)
            .with(name)
    }

    /// Ends that for new jobs.
    pub fn disallow_template(cluster: ClusterId, template: TemplateHash) -> Call {
        Call::new("Hpc", "disallow_template")
            .with(cluster)
            .with(template)
    }

    /// Buys a job.
    pub fn submit(request: &JobRequest) -> Call {
        Call::new("Hpc", "submit").with(request)
    }

    /// Asks for a job's end.
    pub fn cancel(job: AgreementId) -> Call {
        Call::new("Hpc", "cancel").with(job)
    }

    /// Lets the chain do what a job's deadline demands. Anyone may.
    pub fn expire(job: AgreementId) -> Call {
        Call::new("Hpc", "expire").with(job)
    }

    /// Removes a settled job. Anyone may.
    pub fn prune(job: AgreementId) -> Call {
        Call::new("Hpc", "prune").with(job)
    }

    /// Accepts jobs; one that cannot be accepted is announced by `ItemFailed` and skipped. As the other `_many`.
    pub fn accept_many(jobs: &[AgreementId]) -> Call {
        Call::new("Hpc", "accept_many").with(jobs.to_vec())
    }

    /// Turns a job down.
    pub fn decline(job: AgreementId, reason: DeclineReason) -> Call {
        Call::new("Hpc", "decline").with(job).with(reason)
    }

    /// Reports progress.
    pub fn update_many(items: &[(AgreementId, JobProgress)]) -> Call {
        Call::new("Hpc", "update_many").with(items.to_vec())
    }

    /// Reports an end.
    pub fn complete(job: AgreementId, end: &JobEnd) -> Call {
        Call::new("Hpc", "complete").with(job).with(end)
    }

    /// Reports ends.
    pub fn complete_many(items: &[(AgreementId, JobEnd)]) -> Call {
        Call::new("Hpc", "complete_many").with(items.to_vec())
    }
}

/// `MultiAddress::Id`.
fn address(account: &crate::AccountId32) -> impl codec::Encode {
    (0u8, account.clone())
}
