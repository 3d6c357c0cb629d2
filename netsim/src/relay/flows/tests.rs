//! The table against a plain list that does the same.

use proptest::prelude::*;

use super::*;

const S: u64 = 1_000_000_000;

fn client(n: u8) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 1_000 + u16::from(n)))
}

#[test]
fn a_client_keeps_its_socket_until_it_is_idle() {
    let mut flows = Flows::new(2, Duration::from_secs(10));
    assert_eq!(flows.of_client(Instant(0), client(1)), None);
    let id = flows.insert(Instant(0), client(1), 'a');
    assert_eq!(flows.of_client(Instant(5 * S), client(1)), Some(&'a'));
    let overflows = [None, Some(3), None, Some(7)].map(|n| flows.touch(Instant(6 * S), id, n));
    assert_eq!(overflows, [0, 3, 0, 4]);
    assert_eq!(flows.next_expiry(), Some(Instant(16 * S)));
    assert_eq!(flows.expire(Instant(16 * S - 1)), []);
    assert_eq!(flows.expire(Instant(16 * S)), ['a']);
    assert_eq!((flows.of_id(id), flows.next_expiry()), (None, None));
    assert_ne!(flows.insert(Instant(16 * S), client(1), 'b'), id, "a name is never used twice");
}

proptest! {
    #[test]
    fn the_table_is_bounded_and_agrees_with_a_list(
        steps in prop::collection::vec((0u64..4, 0u8..6, any::<bool>()), 1..200),
    ) {
        let mut flows = Flows::new(3, Duration::from_secs(5));
        let mut list: Vec<(u8, FlowId, u64)> = Vec::new();
        let mut now = 0;
        for (gap, name, reply) in steps {
            now += gap;
            let at = Instant(now * S);
            let known = list.iter_mut().find(|(n, ..)| *n == name);
            match known {
                Some((_, id, seen)) => {
                    *seen = now;
                    prop_assert_eq!(flows.of_id(*id), Some((client(name), &name)));
                    if reply {
                        flows.touch(at, *id, None);
                    } else {
                        prop_assert_eq!(flows.of_client(at, client(name)), Some(&name));
                    }
                }
                None => {
                    prop_assert_eq!(flows.of_client(at, client(name)), None);
                    prop_assert_eq!(flows.has_room(), list.len() < 3);
                    if flows.has_room() {
                        list.push((name, flows.insert(at, client(name), name), now));
                    }
                }
            }
            let mut gone = flows.expire(at);
            let (old, kept): (Vec<_>, Vec<_>) =
                list.into_iter().partition(|(.., seen)| seen + 5 <= now);
            list = kept;
            gone.sort_unstable();
            let mut old: Vec<u8> = old.into_iter().map(|(name, ..)| name).collect();
            old.sort_unstable();
            prop_assert_eq!(gone, old);
            prop_assert_eq!(flows.ids().count(), list.len());
        }
    }
}
