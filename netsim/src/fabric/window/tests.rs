//! Growth and cuts against the formulas of RFC 9438.

use super::*;

const RTT: f64 = 0.1;

fn at(ms: u64) -> Instant {
    Instant(ms * 1_000_000)
}

#[test]
fn slow_start_doubles_until_the_first_loss_and_a_loss_of_the_same_flight_counts_once() {
    let mut window = Window::new(&Quic::QUINN);
    window.acked(at(100), at(0), 12_000.0, RTT);
    assert_eq!(window.bytes(), 24_000.0);
    window.lost(at(200), at(100));
    window.lost(at(201), at(150));
    assert!((window.bytes() - 16_800.0).abs() < 1e-9);
    window.acked(at(250), at(199), 16_800.0, RTT);
    assert!((window.bytes() - 16_800.0).abs() < 1e-9, "sent before the loss was noticed");
}

#[test]
fn the_window_is_back_after_the_cube_root_of_what_it_lost() {
    let mut window = Window::new(&Quic { initial_window: 4_000_000, ..Quic::QUINN });
    window.lost(at(0), at(0));
    let k = (4e6 / DATAGRAM * 0.3 / 0.4_f64).cbrt();
    let mut ms = 0;
    while window.bytes() < 0.99 * 4e6 {
        ms += 10;
        window.acked(at(ms), at(ms - 5), window.bytes() / 10.0, RTT);
    }
    let seconds = ms as f64 / 1e3;
    assert!((seconds / k - 0.8).abs() < 0.2, "{seconds} of {k}");
}

#[test]
fn cube_roots_agree_with_the_library() {
    for x in [0.0, 1e-3, 0.5, 1.0, 8.0, 1_234.5, 1e9] {
        assert!((cube_root(x) - f64::cbrt(x)).abs() <= 1e-9 * (1.0 + x), "{x}");
    }
}
