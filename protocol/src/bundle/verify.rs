//! Offline verification of a bundle, from the genesis hash alone. No clock: a receipt is judged at
//! its own time.

mod body;
mod claims;
mod log;
mod records;
mod stages;
mod work;

use std::collections::BTreeSet;

use super::{Bundle, Fault, Place, Report, Signer, VerifyError};
use crate::{
    charter::{Chain, Charter, CharterError, SignedCharter},
    id::{Digest, PeerKey},
    manifest::Manifest,
    policy::{Access, Subject},
    receipt::{OpenRecord, Receipt},
    roster::{Role, Roster, RosterError},
    route::Route,
    sampler,
    signed::Domain,
    time::Timestamp,
    wire::Wire as _,
};

/// What the checks of single parts look at.
struct Context<'a> {
    bundle: &'a Bundle,
    chain: Chain,
    /// The version in force.
    charter: Charter,
    hash: Digest,
    now: Timestamp,
    rosters: Vec<Roster>,
    manifest: Manifest,
    receipt: Receipt,
}

/// Verifies the bytes of a bundle against the hash of the genesis charter the reader trusts.
///
/// The order is fixed, and the first fault is returned: format, charter, receipt, model, route,
/// rosters, home, policy, open record, home's other claims, body, stages with countersignatures,
/// boundaries and work, order of records, acknowledgement, log,
/// revocations.
///
/// # Errors
/// [`VerifyError`] with a stable code and the path of the first field at fault.
pub fn verify(bundle_bytes: &[u8], genesis: &Digest) -> Result<Report, VerifyError> {
    let now = Timestamp::from_ms(u64::MAX);
    verify_knowing(bundle_bytes, Reader { genesis, charters: &[], now })
}

/// What the reader of a bundle knows.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    /// Hash of the consortium's genesis.
    pub genesis: &'a Digest,
    /// Consecutive versions of the charter, later ones than the bundle may have: what they revoke
    /// counts.
    pub charters: &'a [SignedCharter],
    /// The reader's time: no witness has seen anything later.
    pub now: Timestamp,
}

/// Like [`verify`], for a reader who knows more.
///
/// # Errors
/// [`VerifyError`]; at `charters` if what the bundle carries and what is known contradict each other.
pub fn verify_knowing(bundle_bytes: &[u8], reader: Reader<'_>) -> Result<Report, VerifyError> {
    let Reader { genesis, charters, now } = reader;
    let bundle = Bundle::decode(bundle_bytes).map_err(|error| Fault::Format(error).at("bundle"))?;
    let chain = chain(&bundle, genesis, charters)?;
    let (domain, signed) = (Domain::RECEIPT, &bundle.receipt);
    let receipt: Receipt = signed
        .open(domain, genesis)
        .map_err(|error| Fault::signature(Signer::Home, error).at("receipt"))?;
    // The version that home acted on: one that came later rules what came later.
    let charter = chain.by_hash(&receipt.charter);
    let charter = charter.ok_or_else(|| Fault::CharterVersion.at("receipt.charter"))?.clone();
    charter
        .check_time(receipt.opened_at)
        .map_err(|error| Fault::CharterTime(error).at("receipt.opened_at"))?;
    let manifest = manifest(&bundle, &charter, &receipt)?;
    Route::new(receipt.stages.clone(), manifest.block_count)
        .map_err(|error| Fault::Tiling(error).at("receipt.stages"))?;
    let rosters = rosters(&bundle, &charter, genesis, &receipt)?;
    let hash = *genesis;
    let bundle = &bundle;
    let context = Context { bundle, chain, charter, hash, now, rosters, manifest, receipt };
    context.verify()
}

/// The charters of the bundle, and those that follow them as far as the reader knows.
fn chain(bundle: &Bundle, genesis: &Digest, known: &[SignedCharter]) -> Result<Chain, VerifyError> {
    let got = bundle.charters.first().map_or(Digest::ZERO, SignedCharter::hash);
    // No charter is not the charter that has no hash.
    if bundle.charters.is_empty() || got != *genesis {
        return Err(Fault::Genesis { expected: *genesis, got }.at("charters[0]"));
    }
    let at = |index: usize| format!("charters[{index}]");
    let mut chain = Chain::verify(&bundle.charters[..1], Some(genesis))
        .map_err(|error| Fault::Charter(error).at(at(0)))?;
    for (index, charter) in bundle.charters.iter().enumerate().skip(1) {
        let added = chain.merge(std::slice::from_ref(charter));
        let added = added.map_err(|error| Fault::Charter(error).at(at(index)))?;
        if added == 0 {
            // One that is there twice.
            let (expected, got) = (chain.current().version + 1, chain.current().version);
            return Err(Fault::Charter(CharterError::Version { expected, got }).at(at(index)));
        }
    }
    chain.merge(known).map_err(|error| Fault::Charter(error).at("charters"))?;
    Ok(chain)
}

