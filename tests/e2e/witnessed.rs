//! A session's record, witnessed by other institutions and proved from home's folder.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use comity_node::{
    bodies::Bodies,
    commands::log::{self, Regulation},
};
use comity_protocol::{
    bundle::{Bundle, Reader, Report, VerifyError, verify_knowing},
    receipt::Receipt,
    regulation::Period,
    time::Timestamp,
    wire::Wire as _,
};
use tokio::time::timeout;

use crate::swarm::{PATIENCE, Swarm, request};

impl Swarm {
    fn verify_now(&self, bundle: &[u8]) -> Result<Report, VerifyError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let now = Timestamp::from_ms(u64::try_from(now.as_millis()).unwrap());
        verify_knowing(bundle, Reader { genesis: &self.demo.genesis, charters: &[], now })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_is_witnessed_and_its_proof_outlives_the_erasure_of_its_text() {
    let swarm = Swarm::of_fixture(3).await;
    let answer = swarm.ask(request("the cat sat on the", 8)).await;
    assert!(!swarm.verify(&answer).witnessed);
    let bundle = Bundle::decode(&answer.finished.bundle).unwrap();
    let receipt = Receipt::decode(&bundle.receipt.payload).unwrap();
    let mut progress = swarm.home().checkpoints();
    let seen = progress.wait_for(|progress| progress.witnessed >= receipt.sequence);
    timeout(PATIENCE, seen).await.unwrap().unwrap();

    let folder = swarm.folder.path().join("node-0");
    let prove = || log::proof(&folder, &receipt.session).unwrap().unwrap();
    let (proved, wanted) = prove();
    assert!(proved.cosigned.len() >= wanted && wanted == 1, "{:?}", proved.cosigned);
    let report = swarm.verify_now(&proved.bundle).unwrap();
    assert!(report.witnessed && report.complete && report.opened, "{report:?}");

    assert!(Bodies::new(&folder).erase(&receipt.session).unwrap());
    let report = swarm.verify_now(&prove().0.bundle).unwrap();
    assert!(report.witnessed && !report.opened, "{report:?}");
    swarm.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_records_of_a_real_folder_answer_both_regulations() {
    let swarm = Swarm::of_fixture(3).await;
    let answer = swarm.ask(request("the cat sat on the", 4)).await;
    let document = |node: u8, regulation| {
        let folder = swarm.folder.path().join(format!("node-{node}"));
        log::document(&folder, regulation, Period::default()).unwrap()
    };
    let bundle = Bundle::decode(&answer.finished.bundle).unwrap();
    let session = Receipt::decode(&bundle.receipt.payload).unwrap().session.to_string();
    let act = document(0, Regulation::AiAct);
    let [only] = &act["uses"]["entries"].as_array().unwrap()[..] else { panic!("{act}") };
    assert_eq!(only["session"].as_str(), Some(&*session));
    assert_eq!(only["outcome"].as_str(), Some(answer.finished.reason.as_str()));
    let stages = only["receipt"]["stages"].as_array().unwrap();
    let places: Vec<_> = stages.iter().map(|it| it["jurisdiction"].as_str().unwrap()).collect();
    assert_eq!(places, ["NL", "DE", "FR"]);
    // A throw-away consortium keeps nothing for half a year.
    assert_eq!(act["retention"]["too_short"][0].as_str(), Some(&*session));
    assert!(!act.to_string().contains("the cat"), "no text is in any record");

    let ropa = document(0, Regulation::Gdpr);
    let recipients = ropa["recipients"]["entries"].as_array().unwrap();
    let names: Vec<_> =
        recipients.iter().map(|it| it["party"]["institution"].as_str().unwrap()).collect();
    assert_eq!(names, ["agency-south", "clinic-east"]);
    assert_eq!(ropa["limits"]["texts"]["kept"], 1);
    let theirs = document(1, Regulation::Gdpr);
    let home = &theirs["on_behalf"]["entries"][0]["party"]["institution"];
    assert_eq!((home.as_str(), theirs["scope"]["requests"].as_u64()), (Some("uni-north"), Some(0)));
    swarm.shutdown().await;
}
