//! What a node knows of its consortium: members, rosters, announcements. Not their transport.
