//! What the machine code of a file says when it is read: which processor features it asks for, and which functions use
//! which imported symbols.
//!
//! Everything here is done on demand: code is read in windows and decoded once, function by function, on every processor at
//! hand. That an instruction is there does not say that it runs, and a symbol that is reached through a pointer computed at
//! run time is not seen.

mod features;
mod frames;
mod functions;
mod imports;
mod instructions;
mod names;
mod openings;
mod owners;
mod places;
mod pointers;
mod property;
mod references;
mod scan;
mod sites;
mod stretches;
mod table;
mod tally;
mod users;
mod values;
mod x86;

pub use functions::{Function, Functions};
pub use instructions::instructions;
pub use names::demangled;
pub use openings::{Opening, Openings, Passed, TextReference, openings};
pub use places::{Place, places};
pub use pointers::AddressRanges;
pub use scan::Code;
pub use users::{MOST_USERS, SymbolUsers, users_of_symbols};
