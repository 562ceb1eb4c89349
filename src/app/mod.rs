//! State, actions, key table, run loop, jobs, terminal and command line.
//!
//! One way round: event, key table, action, [`update::update`] of the [`state::State`], commands to the run loop, drawing.

pub mod action;
pub mod availability;
pub mod bytes;
pub mod changes;
pub mod chunks;
pub mod cli;
pub mod compared;
pub mod cursor;
pub mod dispatch;
pub mod event;
pub mod features;
pub mod filter;
pub mod fits;
mod input;
pub mod jobs;
pub mod key;
pub mod keymap;
mod lane;
pub mod lenses;
pub mod mouse;
pub mod opened;
pub mod overlay;
mod pager;
pub mod panel;
pub mod receive;
mod run;
pub mod seek;
mod signals;
pub mod state;
mod terminal;
pub mod tree;
pub mod update;
pub mod wanted;
mod worker;

pub use run::{Ending, run};

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;
