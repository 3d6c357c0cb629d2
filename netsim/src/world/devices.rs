//! Devices from their sections. Not what they run.

use std::collections::BTreeMap;

use toml::Spanned;

use super::Resolver;
use crate::{
    device::{Curve, Device, Pace},
    scenario::{DeviceSection, DeviceTime, KvOf, ModelSection, Share},
    toml_file::TomlFileError,
};

/// Devices in the order of their sections, each once per model: what a device takes depends on the
/// model it runs. The device of section `d` and model `m` is number `d * models + m`.
pub(super) fn devices(resolver: &Resolver<'_>) -> Result<Vec<Device>, TomlFileError> {
    let scenario = resolver.scenario();
    let pairs = scenario
        .devices
        .iter()
        .flat_map(|device| scenario.models.iter().map(move |model| (device, model.get_ref())));
    pairs.map(|(section, model)| device(resolver, section, model)).collect()
}

fn device(
    resolver: &Resolver<'_>,
    section: &Spanned<DeviceSection>,
    model: &ModelSection,
) -> Result<Device, TomlFileError> {
    let DeviceSection { name, time, batch } = section.get_ref();
    check(resolver, section)?;
    let (pace, kv) = match time {
        DeviceTime::Table { prompt_csv, decode_csv, pass_us, entry_ns_per_byte, kv } => {
            let pace = Pace::Table {
                prompt: curve(resolver, prompt_csv)?,
                decode: curve(resolver, decode_csv)?,
                pass_ns: pass_us.get() * 1e3,
                entry_ns: entry_ns_per_byte.get(),
            };
            (pace, room(resolver, kv)?)
        }
        DeviceTime::Roofline {
            memory_gb,
            usable,
            memory_gb_s,
            memory_reached,
            tflop_s,
            tflop_reached,
            pass_us,
            block_us,
        } => {
            let (weights, kv) = (model.block_bytes as f64, model.kv_bytes as f64);
            let rate = memory_gb_s.get() * memory_reached.get();
            let flops = tflop_s.get() * 1e3 * tflop_reached.get();
            let pace = Pace::Roofline {
                pass_ns: pass_us.get() * 1e3,
                block_ns: block_us.get() * 1e3,
                weights_ns: weights / rate,
                context_ns: kv / rate,
                // Two operations for every parameter and position.
                position_ns: 2.0 * model.block_parameters as f64 / flops,
            };
            (pace, memory(resolver, section, model, memory_gb.get() * 1e9, *usable)?)
        }
        DeviceTime::Measured {
            pass_us,
            block_us,
            decode_us,
            prompt_us,
            context_ns,
            kv_positions,
            blocks_max,
            ..
        } => {
            let pace = Pace::Lines {
                pass_ns: pass_us.get() * 1e3,
                block_ns: block_us.get() * 1e3,
                decode_ns: decode_us.get() * 1e3,
                prompt_ns: prompt_us.get() * 1e3,
                context_ns: context_ns.get(),
            };
            (pace, vec![*kv_positions; *blocks_max as usize])
        }
    };
    let device = Device {
        name: name.clone(),
        pace,
        kv,
        positions_max: batch.positions_max,
        prompt_positions_min: batch.prompt_positions_min.min(batch.positions_max),
        prompts_max: batch.prompts_max,
        head_ns: (0.0, 0.0),
        error: 0.0,
        deviation: 0.0,
        contention: 0.0,
    };
    Ok(measured(device, time))
}

/// A device with what only measurements tell.
fn measured(device: Device, time: &DeviceTime) -> Device {
    let DeviceTime::Measured { head_us, head_position_us, error, deviation, contention, .. } = time
    else {
        return device;
    };
    Device {
        head_ns: (head_us.get() * 1e3, head_position_us.get() * 1e3),
        error: error.get(),
        deviation: deviation.get(),
        contention: contention.get(),
        ..device
    }
}

/// A device ends every pass, and runs something in it.
fn check(resolver: &Resolver<'_>, section: &Spanned<DeviceSection>) -> Result<(), TomlFileError> {
    let DeviceSection { time, batch, .. } = section.get_ref();
    if batch.positions_max == 0 || batch.prompts_max == Some(0) {
        return Err(resolver.error(section, "a pass of a device runs at least one position"));
    }
    match time {
        DeviceTime::Roofline { memory_reached, tflop_reached, .. }
            if memory_reached.get() == 0.0 || tflop_reached.get() == 0.0 =>
        {
            Err(resolver.error(section, "a device that reaches nothing never ends"))
        }
        _ => Ok(()),
    }
}

fn curve(resolver: &Resolver<'_>, file: &Spanned<String>) -> Result<Curve, TomlFileError> {
    let text = resolver.read(file)?;
    Curve::parse(&text)
        .map_err(|error| resolver.error(file, format!("{:?}: {error}", file.get_ref())))
}

/// Positions by blocks held.
fn room(resolver: &Resolver<'_>, kv: &KvOf) -> Result<Vec<u64>, TomlFileError> {
    match kv {
        KvOf::Positions(positions) => Ok(positions.clone()),
        KvOf::Json { file, model, device, block_positions } => {
            type Tables = BTreeMap<String, BTreeMap<String, BTreeMap<String, u64>>>;
            let text = resolver.read(file)?;
            let tables: Tables = serde_json::from_str(&text)
                .map_err(|error| resolver.error(file, format!("{:?}: {error}", file.get_ref())))?;
            let table = tables.get(model).and_then(|devices| devices.get(device));
            let table = table.ok_or_else(|| {
                let message = format!("{:?} has no {device:?} under {model:?}", file.get_ref());
                resolver.error(file, message)
            })?;
            let by_blocks = (1..).map_while(|blocks: u32| table.get(&blocks.to_string()));
            Ok(by_blocks.map(|count| count.saturating_mul(*block_positions)).collect())
        }
    }
}

/// Positions that fit into memory beside the weights, by blocks held.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "never below zero")]
fn memory(
    resolver: &Resolver<'_>,
    section: &Spanned<DeviceSection>,
    model: &ModelSection,
    bytes: f64,
    usable: Share,
) -> Result<Vec<u64>, TomlFileError> {
    if model.block_bytes == 0 || model.kv_bytes == 0 || model.block_parameters == 0 {
        let message = format!(
            "a device known by its roofline needs block_bytes, kv_bytes and block_parameters of \
             model {:?}",
            model.name
        );
        return Err(resolver.error(section, message));
    }
    let usable = bytes * usable.get();
    let left = |blocks: u32| usable - f64::from(blocks) * model.block_bytes as f64;
    let positions = |blocks: u32| left(blocks) / (f64::from(blocks) * model.kv_bytes as f64);
    let fitting = (1..=model.block_count).map(positions).take_while(|room| *room >= 1.0);
    Ok(fitting.map(|room| room as u64).collect())
}
