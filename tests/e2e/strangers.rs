//! Who is on no roster is refused, and members that misbehave do no harm.

use bytes::Bytes;
use comity_client::{Client, Credentials, GenerateError};
use comity_node::net::data::{DataConfig, DataPlane};
use comity_protocol::{
    refusal::Cause,
    session::{Close, Frame, Step},
    signed::NodeKey,
    wire::Wire as _,
};
use tokio::time::timeout;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::swarm::{PATIENCE, Swarm, request};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_gets_nothing_from_the_client_and_data_planes() {
    let swarm = Swarm::of_fixture(2).await;
    let (home, stranger) = (swarm.home(), NodeKey::from_seed(&[77; 32]));
    let credentials = Credentials::key(stranger.clone());
    let client = Client::connect(home.client_address(), credentials).await.unwrap();
    let mut refused = client.generate(request("a", 4)).await.unwrap();
    match timeout(PATIENCE, refused.next()).await.unwrap() {
        Some(Err(GenerateError::Refused(refused))) => assert_eq!(refused.cause, Cause::NotAdmitted),
        other => panic!("not refused: {other:?}"),
    }

    let (tasks, cancel) = (TaskTracker::new(), CancellationToken::new());
    let admit = std::sync::Arc::new(std::collections::HashSet::from([home.peer()]));
    let (_keep, admission) = tokio::sync::watch::channel(admit);
    let config = DataConfig { listen: "127.0.0.1:0".parse().unwrap(), key: stranger };
    let (plane, _links) = DataPlane::bind(config, admission, &tasks, cancel.clone()).unwrap();
    if let Ok(link) = plane.open(home.peer(), &[home.data_address()]).await {
        let (mut sender, mut receiver) = link.split();
        let _ = sender.send(&Frame::Close(Close::default()).encode(), &Bytes::new()).await;
        let answer = timeout(PATIENCE, receiver.receive_header()).await.unwrap();
        assert!(answer.is_err(), "a stranger was answered");
    }
    cancel.cancel();
    swarm.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_sends_rubbish_is_refused_and_others_are_served_on() {
    let swarm = Swarm::of_fixture(2).await;
    let (home, member) = (swarm.home(), &swarm.demo.nodes[1]);
    let step = Step { positions: 1, returned: 1, ..Step::default() };
    let frames = [
        Frame::Step(step).encode(),
        Frame::Close(Close::default()).encode(),
        Frame::Opened { session: comity_protocol::id::SessionId([1; 16]), cached: 0 }.encode(),
        b"no frame at all".to_vec(),
        vec![0xff; 90_000],
    ];
    for header in frames {
        let link = member.context().data.open(home.peer(), &[home.data_address()]).await.unwrap();
        let (mut sender, mut receiver) = link.split();
        let _ = sender.send(&header, &Bytes::new()).await;
        // A refusal or the end of the stream; never silence.
        let answer = timeout(PATIENCE, receiver.receive_header()).await.unwrap();
        if let Ok(Some(header)) = answer {
            assert!(matches!(Frame::decode(&header), Ok(Frame::Refusal(_))));
        }
    }
    let answer = swarm.ask(request("the cat", 4)).await;
    assert!(swarm.verify(&answer).complete);
    swarm.shutdown().await;
}
