//! Staging: the states of an artifact, the model of its files, the effects that change them, the journal, recovery.

mod snapshot;

pub use snapshot::{ArtifactSnapshot, LogEntry, Snapshot, SnapshotStep};
