//! Messages by hand: fields that no type of this project would write.

use comity_protocol::{
    id::Digest,
    signed::{Domain, NodeKey, Signed},
};

/// A field that holds a number.
pub(super) fn number(field: u64, value: u64) -> Vec<u8> {
    [varint(field << 3), varint(value)].concat()
}

/// A field that holds bytes, a text or a message.
pub(super) fn bytes(field: u64, value: &[u8]) -> Vec<u8> {
    [varint(field << 3 | 2), varint(value.len() as u64), value.to_vec()].concat()
}

/// A field of as many bytes.
pub(super) fn long(field: u64, length: usize) -> Vec<u8> {
    bytes(field, &vec![b'x'; length])
}

/// A field that is there as many times.
pub(super) fn many(count: usize, field: &[u8]) -> Vec<u8> {
    field.repeat(count)
}

/// `message` with `with` in place of every entry of `field`, in order.
pub(super) fn edit(message: &[u8], field: u64, with: &[u8]) -> Vec<u8> {
    let entries = entries(message);
    let part = |keep: fn(u64, u64) -> bool| {
        let kept = entries.iter().filter(|(number, _)| keep(*number, field));
        kept.flat_map(|(_, entry)| entry.to_vec()).collect::<Vec<u8>>()
    };
    [part(|number, field| number < field), with.to_vec(), part(|number, field| number > field)]
        .concat()
}

/// Each field of a message: its number and its bytes, framing included.
pub(super) fn entries(message: &[u8]) -> Vec<(u64, &[u8])> {
    let (mut entries, mut rest) = (Vec::new(), message);
    while !rest.is_empty() {
        let (key, key_bytes) = read(rest);
        let (value, value_bytes) = read(&rest[key_bytes..]);
        let content = if key & 7 == 2 { usize::try_from(value).unwrap() } else { 0 };
        let (entry, after) = rest.split_at(key_bytes + value_bytes + content);
        entries.push((key >> 3, entry));
        rest = after;
    }
    entries
}

/// What an entry of bytes holds.
pub(super) fn content(entry: &[u8]) -> &[u8] {
    let (_, key_bytes) = read(entry);
    let (_, length_bytes) = read(&entry[key_bytes..]);
    &entry[key_bytes + length_bytes..]
}

/// Signs `payload`, whatever it is.
pub(super) fn sign(by: &NodeKey, domain: Domain, charter: &Digest, payload: Vec<u8>) -> Signed {
    let signature = by.sign_bytes(domain, charter, &payload);
    let domain = domain.as_str().to_owned();
    Signed { domain, payload: payload.into(), signer: by.public(), signature }
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut digits = Vec::new();
    while value >= 0x80 {
        digits.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    digits.push(value.to_le_bytes()[0]);
    digits
}

/// The number at the start, and its bytes.
fn read(bytes: &[u8]) -> (u64, usize) {
    let length = 1 + bytes.iter().take_while(|byte| **byte >= 0x80).count();
    let digits = bytes[..length].iter().rev();
    (digits.fold(0, |value, byte| value << 7 | u64::from(byte & 0x7F)), length)
}
