//! The program as a user or a script meets it: its exit statuses, its documents, its sentences. Every test starts the real
//! binary, on the lab or on small files made for it.
#![allow(missing_docs)]
#![cfg(unix)]

mod complaints;
mod diff;
mod documents;
mod interrupted;
mod program;
mod sandbox;
mod schema;
mod words;
