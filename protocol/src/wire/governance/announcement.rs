//! Encoding of announcements and of the first exchange between two nodes.

use std::net::SocketAddr;

use super::institution;
use crate::{
    announcement::{Announcement, Offer, RoundTrip},
    limits::{ADDRESSES_MAX, ANNOUNCEMENT_BYTES_MAX, NAME_BYTES_MAX, OFFERS_MAX, ROUND_TRIPS_MAX},
    time::Timestamp,
    wire::{DecodeError, ascending, bytes, id, list, pb, required, text, wire},
};

wire!(Announcement, pb::Announcement, ANNOUNCEMENT_BYTES_MAX);

impl From<&Announcement> for pb::Announcement {
    fn from(announcement: &Announcement) -> Self {
        Self {
            institution: announcement.institution.clone(),
            sequence: announcement.sequence,
            issued_at_ms: announcement.issued_at.as_ms(),
            expires_at_ms: announcement.expires_at.as_ms(),
            data_addresses: announcement.data_addresses.iter().map(ToString::to_string).collect(),
            offers: announcement.offers.iter().map(Into::into).collect(),
            round_trips: announcement.round_trips.iter().map(Into::into).collect(),
        }
    }
}

impl TryFrom<pb::Announcement> for Announcement {
    type Error = DecodeError;

    fn try_from(pb: pb::Announcement) -> Result<Self, DecodeError> {
        let addresses = list(pb.data_addresses, ADDRESSES_MAX, "announcement.data_addresses")?;
        let offers = list(pb.offers, OFFERS_MAX, "announcement.offers")?;
        let field = "announcement.round_trips";
        let round_trips = list(pb.round_trips, ROUND_TRIPS_MAX, field)?
            .into_iter()
            .map(RoundTrip::try_from)
            .collect::<Result<Vec<_>, _>>()?;
        let peers: Vec<_> = round_trips.iter().map(|it| it.peer).collect();
        ascending(&peers, field)?;
        Ok(Self {
            institution: institution(pb.institution, "announcement.institution")?,
            sequence: pb.sequence,
            issued_at: Timestamp::from_ms(pb.issued_at_ms),
            expires_at: Timestamp::from_ms(pb.expires_at_ms),
            data_addresses: addresses
                .iter()
                .map(|address| data_address(address))
                .collect::<Result<_, _>>()?,
            offers: offers.into_iter().map(Offer::try_from).collect::<Result<_, _>>()?,
            round_trips,
        })
    }
}

impl From<&Offer> for pb::Offer {
    fn from(offer: &Offer) -> Self {
        Self {
            manifest: bytes(&offer.manifest.0),
            blocks: Some(offer.blocks.into()),
            numeric_class: offer.numeric_class.clone(),
            block_time_ns: offer.block_time_ns,
            positions_free: offer.positions_free,
            sessions: offer.sessions,
        }
    }
}

impl TryFrom<pb::Offer> for Offer {
    type Error = DecodeError;

    fn try_from(pb: pb::Offer) -> Result<Self, DecodeError> {
        Ok(Self {
            manifest: id(&pb.manifest, "offer.manifest")?,
            blocks: required(pb.blocks, "offer.blocks")?.try_into()?,
            numeric_class: text(pb.numeric_class, NAME_BYTES_MAX, "offer.numeric_class")?,
            block_time_ns: pb.block_time_ns,
            positions_free: pb.positions_free,
            sessions: pb.sessions,
        })
    }
}

impl From<&RoundTrip> for pb::RoundTrip {
    fn from(round_trip: &RoundTrip) -> Self {
        Self { peer: bytes(&round_trip.peer.0), least_us: round_trip.least_us }
    }
}

impl TryFrom<pb::RoundTrip> for RoundTrip {
    type Error = DecodeError;

    fn try_from(pb: pb::RoundTrip) -> Result<Self, DecodeError> {
        Ok(Self { peer: id(&pb.peer, "round_trip.peer")?, least_us: pb.least_us })
    }
}

/// Reads "ip:port" in its one spelling; what nobody can dial is refused.
fn data_address(text: &str) -> Result<SocketAddr, DecodeError> {
    let field = "announcement.data_addresses";
    let address: SocketAddr =
        text.parse().map_err(|_| DecodeError::field(field, "not of the form ip:port"))?;
    if address.to_string() != text {
        return Err(DecodeError::field(field, "not in its canonical spelling"));
    }
    if address.port() == 0 || address.ip().is_unspecified() || address.ip().is_multicast() {
        return Err(DecodeError::field(field, "no address to dial"));
    }
    Ok(address)
}
