//! Enough of Rust's lexical rules to tell code from comments and literals. Not a parser.
//!
//! Source: The Rust Reference, "Tokens" and "Comments".

/// A source text in two layers with the same lines and columns (in characters); what belongs to the
/// other layer, and the content of literals, is blank.
pub(crate) struct Code {
    pub(crate) code: String,
    pub(crate) comments: String,
}

#[derive(Clone, Copy, PartialEq)]
enum Layer {
    Code,
    Comment,
    Literal,
}

impl Code {
    pub(crate) fn new(text: &str) -> Self {
        let chars: Vec<char> = text.chars().collect();
        let mut out = Self { code: String::new(), comments: String::new() };
        let mut at = 0;
        while at < chars.len() {
            let (layer, end) = token(&chars, at);
            for &char in &chars[at..end] {
                let blank = if char == '\n' { '\n' } else { ' ' };
                out.code.push(if layer == Layer::Code { char } else { blank });
                out.comments.push(if layer == Layer::Comment { char } else { blank });
            }
            at = end;
        }
        out
    }

    /// Identifiers with their lines, in order.
    pub(crate) fn identifiers(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.code.lines()).flat_map(|(line, text)| {
            text.split(|char: char| !is_word(char))
                .filter(|word| word.starts_with(|char: char| char.is_alphabetic() || char == '_'))
                .map(move |word| (line, word))
        })
    }
}

/// The layer of the token that starts at `at`, and its end.
fn token(chars: &[char], at: usize) -> (Layer, usize) {
    let rest = &chars[at..];
    match rest {
        ['/', '/', ..] => (Layer::Comment, at + until(rest, |rest| rest.starts_with(&['\n']))),
        ['/', '*', ..] => (Layer::Comment, at + block_comment(rest)),
        ['"', ..] => (Layer::Literal, at + quoted(rest, '"')),
        ['\'', '\\', ..] | ['\'', _, '\'', ..] => (Layer::Literal, at + quoted(rest, '\'')),
        [char, ..] if is_word(*char) => {
            let end = at + until(rest, |rest| !is_word(rest[0]));
            let word: String = chars[at..end].iter().collect();
            let raw = matches!(word.as_str(), "r" | "br" | "cr");
            match raw.then(|| raw_string(&chars[end..])).flatten() {
                Some(length) => (Layer::Literal, end + length),
                None => (Layer::Code, end),
            }
        }
        _ => (Layer::Code, at + 1),
    }
}

/// Length of `rest` before the first suffix that `stops`.
fn until(rest: &[char], stops: impl Fn(&[char]) -> bool) -> usize {
    (0..rest.len()).find(|at| stops(&rest[*at..])).unwrap_or(rest.len())
}

fn block_comment(rest: &[char]) -> usize {
    let (mut at, mut depth) = (0, 0);
    while at < rest.len() {
        match &rest[at..] {
            ['/', '*', ..] => (at, depth) = (at + 2, depth + 1),
            ['*', '/', ..] => (at, depth) = (at + 2, depth - 1),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn quoted(rest: &[char], quote: char) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            '\\' => at += 2,
            char if char == quote => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// Length of the `#"…"#` that follows an `r`; `None` for a raw identifier.
fn raw_string(rest: &[char]) -> Option<usize> {
    let hashes = rest.iter().take_while(|char| **char == '#').count();
    let body = rest.get(hashes..).filter(|body| body.first() == Some(&'"'))?;
    let close: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
    let length = until(&body[1..], |rest| rest.starts_with(&close));
    Some((hashes + 1 + length + close.len()).min(rest.len()))
}

pub(crate) fn is_word(char: char) -> bool {
    char.is_alphanumeric() || char == '_'
}

#[test]
fn comments_and_literals_are_told_from_code() {
    let text = "a /* b /* c */ d */ e // f\n\"g \\\" h\" 'i' 'j r#\"k\"l\"# b\"m\" r#type '\\'' n";
    let code = Code::new(text);
    let words: Vec<&str> = code.identifiers().map(|(_, word)| word).collect();
    assert_eq!(words, ["a", "e", "j", "b", "r", "type", "n"]);
    assert_eq!(code.comments.split_whitespace().last(), Some("f"));
    assert!(!code.comments.contains('a') && code.comments.contains("b /* c"));
    assert_eq!(code.code.lines().count(), text.lines().count());
}
