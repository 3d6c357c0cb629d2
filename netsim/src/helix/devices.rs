//! How long a device takes for one block, and what KV cache it has left. Not how many it hosts.

use std::{collections::BTreeMap, path::Path};

use serde_json::Value;

use super::{LoadError, Model, ini};

/// Positions of one page of KV cache.
pub const KV_PAGE_POSITIONS: u64 = 16;

/// Measured times of one block by positions in a batch.
#[derive(Debug, Clone, PartialEq)]
pub struct Timing {
    /// Positions and milliseconds, ascending.
    points: Vec<(f64, f64)>,
}

/// A kind of machine on which one model was measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Device {
    /// Prefill of a batch.
    pub prefill: Timing,
    /// Decode of a batch.
    pub decode: Timing,
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
            let prefill = Timing::load(&folder.join("prompt_bs2time.csv"))?;
            let decode = Timing::load(&folder.join("decode_bs2time.csv"))?;
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

impl Timing {
    /// Seconds of one block for a batch of `positions`: straight lines between what was measured,
    /// and the last of them drawn on beyond it.
    #[must_use]
    pub fn seconds(&self, positions: f64) -> f64 {
        let beyond = self.points.partition_point(|(at, _)| *at < positions);
        let right = beyond.clamp(1, self.points.len() - 1);
        let ((x0, y0), (x1, y1)) = (self.points[right - 1], self.points[right]);
        (y0 + (y1 - y0) * (positions - x0) / (x1 - x0)) / 1e3
    }

    /// Largest batch measured, positions.
    #[must_use]
    pub fn positions_max(&self) -> f64 {
        self.points[self.points.len() - 1].0
    }

    fn load(path: &Path) -> Result<Self, LoadError> {
        let text = ini::read(path)?;
        let wrong = |value: &str| LoadError::Value {
            path: path.to_owned(),
            what: "a line of positions and milliseconds".to_owned(),
            value: value.to_owned(),
        };
        let mut points: Vec<(f64, f64)> = Vec::new();
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            let (at, ms) = line.split_once(',').ok_or_else(|| wrong(line))?;
            let number = |text: &str| text.trim().parse::<f64>().map_err(|_| wrong(line));
            let (at, ms) = (number(at)?, number(ms)?);
            if points.last().is_some_and(|(before, _)| *before >= at) {
                return Err(wrong(line));
            }
            points.push((at, ms));
        }
        if points.len() < 2 {
            return Err(wrong(&text));
        }
        Ok(Self { points })
    }
}
