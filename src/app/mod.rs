//! State, actions, key table, run loop, jobs, terminal and command line.
//!
//! One way round: event, key table, action, [`update::update`] of the [`state::State`], commands to the run loop, drawing.

pub mod action;
pub mod availability;
pub mod cursor;
pub mod features;
pub mod filter;
pub mod jobs;
pub mod key;
pub mod keymap;
pub mod mouse;
pub mod overlay;
pub mod panel;
pub mod receive;
pub mod state;
pub mod tree;
pub mod update;
pub mod wanted;

#[cfg(test)]
pub(crate) mod fixture;
