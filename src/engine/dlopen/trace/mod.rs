//! What the loader really opened while a command ran: the command is run under glibc's `LD_DEBUG`, what its loader wrote is
//! read, and both are set beside the static trees. musl has nothing of the kind; there the memory maps are sampled.
//!
//! Nothing is traced with ptrace(2) and nothing is preloaded, so that the command runs as it always does.

mod assemble;
mod compare;
mod ending;
mod family;
mod follow;
mod frame;
mod lines;
mod log;
mod objects;
mod options;
mod preload;
mod proc;
mod program;
mod request;
mod rules;
mod run;
mod said;
mod sampled;
mod saved;
mod starts;
mod wake;

pub use log::read_log;
pub use options::{Environment, Group, Stream, TraceOptions};
pub use run::run;
pub use saved::{from_logs, open};

/// The name of the document's form.
pub const SCHEMA: &str = "wheelwright/trace/1";
