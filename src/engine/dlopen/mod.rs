//! What is opened at run time: the evidence in a file, what would come of it, what a run really opened, whether the bundle
//! loads, and the remedies.

pub mod evidence;
pub mod observed;
pub mod predict;
pub mod proof;
pub mod remedies;
pub mod trace;
