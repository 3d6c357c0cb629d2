//! Prompts of exactly so many tokens, no two alike. Not what is asked when.

use comity_shard::Tokenizer;

use crate::harness::Bench;

/// Words of one token each, with a space before them, in the usual vocabularies.
const WORDS: [&str; 24] = [
    "time", "year", "people", "way", "day", "man", "thing", "woman", "life", "child", "world",
    "school", "state", "family", "student", "group", "country", "problem", "hand", "part", "place",
    "case", "week", "company",
];
/// What asks for an answer that does not end soon.
const TAIL: &str =
    " Chapter one of a long book about the city and its people. It begins so: When I";

/// Makes prompts.
pub(crate) struct Prompts {
    tokenizer: Tokenizer,
    words: Vec<&'static str>,
    tail: usize,
    state: u64,
}

impl Prompts {
    pub(crate) fn new(bench: &Bench) -> Self {
        let tokenizer = Tokenizer::load(&bench.file).expect("the tokenizer loads");
        let count = |text: &str| tokenizer.encode_prompt(text).expect("it is text").len();
        let nothing = count("day");
        let words = WORDS.into_iter().filter(|word| count(&format!("day {word}")) == nothing + 1);
        let words: Vec<_> = words.collect();
        assert!(!words.is_empty(), "the vocabulary has no common words");
        let tail = count(&format!("day{TAIL}")) - nothing;
        Self { tokenizer, words, tail, state: 1 }
    }

    /// The next prompt: words at random, then what asks for more if there is room for it.
    pub(crate) fn next(&mut self, tokens: u32) -> String {
        let tokens = tokens as usize;
        let (least, tail) = match tokens > 2 * self.tail {
            true => (tokens - self.tail, TAIL),
            false => (tokens, ""),
        };
        let mut text = self.word().to_owned();
        let count = |text: &str| self.tokenizer.encode_prompt(text).expect("it is text").len();
        let first = count(&text);
        for _ in first..least {
            text.push(' ');
            text.push_str(self.word());
        }
        text.push_str(tail);
        let count = self.tokenizer.encode_prompt(&text).expect("it is text").len();
        assert_eq!(count, tokens.max(first), "a common word is one token");
        text
    }

    /// Source: Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (2014).
    fn word(&mut self) -> &'static str {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut drawn = self.state;
        drawn = (drawn ^ (drawn >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        drawn = (drawn ^ (drawn >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let place = (drawn ^ (drawn >> 31)) % self.words.len() as u64;
        self.words[usize::try_from(place).expect("one of few")]
    }
}
