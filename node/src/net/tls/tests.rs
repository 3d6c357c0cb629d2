//! Certificates and the peers they prove.

use super::*;

#[test]
fn a_peer_and_its_libp2p_name_are_one() {
    let key = NodeKey::from_seed(&[7; 32]);
    let id = peer_id(&key.public()).unwrap();
    assert_eq!(id, keypair(&key).public().to_peer_id());
    assert_eq!(peer_of(&id), Some(key.public()));
    assert_eq!(peer_of(&PeerId::random()), None, "a name that hashes its key hides it");
}

#[test]
fn bytes_off_the_curve_are_no_peer() {
    let no_point = (0..=u8::MAX).map(|y| PeerKey([y; 32])).find(|peer| peer_id(peer).is_err());
    let no_point = no_point.expect("half of all encodings are no point");
    let key = NodeKey::from_seed(&[7; 32]);
    assert!(matches!(client_config(&key, STAGE_ALPN, &no_point), Err(TlsError::Peer(_))));
}

#[test]
fn a_certificate_names_the_key_that_made_it() {
    let key = NodeKey::from_seed(&[7; 32]);
    let (certificate, _) = libp2p_tls::certificate::generate(&keypair(&key)).unwrap();
    let one = [certificate];
    assert_eq!(peer_key(&one).unwrap(), key.public());
    assert!(matches!(peer_key(&[]), Err(TlsError::Count(0))));
    assert!(matches!(peer_key(&[one[0].clone(), one[0].clone()]), Err(TlsError::Count(2))));
    let mut torn = one[0].to_vec();
    let last = torn.len() - 1;
    torn[last] ^= 1;
    assert!(matches!(peer_key(&[torn.into()]), Err(TlsError::Parse(_))));
}

#[test]
fn planes_neither_mix_nor_log_secrets() {
    let key = NodeKey::from_seed(&[7; 32]);
    let server = server_config(&key, &[STAGE_ALPN]).unwrap();
    let client = client_config(&key, CLIENT_ALPN, &key.public()).unwrap();
    assert_eq!(server.alpn_protocols, [STAGE_ALPN]);
    assert_eq!(client.alpn_protocols, [CLIENT_ALPN]);
    assert!(!server.key_log.will_log("CLIENT_TRAFFIC_SECRET_0"));
    assert!(!client.key_log.will_log("CLIENT_TRAFFIC_SECRET_0"));
}
