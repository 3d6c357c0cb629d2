//! Published numbers, from published files. Without the files these tests say that they skip.

use std::{fs, path::PathBuf};

use comity_protocol::placement::{Evaluator, Fleet, Mask, Placement};

use super::{Cluster, Devices, LoadError, Model, Rates, placement, rates};
use crate::data;

/// The folder of Helix's files.
#[expect(clippy::print_stderr, reason = "a check that skips says so")]
fn helix() -> Option<PathBuf> {
    let folder = data::folder().map(|folder| folder.join("helix"));
    if folder.is_none() {
        eprintln!("skipped: no public data here (COMITY_DATA names its folder)");
    }
    folder
}

fn cluster(helix: &std::path::Path, path: &str) -> (Cluster, Rates, Fleet) {
    let cluster = Cluster::load(&helix.join(path)).unwrap();
    let devices = Devices::load(helix, Model::Llama70b).unwrap();
    let rates = rates(&devices, &cluster.counts()).unwrap();
    let fleet = cluster.fleet(Model::Llama70b, &rates).unwrap();
    (cluster, rates, fleet)
}

fn flow(fleet: &Fleet, placement: &Placement) -> f64 {
    Evaluator::new().throughput(fleet, placement, &Mask::none()).unwrap()
}

#[track_caller]
fn assert_close(got: f64, published: f64) {
    assert!((got / published - 1.0).abs() < 1e-9, "{got} is not {published}");
}

/// E1.
#[test]
fn published_placements_have_their_published_flows() {
    let Some(helix) = helix() else {
        return;
    };
    let (_, _, single) = cluster(&helix, "single_cluster/config/cluster24.ini");
    assert_close(single.compute_max(), 2_803.860_988_272_896);
    let layout = |path: &str| placement(&helix.join(path), 24).unwrap();
    let single_layout =
        |name: &str| layout(&format!("single_cluster/layout_llama70b/{name}/{name}_sol.ini"));
    assert_close(flow(&single, &single_layout("ilp")), 1_289.555_770_275_146_4);
    assert_close(flow(&single, &single_layout("petals")), 952.107_398_485_063_9);
    assert_close(flow(&single, &single_layout("swarm")), 757.853_185_722_784_1);
    let (_, _, geo) = cluster(&helix, "distributed_clusters/config/3cluster24.ini");
    let ilp = layout("distributed_clusters/layout_llama70b/ilp/ilp_sol.ini");
    assert_close(flow(&geo, &ilp), 1_212.176_845_460);
}

#[test]
fn rates_by_blocks_held_are_the_published_ones() {
    let Some(helix) = helix() else {
        return;
    };
    let (_, rates, _) = cluster(&helix, "single_cluster/config/cluster24.ini");
    let published: [(&str, &[f64]); 3] = [
        (
            "a100",
            &[
                23_833.9, 11_384.3, 7_201.4, 5_264.6, 4_096.7, 3_124.1, 2_595.7, 2_045.6, 1_754.4,
                1_392.6, 1_212.2, 952.1,
            ],
        ),
        ("l4", &[7_557.9, 3_625.7, 2_171.9, 1_476.1, 1_017.6, 747.8, 531.7]),
        ("t4", &[5_709.2, 2_434.4, 1_347.9, 757.9]),
    ];
    for (device, published) in published {
        let to_a_digit: Vec<f64> =
            rates[device].iter().map(|rate| (rate * 10.0).round() / 10.0).collect();
        assert_eq!(to_a_digit, published, "{device}");
    }
}

#[test]
fn clusters_have_the_machines_links_and_sites_that_are_published() {
    let Some(helix) = helix() else {
        return;
    };
    let (single, _, fleet) = cluster(&helix, "single_cluster/config/cluster24.ini");
    let counts: Vec<(String, usize)> = single.counts().into_iter().collect();
    assert_eq!(counts, [("a100".into(), 4), ("l4".into(), 8), ("t4".into(), 12)]);
    assert_eq!(single.links.len(), 24 * 23 + 2 * 24);
    assert_eq!(fleet.institutions(), 1);
    // 1,000 "mbps" are 1e9 bytes per second.
    assert_close(fleet.link(3, 7), 1e9 / 16_384.0);
    assert_close(fleet.nodes()[0].entry, 5e8);
    let (geo, ..) = cluster(&helix, "distributed_clusters/config/3cluster24.ini");
    let sites = geo.sites();
    let machines = |site: usize| sites.iter().filter(|at| **at == site).count();
    assert_eq!([machines(0), machines(1), machines(2), machines(3)], [4, 10, 10, 0]);
}

#[test]
fn every_published_layout_and_device_loads() {
    let Some(helix) = helix() else {
        return;
    };
    for (model, folder, devices) in
        [(Model::Llama30b, "layout_llama30b", 7), (Model::Llama70b, "layout_llama70b", 7)]
    {
        assert_eq!(Devices::load(&helix, model).unwrap().by_name.len(), devices);
        for cluster in ["single_cluster", "distributed_clusters"] {
            for name in ["petals", "swarm"] {
                let path = helix.join(cluster).join(folder).join(name);
                let placement = placement(&path.join(format!("{name}_sol.ini")), 24).unwrap();
                let covered = placement.ranges().iter().flatten().any(|range| range.start() == 0);
                assert!(covered, "{}", path.display());
            }
        }
    }
}

#[test]
fn timings_are_straight_between_measurements_and_beyond_them() {
    let Some(helix) = helix() else {
        return;
    };
    let devices = Devices::load(&helix, Model::Llama70b).unwrap();
    let decode = &devices.device("A100").unwrap().decode;
    assert_close(decode.at(2.0), 1.4);
    assert_close(decode.at(1.0), 0.7);
    assert_close(decode.at(22.5), 1.55);
    assert_close(decode.at(decode.last() + 40.0), 11.0);
    let absent = devices.device("abacus").unwrap_err().to_string();
    assert_eq!(absent, "no timings of device abacus");
}

#[test]
fn a_file_that_is_not_as_expected_is_named_with_what_is_wrong() {
    let folder = std::env::temp_dir().join(format!("comity-helix-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join("cluster.ini");
    let refused = |text: &str| {
        fs::write(&path, text).unwrap();
        let error = Cluster::load(&path).unwrap_err();
        error.to_string().replace(&path.display().to_string(), "FILE")
    };
    assert_eq!(refused("[NodeNames]\noops\n"), "FILE, line 2: neither [section] nor key=value");
    assert_eq!(refused("# nothing\n"), "FILE: no section [NodeNames]");
    assert_eq!(
        refused("[NodeNames]\ntotal_compute_nodes=many\n"),
        "FILE: total_compute_nodes cannot be many"
    );
    let node = "[NodeNames]\ntotal_compute_nodes=1\n[ComputeNode-0]\ntype=T4\n\
        connected_nodes=['source', 'sink']\n[Link-source-0]\nlatency=1 * MilliSec\n";
    assert_eq!(
        refused(&format!("{node}bandwidth=10 * parsecs\n")),
        "FILE: bandwidth cannot be 10 * parsecs"
    );
    let layout = |text: &str| {
        fs::write(&path, format!("[Settings]\noffset=2\n[Solution]\n{text}\n")).unwrap();
        placement(&path, 2)
    };
    assert!(layout("compute_node_3=[4, 5]").is_ok());
    for wrong in ["compute_node_1=[4]", "compute_node_4=[4]", "compute_node_2=[4, 6]"] {
        assert!(matches!(layout(wrong), Err(LoadError::Value { .. })), "{wrong}");
    }
    fs::remove_dir_all(&folder).unwrap();
}
