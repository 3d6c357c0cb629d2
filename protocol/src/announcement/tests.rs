//! Which announcements are believed.

use std::time::Duration;

use super::*;
use crate::{
    charter::tests::NOW,
    limits::{ADDRESSES_MAX, NAME_BYTES_MAX, OFFERS_MAX, ROUND_TRIPS_MAX},
    roster::tests::{hash, node, node_key},
    wire::DecodeError,
};

pub(crate) const MODEL: Digest = Digest([7; 32]);

pub(crate) fn offer(start: u32, end: u32) -> Offer {
    Offer {
        manifest: MODEL,
        blocks: BlockRange::new(start, end).unwrap(),
        numeric_class: "cpu-1".into(),
        block_time_ns: 1_000_000,
        positions_free: 4_096,
        sessions: 0,
    }
}

/// An announcement of a node of institution `owner`, valid for 10 minutes from `NOW`.
pub(crate) fn announcement(owner: u8, sequence: u64) -> Announcement {
    Announcement {
        institution: format!("inst-{owner}"),
        sequence,
        issued_at: NOW,
        expires_at: NOW + ANNOUNCEMENT_LIFE_MAX,
        data_addresses: vec!["192.0.2.1:4701".parse().unwrap()],
        offers: vec![offer(0, 10)],
        round_trips: Vec::new(),
    }
}

pub(crate) fn sign(number: u8, announcement: &Announcement) -> Signed {
    node_key(number).sign(Domain::ANNOUNCEMENT, &hash(), announcement).unwrap()
}

fn verify(signed: &Signed) -> Result<Announcement, AnnouncementError> {
    Announcement::verify(signed, &hash(), "inst-0", &node(1, "FR"), NOW)
}

#[test]
fn a_node_announces_what_it_serves() {
    let claim = announcement(0, 1);
    assert_eq!(verify(&sign(1, &claim)), Ok(claim));
}

#[test]
fn nobody_announces_for_another_node() {
    let error = verify(&sign(2, &announcement(0, 1))).unwrap_err();
    assert!(
        matches!(error, AnnouncementError::Signed { source: SignedError::Signer { .. }, .. }),
        "{error}"
    );
}

#[test]
fn a_forged_or_borrowed_announcement_is_refused() {
    let claim = announcement(0, 1);
    let mut forged = sign(1, &claim);
    forged.payload = sign(1, &announcement(0, 2)).payload;
    let elsewhere = node_key(1).sign(Domain::ANNOUNCEMENT, &Digest::ZERO, &claim).unwrap();
    let other_type = node_key(1).sign(Domain::ROSTER, &hash(), &claim).unwrap();
    for signed in [forged, elsewhere, other_type] {
        assert!(matches!(verify(&signed), Err(AnnouncementError::Signed { .. })), "{signed:?}");
    }
}

#[test]
fn a_node_stays_with_the_institution_whose_roster_it_is_on() {
    let error = verify(&sign(1, &announcement(1, 1))).unwrap_err();
    assert!(matches!(error, AnnouncementError::Institution { .. }), "{error}");
}

#[test]
fn only_stages_announce() {
    let home = RosterNode { roles: [Role::Home].into(), ..node(1, "FR") };
    let signed = sign(1, &announcement(0, 1));
    let result = Announcement::verify(&signed, &hash(), "inst-0", &home, NOW);
    assert_eq!(result, Err(AnnouncementError::NoStage(home.peer)));
}

/// So many offers with a class of so many bytes; all else as long as it can be.
fn longest(class: usize, offers: usize) -> Announcement {
    let offer = Offer {
        numeric_class: "c".repeat(class),
        block_time_ns: u64::MAX,
        positions_free: u64::MAX,
        sessions: u32::MAX,
        ..offer(1_000, 1_024)
    };
    let address = "[2001:db8:ffff:ffff:ffff:ffff:ffff:ffff]:65535".parse().unwrap();
    let data_addresses = vec![address; ADDRESSES_MAX];
    let offers = vec![offer; offers];
    Announcement { offers, data_addresses, ..announcement(0, u64::MAX) }
}

#[test]
fn a_full_announcement_fits_and_a_longer_one_is_refused() {
    let far = |peer: u64| RoundTrip { peer: ShortPeer(peer.to_be_bytes()), least_us: u32::MAX };
    let round_trips = (0..ROUND_TRIPS_MAX as u64).map(far).collect();
    let full = Announcement { round_trips, ..longest(NAME_BYTES_MAX, OFFERS_MAX) };
    assert_eq!(verify(&sign(1, &full)), Ok(full));
    let long = |class, offers| sign(1, &longest(class, offers));
    let crowded = verify(&long(1, OFFERS_MAX + 1)).unwrap_err();
    assert!(matches!(crowded, AnnouncementError::Signed { .. }), "{crowded}");
    let oversized = verify(&long(3_000, 1)).unwrap_err();
    assert!(matches!(oversized, AnnouncementError::Signed { .. }), "{oversized}");
    let huge = verify(&long(4_000, 1)).unwrap_err();
    assert!(matches!(huge, AnnouncementError::TooLong { .. }), "{huge}");
}

#[test]
fn an_announcement_is_believed_in_its_time_only() {
    let at = |expires_at, now| {
        let signed = sign(1, &Announcement { expires_at, ..announcement(0, 1) });
        match Announcement::verify(&signed, &hash(), "inst-0", &node(1, "FR"), now) {
            Ok(_) => None,
            Err(AnnouncementError::Validity { source, .. }) => Some(source),
            Err(other) => panic!("{other}"),
        }
    };
    let end = NOW + ANNOUNCEMENT_LIFE_MAX;
    let millisecond = Duration::from_millis(1);
    assert_eq!(at(end, NOW), None);
    assert!(matches!(at(end, end), Some(ValidityError::Expired { .. })));
    assert!(matches!(at(end + millisecond, NOW), Some(ValidityError::Life { .. })));
    let early = Timestamp::from_ms(NOW.as_ms() - 120_001);
    assert!(matches!(at(end, early), Some(ValidityError::NotYet { .. })));
}

#[test]
fn addresses_nobody_can_dial_are_refused() {
    for address in ["0.0.0.0:4701", "192.0.2.1:0", "[::]:4701", "224.0.0.1:4701"] {
        let data_addresses = vec![address.parse().unwrap()];
        let error = verify(&sign(1, &Announcement { data_addresses, ..announcement(0, 1) }));
        let Err(AnnouncementError::Signed { source: SignedError::Decode(source), .. }) = error
        else {
            panic!("accepted {address}");
        };
        let field = "announcement.data_addresses";
        assert_eq!(source, DecodeError::field(field, "no address to dial"));
    }
}

#[test]
fn distances_are_told_once_each_in_one_order_and_not_of_too_many() {
    let of = |peers: &[u64]| {
        let far = peers
            .iter()
            .map(|peer| RoundTrip { peer: ShortPeer(peer.to_be_bytes()), least_us: 20_000 });
        verify(&sign(1, &Announcement { round_trips: far.collect(), ..announcement(0, 1) }))
    };
    assert_eq!(of(&[1, 2]).map(|it| it.round_trips.len()), Ok(2));
    let many: Vec<u64> = (0..=ROUND_TRIPS_MAX as u64).collect();
    for wrong in [&[1, 1][..], &[2, 1], &many] {
        let Err(AnnouncementError::Signed { source: SignedError::Decode(source), .. }) = of(wrong)
        else {
            panic!("accepted {wrong:?}");
        };
        assert!(source.to_string().contains("announcement.round_trips"), "{source}");
    }
}
