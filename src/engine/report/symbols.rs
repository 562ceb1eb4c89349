//! Of `wheelwright/audit/1`: which library binds each undefined symbol of the objects of a tree.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the undefined symbols of the objects of a tree are bound, as a loader that binds everything at once would do it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SymbolsReport {
    /// The loaded objects, in load order; the artifact first.
    pub objects: Vec<ObjectSymbols>,
}

/// The undefined symbols of one object.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ObjectSymbols {
    /// The object's number in the tree.
    pub node: usize,
    /// The name it was asked for by.
    pub name: String,
    /// How many of its symbols a library of the tree defines.
    pub bound: usize,
    /// How many weak ones nobody defines; the loader leaves them zero.
    pub weak_unbound: usize,
    /// How many the Python that loads an extension module has to define.
    pub python: usize,
    /// How many nobody defines: the load, or the first call, fails.
    pub unbound: usize,
    /// How many nobody defines, and no relocation asks for: the loader never looks them up.
    pub unused: usize,
    /// The symbols, by state and name: of the artifact all, of other objects those that stay unbound.
    pub symbols: Vec<SymbolBinding>,
    /// What kept its symbols from being read in whole.
    pub error: Option<String>,
}

/// One undefined symbol.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SymbolBinding {
    /// Its name.
    pub name: String,
    /// The version that is asked for; null for none.
    pub version: Option<String>,
    /// Whether it may stay undefined.
    pub weak: bool,
    /// What becomes of it.
    pub state: BindingState,
    /// The number of the object that defines it.
    pub to: Option<usize>,
    /// What there is to say about it: "libc.so.6 has it as GLIBC_2.17 only".
    pub note: Option<String>,
}

/// What becomes of an undefined symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BindingState {
    /// Nobody defines it.
    Unbound,
    /// Nobody defines it, and it is weak.
    WeakUnbound,
    /// Nobody defines it, and no relocation asks for it.
    Unused,
    /// The Python that loads the extension module defines it.
    Python,
    /// An object of the tree, or of the host, defines it.
    Bound,
}