/// A roster counts if it was valid when the request was taken or when it ended: work that runs may
/// end after its roster does, and the renewed one may be all that is left.
fn rosters(
    bundle: &Bundle,
    charter: &Charter,
    hash: &Digest,
    receipt: &Receipt,
) -> Result<Vec<Roster>, VerifyError> {
    let mut rosters: Vec<Roster> = Vec::new();
    for (index, signed) in bundle.rosters.iter().enumerate() {
        let at = |fault: Fault| fault.at(format!("rosters[{index}]"));
        let verified = match Roster::verify(signed, charter, hash, receipt.opened_at) {
            Err(RosterError::Validity { .. }) => {
                Roster::verify(signed, charter, hash, receipt.closed_at)
            }
            verified => verified,
        };
        let roster = verified.map_err(|error| at(Fault::Roster(error)))?;
        if rosters.last().is_some_and(|last| last.institution >= roster.institution) {
            return Err(at(Fault::RosterSet));
        }
        rosters.push(roster);
    }
    Ok(rosters)
}

fn manifest(
    bundle: &Bundle,
    charter: &Charter,
    receipt: &Receipt,
) -> Result<Manifest, VerifyError> {
    let digest = Digest::of(&bundle.manifest);
    if receipt.manifest != digest {
        return Err(Fault::Differs("the manifest's digest").at("receipt.manifest"));
    }
    if !charter.allows_model(&digest) {
        return Err(Fault::Model.at("receipt.manifest"));
    }
    Manifest::decode(&bundle.manifest).map_err(|error| Fault::Format(error).at("manifest"))
}

