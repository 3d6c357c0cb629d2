//! What a newcomer gets from an invitation.

use std::path::Path;

use clap::Parser as _;
use comity_protocol::{
    charter::{Charter, SignedChain},
    signed::NodeKey,
    time::{Timestamp, Validity},
};

use super::*;

#[derive(Debug, clap::Parser)]
struct Line {
    #[command(flatten)]
    args: Args,
}

fn chain() -> SignedChain {
    let root = NodeKey::from_seed(&[1; 32]);
    let key = |seed: u8| NodeKey::from_seed(&[seed; 32]).public();
    let keys = InstitutionKeys { root: root.public(), roster: key(2), witness: key(3) };
    let founder = Institution::new("uni-north", "North", "NL".parse().unwrap(), keys);
    let validity = Validity { from: Timestamp::from_ms(0), until: Timestamp::from_ms(1_000) };
    let charter = Charter::genesis("Test", validity, vec![founder]);
    let charters = vec![charter.sign_all(&[root]).unwrap()];
    SignedChain { charters, suspensions: Vec::new() }
}

fn join(folder: &Path, genesis: &str) -> Result<Outcome, JoinError> {
    let (invitation, dir) = (folder.join("i"), folder.join("delta"));
    let paths = [invitation.to_str().unwrap(), "--dir", dir.to_str().unwrap()];
    let rest = ["--id", "delta", "--legal-name", "Delta", "--country", "PT", "--genesis", genesis];
    let line = Line::try_parse_from(["join"].into_iter().chain(paths).chain(rest));
    futures::executor::block_on(run(line.unwrap().args))
}

#[test]
fn an_invitation_becomes_keys_a_configuration_and_an_application() {
    let folder = tempfile::tempdir().unwrap();
    let charters = chain();
    let genesis = charters.charters[0].hash();
    let address = "/ip4/192.0.2.1/udp/4700/quic-v1".to_owned();
    let invitation = Invitation { charters, control_addresses: vec![address.clone()] };
    fs::write(folder.path().join("i"), invitation.encode()).unwrap();

    // What was read out decides, and nothing is made before it fits.
    let other = join(folder.path(), &Digest::ZERO.to_string()).unwrap_err();
    assert!(matches!(other, JoinError::Charter(CharterError::Genesis)), "{other}");
    assert!(matches!(join(folder.path(), "what"), Err(JoinError::Genesis)));
    let dir = folder.path().join("delta");
    assert!(!dir.exists());

    assert_eq!(join(folder.path(), &fingerprint(&genesis)).unwrap(), Outcome::Done);
    let config = Config::load(&dir.join("comity.toml")).unwrap();
    assert_eq!((config.institution.as_str(), config.control.peers), ("delta", vec![address]));
    assert_eq!(config.charter, dir.join("charter.signed"));
    let application = fs::read_to_string(dir.join("institution.toml")).unwrap();
    let institutions = text::institutions("i", &application).unwrap();
    assert_eq!(institutions[0].root_key, keys::load(&dir.join("root.key")).unwrap().public());
    assert!(matches!(join(folder.path(), &genesis.to_string()), Err(JoinError::Exists(_))));
}
