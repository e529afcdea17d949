//! A chain with three providers and four customers.

use crate::calls::Source;
use frame_support::{
    traits::{fungible::InspectHold as _, fungibles::Inspect as _, Hooks},
    weights::{Weight, WeightMeter},
};
use rand::{rngs::StdRng, Rng, SeedableRng};
use sp_core::H256;
use sp_keyring::Sr25519Keyring as Key;
use sp_runtime::{traits::Dispatchable, AccountId32, BuildStorage};
use virtengine_primitives::{
    billing::*, blake2_256, envelope::*, hpc::*, AssetKind, Balance, Moment, Role,
};
use virtengine_runtime::{
    Assets, Balances, Billing, Escrow, Hpc, Keyring, Providers, Runtime, RuntimeCall,
    RuntimeOrigin, System,
};

pub const VE: Balance = 1_000_000_000_000;
pub const USDX: u32 = 1;
/// 2026-11-30 12:00 UTC, so that worlds cross into December.
const START: Moment = 1_796_040_000_000;

/// One chain, its clock, and what the random source needs to remember.
pub struct World {
    ext: sp_io::TestExternalities,
    rng: StdRng,
    block: u32,
    now: Moment,
    native: Balance,
    usdx: Balance,
}

pub fn owners() -> [AccountId32; 3] {
    [
        Key::Bob.to_account_id(),
        Key::Ferdie.to_account_id(),
        Key::Eve.to_account_id(),
    ]
}
pub fn workers() -> [AccountId32; 3] {
    [1u8, 2, 3].map(|n| AccountId32::new([n; 32]))
}
pub fn customers() -> [AccountId32; 4] {
    // The last one owns next to nothing.
    [
        Key::Charlie.to_account_id(),
        Key::Dave.to_account_id(),
        AccountId32::new([8; 32]),
        AccountId32::new([9; 32]),
    ]
}
pub fn arbiter() -> AccountId32 {
    Key::Alice.to_account_id()
}

fn public(who: &AccountId32) -> [u8; 32] {
    let mut public = blake2_256(who.as_ref()).0;
    // A canonical encoding of a point has its top bit clear.
    public[31] &= 0x7f;
    public
}

/// A header sealed to the keys of `to`; nothing on chain can open it, so its contents do not matter here.
pub fn header(to: &[AccountId32], rng: &mut StdRng) -> EnvelopeHeader {
    let mut keys: Vec<KeyId> = to.iter().map(|who| key_id(&public(who))).collect();
    keys.sort();
    keys.dedup();
    let recipients = keys
        .into_iter()
        .map(|key| Recipient {
            key,
            encapsulated: [7; 32],
            wrapped: vec![7u8; 48].try_into().unwrap(),
        })
        .collect::<Vec<_>>();
    EnvelopeHeader {
        version: EnvelopeHeader::VERSION,
        algorithm: Algorithm::X25519Aes256Gcm,
        recipients: recipients.try_into().unwrap(),
        hash: H256(rng.random()),
        length: 1024,
    }
}

fn must(call: RuntimeCall, origin: RuntimeOrigin) {
    let shown = format!("{call:?}");
    call.dispatch(origin)
        .unwrap_or_else(|e| panic!("setting up: {shown}: {:?}", e.error));
}

impl World {
    /// Genesis, three providers with a cluster each, and everybody's keys.
    pub fn new(seed: u64) -> Self {
        let preset =
            virtengine_runtime::genesis_config_presets::get_preset(&"development".into()).unwrap();
        let storage = frame_system::GenesisConfig::<Runtime>::default()
            .build_storage()
            .unwrap();
        let mut ext = sp_io::TestExternalities::new(storage);
        ext.execute_with(|| {
            frame_support::genesis_builder_helper::build_state::<
                virtengine_runtime::RuntimeGenesisConfig,
            >(preset)
            .unwrap()
        });
        let rng = StdRng::seed_from_u64(seed);
        let mut world = Self {
            ext,
            rng,
            block: 1,
            now: START,
            native: 0,
            usdx: 0,
        };
        world.set_clock();
        let mut rng = world.rng.clone();
        world.ext.execute_with(|| Self::set_up(&mut rng));
        world.rng = rng;
        world.native = world.ext.execute_with(Balances::total_issuance);
        world.usdx = world.ext.execute_with(|| Assets::total_issuance(USDX));
        world
    }

