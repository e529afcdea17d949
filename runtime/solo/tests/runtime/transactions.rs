use crate::chain;
use codec::Encode;
use frame_support::traits::PalletInfoAccess;
use sp_consensus_babe::digests::{PreDigest, SecondaryPlainPreDigest};
use sp_keyring::Sr25519Keyring;
use sp_runtime::{generic::Era, Digest, DigestItem, MultiSignature};
use virtengine_runtime::{
    currency::UNITS, genesis_config_presets::USDX, pots, Assets, Balances, Executive, Runtime,
    RuntimeCall, SignedPayload, System, TxExtension, UncheckedExtrinsic,
};

/// The first block, by the first authority.
fn begin_block() {
    let pre_digest = PreDigest::SecondaryPlain(SecondaryPlainPreDigest {
        authority_index: 0,
        slot: 1.into(),
    });
    let digest = Digest {
        logs: vec![DigestItem::PreRuntime(
            sp_consensus_babe::BABE_ENGINE_ID,
            pre_digest.encode(),
        )],
    };
    System::initialize(&1, &Default::default(), &digest);
}

fn signed(who: Sr25519Keyring, call: RuntimeCall, asset: Option<u32>) -> UncheckedExtrinsic {
    let extension: TxExtension = (
        frame_system::AuthorizeCall::new(),
        frame_system::CheckNonZeroSender::new(),
        frame_system::CheckSpecVersion::new(),
        frame_system::CheckTxVersion::new(),
        frame_system::CheckGenesis::new(),
        frame_system::CheckEra::from(Era::Immortal),
        frame_system::CheckNonce::from(System::account_nonce(who.to_account_id())),
        frame_system::CheckWeight::new(),
        pallet_asset_tx_payment::ChargeAssetTxPayment::from(0, asset),
        frame_metadata_hash_extension::CheckMetadataHash::new(false),
        frame_system::WeightReclaim::new(),
    );
    let payload = SignedPayload::new(call.clone(), extension.clone()).unwrap();
    let signature = payload.using_encoded(|bytes| who.sign(bytes));
    UncheckedExtrinsic::new_signed(
        call,
        who.to_account_id().into(),
        MultiSignature::Sr25519(signature),
        extension,
    )
}

fn transfer() -> RuntimeCall {
    pallet_balances::Call::transfer_keep_alive {
        dest: Sr25519Keyring::Charlie.to_account_id().into(),
        value: UNITS,
    }
    .into()
}

#[test]
fn extensions_should_be_the_stock_ones_in_stock_order() {
    assert_eq!(
        virtengine_runtime::extension_names(),
        [
            "AuthorizeCall",
            "CheckNonZeroSender",
            "CheckSpecVersion",
            "CheckTxVersion",
            "CheckGenesis",
            "CheckMortality",
            "CheckNonce",
            "CheckWeight",
            "ChargeAssetTxPayment",
            "CheckMetadataHash",
            "WeightReclaim",
        ]
    );
}

#[test]
fn fee_should_be_divided_between_treasury_and_author_when_paid_in_the_native_token() {
    chain("development").execute_with(|| {
        begin_block();
        let (alice, bob, charlie) = (
            Sr25519Keyring::Alice.to_account_id(),
            Sr25519Keyring::Bob.to_account_id(),
            Sr25519Keyring::Charlie.to_account_id(),
        );
        let before = [&alice, &bob, &charlie, &pots::treasury()].map(Balances::free_balance);

        Executive::apply_extrinsic(signed(Sr25519Keyring::Bob, transfer(), None))
            .unwrap()
            .unwrap();

        let after = [&alice, &bob, &charlie, &pots::treasury()].map(Balances::free_balance);
        let fee = before[1] - after[1] - UNITS;
        assert!(fee > 0 && fee < UNITS / 100, "a transfer costs {fee}");
        assert_eq!(after[2] - before[2], UNITS);
        assert_eq!(after[0] - before[0] + after[3] - before[3], fee);
        let share = (after[3] - before[3]) * 100 / fee;
        assert!((79..=80).contains(&share), "the treasury got {share} %");
    });
}

