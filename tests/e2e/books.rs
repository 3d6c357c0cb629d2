//! What institutions owe each other, from both sides' own logs.

use comity_node::{accounts::Accounts, log};
use comity_protocol::account::{Balance, Books};
use tokio::time::timeout;

use crate::swarm::{PATIENCE, Swarm, request};

const MEMBERS: [&str; 3] = ["uni-north", "clinic-east", "agency-south"];

impl Swarm {
    /// The books of node `index`, as its log has them now.
    fn books(&self, index: usize) -> Books {
        let folder = self.folder.path().join(format!("node-{index}"));
        let mut accounts = Accounts::default();
        for record in log::read(&folder).unwrap() {
            accounts.read(&record.unwrap().bytes);
        }
        accounts.books
    }

    /// What home and the stage of node `index` have in their books of each other.
    fn both(&self, index: usize) -> [Balance; 2] {
        let [home, stage] = [0, index].map(|index| self.books(index));
        let (given, taken) = (MEMBERS[index], MEMBERS[0]);
        [home.balance(given, taken), stage.balance(given, taken)]
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_sides_books_are_equal_once_home_has_countersigned() {
    let swarm = Swarm::of_fixture(3).await;
    for tokens in [3, 8, 5] {
        swarm.ask(request("the cat sat on the", tokens)).await;
    }
    for index in [1, 2] {
        let equal = async {
            loop {
                let [home, stage] = swarm.both(index);
                if home == stage {
                    return home;
                }
                tokio::task::yield_now().await;
            }
        };
        let balance =
            timeout(PATIENCE, equal).await.expect("a stage asks until it has home's word");
        assert!(balance.given > 0 && balance.taken == 0, "{balance:?}");
    }
    // What home computed for itself is nobody's debt.
    assert_eq!(swarm.books(0).pairs().len(), 2);
    swarm.shutdown().await;
}
