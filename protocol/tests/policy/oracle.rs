//! The rules once more, as plainly as they can be written: what the planner is compared with.

use comity_protocol::{
    policy::{DataClass, Policy},
    roster::Role,
};

use crate::world::{Listed, NOW, World};

/// What is asked for.
#[derive(Debug)]
pub(crate) struct Asked {
    /// The node that takes the prompt.
    pub(crate) home: usize,
    pub(crate) stages_min: u32,
    /// Each must permit: the charter's policy, and the rules on top.
    pub(crate) rules: Vec<Policy>,
}

impl World {
    /// Whether home may take it.
    pub(crate) fn home_may(&self, asked: &Asked) -> bool {
        let Some(home) = self.member(asked.home, NOW) else { return false };
        home.roles.contains(&Role::Home) && self.may_see(asked, home, home.owner)
    }

    /// Whether `node` may run `[start, end)`, held or not.
    pub(crate) fn may_run(&self, asked: &Asked, node: usize, start: u32, end: u32) -> bool {
        let (Some(home), Some(member)) = (self.member(asked.home, NOW), self.member(node, NOW))
        else {
            return false;
        };
        let count = self.manifest.block_count;
        let pinned = |policy: &Policy| {
            start < policy.pinned_first || end + policy.pinned_last.min(count) > count
        };
        member.roles.contains(&Role::Stage)
            && self.may_see(asked, member, home.owner)
            && (member.owner == home.owner || !asked.rules.iter().any(pinned))
    }

    fn may_see(&self, asked: &Asked, member: &Listed, home: usize) -> bool {
        asked.rules.iter().all(|policy| self.allows(policy, member, home))
    }

    fn allows(&self, policy: &Policy, member: &Listed, home: usize) -> bool {
        let owner = &self.owners[member.owner];
        for place in [member.jurisdiction, owner.parent] {
            if policy.forbidden_jurisdictions.iter().any(|code| code.to_string() == place) {
                return false;
            }
            if !policy.allowed_jurisdictions.is_empty()
                && !policy.allowed_jurisdictions.iter().any(|code| code.to_string() == place)
            {
                return false;
            }
        }
        let listed = policy.allowed_institutions.iter().any(|id| *id == owner.id);
        if !policy.allowed_institutions.is_empty() && !listed {
            return false;
        }
        if member.owner == home {
            return true;
        }
        let rank = |class| match class {
            None | Some(DataClass::Public) => 0,
            Some(DataClass::Internal) => 1,
            Some(DataClass::Personal) => 2,
            Some(DataClass::Sensitive) => 3,
        };
        let (stated, agreed) = (rank(policy.data_class), rank(owner.institution.data_class_max));
        let purposes = &owner.institution.purposes;
        stated <= agreed
            && (stated < 3 || listed)
            && (policy.purpose.is_empty()
                || purposes.is_empty()
                || purposes.contains(&policy.purpose))
    }

    /// Whether `node` serves `[start, end)` at all.
    pub(crate) fn holds(&self, node: usize, start: u32, end: u32) -> bool {
        self.serves(node).iter().any(|held| held.start <= start && end <= held.end)
    }

    /// Whether `node` serves `[start, end)`, with room, to this request.
    pub(crate) fn can_run(&self, asked: &Asked, node: usize, start: u32, end: u32) -> bool {
        let fits =
            self.serves(node).iter().any(|it| it.roomy && it.start <= start && end <= it.end);
        fits && self.may_run(asked, node, start, end)
    }

    /// Whether some chain of distinct nodes serves every block.
    pub(crate) fn has_route(&self, asked: &Asked) -> bool {
        if !self.home_may(asked) {
            return false;
        }
        let mut seen = vec![false; (self.manifest.block_count as usize + 1) << self.nodes];
        self.goes_on(asked, 0, 0, &mut seen)
    }

    fn goes_on(&self, asked: &Asked, start: u32, used: usize, seen: &mut [bool]) -> bool {
        let count = self.manifest.block_count;
        if start == count {
            return used.count_ones() >= asked.stages_min;
        }
        if std::mem::replace(&mut seen[((start as usize) << self.nodes) | used], true) {
            return false;
        }
        (0..self.nodes).filter(|node| used & (1 << node) == 0).any(|node| {
            (start + 1..=count).any(|end| {
                self.can_run(asked, node, start, end)
                    && self.goes_on(asked, end, used | (1 << node), seen)
            })
        })
    }
}
