//! Configuration files that are taken, and those that are refused.

use super::*;

const MINIMAL: &str = "institution = 'a'\ncharter = 'c'\nroster = '/r'\n";

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, Path::new("/etc/comity/comity.toml"))
}

fn error(text: &str) -> String {
    parse(&format!("{MINIMAL}{text}")).unwrap_err().to_string()
}

#[test]
fn the_example_is_valid_and_shows_the_defaults() {
    let example = parse(Config::example()).unwrap();
    let minimal = parse(MINIMAL).unwrap();
    assert_eq!(example.control, minimal.control);
    assert_eq!(example.data, minimal.data);
    assert_eq!(example.client, minimal.client);
    assert_eq!(example.data_dir, minimal.data_dir);
    let [model] = &example.models[..] else { panic!("one model") };
    let short = parse(&format!("{MINIMAL}[[models]]\nfile = 'f'\nname = 'n'\n")).unwrap();
    assert_eq!((model.home, model.kv_budget()), (true, 512 << 20));
    assert_eq!(short.models[0].kv_budget_mib, model.kv_budget_mib);
    assert_eq!(short.models[0].blocks, None);
    assert_eq!(short.models[0].device, model.device);
    assert!(short.models[0].home);
}

#[test]
fn paths_start_at_the_files_folder() {
    let config = parse(MINIMAL).unwrap();
    assert_eq!(config.charter, Path::new("/etc/comity/c"));
    assert_eq!(config.roster, Path::new("/r"));
    assert_eq!(config.data_dir, Path::new("/etc/comity/comity-data"));
    assert_eq!(config.telemetry, None);
    let told = parse(&format!("{MINIMAL}telemetry = 'told.jsonl'\n")).unwrap();
    assert_eq!(told.telemetry.as_deref(), Some(Path::new("/etc/comity/told.jsonl")));
    let here = Config::parse(MINIMAL, Path::new("comity.toml")).unwrap();
    assert_eq!(here.charter, Path::new("c"));
}

#[test]
fn an_unknown_key_is_named_with_file_and_line() {
    for (text, key, line) in [
        ("lissten = 1\n", "lissten", 4),
        ("[data]\n\nlissten = '127.0.0.1:1'\n", "lissten", 6),
        ("[[models]]\nfile = 'f'\nname = 'n'\nblock = [0, 1]\n", "block", 7),
        ("[dta]\nlisten = '127.0.0.1:1'\n", "dta", 4),
    ] {
        let error = error(text);
        assert!(error.starts_with(&format!("/etc/comity/comity.toml:{line}: ")), "{error}");
        assert!(error.contains(&format!("`{key}`")), "{error}");
    }
}

#[test]
fn wrong_values_are_named() {
    for (text, expected) in [
        ("[data]\nlisten = '127.0.0.1'\n", "toml:5: "),
        ("[client]\nkeys = ['beef']\n", "\"beef\": expected 32 bytes"),
        ("[[models]]\nfile = 'f'\nname = 'n'\nblocks = [5, 5]\n", "toml:7: "),
        ("[[models]]\nfile = 'f'\nname = 'n'\nblocks = [0]\n", "toml:7: "),
        (
            "[[models]]\nfile = 'f'\nname = 'n'\ndevice = 'rocm:0'\n",
            "toml:7: device `rocm:0` is none",
        ),
        ("[[models]]\nfile = 'f'\nname = 'n'\nhome = false\n", "models[0].blocks: "),
        ("[[models]]\nfile = 'f'\nname = ''\n", "models[0].name: "),
        ("[[models]]\nfile = 'f'\nname = 'n'\nkv_budget_mib = 0\n", "models[0].kv_budget_mib: "),
        ("[[models]]\nfile = 'f'\nname = 'n'\nkv_budget_mib = -1\n", "toml:7: "),
        ("[data]\nlisten = '0.0.0.0:4701'\n", "data.advertise: "),
        ("[control]\nlisten = []\n", "control.listen: "),
        ("threads = 0\n", "threads: must be 1 to 1024"),
        ("data_dir = 7\n", "toml:4: "),
        ("data_dir = \n", "toml:4: "),
    ] {
        let error = error(text);
        assert!(error.contains(expected), "{text}: {error}");
    }
    let twice = "[[models]]\nfile = 'f'\nname = 'n'\n".repeat(2);
    assert!(error(&twice).contains("models[1].name: "));
    let missing = parse("institution = 'a'\nroster = 'r'\n").unwrap_err().to_string();
    assert!(missing.contains("charter"), "{missing}");
    let unread = Config::load(Path::new("/nowhere/comity.toml")).unwrap_err();
    assert!(unread.to_string().contains("/nowhere/comity.toml"), "{unread}");
}

#[cfg(not(feature = "cuda"))]
#[test]
fn a_device_the_build_lacks_is_named_with_its_feature() {
    let error = error("[[models]]\nfile = 'f'\nname = 'n'\nblocks = [0, 1]\ndevice = 'cuda:0'\n");
    let expected =
        "/etc/comity/comity.toml:8: device `cuda:0` needs a build with `--features cuda`";
    assert_eq!(error, expected);
}
