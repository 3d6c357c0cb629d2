//! The models this node holds, loaded from their files. Not their execution.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use comity_protocol::{
    block::{BlockRange, BlockRangeError},
    id::Digest,
    manifest::Manifest,
    session::stage::Serving,
    speculation::Drafts,
};
use comity_shard::{
    Compute, Device, Home, LoadError, ModelFile, OpenError, ReadError, Shard, Tokenizer,
    TokenizerError,
};

use crate::executor::Model;

/// Numeric classes whose stages this build uses as home, in the order it prefers them: the exact one,
/// of CPUs, first.
pub const NUMERIC_CLASSES: [&str; 3] = comity_shard::NUMERIC_CLASSES;

/// What home needs of a model besides its weights.
#[derive(Debug, Clone)]
pub struct HomeModel {
    /// Name by which requests refer to it.
    pub name: String,
    /// The model.
    pub manifest: Arc<Manifest>,
    /// Text to token ids and back.
    pub tokenizer: Arc<Tokenizer>,
    /// Embedding and head. Embedding is a look-up, which sessions do themselves; the head runs on
    /// the executor.
    pub home: Arc<Home>,
    /// Where guesses at its answers come from.
    pub drafts: Drafts,
    /// The model that makes some of them.
    pub draft: Option<DraftModel>,
    /// Whether stages may keep KV cache of its prompts for later ones.
    pub prefix_cache: bool,
}

/// A small model of the same vocabulary, whole on this node, that guesses what a large one says.
#[derive(Debug, Clone)]
pub struct DraftModel {
    /// The executor's key for it: no manifest's digest, so that it is no model to be asked for.
    pub key: Digest,
    /// The model.
    pub manifest: Arc<Manifest>,
    /// Embedding and head.
    pub home: Arc<Home>,
}

/// One model file and what this node does with it.
#[derive(Debug, Clone)]
pub struct ModelSpec {
    /// GGUF file.
    pub file: PathBuf,
    /// Name by which requests refer to it.
    pub name: String,
    /// Blocks served as a stage, if any.
    pub blocks: Option<BlockRange>,
    /// Where they run, and the draft model's.
    pub device: Device,
    /// Whether this node takes prompts for it.
    pub home: bool,
    /// Bytes of KV cache allowed, and as many for the draft model.
    pub kv_budget: u64,
    /// Most guesses sent with one token as home; 0 for none.
    pub draft_tokens: u32,
    /// GGUF file of a draft model, if any.
    pub draft_file: Option<PathBuf>,
    /// Whether KV cache of ended sessions is kept for later ones: as a stage, and as home by asking
    /// stages to.
    pub prefix_cache: bool,
}

/// Label of the executor's key for a draft model.
const DRAFT_KEY: &[u8] = b"draft model of ";

/// Why a model could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadModelError {
    /// The file is no usable model.
    #[error("{} cannot be used", .file.display())]
    Open {
        /// The file.
        file: PathBuf,
        /// Why.
        source: OpenError,
    },
    /// The file could not be digested.
    #[error("{} cannot be used", .file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        source: ReadError,
    },
    /// The weights could not be loaded.
    #[error("{} cannot be used", .file.display())]
    Weights {
        /// The file.
        file: PathBuf,
        /// Why.
        source: LoadError,
    },
    /// The same weights are another section's already, perhaps on another device.
    #[error("{} is another section's model already", .file.display())]
    Twice {
        /// The file.
        file: PathBuf,
    },
    /// The draft model speaks of other tokens.
    #[error("{} cannot draft for {}: its vocabulary is another", .draft.display(), .file.display())]
    Vocabulary {
        /// The draft model.
        draft: PathBuf,
        /// The model it is to draft for.
        file: PathBuf,
    },
    /// A draft model has no blocks.
    #[error(transparent)]
    Blocks(#[from] BlockRangeError),
    /// The tokenizer could not be loaded.
    #[error("{} cannot be used", .file.display())]
    Tokenizer {
        /// The file.
        file: PathBuf,
        /// Why.
        source: TokenizerError,
    },
}

/// Every model of a node.
#[derive(Debug, Default)]
pub struct Models {
    /// For the executor, by manifest digest.
    pub loaded: HashMap<Digest, Model>,
    /// For admission and announcements.
    pub serving: Vec<Serving>,
    /// For prompts, by manifest digest.
    pub homes: HashMap<Digest, HomeModel>,
    /// What they run on, if not on every processor.
    compute: Option<Compute>,
}

