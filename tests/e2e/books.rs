//! What institutions owe each other, from both sides' own logs.

use comity_node::{accounts::Accounts, commands::account, log};
use comity_protocol::account::{Balance, Books};
use serde_json::Value;
use tokio::time::timeout;

use crate::swarm::{PATIENCE, Swarm, request};

const MEMBERS: [&str; 3] = ["uni-north", "clinic-east", "agency-south"];

/// Sum and number of the exported entries in which `giver` computed for home's institution.
fn exported(lines: &[Value], giver: &str) -> (u128, usize) {
    let given = lines.iter().filter(|line| line["giver"] == giver && line["taker"] == MEMBERS[0]);
    let units: Vec<u128> = given
        .map(|line| {
            let units = line["units"].as_str().unwrap().parse().unwrap();
            let [parameters, computed] =
                ["parameters", "computed"].map(|field| u128::from(line[field].as_u64().unwrap()));
            assert_eq!(parameters * computed, units, "{line}");
            units
        })
        .collect();
    (units.iter().sum(), units.len())
}

impl Swarm {
    /// What the commands print of node `index`: sums and entries as JSON, entries as CSV.
    fn printed(&self, index: usize) -> (Value, Vec<Value>, String) {
        let folder = self.folder.path().join(format!("node-{index}"));
        let sums = serde_json::from_str(&account::show(&folder, true).unwrap()).unwrap();
        let lines = account::export(&folder, true).unwrap();
        let lines = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        (sums, lines, account::export(&folder, false).unwrap())
    }

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
    // The commands print the same from the folders of running nodes: three entries of each stage.
    for index in [1, 2] {
        let giver = MEMBERS[index];
        let [balance, _] = swarm.both(index);
        for node in [0, index] {
            let (sums, lines, csv) = swarm.printed(node);
            assert_eq!(exported(&lines, giver), (balance.given, 3), "node {node}");
            let rows = csv.lines().filter(|row| row.contains(&format!(",{giver},{},", MEMBERS[0])));
            assert_eq!((csv.lines().count(), rows.count()), (lines.len() + 1, 3), "{csv}");
            let mut pairs = sums["pairs"].as_array().unwrap().iter();
            let of_both = |pair: &&Value| {
                let names = pair["institutions"].as_array().unwrap();
                [giver, MEMBERS[0]].iter().all(|name| names.contains(&Value::from(*name)))
            };
            let pair = pairs.find(of_both).unwrap();
            let first = if pair["institutions"][0] == giver { "given" } else { "taken" };
            assert_eq!(pair[first], balance.given.to_string(), "{sums}");
            assert_eq!(sums["entries"], lines.len());
            let people =
                account::show(&swarm.folder.path().join(format!("node-{node}")), false).unwrap();
            let line = format!("{giver} computed {} for {}\n", balance.given, MEMBERS[0]);
            assert!(people.contains(&line), "{people}");
        }
    }
    // What home computed for itself is nobody's debt.
    assert_eq!(swarm.books(0).pairs().len(), 2);
    swarm.shutdown().await;
}
