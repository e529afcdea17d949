//! The connection against a node that goes away, comes back, or turns out to be another one.

use jsonrpsee::{
    server::{Server, ServerHandle},
    RpcModule,
};
use std::{net::SocketAddr, time::Duration};
use ve_chain::{Chain, ChainError, ConnectOptions, Timeouts, H256};

/// The little of a node that the tests ask for.
async fn node(at: &str, genesis: H256) -> (SocketAddr, ServerHandle) {
    let server = Server::builder().build(at).await.unwrap();
    let address = server.local_addr().unwrap();
    let mut module = RpcModule::new(());
    let text = |hash: H256| format!("{hash:?}");
    module
        .register_method("chain_getBlockHash", move |_, _, _| text(genesis))
        .unwrap();
    module
        .register_method("chain_getFinalizedHead", move |_, _, _| {
            text(H256::repeat_byte(7))
        })
        .unwrap();
    module
        .register_method("chain_getHeader", move |_, _, _| {
            serde_json::json!({
                "parentHash": text(H256::zero()),
                "number": "0x2a",
                "stateRoot": text(H256::zero()),
                "extrinsicsRoot": text(H256::zero()),
                "digest": { "logs": [] },
            })
        })
        .unwrap();
    (address, server.start(module))
}

fn options(patience: Duration) -> ConnectOptions {
    let timeouts = Timeouts {
        connect: Duration::from_secs(2),
        request: Duration::from_secs(2),
        ..Timeouts::default()
    };
    ConnectOptions {
        patience,
        timeouts,
        ..ConnectOptions::default()
    }
}

async fn stop(handle: ServerHandle) {
    handle.stop().unwrap();
    handle.stopped().await;
}

#[tokio::test]
async fn connection_should_repair_itself_when_the_node_comes_back() {
    let genesis = H256::repeat_byte(1);
    let (address, handle) = node("127.0.0.1:0", genesis).await;
    let chain = Chain::connect(&format!("ws://{address}"), options(Duration::ZERO))
        .await
        .unwrap();
    assert_eq!(chain.genesis(), genesis);
    assert_eq!(chain.finalized_head().await.unwrap().number, 42);

    stop(handle).await;
    for _ in 0..3 {
        let error = chain.finalized_head().await.unwrap_err();
        assert!(matches!(error, ChainError::Unreachable { .. }), "{error}");
        assert!(error.is_transient());
    }

    let (_, handle) = node(&address.to_string(), genesis).await;
    assert_eq!(chain.finalized_head().await.unwrap().number, 42);
    stop(handle).await;
}

#[tokio::test]
async fn connection_should_be_refused_when_another_chain_comes_back() {
    let (address, handle) = node("127.0.0.1:0", H256::repeat_byte(1)).await;
    let chain = Chain::connect(&format!("ws://{address}"), options(Duration::ZERO))
        .await
        .unwrap();
    stop(handle).await;
    let (_, handle) = node(&address.to_string(), H256::repeat_byte(2)).await;
    let error = chain.finalized_head().await.unwrap_err();
    assert!(
        matches!(error, ChainError::WrongGenesis { expected, found }
            if expected == H256::repeat_byte(1) && found == H256::repeat_byte(2)),
        "{error}"
    );
    stop(handle).await;
}

#[tokio::test]
async fn connection_should_be_refused_at_once_when_the_genesis_is_not_the_expected_one() {
    let (address, handle) = node("127.0.0.1:0", H256::repeat_byte(1)).await;
    let expected = ConnectOptions {
        expected_genesis: Some(H256::repeat_byte(9)),
        ..options(Duration::MAX)
    };
    let error = Chain::connect(&format!("ws://{address}"), expected)
        .await
        .unwrap_err();
    assert!(matches!(error, ChainError::WrongGenesis { .. }), "{error}");
    assert!(!error.is_transient());
    stop(handle).await;
}

#[tokio::test]
async fn first_connection_should_be_waited_for_when_there_is_patience() {
    // A port that was free a moment ago.
    let address = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let late = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(600)).await;
        node(&address.to_string(), H256::repeat_byte(1)).await
    });
    let url = format!("ws://{address}");
    assert!(Chain::connect(&url, options(Duration::ZERO)).await.is_err());
    let chain = Chain::connect(&url, options(Duration::from_secs(30)))
        .await
        .unwrap();
    assert_eq!(chain.finalized_head().await.unwrap().number, 42);
    let (_, handle) = late.await.unwrap();
    stop(handle).await;
}

#[tokio::test]
async fn silent_node_should_be_unreachable_when_the_time_is_over() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    let error = Chain::connect(&url, options(Duration::ZERO))
        .await
        .unwrap_err();
    assert!(matches!(error, ChainError::Unreachable { .. }), "{error}");
}
