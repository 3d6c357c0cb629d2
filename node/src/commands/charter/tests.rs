//! From a text to a genesis that every founder signed.

use clap::Parser as _;
use comity_protocol::{
    charter::{Chain, SignedCharter},
    policy::{Audit, DataClass, Recovery},
    time::Timestamp,
    wire::Wire as _,
};

use super::*;

fn consortium(north: &NodeKey, east: &NodeKey) -> String {
    let key = |seed: u8| NodeKey::from_seed(&[seed; 32]).public();
    format!(
        "name = \"Test\"\ndays = 30\n\
         [[institution]]\nid = \"uni-north\"\nlegal_name = \"Northern University\"\n\
         country = \"NL\"\nroot_key = \"{}\"\nroster_key = \"{}\"\n\
         witness_key = \"{}\"\n[[institution]]\nid = \"clinic-east\"\nlegal_name = \"Eastern Hospital\"\n\
         country = \"DE\"\nparent_country = \"US\"\nroot_key = \"{}\"\nroster_key = \"{}\"\n\
         witness_key = \"{}\"\n[[policy]]\nname = \"eu-only\"\nallowed_jurisdictions = [\"NL\", \"DE\"]\n",
        north.public(),
        key(11),
        key(21),
        east.public(),
        key(12),
        key(22),
    )
}

#[test]
fn text_becomes_a_genesis_in_canonical_order() {
    let keys = [NodeKey::from_seed(&[1; 32]), NodeKey::from_seed(&[2; 32])];
    let now = Timestamp::from_ms(1_000);
    let charter = text::parse("c.toml", &consortium(&keys[0], &keys[1]), now).unwrap();
    let ids: Vec<_> = charter.institutions.iter().map(|member| member.id.as_str()).collect();
    assert_eq!(ids, ["clinic-east", "uni-north"]);
    let parents: Vec<_> =
        charter.institutions.iter().map(|member| member.parent_country.to_string()).collect();
    assert_eq!(parents, ["US", "NL"]);
    let mut signed = charter.sign_all(&keys[..1]).unwrap();
    let decoded = SignedCharter::decode(&signed.encode()).unwrap();
    assert!(matches!(decoded.verify_genesis(), Err(CharterError::Missing { .. })));
    signed.sign(&keys[1], None).unwrap();
    assert_eq!(signed.verify_genesis().unwrap(), charter);
}

#[test]
fn mistakes_in_a_text_are_named() {
    let keys = [NodeKey::from_seed(&[1; 32]), NodeKey::from_seed(&[2; 32])];
    let good = consortium(&keys[0], &keys[1]);
    let cases = [
        ("days = 30", "dais = 30", "dais"),
        ("country = \"NL\"", "country = \"nl\"", "country of uni-north"),
        ("\"NL\", \"DE\"", "\"NL\", \"Germany\"", "allowed_jurisdictions of eu-only"),
        (&keys[0].public().to_string()[..8], "zz", "root_key of uni-north"),
        ("name = \"eu-only\"\n", "name = \"eu-only\"\naudit = \"all\"\n", "audit of eu-only"),
    ];
    for (from, to, expected) in cases {
        let text = good.replacen(from, to, 1);
        let error = text::parse("c.toml", &text, Timestamp::from_ms(0)).unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains("c.toml"), "{error}");
    }
}

#[test]
fn a_charter_survives_being_written_as_text() {
    let keys = [NodeKey::from_seed(&[1; 32]), NodeKey::from_seed(&[2; 32])];
    let more = "[[revocation]]\ninstitution = \"old\"\nreason = \"left\"\n";
    let text = consortium(&keys[0], &keys[1]) + more;
    let charter = text::parse("c.toml", &text, Timestamp::from_ms(1_799_999)).unwrap();
    let written = text::write(&charter).unwrap();
    assert_eq!(text::parse("w.toml", &written, charter.created_at).unwrap(), charter, "{written}");
}

/// A folder with keys of three institutions and the charter of the first two.
struct Folder(tempfile::TempDir);

#[derive(Debug, clap::Parser)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        let keys = ["north", "east", "delta"].map(|name| keys::create(&folder.path(name)).unwrap());
        std::fs::write(folder.path("c.toml"), consortium(&keys[0], &keys[1])).unwrap();
        let made = folder.run("new FOLDER/c.toml --out FOLDER/c --key FOLDER/north");
        assert_eq!(made.unwrap(), Outcome::Incomplete);
        assert_eq!(folder.run("sign FOLDER/c --key FOLDER/east").unwrap(), Outcome::Done);
        let other = |seed: u8| NodeKey::from_seed(&[seed; 32]).public();
        let delta = format!(
            "[[institution]]\nid = \"delta\"\nlegal_name = \"Delta\"\ncountry = \"PT\"\n\
             root_key = \"{}\"\nroster_key = \"{}\"\nwitness_key = \"{}\"\n",
            keys[2].public(),
            other(13),
            other(23),
        );
        std::fs::write(folder.path("delta.toml"), delta).unwrap();
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs `comity charter` with this line.
    fn run(&self, line: &str) -> Result<Outcome, CharterCommandError> {
        let line = line.replace("FOLDER", self.0.path().to_str().unwrap());
        let line = Line::try_parse_from(std::iter::once("charter").chain(line.split(' ')));
        // Nothing here waits for anything.
        futures::executor::block_on(run(line.unwrap().command))
    }

    fn chain(&self) -> Chain {
        CharterFile::open(&self.path("c")).unwrap().complete().unwrap().clone()
    }
}

