//! What may be demanded of a recording, given the plan and nothing of how the server works.

mod differential;
mod epochs;
mod invariant;
mod links;
mod liveness;
mod messages;
mod outages;
mod outcome;
mod spans;

pub use differential::{deterministic, differential};
pub use epochs::epochs;
pub use invariant::invariant;
pub use links::links;
pub use liveness::liveness;
pub use messages::messages;
pub use outages::outages;
pub use outcome::outcome;

use std::{fmt, time::Duration};

use crate::{Plan, Recording};

/// Time that a change may take until everybody hears it: a join's round trips on the worst way,
/// and one lost frame of signaling behind a socket that has to be found dead first.
pub const GRACE: Duration = Duration::from_secs(4);

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    pub oracle: &'static str,
    pub what: String,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.oracle, self.what)
    }
}

/// Everything that is wrong with one recording.
pub fn judge(plan: &Plan, recording: &Recording) -> Vec<Complaint> {
    let mut complaints = invariant(plan, recording);
    complaints.extend(outcome(plan, recording));
    complaints.extend(liveness(plan, recording));
    complaints.extend(links(recording));
    complaints.extend(messages(plan, recording));
    complaints.extend(outages(plan, recording));
    complaints.extend(epochs(plan, recording));
    complaints
}
