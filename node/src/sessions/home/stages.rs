//! Who the stages of a route are: for the client, and for checking what they sign.

use std::collections::HashMap;

use comity_protocol::{
    directory::Member, id::PeerKey, manifest::Manifest, request::StageInfo, route::Route,
    session::home::Expected,
};

use super::{Context, GenerateError};

/// Members by their key.
pub(super) type Members = HashMap<PeerKey, Member>;

impl Context {
    /// The members that run the stages of `route`.
    pub(super) async fn members(&self, route: &Route) -> Result<Members, GenerateError> {
        let mut members = Members::new();
        for stage in route.stages() {
            // A roster may have expired since the route was planned.
            let member = self.directory.member(stage.peer).await;
            members.insert(stage.peer, member.ok_or(GenerateError::NotAdmitted)?);
        }
        Ok(members)
    }
}

/// The stages as shown to people.
pub(super) fn infos(route: &Route, members: &Members) -> Vec<StageInfo> {
    let known = |peer| members.get(peer);
    let infos = route.stages().iter().filter_map(|stage| {
        let member = known(&stage.peer)?;
        Some(StageInfo {
            institution: member.institution.clone(),
            peer: stage.peer,
            jurisdiction: member.jurisdiction.to_string(),
            blocks: stage.blocks,
        })
    });
    infos.collect()
}

/// What each stage's receipts must say of it.
pub(super) fn expected(route: &Route, members: &Members, manifest: &Manifest) -> Vec<Expected> {
    let expected = route.stages().iter().map(|stage| Expected {
        institution: members.get(&stage.peer).map_or_else(String::new, |m| m.institution.clone()),
        parameters: manifest.parameters(stage.blocks).unwrap_or(0),
    });
    expected.collect()
}
