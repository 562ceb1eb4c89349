//! The searches that glibc's loader reports under `LD_DEBUG=libs`, name by name: which files it tried, by which list.

use std::path::PathBuf;

/// The list by which a file was tried; run paths with the object that they stand in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum List {
    Rpath(String),
    Runpath(String),
    Variable,
    Cache,
    System,
}

/// One search.
#[derive(Debug, Default)]
pub struct Search {
    pub name: String,
    pub tried: Vec<(PathBuf, List)>,
}

/// Reads `said`, the loader's words. What it tried by a list that it does not name is left out.
pub fn searches(said: &str) -> Vec<Search> {
    let mut searches: Vec<Search> = Vec::new();
    let mut list = None;
    for line in said.lines() {
        let Some((_, text)) = line.split_once(":\t") else { continue };
        let text = text.trim();
        if let Some(rest) = text.strip_prefix("find library=") {
            let name = rest.split(" [").next().unwrap_or_default().to_string();
            searches.push(Search { name, tried: Vec::new() });
            list = None;
        } else if text.starts_with("search cache=") {
            list = Some(List::Cache);
        } else if text.starts_with("search path=") {
            list = text.rsplit_once("\t\t(").and_then(|(_, label)| named(label.strip_suffix(')')?));
        } else if let Some(path) = text.strip_prefix("trying file=") {
            let tried = searches.last_mut().zip(list.clone());
            if let Some((search, list)) = tried {
                search.tried.push((path.into(), list));
            }
        }
    }
    searches
}

fn named(label: &str) -> Option<List> {
    match label {
        "LD_LIBRARY_PATH" => Some(List::Variable),
        "system search path" => Some(List::System),
        _ => match label.split_once(" from file ")? {
            ("RPATH", file) => Some(List::Rpath(file.into())),
            ("RUNPATH", file) => Some(List::Runpath(file.into())),
            _ => None,
        },
    }
}
