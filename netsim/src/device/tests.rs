//! Times by hand.

use super::*;

fn device(pace: Pace) -> Device {
    Device {
        name: "d".to_owned(),
        pace,
        kv: vec![100, 50],
        positions_max: 64,
        prompt_positions_min: 16,
        prompts_max: None,
        head_ns: (1_000.0, 10.0),
        error: 0.0,
        deviation: 0.0,
        contention: 0.0,
    }
}

#[test]
fn a_curve_goes_straight_between_points_and_on_beyond_them() {
    let curve = Curve::parse("0,0\n2,1.4\n4,2.0\n").unwrap();
    assert_eq!(curve.at(3.0), 1.7);
    assert!((curve.at(6.0) - 2.6).abs() < 1e-12);
    assert_eq!((curve.at_least_first(1.0), curve.at_least_first(0.0)), (1.4, 0.0));
    assert_eq!(Curve::parse("1,2\n1,3\n"), Err(CurveError::Order(2)));
    assert_eq!(Curve::parse("1,2\nx,3\n"), Err(CurveError::Line(2)));
    assert_eq!(Curve::parse("tokens,ms\n1,2\n"), Err(CurveError::TooFew));
}

#[test]
fn a_table_adds_prompts_steps_and_what_enters() {
    let prompt = Curve::parse("0,0\n100,1\n").unwrap();
    let decode = Curve::parse("0,0\n2,1.4\n").unwrap();
    let device = device(Pace::Table { prompt, decode, pass_ns: 5.0, entry_ns: 0.5 });
    let pass = Pass { blocks: 3, prompt: 50, decode: 1, context: 9, bytes: 10 };
    assert_eq!(device.pass_ns(&pass), 3 * (500_000 + 1_400_000) + 5 + 5);
}

#[test]
fn a_roofline_is_the_slower_of_memory_and_arithmetic() {
    let roof = Pace::Roofline {
        pass_ns: 1.0,
        block_ns: 2.0,
        weights_ns: 100.0,
        context_ns: 0.5,
        position_ns: 10.0,
    };
    let device = device(roof);
    let few = Pass { blocks: 2, decode: 1, context: 20, ..Pass::default() };
    assert_eq!(device.pass_ns(&few), 1 + 2 * (2 + 110));
    let many = Pass { blocks: 2, prompt: 64, ..Pass::default() };
    assert_eq!(device.pass_ns(&many), 1 + 2 * (2 + 640));
}

#[test]
fn room_is_by_blocks_held() {
    let device = device(Pace::Lines {
        pass_ns: 0.0,
        block_ns: 1.0,
        decode_ns: 0.0,
        prompt_ns: 0.0,
        context_ns: 0.0,
    });
    assert_eq!([0, 1, 2, 3].map(|blocks| device.kv_positions(blocks)), [0, 100, 50, 0]);
    assert_eq!(device.home_ns(4), 1_040);
}
