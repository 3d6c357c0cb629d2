//! Devices as people write them.

use super::*;

#[test]
fn a_device_is_read_as_it_is_shown() {
    assert_eq!("cpu".parse(), Ok(Device::Cpu));
    assert_eq!(Device::Cpu.to_string(), "cpu");
    for (device, feature, compiled) in [
        (Device::Cuda(1), "cuda", cfg!(feature = "cuda")),
        (Device::Metal(0), "metal", cfg!(feature = "metal")),
    ] {
        let text = device.to_string();
        let missing = ParseDeviceError::Feature { text: text.clone(), feature };
        assert_eq!(text.parse(), if compiled { Ok(device) } else { Err(missing) });
    }
}

#[test]
fn what_names_no_device_is_refused() {
    for text in ["", "CPU", "cpu:0", "cuda", "cuda:", "cuda:-1", "cuda:x", "rocm:0"] {
        let expected = ParseDeviceError::Unknown { text: text.to_owned() };
        assert_eq!(text.parse::<Device>(), Err(expected));
    }
}

#[test]
fn every_device_has_a_class_and_only_the_cpus_is_exact() {
    let devices = [Device::Cpu, Device::Cuda(0), Device::Metal(0)];
    assert_eq!(devices.map(Device::numeric_class), NUMERIC_CLASSES);
    let exact = NUMERIC_CLASSES.map(|class| !class.ends_with("/inexact"));
    assert_eq!(exact, [true, false, false]);
}
