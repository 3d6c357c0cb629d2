//! The models this node holds, loaded from their files. Not their execution.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use comity_protocol::{block::BlockRange, id::Digest, manifest::Manifest, session::stage::Serving};
use comity_shard::{
    Home, LoadError, ModelFile, OpenError, ReadError, Shard, Tokenizer, TokenizerError,
};

use crate::executor::Model;

/// Numeric class of the results this build gives on CPUs: kernel set, wire and KV dtypes, family.
pub const NUMERIC_CLASS: &str = comity_shard::NUMERIC_CLASS;

/// What home needs of a model besides its weights.
#[derive(Debug, Clone)]
pub struct HomeModel {
    /// Name by which requests refer to it.
    pub name: String,
    /// The model.
    pub manifest: Arc<Manifest>,
    /// Text to token ids and back.
    pub tokenizer: Arc<Tokenizer>,
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
    /// Whether this node takes prompts for it.
    pub home: bool,
    /// Bytes of KV cache allowed.
    pub kv_budget: u64,
}

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
}

impl Models {
    /// Loads what `specs` ask for: a stage reads only its blocks, home only embedding and head.
    /// Blocking: call it off the async threads.
    ///
    /// # Errors
    /// [`LoadModelError`] naming the file.
    pub fn load(specs: &[ModelSpec]) -> Result<Self, LoadModelError> {
        let mut models = Self::default();
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
        let mut loaded = Model { shard: None, home: None };
        if let Some(blocks) = spec.blocks {
            let mut shard = Shard::load(&model, blocks, &manifest).map_err(weights)?;
            shard.set_kv_budget(spec.kv_budget);
            loaded.shard = Some(shard);
            let numeric_class = NUMERIC_CLASS.to_owned();
            self.serving.push(Serving {
                manifest: manifest.clone(),
                digest,
                blocks,
                numeric_class,
            });
        }
        if spec.home {
            loaded.home = Some(Home::load(&model, &manifest).map_err(weights)?);
            let tokenizer = Tokenizer::load(&model)
                .map_err(|source| LoadModelError::Tokenizer { file: file(), source })?;
            let (name, tokenizer) = (spec.name.clone(), Arc::new(tokenizer));
            let home = HomeModel { name, manifest: Arc::new(manifest), tokenizer };
            self.homes.insert(digest, home);
        }
        self.loaded.insert(digest, loaded);
        Ok(())
    }
}

fn open(file: &Path) -> Result<ModelFile, LoadModelError> {
    ModelFile::open(file).map_err(|source| LoadModelError::Open { file: file.to_owned(), source })
}
