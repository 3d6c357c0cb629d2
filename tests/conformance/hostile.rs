//! Bytes no honest peer sends. Every type of message refuses them, none takes memory for them.

use comity_protocol::wire::DecodeError;

use crate::messages::{bytes_of::Sample, samples};

fn refuses(sample: &Sample, bytes: &[u8], what: &str) {
    let got = (sample.reencode)(bytes);
    assert!(got.is_err(), "{} takes {what}: {bytes:02x?}", sample.name);
}

/// Reads a varint at `at`; its value and its length.
fn varint(bytes: &[u8], at: usize) -> (u64, usize) {
    let mut value = 0;
    for (index, byte) in bytes[at..].iter().enumerate() {
        value |= u64::from(byte & 0x7F) << (7 * index);
        if byte & 0x80 == 0 {
            return (value, index + 1);
        }
    }
    panic!("a varint ends");
}

/// Where each field of a message starts and ends.
fn fields(bytes: &[u8]) -> Vec<(usize, usize)> {
    let (mut fields, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let (tag, tag_len) = varint(bytes, at);
        let (value, value_len) = varint(bytes, at + tag_len);
        let payload = if tag & 7 == 2 { usize::try_from(value).unwrap() } else { 0 };
        let end = at + tag_len + value_len + payload;
        fields.push((at, end));
        at = end;
    }
    fields
}

#[test]
fn no_prefix_of_a_message_passes_for_all_of_it() {
    for sample in samples() {
        for end in 0..sample.bytes.len() {
            let prefix = &sample.bytes[..end];
            // What ends at a field's border can be another message, but never this one.
            if let Ok(again) = (sample.reencode)(prefix) {
                assert_eq!(again, prefix, "{}", sample.name);
                let borders: Vec<_> = fields(&sample.bytes).iter().map(|field| field.1).collect();
                assert!(end == 0 || borders.contains(&end), "{} cut at {end}", sample.name);
            }
        }
    }
}

#[test]
fn a_changed_byte_gives_an_error_or_another_message_in_canonical_form() {
    for sample in samples() {
        let mut bytes = sample.bytes.clone();
        for index in 0..bytes.len() {
            for mask in [0x01, 0x80, 0xFF] {
                bytes[index] ^= mask;
                if let Ok(again) = (sample.reencode)(&bytes) {
                    assert_eq!(again, bytes, "{} changed at {index}", sample.name);
                }
                bytes[index] ^= mask;
            }
        }
    }
}

#[test]
fn trailing_bytes_are_refused() {
    for sample in samples() {
        for tail in [&[0][..], &[0xFF], &[0x08], b"comity"] {
            refuses(&sample, &[&sample.bytes, tail].concat(), "trailing bytes");
        }
    }
}

#[test]
fn unknown_fields_are_refused() {
    for sample in samples() {
        // Field 100 as a varint, as bytes, as fixed 32 and 64 bits; field 2047.
        let unknown: [&[u8]; 5] = [
            &[0xA0, 0x06, 0x01],
            &[0xA2, 0x06, 0x00],
            &[0xA5, 0x06, 1, 2, 3, 4],
            &[0xA1, 0x06, 1, 2, 3, 4, 5, 6, 7, 8],
            &[0xFA, 0x7F, 0x00],
        ];
        for field in unknown {
            refuses(&sample, &[&sample.bytes, field].concat(), "an unknown field");
            refuses(&sample, &[field, &sample.bytes].concat(), "an unknown field");
        }
    }
}

#[test]
fn fields_out_of_order_or_repeated_are_refused() {
    for sample in samples() {
        let fields = fields(&sample.bytes);
        for window in fields.windows(2) {
            let [(start, middle), (_, end)] = *window else { panic!("windows of two") };
            let (first, second) = (&sample.bytes[start..middle], &sample.bytes[middle..end]);
            let swapped = [&sample.bytes[..start], second, first, &sample.bytes[end..]].concat();
            if first != second {
                // Entries of one list may change places where order carries meaning.
                if let Ok(again) = (sample.reencode)(&swapped) {
                    assert_eq!(again, swapped, "{}", sample.name);
                    let tags = (varint(first, 0).0, varint(second, 0).0);
                    assert_eq!(tags.0, tags.1, "{} takes fields out of order", sample.name);
                }
            }
        }
        for (start, end) in fields {
            let twice = [&sample.bytes[..end], &sample.bytes[start..]].concat();
            if let Ok(again) = (sample.reencode)(&twice) {
                // Only a list may hold the same entry twice, and then as two entries.
                assert_eq!(again, twice, "{} takes a field twice", sample.name);
            }
        }
    }
}

#[test]
fn varints_longer_than_needed_are_refused() {
    for sample in samples() {
        for (start, _) in fields(&sample.bytes) {
            let (_, tag_len) = varint(&sample.bytes, start);
            for (at, len) in [(start, tag_len), {
                let at = start + tag_len;
                (at, varint(&sample.bytes, at).1)
            }] {
                let mut longer = sample.bytes.clone();
                longer[at + len - 1] |= 0x80;
                longer.insert(at + len, 0);
                refuses(&sample, &longer, "a varint with a needless byte");
            }
        }
    }
}

#[test]
fn what_is_longer_than_its_type_is_refused_before_it_is_read() {
    for sample in samples() {
        let got = sample.bytes_max + 1;
        let mut long = sample.bytes.clone();
        long.resize(got, 0);
        let expected = DecodeError::TooLong { max: sample.bytes_max, got };
        assert_eq!((sample.reencode)(&long), Err(expected), "{}", sample.name);
    }
}

#[test]
fn lengths_that_lie_are_refused() {
    // A field of bytes that claims 2^63 of them, and one that claims one more than there are.
    for sample in samples() {
        for lie in [&[0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F][..], &[0x0A, 1]] {
            refuses(&sample, lie, "a length past the end");
            refuses(&sample, &[&sample.bytes, lie].concat(), "a length past the end");
        }
    }
}
