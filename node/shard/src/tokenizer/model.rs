//! Builds the `tokenizers` engine from a vocabulary. Control tokens never take part in merges.

use tokenizers::{
    NormalizerWrapper, PreTokenizerWrapper, SplitDelimiterBehavior, Tokenizer,
    models::bpe::{BPE, Vocab},
    normalizers::{Prepend, Replace, Sequence as Normalizers},
    pre_tokenizers::{
        byte_level::ByteLevel,
        digits::Digits,
        sequence::Sequence as PreTokenizers,
        split::{Split, SplitPattern},
    },
};

use super::{TokenKind, TokenizerError, Vocabulary};

/// The pre-tokenizer of Llama 3, from its published tokenizer configuration.
const LLAMA3_PATTERN: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// SentencePiece's stand-in for a space.
pub(super) const SPACE: char = '\u{2581}';

type LibraryError = Box<dyn std::error::Error + Send + Sync>;

/// Builds the engine for text without control tokens.
pub(super) fn build(vocabulary: &Vocabulary) -> Result<Tokenizer, TokenizerError> {
    match vocabulary.model.as_str() {
        "gpt2" => byte_level(vocabulary),
        "llama" => sentence_piece(vocabulary).map_err(TokenizerError::Build),
        model => Err(TokenizerError::Model { model: model.to_owned() }),
    }
}

fn byte_level(vocabulary: &Vocabulary) -> Result<Tokenizer, TokenizerError> {
    let bytes = |regex| PreTokenizerWrapper::from(ByteLevel::new(false, false, regex));
    let steps = match vocabulary.pre.as_str() {
        "gpt-2" | "gpt2" => vec![bytes(true)],
        "smollm" | "starcoder" | "refact" | "command-r" | "codeshell" | "exaone" => {
            vec![Digits::new(true).into(), bytes(true)]
        }
        "llama-bpe" | "llama3" | "llama-v3" => {
            let pattern = SplitPattern::Regex(LLAMA3_PATTERN.to_owned());
            let split = Split::new(pattern, SplitDelimiterBehavior::Isolated, false);
            vec![split.map_err(TokenizerError::Build)?.into(), bytes(false)]
        }
        pre => return Err(TokenizerError::PreTokenizer { pre: pre.to_owned() }),
    };
    let pair = |merge: &String| {
        let split = merge.split_once(' ').map(|(left, right)| (left.to_owned(), right.to_owned()));
        let error = || TokenizerError::Build(format!("merge `{merge}` is no pair").into());
        split.ok_or_else(error)
    };
    let merges = vocabulary.merges.iter().map(pair).collect::<Result<Vec<_>, _>>()?;
    let ignore_merges = vocabulary.pre.starts_with("llama");
    let model = BPE::builder().vocab_and_merges(vocab(vocabulary), merges);
    let model = model.ignore_merges(ignore_merges).build().map_err(TokenizerError::Build)?;
    let mut engine = Tokenizer::new(model);
    engine.with_pre_tokenizer(Some(PreTokenizers::new(steps)));
    Ok(engine)
}

fn sentence_piece(vocabulary: &Vocabulary) -> Result<Tokenizer, LibraryError> {
    let unknown = vocabulary.unknown.and_then(|id| vocabulary.texts.get(id as usize));
    let mut model = BPE::builder()
        .vocab_and_merges(vocab(vocabulary), merges_of(vocabulary))
        .byte_fallback(true)
        .fuse_unk(true);
    if let Some(unknown) = unknown {
        model = model.unk_token(unknown.clone());
    }
    let mut engine = Tokenizer::new(model.build()?);
    let mut steps: Vec<NormalizerWrapper> = Vec::new();
    if vocabulary.add_space_prefix {
        steps.push(Prepend::new(SPACE.to_string()).into());
    }
    steps.push(Replace::new(" ", SPACE.to_string())?.into());
    engine.with_normalizer(Some(Normalizers::new(steps)))?;
    Ok(engine)
}

/// SentencePiece merges the adjacent pair whose union has the best score: as BPE merges, every way
/// to cut a piece in two pieces, best score first, then in vocabulary order.
fn merges_of(vocabulary: &Vocabulary) -> Vec<(String, String)> {
    let ids = vocab(vocabulary);
    let normal = |text: &str| {
        let id = ids.get(text).copied().unwrap_or(u32::MAX) as usize;
        vocabulary.kinds.get(id) == Some(&TokenKind::Normal)
    };
    let mut order: Vec<usize> = (0..vocabulary.texts.len())
        .filter(|&id| vocabulary.kinds[id] == TokenKind::Normal)
        .collect();
    order.sort_by(|&left, &right| vocabulary.scores[right].total_cmp(&vocabulary.scores[left]));
    let mut merges = Vec::new();
    for id in order {
        let text = &vocabulary.texts[id];
        for (at, _) in text.char_indices().skip(1) {
            let (left, right) = text.split_at(at);
            if normal(left) && normal(right) {
                merges.push((left.to_owned(), right.to_owned()));
            }
        }
    }
    merges
}

/// Ids by text; the first of equal texts wins.
fn vocab(vocabulary: &Vocabulary) -> Vocab {
    let mut ids = Vocab::default();
    for (id, text) in (0_u32..).zip(&vocabulary.texts) {
        ids.entry(text.clone()).or_insert(id);
    }
    ids
}
