//! Staging: the states of an artifact, the model of its files, the effects that change them, the journal, recovery.
//!
//! A step is planned as a list of [`Effect`]s over the [`Model`], written to the [`Journal`], carried out by [`Hands`] and
//! taken back by them. [`Session`] holds it together.

mod adopt;
mod apply;
mod back;
mod bundle;
mod carry;
mod draft;
mod effect;
mod exact;
mod forward;
mod journal;
mod layered;
mod loading;
mod lock;
mod logged;
mod look;
mod model;
mod opened;
mod places;
mod plan;
mod recover;
mod remedied;
mod session;
mod show;
mod side_by_side;
mod snapshot;
mod state;
mod tried;
mod watch;

pub use apply::{EditUndo, Hands, KernelRefusal, Obstacle, TakenBack, identity_before};
pub use bundle::copy_bundle;
pub use effect::{Action, Effect, Serves};
pub use journal::{Journal, Record, VERSION};
pub use lock::CargoLocks;
pub use logged::journaled_edits;
pub use model::{Content, Model, ModelFile};
pub use places::Places;
pub use plan::{KernelFacts, Planner, StepPlan, World};
pub use recover::{Recovery, empty, recover};
pub use session::{Moment, Observer, Outcome, Session, SessionOptions};
pub use snapshot::{ArtifactSnapshot, LogEntry, Snapshot, SnapshotStep};
pub use state::{State, Transition};
