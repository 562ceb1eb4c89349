//! audit

pub mod policy;
pub mod tag;