    fn set_up(rng: &mut StdRng) {
        let signed = RuntimeOrigin::signed;
        for who in owners() {
            // The preset may have given the role already.
            let _ = RuntimeCall::Accounts(pallet_accounts::Call::nominate {
                who: who.clone(),
                role: Role::Provider,
            })
            .dispatch(RuntimeOrigin::root());
        }
        let _ = RuntimeCall::Accounts(pallet_accounts::Call::nominate {
            who: arbiter(),
            role: Role::Arbiter,
        })
        .dispatch(RuntimeOrigin::root());
        let call = pallet_balances::Call::transfer_keep_alive {
            dest: customers()[2].clone().into(),
            value: 5_000 * VE,
        };
        must(call.into(), signed(Key::Alice.to_account_id()));
        for who in workers().into_iter().chain(customers().into_iter().skip(3)) {
            let call = pallet_balances::Call::transfer_keep_alive {
                dest: who.into(),
                value: 3 * VE,
            };
            must(call.into(), signed(Key::Alice.to_account_id()));
        }
        for who in workers().into_iter().chain(customers()) {
            let call = pallet_keyring::Call::register_key {
                public: public(&who),
                label: b"key".to_vec().try_into().unwrap(),
            };
            must(call.into(), signed(who));
        }
        for (n, (owner, worker)) in owners().into_iter().zip(workers()).enumerate() {
            let name: virtengine_primitives::Name =
                format!("provider {n}").into_bytes().try_into().unwrap();
            must(
                pallet_providers::Call::register {
                    name: name.clone(),
                    payout: owner.clone(),
                }
                .into(),
                signed(owner.clone()),
            );
            must(
                pallet_providers::Call::add_hot_key { who: worker }.into(),
                signed(owner.clone()),
            );
            must(
                pallet_providers::Call::bond_more { amount: 500 * VE }.into(),
                signed(owner.clone()),
            );
            let asset = if n == 2 {
                AssetKind::Asset(USDX)
            } else {
                AssetKind::Native
            };
            let plan = Self::plan(asset, rng);
            must(
                pallet_billing::Call::publish_plan { plan }.into(),
                signed(owner.clone()),
            );
            let id = Providers::provider_of(owner.clone()).unwrap();
            let plan = pallet_billing::Plans::<Runtime>::iter()
                .find(|(_, p)| p.provider == id)
                .unwrap()
                .0;
            let partition = Partition {
                name: b"main".to_vec().try_into().unwrap(),
                nodes: 4,
                cpus_per_node: 8,
                memory_mib_per_node: 16_000,
                gpus_per_node: 0,
                gpu_type: 0,
                max_walltime: 86_400,
                plan,
            };
            let spec = ClusterSpec {
                name,
                partitions: vec![partition].try_into().unwrap(),
                max_open_jobs: 40,
                min_score: 0,
                custom_scripts: true,
            };
            must(
                pallet_hpc::Call::register_cluster { spec }.into(),
                signed(owner),
            );
        }
    }

    pub fn plan(asset: AssetKind, rng: &mut StdRng) -> PricePlan {
        let unit = if asset == AssetKind::Native {
            VE
        } else {
            1_000_000
        };
        let rates = vec![
            Rate {
                component: Component::CpuSeconds,
                price_per_million: rng.random_range(0..unit * 10),
            },
            Rate {
                component: Component::MemoryMibSeconds,
                price_per_million: rng.random_range(0..unit / 100),
            },
        ];
        PricePlan {
            asset,
            rates: rates.try_into().unwrap(),
            minimum_charge: rng.random_range(0..unit / 50),
        }
    }

    fn set_clock(&mut self) {
        let (block, now) = (self.block, self.now);
        self.ext.execute_with(|| {
            System::set_block_number(block);
            pallet_timestamp::Now::<Runtime>::put(now);
        });
    }

    /// Advances by `blocks` that are so full that no hook gets its turn: deadlines pass and nobody acts on them.
    fn advance_full(&mut self, blocks: u32) {
        self.block += blocks;
        self.now += u64::from(blocks) * 1_000;
        self.set_clock();
    }

    /// Advances by `blocks`; the hooks run as they do in a block, with room for everything.
    fn advance(&mut self, blocks: u32) {
        self.advance_full(blocks);
        let block = self.block;
        self.ext.execute_with(|| {
            System::reset_events();
            // More than one round, as the hooks leave part of each block to others.
            for _ in 0..8 {
                let mut meter =
                    WeightMeter::with_limit(Weight::from_parts(u64::MAX / 2, u64::MAX / 2));
                Hpc::on_poll(block, &mut meter);
                Billing::on_poll(block, &mut meter);
            }
        });
    }

    /// A plausible call from a plausible origin, now and then an implausible one; returns its name and whether it
    /// succeeded.
    pub fn random_call(&mut self) -> (String, bool) {
        if self.rng.random_ratio(1, 4) {
            let blocks = if self.rng.random_ratio(1, 40) {
                2_000
            } else {
                self.rng.random_range(1..12)
            };
            if self.rng.random_ratio(1, 3) {
                self.advance_full(blocks);
            } else {
                self.advance(blocks);
            }
        }
        let mut rng = self.rng.clone();
        let (block, now) = (self.block, self.now);
        let (name, ok) = self.ext.execute_with(|| {
            let (origin, call) = Source {
                rng: &mut rng,
                block,
                now,
            }
            .call();
            let metadata = frame_support::traits::GetCallMetadata::get_call_metadata(&call);
            let name = format!(
                "{}.{}",
                metadata.pallet_name.to_lowercase(),
                metadata.function_name
            );
            (name, call.dispatch(origin).is_ok())
        });
        self.rng = rng;
        (name, ok)
    }