impl Models {
    /// Loads what `specs` ask for: a stage reads only its blocks, home only embedding and head. They
    /// run on `threads` threads, or one for every processor. Blocking: call it off the async threads.
    ///
    /// # Errors
    /// [`LoadModelError`] naming the file.
    pub fn load(specs: &[ModelSpec], threads: Option<usize>) -> Result<Self, LoadModelError> {
        let mut models = Self { compute: threads.map(Compute::new), ..Self::default() };
        for spec in specs {
            models.add(spec)?;
        }
        Ok(models)
    }

    fn add(&mut self, spec: &ModelSpec) -> Result<(), LoadModelError> {
        let file = || spec.file.clone();
        let model = open(&spec.file)?;
        let manifest =
            model.manifest().map_err(|source| LoadModelError::Read { file: file(), source })?;
        let weights = |source| LoadModelError::Weights { file: file(), source };
        let digest = manifest.digest();
        if self.loaded.contains_key(&digest) {
            return Err(LoadModelError::Twice { file: file() });
        }
        let prefix_cache = spec.prefix_cache;
        let told = Some(u32::try_from(self.serving.len()).unwrap_or(u32::MAX));
        let mut loaded = Model { shard: None, home: None, prefix_cache, told };
        if let Some(blocks) = spec.blocks {
            let mut shard =
                Shard::load_on(&model, blocks, &manifest, spec.device).map_err(weights)?;
            shard.set_kv_budget(spec.kv_budget);
            loaded.shard = Some(self.placed(shard));
            let numeric_class = spec.device.numeric_class().to_owned();
            self.serving.push(Serving {
                manifest: manifest.clone(),
                digest,
                blocks,
                numeric_class,
            });
        }
        if spec.home {
            let home = self.home(Home::load(&model, &manifest).map_err(weights)?);
            loaded.home = Some(home.clone());
            let tokenizer = Tokenizer::load(&model)
                .map_err(|source| LoadModelError::Tokenizer { file: file(), source })?;
            let (name, tokenizer) = (spec.name.clone(), Arc::new(tokenizer));
            let draft = match &spec.draft_file {
                Some(draft) => Some(self.add_draft(spec, draft, &manifest)?),
                None => None,
            };
            let drafts = Drafts { most: spec.draft_tokens, model: draft.is_some() };
            let manifest = Arc::new(manifest);
            let model = HomeModel { name, manifest, tokenizer, home, drafts, draft, prefix_cache };
            self.homes.insert(digest, model);
        }
        self.loaded.insert(digest, loaded);
        Ok(())
    }

    /// Loads the model in `file` whole, to draft for the model of `manifest`.
    fn add_draft(
        &mut self,
        spec: &ModelSpec,
        file: &Path,
        drafted: &Manifest,
    ) -> Result<DraftModel, LoadModelError> {
        let model = open(file)?;
        let manifest = model
            .manifest()
            .map_err(|source| LoadModelError::Read { file: file.to_owned(), source })?;
        if (manifest.tokenizer, manifest.vocab_size) != (drafted.tokenizer, drafted.vocab_size) {
            let (draft, file) = (file.to_owned(), spec.file.clone());
            return Err(LoadModelError::Vocabulary { draft, file });
        }
        let weights = |source| LoadModelError::Weights { file: file.to_owned(), source };
        let blocks = BlockRange::new(0, manifest.block_count)?;
        let mut shard = Shard::load_on(&model, blocks, &manifest, spec.device).map_err(weights)?;
        shard.set_kv_budget(spec.kv_budget);
        let shard = Some(self.placed(shard));
        let home = self.home(Home::load(&model, &manifest).map_err(weights)?);
        let key = Digest::of_parts(&[DRAFT_KEY, &drafted.digest().0]);
        let model = Model { shard, home: Some(home.clone()), prefix_cache: false, told: None };
        self.loaded.insert(key, model);
        Ok(DraftModel { key, manifest: Arc::new(manifest), home })
    }

    fn placed(&self, mut shard: Shard) -> Shard {
        self.compute.iter().for_each(|compute| shard.set_compute(compute.clone()));
        shard
    }

    fn home(&self, mut home: Home) -> Arc<Home> {
        self.compute.iter().for_each(|compute| home.set_compute(compute.clone()));
        Arc::new(home)
    }
}

fn open(file: &Path) -> Result<ModelFile, LoadModelError> {
    ModelFile::open(file).map_err(|source| LoadModelError::Open { file: file.to_owned(), source })
}
