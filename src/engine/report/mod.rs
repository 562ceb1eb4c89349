//! The JSON documents: what the headless commands print and what the panels show.
//!
//! These types are the program's promise to scripts; their schemas under `assets/schema/` are generated from them. A key
//! is never missing: `null` says not looked at or not applicable, `[]` looked and found none.

pub mod audit;
pub mod diff;
pub mod dlopen;
pub mod edits;
pub mod elf;
pub mod fit;
pub mod fit_words;
pub mod instructions;
pub mod load;
mod lossy;
pub mod opened_words;
pub mod picture;
pub mod plan;
pub mod proof;
pub mod reach;
pub mod run;
mod schemas;
mod slice;
mod staging;
pub mod symbols;
pub mod trace;
pub mod tree;
pub mod words;

pub use lossy::to_json;
pub use schemas::schemas;