#[test]
fn fee_should_be_taken_in_an_asset_at_its_rate_when_the_sender_asks_for_it() {
    chain("development").execute_with(|| {
        begin_block();
        let bob = Sr25519Keyring::Bob.to_account_id();
        let native = Balances::free_balance(&bob);
        let asset = Assets::balance(USDX, &bob);
        let treasury = Assets::balance(USDX, pots::treasury());

        Executive::apply_extrinsic(signed(Sr25519Keyring::Bob, transfer(), Some(USDX)))
            .unwrap()
            .unwrap();

        assert_eq!(native - Balances::free_balance(&bob), UNITS);
        let fee = asset - Assets::balance(USDX, &bob);
        assert!(
            fee > 0 && fee < 10_000,
            "a transfer costs {fee} of 10^-6 USDX"
        );
        assert!(Assets::balance(USDX, pots::treasury()) > treasury);
    });
}

#[test]
fn transaction_should_be_refused_when_the_fee_asset_has_no_rate() {
    chain("development").execute_with(|| {
        begin_block();
        let result = Executive::apply_extrinsic(signed(Sr25519Keyring::Bob, transfer(), Some(7)));
        assert!(result.is_err(), "{result:?}");
    });
}

#[test]
fn pallets_should_keep_their_indices() {
    macro_rules! indices {
        ($($pallet:ident = $index:literal),* $(,)?) => {
            $( assert_eq!(virtengine_runtime::$pallet::index(), $index, stringify!($pallet)); )*
        };
    }
    indices!(
        System = 0,
        Parameters = 1,
        Timestamp = 2,
        Scheduler = 3,
        Preimage = 4,
        Migrations = 5,
        Sudo = 6,
        Balances = 10,
        TransactionPayment = 11,
        AssetTxPayment = 12,
        Assets = 13,
        AssetsHolder = 14,
        AssetRate = 15,
        Babe = 20,
        Authorship = 21,
        Validators = 22,
        Offences = 23,
        Historical = 24,
        Session = 25,
        Grandpa = 26,
        Utility = 35,
        Multisig = 36,
        Proxy = 37,
        Whitelist = 40,
        Accounts = 50,
        Keyring = 51,
        Providers = 52,
        Escrow = 53,
        Billing = 54,
        Hpc = 55,
    );
}

#[test]
fn metadata_should_be_offered_in_the_versions_that_wallets_read() {
    chain("development").execute_with(|| {
        let versions = Runtime::metadata_versions();
        for version in [14, 15, 16] {
            assert!(versions.contains(&version), "{versions:?}");
            assert!(Runtime::metadata_at_version(version).is_some());
        }
    });
}

#[test]
fn compute_proxy_should_buy_and_not_move_money_otherwise() {
    use frame_support::traits::InstanceFilter;
    use virtengine_primitives::{billing::InvoiceKey, AssetKind};
    let alice = Sr25519Keyring::Alice.to_account_id();
    let invoice = InvoiceKey {
        payer: alice,
        provider: 0,
        asset: AssetKind::Native,
        month: 0,
    };
    let allowed: [RuntimeCall; 3] = [
        pallet_hpc::Call::cancel { job: 1 }.into(),
        pallet_billing::Call::dispute {
            agreement: 1,
            amount: 1,
            grounds: Default::default(),
        }
        .into(),
        pallet_keyring::Call::revoke_key { key: [0; 16] }.into(),
    ];
    let refused: [RuntimeCall; 4] = [
        transfer(),
        // Pays the customer of an invoice from the provider's own account.
        pallet_billing::Call::credit_note {
            invoice,
            line: 0,
            amount: 1,
        }
        .into(),
        pallet_billing::Call::retire_plan { plan: 0 }.into(),
        // Sets a bond aside.
        pallet_hpc::Call::accept_many {
            jobs: Default::default(),
        }
        .into(),
    ];
    let compute = virtengine_runtime::ProxyType::Compute;
    assert!(allowed.iter().all(|call| compute.filter(call)));
    assert!(!refused.iter().any(|call| compute.filter(call)));
}
