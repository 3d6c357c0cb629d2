//! Names stand apart, all of them where there is room, and the picture is as large as they need.

use super::*;

/// Sites around a town, `spread` degrees apart, all of whose machines are busy.
fn crowd(count: u32, spread: f64) -> Map {
    let place = |number: u32| Place {
        name: format!("University {number}"),
        country: Some("NL".to_owned()),
        at: Some((
            f64::from(number / 4).mul_add(spread, 52.0),
            f64::from(number % 4).mul_add(spread, 4.0),
        )),
        nodes: 1,
        busy: 0.5,
    };
    let far = Place { name: "far".to_owned(), at: Some((60.0, 15.0)), ..place(0) };
    Map { places: (0..count).map(place).chain([far]).collect(), flows: Vec::new() }
}

/// Areas of the names on a picture, and of its circles.
fn areas(picture: &str) -> (Vec<Area>, Vec<Area>) {
    let number = |tag: &str, key: &str| -> f64 {
        let from = tag.find(key).unwrap() + key.len();
        tag[from..].split('"').next().unwrap().parse().unwrap()
    };
    let name = |tag: &str| {
        let (x, y) = (number(tag, " x=\""), number(tag, " y=\""));
        let text = tag.split(['>', '<']).nth(1).unwrap();
        let wide = text.chars().count() as f64 * 5.9;
        let left = match tag {
            it if it.contains("\"start\"") => x,
            it if it.contains("\"end\"") => x - wide,
            _ => x - wide / 2.0,
        };
        (left, y - 10.0, left + wide, y + 3.0)
    };
    let circle = |tag: &str| {
        let (x, y, r) = (number(tag, "cx=\""), number(tag, "cy=\""), number(tag, " r=\""));
        (x - r, y - r, x + r, y + r)
    };
    let tags = |start: &str| -> Vec<String> {
        picture.split(start).skip(1).map(ToOwned::to_owned).collect()
    };
    (
        tags("<text").iter().map(|tag| name(tag)).collect(),
        tags("<circle").iter().map(|tag| circle(tag)).collect(),
    )
}

fn overlap(one: &Area, other: &Area) -> bool {
    // Figures of a picture are rounded to tenths.
    one.0 + 0.2 < other.2 && other.0 + 0.2 < one.2 && one.1 + 0.2 < other.3 && other.1 + 0.2 < one.3
}

#[test]
fn names_hide_neither_each_other_nor_places() {
    for spread in [0.2, 0.4, 0.8] {
        let (names, circles) = areas(&draw(&crowd(16, spread)).picture);
        for (index, name) in names.iter().enumerate() {
            assert!(!names[..index].iter().any(|other| overlap(name, other)), "{spread}: {name:?}");
            assert!(!circles.iter().any(|other| overlap(name, other)), "{spread}: {name:?}");
        }
    }
}

#[test]
fn a_name_without_room_beside_its_place_stands_farther_off_with_a_line_to_it() {
    let drawn = draw(&crowd(16, 0.4));
    assert_eq!(drawn.unnamed, 0);
    assert_eq!(drawn.picture.matches("class=\"name\"").count(), 17);
    assert!(drawn.picture.contains("class=\"leader\""));
}

#[test]
fn names_that_found_no_room_are_counted() {
    let drawn = draw(&crowd(200, 0.01));
    assert!(drawn.unnamed > 0);
    assert_eq!(drawn.picture.matches("class=\"name\"").count() + drawn.unnamed, 201);
}

#[test]
fn a_picture_holds_all_its_names_and_little_more() {
    let map = Map { places: crowd(1, 1.0).places, flows: Vec::new() };
    let picture = draw(&map).picture;
    let from = picture.find("viewBox=\"").unwrap() + 9;
    let sizes: Vec<f64> = picture[from..]
        .split('"')
        .next()
        .unwrap()
        .split(' ')
        .map(|it| it.parse().unwrap())
        .collect();
    let (left, top, right, bottom) = (sizes[0], sizes[1], sizes[0] + sizes[2], sizes[1] + sizes[3]);
    let (names, circles) = areas(&picture);
    for area in names.iter().chain(&circles) {
        assert!(area.0 >= left && area.2 <= right, "{area:?} in {sizes:?}");
        assert!(area.1 >= top && area.3 <= bottom, "{area:?} in {sizes:?}");
    }
    assert!(right - left < WIDTH * 0.7, "{sizes:?}");
}