#[test]
fn an_institution_is_admitted_and_removed_file_by_file() {
    let folder = Folder::new();
    let genesis = folder.chain().genesis();
    let proposed = folder.run("propose FOLDER/c --admit FOLDER/delta.toml --key FOLDER/north");
    assert_eq!(proposed.unwrap(), Outcome::Incomplete);
    assert_eq!(folder.run("diff FOLDER/c").unwrap(), Outcome::Incomplete);
    let again = folder.run("propose FOLDER/c --remove uni-north").unwrap_err();
    assert!(matches!(again, CharterCommandError::Open { version: 2, .. }), "{again}");
    assert_eq!(folder.run("sign FOLDER/c --key FOLDER/east").unwrap(), Outcome::Incomplete);
    assert_eq!(folder.run("sign FOLDER/c --key FOLDER/delta").unwrap(), Outcome::Done);
    assert_eq!(folder.chain().current().version, 2);
    let check = format!("check FOLDER/c --genesis {genesis}");
    assert_eq!(folder.run(&check).unwrap(), Outcome::Done);

    let remove =
        "propose FOLDER/c --remove delta --reason left --key FOLDER/north --key FOLDER/east";
    assert_eq!(folder.run(remove).unwrap(), Outcome::Done);
    assert_eq!(folder.run("diff FOLDER/c").unwrap(), Outcome::Done);
    assert_eq!(folder.run("show FOLDER/c --json").unwrap(), Outcome::Done);
    let chain = folder.chain();
    assert_eq!((chain.genesis(), chain.current().version), (genesis, 3));
    assert!(chain.current().institution("delta").is_none());
    let unknown = folder.run("propose FOLDER/c --remove delta").unwrap_err();
    assert!(matches!(unknown, CharterCommandError::Unknown(_)), "{unknown}");
    let nothing = folder.run("propose FOLDER/c").unwrap_err();
    assert!(matches!(nothing, CharterCommandError::Nothing), "{nothing}");
    let other = format!("check FOLDER/c --genesis {}", Digest::ZERO);
    assert!(matches!(folder.run(&other), Err(CharterCommandError::Charter(CharterError::Genesis))));
}

#[test]
fn an_edited_text_becomes_the_next_version() {
    let folder = Folder::new();
    let text = text::write(folder.chain().current()).unwrap();
    std::fs::write(folder.path("next.toml"), text.replace("eu-only", "two")).unwrap();
    let proposed = folder.run("propose FOLDER/c FOLDER/next.toml --key FOLDER/north");
    assert_eq!(proposed.unwrap(), Outcome::Incomplete);
    assert_eq!(folder.run("sign FOLDER/c --key FOLDER/east").unwrap(), Outcome::Done);
    assert_eq!(folder.chain().current().policies[0].name, "two");
}

#[test]
fn two_institutions_suspend_a_third() {
    let folder = Folder::new();
    let admit = "propose FOLDER/c --admit FOLDER/delta.toml --key FOLDER/north --key FOLDER/east \
                 --key FOLDER/delta";
    assert_eq!(folder.run(admit).unwrap(), Outcome::Done);
    let suspend = |key: &str| {
        folder.run(&format!("suspend FOLDER/c delta --reason leaked --key FOLDER/{key}")).unwrap()
    };
    assert_eq!(suspend("north"), Outcome::Incomplete);
    assert_eq!(suspend("delta"), Outcome::Incomplete, "its own signature does not count");
    assert_eq!(suspend("east"), Outcome::Done);
    assert_eq!(CharterFile::open(&folder.path("c")).unwrap().signed().suspensions.len(), 3);
    assert_eq!(folder.run("show FOLDER/c").unwrap(), Outcome::Done);
}

#[test]
fn a_policy_survives_being_written_as_text() {
    let keys = [NodeKey::from_seed(&[1; 32]), NodeKey::from_seed(&[2; 32])];
    let policy = "[[policy]]\nname = \"whole\"\nforbidden_jurisdictions = [\"US\"]\n\
        allowed_institutions = [\"clinic-east\"]\npinned_first = 1\npinned_last = 2\n\
        data_class = \"sensitive\"\npurpose = \"care\"\nrecovery = \"any\"\naudit = \"home\"\n\
        transfer_basis = \"SCC 2021/914\"\n";
    let text = consortium(&keys[0], &keys[1]) + policy;
    let now = Timestamp::from_ms(1_000);
    let charter = text::parse("c.toml", &text, now).unwrap();
    let whole = &charter.policies[1];
    assert_eq!(whole.data_class, Some(DataClass::Sensitive));
    assert_eq!((whole.recovery, whole.audit), (Recovery::Any, Audit::Home));
    assert_eq!((whole.purpose.as_str(), whole.transfer_basis.as_str()), ("care", "SCC 2021/914"));
    let again = text::parse("c.toml", &text::write(&charter).unwrap(), now).unwrap();
    assert_eq!(again, charter);
    assert_eq!(charter.policies[0].audit, Audit::None, "the default");
}
