//! The proof of an edit: it lets real edits pass, catches each kind of damage, and holds for what becomes of damaged files.
#![allow(missing_docs)]

mod accepted;
mod damage;
mod elf64;
mod fixtures;
mod mutations;
mod sweep;
