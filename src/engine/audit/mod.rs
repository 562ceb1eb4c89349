//! audit

pub mod demands;
pub mod evaluate;
pub mod exclude;
pub mod external;
pub mod policy;
pub mod tag;
pub mod verdict;
