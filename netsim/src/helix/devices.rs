//! How long a device takes for one block, and what KV cache it has left. Not how many it hosts.

use std::{collections::BTreeMap, path::Path};

use serde_json::Value;

use super::{LoadError, Model, ini};
use crate::device::Curve;

/// Positions of one page of KV cache.
pub const KV_PAGE_POSITIONS: u64 = 16;

/// A kind of machine on which one model was measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Device {
    /// Prefill of a batch.
    pub prefill: Curve,
    /// Decode of a batch.
    pub decode: Curve,
    /// KV pages left when it hosts 1, 2, ... blocks; as many entries as blocks fit.
    pub kv_pages: Vec<u64>,
}

/// Devices by name, in lower case.
#[derive(Debug, Clone, PartialEq)]
pub struct Devices {
    /// The model they were measured with.
    pub model: Model,
    /// By name.
    pub by_name: BTreeMap<String, Device>,
}

impl Devices {
    /// Reads what is known of `model` in the folder `helix` of the public data.
    ///
    /// # Errors
    /// [`LoadError`] if a file is not there or not as expected.
    pub fn load(helix: &Path, model: Model) -> Result<Self, LoadError> {
        let path = helix.join("devices/kv_blocks.json");
        let missing = |what: &str| LoadError::Missing { path: path.clone(), what: what.to_owned() };
        let all: Value = serde_json::from_str(&ini::read(&path)?)
            .map_err(|error| missing(&format!("JSON ({error})")))?;
        let devices = all[model.folder()].as_object().ok_or_else(|| missing(model.folder()))?;
        let mut by_name = BTreeMap::new();
        for (name, pages) in devices {
            let of = |blocks: usize| pages[blocks.to_string()].as_u64();
            let kv_pages: Vec<u64> = (1..).map_while(of).collect();
            let folder = helix.join("devices").join(model.folder()).join(name);
            let prefill = curve(&folder.join("prompt_bs2time.csv"))?;
            let decode = curve(&folder.join("decode_bs2time.csv"))?;
            by_name.insert(name.clone(), Device { prefill, decode, kv_pages });
        }
        Ok(Self { model, by_name })
    }

    /// A device by its name in any case.
    ///
    /// # Errors
    /// [`LoadError::Device`] if it was not measured.
    pub fn device(&self, name: &str) -> Result<&Device, LoadError> {
        let device = self.by_name.get(&name.to_lowercase());
        device.ok_or_else(|| LoadError::Device { what: "timings", device: name.to_owned() })
    }
}

/// Milliseconds of one block by positions in a batch.
fn curve(path: &Path) -> Result<Curve, LoadError> {
    Curve::parse(&ini::read(path)?).map_err(|error| LoadError::Value {
        path: path.to_owned(),
        what: "a table of positions and milliseconds".to_owned(),
        value: error.to_string(),
    })
}
