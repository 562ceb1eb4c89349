//! What the machine code of a file says when it is read: which processor features it asks for.
//!
//! Everything here is done on demand: code is read in windows and decoded once, function by function.

mod features;
