//! What is printed of a charter. Not its changes (`diff`).

use std::collections::BTreeSet;

use comity_protocol::{
    charter::{Charter, CharterError, Revoked, Suspension, Suspensions},
    id::{Digest, PeerKey},
    time::Timestamp,
};
use serde_json::{Value, json};

use super::{CharterCommandError, CharterFile};
use crate::{
    clock::Clock,
    commands::{Outcome, date, print, print_json, shown},
};

/// Shows a charter and says whether signatures are missing.
pub(super) fn report(file: &CharterFile, json: bool) -> Result<Outcome, CharterCommandError> {
    if json {
        print_json(&to_json(file));
    } else {
        print(&shown(&describe(file, Clock::start().now())));
    }
    Ok(if file.proposal().is_some() { Outcome::Incomplete } else { Outcome::Done })
}

/// Verifies a charter at `now` and says what holds.
pub(super) fn check(
    file: &CharterFile,
    genesis: Option<Digest>,
    now: Timestamp,
    json: bool,
) -> Result<Outcome, CharterCommandError> {
    if genesis.is_some_and(|genesis| genesis != file.genesis_hash()) {
        return Err(CharterError::Genesis.into());
    }
    let (newest, proposal) = (file.newest(), file.proposal());
    let validity = newest.check_time(now);
    let problem = match (proposal, &validity) {
        (Some(proposal), _) => Some(proposal.missing.to_string()),
        (None, Err(error)) => Some(error.to_string()),
        (None, Ok(())) => None,
    };
    if json {
        print_json(&json!({
            "genesis": file.genesis_hash().to_string(),
            "version": newest.version,
            "in_force": problem.is_none(),
            "problem": problem,
        }));
    } else {
        let (version, genesis) = (newest.version, file.genesis_hash());
        let verdict = problem.unwrap_or_else(|| "in force, every version verified".to_owned());
        print(&format!("genesis     {genesis}\nversion     {version}\nverdict     {verdict}\n"));
    }
    Ok(match (proposal, validity) {
        (Some(_), _) => Outcome::Incomplete,
        (None, Err(_)) => Outcome::Failed,
        (None, Ok(())) => Outcome::Done,
    })
}

fn describe(file: &CharterFile, now: Timestamp) -> String {
    let charter = file.newest();
    let mut lines = vec![
        format!("consortium  {}", charter.name),
        format!("genesis     {}", file.genesis_hash()),
        format!("version     {}", charter.version),
        format!("in force    from {} to {}", date(charter.created_at), date(charter.expires_at)),
        "institutions".to_owned(),
    ];
    lines.extend(charter.institutions.iter().map(|institution| {
        let signed = signed(file, &institution.root_key);
        format!(
            "  {:<24} {} (parent in {})  {}  {}",
            institution.id,
            institution.country,
            institution.parent_country,
            institution.legal_name,
            if signed { "signed" } else { "has not signed" },
        )
    }));
    let policies: Vec<_> = charter.policies.iter().map(|policy| policy.name.as_str()).collect();
    lines.push(format!("policies    {}", if_any(&policies.join(", "), "none")));
    let models: Vec<_> = charter.models.iter().map(ToString::to_string).collect();
    lines.push(format!("models      {}", if_any(&models.join(", "), "any")));
    lines.push(format!("witnesses   {}", charter.witnesses));
    let percent = f64::from(charter.audit_rate_millionths) / 10_000.0;
    lines.push(format!("audits      {percent} % of requests"));
    lines.extend(charter.revocations.iter().map(|(revoked, revocation)| {
        format!("revoked     {} {}: {}", name(revoked), date(revocation.at), revocation.reason)
    }));
    lines.extend(suspensions(file, charter, now));
    if let Some(proposal) = file.proposal() {
        lines.push(format!("MISSING     {}", proposal.missing));
    }
    lines.join("\n") + "\n"
}

fn suspensions(file: &CharterFile, charter: &Charter, now: Timestamp) -> Vec<String> {
    let Some(chain) = file.chain() else { return Vec::new() };
    let mut known = Suspensions::default();
    for signed in &file.suspensions {
        // One that is over is not shown.
        let _ = known.insert(now, chain, signed);
    }
    let in_force = known.in_force(now, charter);
    let line = |(it, signers): (&Suspension, BTreeSet<String>)| {
        let signers: Vec<_> = signers.into_iter().collect();
        let counts = in_force.contains_key(&it.institution);
        let state = if counts { "in force" } else { "does not count" };
        let (id, until, by) = (&it.institution, date(it.until), signers.join(", "));
        format!("suspended   {id} until {until} by {by} ({state}): {}", it.reason)
    };
    known.proposed(charter).into_iter().map(line).collect()
}

/// What a revocation names.
pub(super) fn name(revoked: &Revoked) -> String {
    match revoked {
        Revoked::Institution(id) => id.clone(),
        Revoked::Peer(peer) => peer.to_string(),
    }
}

/// Whether this key is among those that signed the newest version.
pub(super) fn signed(file: &CharterFile, key: &PeerKey) -> bool {
    file.signatures().iter().any(|(signer, _)| signer == key)
}

fn if_any(text: &str, otherwise: &str) -> String {
    if text.is_empty() { otherwise } else { text }.to_owned()
}

fn to_json(file: &CharterFile) -> Value {
    let charter = file.newest();
    let institutions = charter.institutions.iter().map(|institution| {
        json!({
            "id": institution.id,
            "legal_name": institution.legal_name,
            "country": institution.country.to_string(),
            "parent_country": institution.parent_country.to_string(),
            "root_key": institution.root_key.to_string(),
            "roster_key": institution.roster_key.to_string(),
            "witness_key": institution.witness_key.to_string(),
            "signed": signed(file, &institution.root_key),
        })
    });
    let revocations = charter.revocations.iter().map(|(revoked, revocation)| {
        let (at_ms, reason) = (revocation.at.as_ms(), &revocation.reason);
        json!({ "revoked": name(revoked), "at_ms": at_ms, "reason": reason })
    });
    json!({
        "name": charter.name,
        "genesis": file.genesis_hash().to_string(),
        "version": charter.version,
        "created_at_ms": charter.created_at.as_ms(),
        "expires_at_ms": charter.expires_at.as_ms(),
        "complete": file.proposal().is_none(),
        "missing": file.proposal().map(|proposal| proposal.missing.to_string()),
        "institutions": institutions.collect::<Vec<_>>(),
        "policies": charter.policies.iter().map(|policy| &policy.name).collect::<Vec<_>>(),
        "models": charter.models.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "witnesses": charter.witnesses,
        "revocations": revocations.collect::<Vec<_>>(),
    })
}
