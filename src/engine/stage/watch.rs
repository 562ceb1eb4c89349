//! What happens beside a session: cargo builds an artifact anew, links its output again, or takes it away.

use super::model::Content;
use super::session::Session;
use super::state::State;
use crate::engine::Result;
use crate::engine::file::Identity;
use crate::engine::project::{ArtifactId, related};

impl Session {
    /// Looks at the file of artifact `id` again. Before its first step a new file is simply the one to work on; afterwards it
    /// is a change under us.
    pub(super) fn refresh(&mut self, id: ArtifactId) -> Result<()> {
        let (Some(artifact), Some(slot)) = (self.artifact(id), self.slots.get(id.0)) else { return Ok(()) };
        if !slot.taken.is_empty() {
            return self.notice_changes(id);
        }
        let path = artifact.path.clone();
        let (audited, now) = (slot.audited, Identity::of(&path)?);
        self.world.model.look(&path, Content::Output(id))?;
        let same = match (audited, now) {
            (Some(audited), Some(now)) => now.unchanged_since(&audited),
            (audited, now) => audited.is_none() && now.is_none(),
        };
        if let Some(slot) = self.slots.get_mut(id.0)
            && slot.audit.is_some()
            && !same
        {
            slot.audit = None;
            slot.repair = None;
            self.say(id, false, "it was built again since it was audited: audited anew".to_owned());
        }
        Ok(())
    }

    /// Looks again at what cargo and other tools keep of artifact `id`.
    pub(super) fn look_at_related(&mut self, id: ArtifactId) {
        let Some(found) = self.artifact(id).map(|artifact| related(artifact, &self.project)) else { return };
        if let Some(slot) = self.slots.get_mut(id.0) {
            slot.related = found;
        }
    }

    /// Notices when cargo built an artifact anew while it was staged.
    pub(super) fn notice_changes(&mut self, id: ArtifactId) -> Result<()> {
        let (Some(artifact), Some(slot)) = (self.artifact(id), self.slots.get(id.0)) else { return Ok(()) };
        let Some(clean) = slot.clean else { return Ok(()) };
        let path = artifact.path.clone();
        let now = Identity::of(&path)?;
        let state = self.world.state(id);
        if state == State::Renamed {
            // A build that found everything fresh links deps/ to its own place again: the same inode, and no harm.
            self.world.model.look(&path, Content::Output(id))?;
        }
        let changed = match (now, state) {
            (None, State::Renamed) => None,
            (Some(now), State::Renamed) if now.same_inode(&clean) => None,
            (Some(now), _) if now.unchanged_since(&clean) => None,
            (Some(now), _) => Some(format!("inode {} was staged, inode {} is there now", clean.inode, now.inode)),
            (None, _) => Some("the file is gone".to_owned()),
        };
        if let (Some(text), Some(slot)) = (&changed, self.slots.get_mut(id.0)) {
            slot.changed = Some(text.clone());
            self.say(id, true, format!("changed under us (WW026): {text}"));
        }
        Ok(())
    }
}
