//! Dependencies, seen through two lenses: what the real loader would do ([`Loader`]), and what the repair tool believes
//! ([`crate_tree`], the `lddtree` crate as maturin uses it). Where they differ ([`differences`]) is often the user's bug.

mod abi;
mod bounds;
mod cache;
mod candidate;
mod conf;
mod differences;
mod dyld;
mod glibc;
mod graph;
mod host;
mod inputs;
mod lddtree;
mod ldso;
mod lists;
mod load;
mod load_notes;
mod loaded;
mod loader;
mod machine;
mod musl;
mod objects;
mod opening;
mod overlay;
mod preload;
mod process;
mod processor;
mod search;
mod subdirectories;
mod sysroot;
mod tokens;
mod versions;
mod windows;

pub use cache::{CacheEntry, LoaderCache};
pub use differences::differences;
pub use graph::{Edge, Graph, Node, NodeKind};
pub use inputs::{Libc, LoaderInputs, Placed, guess_libc, host_libc};
pub use lddtree::{CrateLibrary, CrateTree, crate_tree, crate_tree_below, pipe_on_the_way};
pub use ldso::GlibcVersion;
pub use loader::{Loader, resolve};
pub use opening::{Caller, Namespace, Open, Opened};
pub use overlay::{Overlay, normal};
pub use processor::{Maker, host_hwcaps, host_maker, hwcaps_of_level, level_names};
pub use windows::known_by_name;
