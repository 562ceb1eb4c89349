//! Hostile input: whatever a file says, every command gives a row with its error or a right result, and ends soon and small.
//!
//! The files are written byte by byte, or are the compiler's with bytes changed. What a command took is measured in its own
//! process; time is only bounded generously, since a machine that runs tests is busy.
#![allow(missing_docs)]

mod child;
mod elf;
mod graphs;
mod headers;
mod mutations;
mod places;
