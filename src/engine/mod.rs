//! The engine: binaries, files and rules, as blocking functions over plain data.
//!
//! It never names a screen, the command line or a clock; progress and cancellation come in through [`Context`].

pub mod audit;
pub mod binary;
pub mod code;
pub mod compare;
pub mod context;
pub mod deps;
pub mod dlopen;
pub mod error;
pub mod file;
pub mod owners;
pub mod project;
pub mod repair;
pub mod report;
pub mod stage;
pub mod symbols;

pub use context::Context;
pub use error::{Error, Result};
