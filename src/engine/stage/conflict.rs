//! Two artifacts that would put different libraries under one name into one bundle.

use super::session::Session;
use crate::engine::project::Artifact;
use crate::engine::report::plan::{Refusal, Step};

impl Session {
    /// A library that another artifact of the same bundle needs under the same name, but edited differently: they resolve one of
    /// its own libraries to different files. The artifact that comes first, or was grafted first, has it.
    pub(super) fn conflicting_graft(&self, artifact: &Artifact) -> Option<Refusal> {
        let own = self.slots.get(artifact.id.0)?.repair.as_ref()?;
        for (other, slot) in self.project.artifacts.iter().zip(&self.slots) {
            let comes_first = other.id < artifact.id || slot.taken.iter().any(|taken| taken.step == Step::Graft);
            if other.id == artifact.id || !comes_first {
                continue;
            }
            let theirs = slot.repair.iter().flat_map(|repair| &repair.grafts);
            for (one, two) in theirs.flat_map(|graft| own.grafts.iter().map(move |own| (graft, own))) {
                let one_place = self.places.grafted(other, &one.name) == self.places.grafted(artifact, &two.name);
                if one_place && one.edit.requests != two.edit.requests {
                    return Some(Refusal {
                        artifact: artifact.path.clone(),
                        reason: format!(
                            "{} in the bundle would need other libraries for {} than for it",
                            two.name, other.name
                        ),
                        way_out: "build both against the same libraries, or give them different distribution names"
                            .to_owned(),
                    });
                }
            }
        }
        None
    }
}