    /// What must hold after every single call: no unit appeared or vanished.
    pub fn check_money(&mut self, context: &str) {
        let (native, usdx) = (self.native, self.usdx);
        self.ext.execute_with(|| {
            assert_eq!(
                Balances::total_issuance(),
                native,
                "{context}: native issuance"
            );
            assert_eq!(
                Assets::total_issuance(USDX),
                usdx,
                "{context}: USDX issuance"
            );
        });
    }

    /// All invariants of all our pallets, and the one that spans them.
    pub fn try_state(&mut self, context: &str) {
        self.ext.execute_with(|| {
            let check = |pallet: &str, result: Result<(), sp_runtime::TryRuntimeError>| {
                result.unwrap_or_else(|e| panic!("{context}: {pallet}: {e:?}"))
            };
            check("accounts", virtengine_runtime::Accounts::do_try_state());
            check("keyring", Keyring::do_try_state());
            check("providers", Providers::do_try_state());
            check("escrow", Escrow::do_try_state());
            check("billing", Billing::do_try_state());
            check("hpc", Hpc::do_try_state());
            for (id, agreement) in pallet_billing::Agreements::<Runtime>::iter() {
                let ledger = Escrow::ledger(id)
                    .unwrap_or_else(|| panic!("{context}: agreement {id} has no ledger"));
                assert_eq!(ledger.payer, agreement.payer, "{context}: {id}");
                assert!(
                    ledger.deposited <= agreement.ceiling,
                    "{context}: {id} holds more than its ceiling"
                );
                assert!(
                    ledger.pending + ledger.paid + ledger.credited <= agreement.ceiling,
                    "{context}: {id}"
                );
            }
        });
    }

    /// Lets far more time pass than any deadline needs, in steps.
    pub fn let_time_pass(&mut self) {
        // An asset that its issuer froze is thawed: nobody can be paid in a frozen asset.
        self.ext.execute_with(|| {
            let call = pallet_assets::Call::thaw_asset { id: USDX.into() };
            let _ =
                RuntimeCall::from(call).dispatch(RuntimeOrigin::signed(Key::Alice.to_account_id()));
        });
        // The last job ends 1,050 blocks after it was submitted, and three dispute windows of 10 blocks follow.
        for _ in 0..20 {
            self.advance(500);
        }
    }

    /// After enough time nobody's money is held for an agreement, and nobody did anything but wait.
    pub fn nothing_is_stuck(&mut self, context: &str) {
        self.try_state(context);
        self.ext.execute_with(|| {
            for (id, ledger) in pallet_escrow::Ledgers::<Runtime>::iter() {
                assert_eq!(
                    (ledger.available, ledger.pending),
                    (0, 0),
                    "{context}: agreement {id}: {ledger:?}"
                );
            }
            for (id, job) in pallet_hpc::Jobs::<Runtime>::iter() {
                assert!(
                    matches!(job.state, JobState::Ended(_)),
                    "{context}: job {id} is {:?}",
                    job.state
                );
            }
            for (id, provider) in pallet_providers::Organisations::<Runtime>::iter() {
                assert_eq!(
                    (provider.locked, provider.live_agreements),
                    (0, 0),
                    "{context}: provider {id}"
                );
            }
        });
    }

    /// Then anybody can clean up, and every deposit goes back. What is left is owed to somebody who cannot be paid.
    pub fn everything_can_be_pruned(&mut self, context: &str) {
        self.ext.execute_with(|| {
            let anybody = || RuntimeOrigin::signed(arbiter());
            let ids: Vec<_> = pallet_billing::Agreements::<Runtime>::iter_keys().collect();
            for id in ids {
                let credits: Vec<_> =
                    pallet_escrow::Credits::<Runtime>::iter_key_prefix(id).collect();
                for recipient in credits {
                    let _ = Escrow::claim(anybody(), id, recipient);
                }
                let owed = Escrow::ledger(id).map_or(0, |ledger| ledger.credited);
                let pruned = Billing::prune_agreement(anybody(), id);
                assert_eq!(pruned.is_ok(), owed == 0, "{context}: {id}: {pruned:?}");
            }
            let ids: Vec<_> = pallet_hpc::Jobs::<Runtime>::iter_keys().collect();
            for id in ids {
                let pruned = Hpc::prune(anybody(), id);
                let owed = Escrow::ledger(id).is_some();
                assert_eq!(pruned.is_ok(), !owed, "{context}: {id}: {pruned:?}");
            }
            for who in customers() {
                let left = pallet_hpc::JobsOf::<Runtime>::iter_key_prefix(&who).count();
                let reason = pallet_hpc::HoldReason::StorageDeposit.into();
                let held = Balances::balance_on_hold(&reason, &who);
                let clusters = pallet_hpc::ClusterDeposits::<Runtime>::iter_values()
                    .any(|deposit| deposit.depositor == who);
                assert!(
                    held == 0 || left > 0 || clusters,
                    "{context}: a deposit of {who:?} for nothing"
                );
            }
        });
        self.check_money(context);
        self.try_state(context);
    }

    /// Hash over the whole state.
    pub fn state_root(&mut self) -> H256 {
        self.ext
            .execute_with(|| H256::from_slice(&sp_io::storage::root(sp_runtime::StateVersion::V1)))
    }
}