impl Context<'_> {
    fn verify(&self) -> Result<Report, VerifyError> {
        let Receipt { session, .. } = self.receipt;
        let home = self.home()?;
        self.policy(&home)?;
        let open = self.open_record()?;
        self.claims()?;
        self.body()?;
        let stages = self.stages()?;
        self.involved(&home, &stages)?;
        self.records(&open, &stages)?;
        let acknowledged_by = self.acknowledgement()?;
        let logged = self.logged()?;
        self.revocations(&home, &stages, logged.as_ref())?;
        let receipt = &self.receipt;
        let opening = self.bundle.opening.as_ref();
        let opened = opening.is_some();
        let stages: Vec<_> = stages.into_iter().map(|stage| stage.place).collect();
        let signed = stages.iter().all(|stage| stage.signed);
        Ok(Report {
            complete: receipt.finish_reason.is_whole() && signed && opened,
            witnessed: logged.as_ref().is_some_and(|logged| logged.witnessed_at.is_some()),
            cosigned: logged.map(|logged| logged.cosigned).unwrap_or_default(),
            consortium: self.charter.name.clone(),
            receipt: self.bundle.receipt.payload_digest(),
            session,
            home,
            stages,
            model: self.manifest.clone(),
            manifest: receipt.manifest,
            numeric_class: receipt.numeric_class.clone(),
            policy: receipt.policy.name.clone(),
            opened_at: receipt.opened_at,
            closed_at: receipt.closed_at,
            prompt_tokens: receipt.prompt_tokens,
            output_tokens: receipt.output_tokens,
            finish_reason: receipt.finish_reason,
            cause: receipt.cause,
            filters: receipt.filters.clone(),
            software: receipt.software.clone(),
            system_prompt_by: receipt.system_prompt_by,
            system_prompt: opening.map(|opening| opening.system_prompt.clone()),
            retained_until: receipt.retained_until,
            first_token_ms: receipt.first_token_ms,
            opened,
            client: opening.and_then(|opening| opening.client),
            acknowledged_by,
        })
    }

    /// The one institution whose roster lists `peer` with `role`.
    fn place(&self, peer: &PeerKey, role: Role, field: &str) -> Result<Place, VerifyError> {
        let entries = self.rosters.iter().filter_map(|roster| Some((roster, roster.node(peer)?)));
        let entries: Vec<_> = entries.collect();
        let [(roster, node)] = entries.as_slice() else {
            return Err(Fault::Member { peer: *peer, rosters: entries.len() }.at(field));
        };
        if !node.roles.contains(&role) {
            return Err(Fault::Role { peer: *peer }.at(field));
        }
        let institution = self
            .charter
            .institution(&roster.institution)
            .expect("a roster is verified against the charter's institutions");
        Ok(Place {
            peer: *peer,
            institution: institution.id.clone(),
            legal_name: institution.legal_name.clone(),
            jurisdiction: node.jurisdiction,
            parent_country: institution.parent_country,
        })
    }

    fn home(&self) -> Result<Place, VerifyError> {
        let receipt = &self.receipt;
        let home = self.place(&self.bundle.receipt.signer, Role::Home, "receipt.signer")?;
        if receipt.institution != home.institution {
            return Err(Fault::Differs("home's roster").at("receipt.institution"));
        }
        if receipt.jurisdiction != home.jurisdiction {
            return Err(Fault::Differs("home's roster").at("receipt.jurisdiction"));
        }
        if receipt.sampler != sampler::NAME {
            return Err(Fault::Sampler.at("receipt.sampler"));
        }
        Ok(home)
    }

    /// The policy is the charter's or stricter, and home is within it; stages are checked one by
    /// one.
    fn policy(&self, home: &Place) -> Result<(), VerifyError> {
        let policy = &self.receipt.policy;
        if !self.charter.policy(&policy.name).is_some_and(|base| policy.is_within(&base)) {
            return Err(Fault::PolicyName.at("receipt.policy"));
        }
        self.permitted(home, Access::Prompt, "receipt.policy")
    }

    /// The receipt's policy lets `place` see this much of the request.
    fn permitted(&self, place: &Place, access: Access, field: &str) -> Result<(), VerifyError> {
        let institution = self
            .charter
            .institution(&place.institution)
            .expect("a place is of one of the charter's institutions");
        let subject = Subject::new(institution, place.jurisdiction);
        let Receipt { policy, institution: home, .. } = &self.receipt;
        policy.permits(&subject, home, access).map_err(|denial| Fault::Policy(denial).at(field))
    }

    /// Home's record of the request, made before it answered.
    fn open_record(&self) -> Result<OpenRecord, VerifyError> {
        let (signed, receipt) = (&self.bundle.open_record, &self.receipt);
        let open: OpenRecord = signed
            .open_from(Domain::OPEN_RECORD, &self.hash, &self.bundle.receipt.signer)
            .map_err(|error| Fault::signature(Signer::Home, error).at("open_record"))?;
        if receipt.open_record != signed.payload_digest() {
            return Err(Fault::Differs("the open record's digest").at("receipt.open_record"));
        }
        let mismatches = [
            ("receipt.session", open.session != receipt.session),
            ("receipt.institution", open.institution != receipt.institution),
            ("receipt.manifest", open.manifest != receipt.manifest),
            ("receipt.policy", open.policy != receipt.policy.digest()),
            ("receipt.opened_at", open.opened_at != receipt.opened_at),
            ("receipt.charter", open.charter != receipt.charter),
        ];
        if let Some((field, _)) = mismatches.iter().find(|(_, differs)| *differs) {
            return Err(Fault::Differs("the open record").at(*field));
        }
        not_before(receipt.closed_at, receipt.opened_at, "receipt.closed_at")?;
        Ok(open)
    }

    /// Every roster lists home or a stage: nothing in a bundle is beside the point.
    fn involved(&self, home: &Place, stages: &[stages::Stage]) -> Result<(), VerifyError> {
        let places = stages.iter().map(|stage| &stage.place.place).chain([home]);
        let institutions: BTreeSet<&str> = places.map(|place| place.institution.as_str()).collect();
        for (index, roster) in self.rosters.iter().enumerate() {
            if !institutions.contains(roster.institution.as_str()) {
                return Err(Fault::RosterSet.at(format!("rosters[{index}]")));
            }
        }
        Ok(())
    }
}

fn not_before(
    got: Timestamp,
    earliest: Timestamp,
    field: impl Into<String>,
) -> Result<(), VerifyError> {
    if got < earliest {
        return Err(Fault::Time { got, earliest }.at(field));
    }
    Ok(())
}
