//! Rules of the schema in `proto/`. Not its meaning.

use crate::Violation;

/// Every message, enum, oneof, value and field has a comment right before it.
pub(crate) fn documented(path: &str, text: &str) -> Vec<Violation> {
    if !path.ends_with(".proto") {
        return Vec::new();
    }
    let mut violations = Vec::new();
    let mut before = "";
    for (line, text) in (1..).zip(text.lines().map(str::trim)) {
        let first = text.split(' ').next().unwrap_or_default();
        let opens = matches!(first, "message" | "enum" | "oneof" | "service" | "rpc");
        let framing = matches!(first, "syntax" | "package" | "import" | "option" | "reserved");
        let declares = text.ends_with(';') && text.contains(" = ") && !framing;
        if (opens || declares) && !before.starts_with("//") {
            violations.push(Violation::new(path, line, format!("without a comment: `{text}`")));
        }
        before = text;
    }
    let head = text.starts_with("// ");
    violations.extend((!head).then(|| Violation::new(path, 1, "does not say what the file is")));
    violations
}

/// `proto/comity/v1/` holds schema and nothing else, and no schema is elsewhere.
pub(crate) fn place(path: &str, _text: &str) -> Vec<Violation> {
    if path.ends_with(".proto") == path.starts_with("proto/comity/v1/") {
        return Vec::new();
    }
    vec![Violation::new(path, 1, "proto/comity/v1/ holds the schema and nothing else")]
}

#[test]
fn what_lacks_a_comment_is_found_with_its_line() {
    let good =
        "// A file.\nsyntax = \"proto3\";\n\n// A.\nmessage A {\n  // B; 1 to 9.\n  uint32 b = 1;
  // C.\n  oneof c {\n    // D.\n    string d = 2;\n  }\n}\n";
    assert_eq!(documented("proto/comity/v1/a.proto", good), []);
    for (comment, line) in
        [("// A.\n", 4), ("  // B; 1 to 9.\n", 6), ("  // C.\n", 8), ("    // D.\n", 10)]
    {
        let bad = good.replace(comment, "");
        let found = documented("proto/comity/v1/a.proto", &bad);
        assert_eq!(found.iter().map(|v| v.line).collect::<Vec<_>>(), [line], "{comment}");
    }
    let headless = good.replace("// A file.\n", "");
    assert_eq!(documented("proto/comity/v1/a.proto", &headless).len(), 1);
}

#[test]
fn a_schema_out_of_place_is_found() {
    assert_eq!(place("proto/comity/v1/a.proto", ""), []);
    assert_eq!(place("node/src/a.rs", ""), []);
    assert_eq!(place("node/a.proto", "").len(), 1);
    assert_eq!(place("proto/comity/v1/a.rs", "").len(), 1);
    assert_eq!(place("proto/a.proto", "").len(), 1);
}
