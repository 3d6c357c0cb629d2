//! Better placements than published ones. Without the files this test says that it skips.

use comity_protocol::placement::Mask;

use crate::{
    data,
    helix::{Cluster, Devices, Model, rates},
    plan::{Settings, search},
};

#[test]
#[expect(clippy::print_stderr, reason = "a check that skips says so")]
fn published_placements_are_beaten_from_any_seed() {
    let Some(helix) = data::folder().map(|folder| folder.join("helix")) else {
        eprintln!("skipped: no public data here (COMITY_DATA names its folder)");
        return;
    };
    let devices = Devices::load(&helix, Model::Llama70b).unwrap();
    for (cluster, published) in [
        ("single_cluster/config/cluster24.ini", 1_289.555_770_275_146_4),
        ("distributed_clusters/config/3cluster24.ini", 1_212.176_845_460),
    ] {
        let cluster = Cluster::load(&helix.join(cluster)).unwrap();
        let rates = rates(&devices, &cluster.counts()).unwrap();
        let fleet = cluster.fleet(Model::Llama70b, &rates).unwrap();
        for seed in 0..10 {
            let settings = Settings { seed, evaluations: 2_000 };
            let plan = search(&fleet, &Mask::none(), &[], settings, &mut |_| ());
            assert!(plan.rate > published, "seed {seed}: {} of {published}", plan.rate);
            assert!(plan.rate <= fleet.compute_max());
        }
    }
}
