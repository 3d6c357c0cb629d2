//! Which stage a refusal of the ring's opening is for. Not what follows for it.

use crate::{
    refusal::{Cause, Refusal},
    session::{Frame, home::Input},
};

/// Where home has a refusal from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::session) enum Source {
    /// Its own word, be it on itself or on a neighbour.
    Home,
    /// The first stage, from which refusals of those after it come too.
    First,
    /// The last stage, from which refusals of those before it come too.
    Last,
}

impl Source {
    /// Of what goes wrong with this input.
    pub(in crate::session) const fn of(input: &Input) -> Self {
        match input {
            Input::First(Frame::Refusal(_)) => Self::First,
            Input::Return(Frame::Refusal(_), _) => Self::Last,
            _ => Self::Home,
        }
    }

    /// Index of the stage that raised a refusal, in a route of `stages`: what came from a stage is
    /// its own at least, whatever it says.
    pub(in crate::session) fn place(self, stage: u32, stages: u32) -> u32 {
        match self {
            Self::First if stage >= stages => 0,
            Self::Last if stage >= stages => stages.saturating_sub(1),
            _ => stage,
        }
    }
}

/// Indices of the stage that said so and of the one to blame, in a route of `stages`; `None` if home
/// itself gave up. What home says of a neighbour is the neighbour's own.
pub(in crate::session) fn blame(
    refusal: &Refusal,
    source: Source,
    stages: u32,
) -> Option<(u32, u32)> {
    let by = (refusal.stage < stages).then_some(refusal.stage)?;
    let accused = match (refusal.cause, source) {
        // Upstream goes the loss of who is downstream; the last stage's next neighbour is home.
        (Cause::PeerLost, Source::First) => (by + 1).min(stages - 1),
        // And the other way round; home is before the first stage.
        (Cause::PeerLost, Source::Last) => by.saturating_sub(1),
        _ => by,
    };
    Some((by, accused))
}
