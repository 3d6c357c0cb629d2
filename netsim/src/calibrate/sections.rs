//! What was found as sections of a scenario: read from a file, put in place of what a scenario says.
//! Not how it was found.

use std::path::Path;

use serde::Deserialize;
use toml::Spanned;

use super::{DeviceFit, OpenFit, SoftwareFit};
use crate::{
    scenario::{
        BatchSection, CalibrationSection, DeviceSection, DeviceTime, LinkSection, NotNegative,
        ScenarioFile, Share,
    },
    toml_file::{self, TomlFileError},
};

/// Longest file, bytes: some thousand devices and lines.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// What `calibrate` writes: sections that may stand in any scenario as they are.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibrated {
    /// Where the numbers come from.
    pub calibration: CalibrationSection,
    /// Home's part.
    pub router: Option<RouterPart>,
    /// Software's part.
    pub network: Option<NetworkPart>,
    /// Devices.
    #[serde(rename = "device")]
    pub devices: Vec<Spanned<DeviceSection>>,
    /// Lines, where all measurements had the same.
    #[serde(rename = "link", default)]
    pub links: Vec<LinkSection>,
}

/// `[router]`, as far as it is measured.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouterPart {
    /// As in a scenario.
    pub open_ms: NotNegative,
    /// As in a scenario.
    pub close_ms: Option<NotNegative>,
}

/// `[network]`, as far as it is measured.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkPart {
    /// As in a scenario.
    pub hop_us: NotNegative,
    /// As in a scenario.
    pub step_us: NotNegative,
}

impl Calibrated {
    /// Reads a file.
    ///
    /// # Errors
    /// [`TomlFileError`].
    pub fn load(path: &Path) -> Result<Self, TomlFileError> {
        toml_file::parse(path, &toml_file::read(path, FILE_BYTES_MAX)?)
    }

    /// Puts what was measured in place of what a scenario says: devices of the same names, home's and
    /// software's part. What runs together and the links stay as the scenario has them.
    pub fn apply(&self, file: &mut ScenarioFile) {
        let scenario = &mut file.scenario;
        if let Some(router) = self.router {
            scenario.router.open_ms = router.open_ms;
            scenario.router.close_ms = router.close_ms;
        }
        if let Some(network) = self.network {
            scenario.network.hop_us = network.hop_us;
            scenario.network.step_us = network.step_us;
        }
        for section in &mut scenario.devices {
            let named = |it: &&Spanned<DeviceSection>| it.get_ref().name == section.get_ref().name;
            if let Some(found) = self.devices.iter().find(named) {
                let fits = blocks_max(&section.get_ref().time).unwrap_or(0);
                let time = &mut section.get_mut().time;
                *time = found.get_ref().time.clone();
                if let DeviceTime::Measured { blocks_max, .. } = time {
                    // More may fit than was held.
                    *blocks_max = fits.max(*blocks_max);
                }
            }
        }
    }
}

const fn blocks_max(time: &DeviceTime) -> Option<u32> {
    match time {
        DeviceTime::Measured { blocks_max, .. } => Some(*blocks_max),
        _ => None,
    }
}

impl RouterPart {
    pub(super) const fn of(open: &OpenFit) -> Self {
        let close_ms = Some(NotNegative::of(open.close_ms));
        Self { open_ms: NotNegative::of(open.open_ms), close_ms }
    }
}

impl NetworkPart {
    pub(super) const fn of(software: &SoftwareFit) -> Self {
        let hop_us = NotNegative::of(software.hop_us);
        Self { hop_us, step_us: NotNegative::of(software.step_us) }
    }
}

/// A device as a section.
pub(super) fn device(fit: &DeviceFit) -> Spanned<DeviceSection> {
    let [block, decode, prompt, context, pass] = fit.pass.map(|part| NotNegative::of(part.us));
    let [head, position] = fit.head.map_or([0.0; 2], |head| head.map(|part| part.us));
    let time = DeviceTime::Measured {
        pass_us: pass,
        block_us: block,
        decode_us: decode,
        prompt_us: prompt,
        context_ns: NotNegative::of(context.get() * 1e3),
        kv_positions: fit.kv_positions,
        blocks_max: fit.blocks,
        head_us: NotNegative::of(head),
        head_position_us: NotNegative::of(position),
        error: Share::of(fit.error.clamp(0.0, 1.0)),
        deviation: Share::of(fit.deviation.clamp(0.0, 1.0)),
        contention: NotNegative::of(fit.contention),
    };
    let section = DeviceSection { name: fit.name.clone(), time, batch: BatchSection::default() };
    Spanned::new(0..0, section)
}
