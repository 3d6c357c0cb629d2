//! Files of a report are whole or not there.

use super::*;

#[test]
fn a_file_is_replaced_whole_and_nothing_is_left_beside_it() {
    let folder = std::env::temp_dir().join(format!("comity-netsim-save-{}", process::id()));
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join("report.html");
    save(&path, "one").unwrap();
    save(&path, "two").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "two");
    // A folder cannot be replaced by a file.
    let taken = folder.join("taken");
    fs::create_dir_all(taken.join("inside")).unwrap();
    let error = save(&taken, "three").unwrap_err().to_string();
    assert!(error.ends_with("taken cannot be written"), "{error}");
    let left: Vec<_> = fs::read_dir(&folder).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
    fs::remove_dir_all(&folder).unwrap();
}
