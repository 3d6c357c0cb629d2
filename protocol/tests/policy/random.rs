//! Numbers that look random and are a function of the seed. Not for secrets.

use comity_protocol::policy::{Audit, DataClass, Policy, Recovery};

/// Countries of the consortia, few so that rules meet them.
pub(crate) const COUNTRIES: [&str; 4] = ["DE", "FR", "NL", "US"];
/// Purposes of the consortia.
pub(crate) const PURPOSES: [&str; 2] = ["care", "research"];
/// Classes of data.
const CLASSES: [DataClass; 4] =
    [DataClass::Public, DataClass::Internal, DataClass::Personal, DataClass::Sensitive];

/// Source: SplitMix64 (Steele, Lea, Flood 2014).
#[derive(Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).unwrap();
        usize::try_from(self.next() % bound).unwrap()
    }

    /// A number below `bound`.
    pub(crate) fn small(&mut self, bound: u32) -> u32 {
        u32::try_from(self.below(bound as usize)).unwrap()
    }

    /// True in one of `of` cases.
    pub(crate) fn one_in(&mut self, of: usize) -> bool {
        self.below(of) == 0
    }

    pub(crate) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    /// None to two of them.
    fn some<T: Copy>(&mut self, of: &[T]) -> Vec<T> {
        (0..self.below(3)).map(|_| self.pick(of)).collect()
    }

    pub(crate) fn class(&mut self) -> Option<DataClass> {
        (!self.one_in(3)).then(|| self.pick(&CLASSES))
    }

    pub(crate) fn purposes(&mut self) -> Vec<&'static str> {
        if self.one_in(2) { Vec::new() } else { self.some(&PURPOSES) }
    }

    /// A policy over institutions "i0" to "i7" in which each rule is seldom stated.
    pub(crate) fn policy(&mut self, name: &str) -> Policy {
        let ids = ["i0", "i1", "i2", "i3", "i4", "i5", "i6", "i7"];
        let mut policy = Policy::open(name);
        let country = |code: &str| code.parse().unwrap();
        if self.one_in(4) {
            policy.allowed_jurisdictions =
                (0..=self.below(3)).map(|_| country(self.pick(&COUNTRIES))).collect();
        }
        if self.one_in(4) {
            policy.forbidden_jurisdictions =
                self.some(&COUNTRIES).into_iter().map(country).collect();
        }
        if self.one_in(4) {
            policy.allowed_institutions =
                (0..=self.below(5)).map(|_| self.pick(&ids).to_owned()).collect();
        }
        if self.one_in(4) {
            (policy.pinned_first, policy.pinned_last) = (self.small(3), self.small(3));
        }
        if self.one_in(4) {
            policy.data_class = self.class();
        }
        if self.one_in(4) {
            policy.purpose = self.pick(&PURPOSES).to_owned();
        }
        policy.recovery = self.pick(&[Recovery::Exact, Recovery::Any]);
        policy.audit = self.pick(&[Audit::None, Audit::Home, Audit::Text]);
        policy
    }
}
