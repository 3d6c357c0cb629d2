//! Who may be connected to whom, over real sockets.

use std::net::{Ipv4Addr, UdpSocket};

use comity_protocol::{request::Prompt, signed::NodeKey};

use super::*;
use crate::fake::{self, Fake};

#[tokio::test]
async fn both_sides_learn_each_others_key() {
    let key = NodeKey::from_seed(&[5; 32]);
    let expected = key.public();
    let fake = Fake::start(ALPN, move |mut node| async move {
        assert_eq!(node.client, expected);
        node.event(&ClientEvent::Status("{\"peers\":2}".into())).await;
    });
    let credentials = Credentials::key(key).pinned(fake::node_key().public());
    let client = Client::connect(fake.addr, credentials).await.unwrap();
    assert_eq!(client.peer(), fake::node_key().public());
    assert_eq!(client.status().await.unwrap(), "{\"peers\":2}");
    client.close().await;
    fake.join().await;
}

#[tokio::test]
async fn another_node_than_the_pinned_one_is_refused() {
    let fake = Fake::start(ALPN, |_| async { panic!("no request may arrive") });
    let other = NodeKey::from_seed(&[6; 32]).public();
    let error = Client::connect(fake.addr, fake::credentials().pinned(other)).await.unwrap_err();
    assert!(matches!(error, ConnectError::Handshake { .. }), "{error:?}");
    fake.join().await;
}

#[tokio::test]
async fn node_of_another_plane_is_refused() {
    let fake = Fake::start(b"comity/stage/1", |_| async { panic!("no request may arrive") });
    let error = Client::connect(fake.addr, fake::credentials()).await.unwrap_err();
    assert!(matches!(error, ConnectError::Handshake { .. }), "{error:?}");
    fake.join().await;
}

#[tokio::test]
async fn loopback_token_never_leaves_the_machine() {
    for addr in ["192.0.2.1:4702", "[2001:db8::1]:4702", "[::ffff:192.0.2.1]:4702"] {
        let error = Client::connect(addr.parse().unwrap(), fake::credentials()).await.unwrap_err();
        assert!(matches!(error, ConnectError::TokenLeaves { .. }), "{addr}: {error:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn silence_is_a_timeout_that_names_the_address() {
    let silent = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let addr = silent.local_addr().unwrap();
    let error = Client::connect(addr, fake::credentials()).await.unwrap_err();
    assert!(matches!(error, ConnectError::Timeout { addr: got } if got == addr), "{error:?}");
}

#[tokio::test]
async fn request_past_the_limit_is_not_sent() {
    let fake = Fake::start(ALPN, |_| async { panic!("no request may arrive") });
    let client = Client::connect(fake.addr, fake::credentials()).await.unwrap();
    let prompt = Prompt::Raw("x".repeat(REQUEST_BYTES_MAX));
    let error = client.generate(Generate { prompt, ..fake::request(1) }).await.unwrap_err();
    assert!(matches!(error, GenerateError::TooLong { .. }), "{error:?}");
    client.close().await;
    fake.join().await;
}
