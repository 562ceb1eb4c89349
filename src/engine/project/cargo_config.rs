//! Library directories among the rustflags of `.cargo/config.toml`, which maturin searches as well.
//!
//! Flags of `target.'cfg(…)'` tables and of the environment are left out.

use std::path::{Path, PathBuf};

/// The `-L` directories that cargo, run in `directory`, would pass for `triple` (`None`: this machine's), nearest file first.
pub(super) fn library_paths(directory: &Path, triple: Option<&str>) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for ancestor in directory.ancestors() {
        let names = ["config.toml", "config"].map(|name| ancestor.join(".cargo").join(name));
        let Some(text) = names.iter().find_map(|path| std::fs::read_to_string(path).ok()) else { continue };
        let Ok(table) = text.parse::<toml::Table>() else { continue };
        for path in paths_in(&table, triple) {
            let path = directory.join(path);
            if !found.contains(&path) {
                found.push(path);
            }
        }
    }
    found
}

fn paths_in(table: &toml::Table, triple: Option<&str>) -> Vec<String> {
    let targets = table.get("target").and_then(toml::Value::as_table).into_iter().flatten();
    let fits = |name: &str| triple.map_or_else(|| is_host(name), |triple| triple == name);
    let of_target = targets.filter(|(name, _)| fits(name)).filter_map(|(_, value)| value.get("rustflags"));
    let of_build = table.get("build").and_then(|build| build.get("rustflags"));
    of_target.chain(of_build).flat_map(|flags| library_flags(&words(flags))).collect()
}

/// Whether `triple` is the machine that this program was built for, as far as its parts tell.
fn is_host(triple: &str) -> bool {
    let os = if cfg!(target_os = "macos") { "darwin" } else { std::env::consts::OS };
    let environment = match () {
        () if cfg!(target_env = "musl") => "musl",
        () if cfg!(target_env = "gnu") => "gnu",
        () => "",
    };
    triple.starts_with(std::env::consts::ARCH) && triple.contains(os) && triple.contains(environment)
}

/// Cargo takes a list, or one text that it splits at spaces.
fn words(flags: &toml::Value) -> Vec<&str> {
    match flags {
        toml::Value::String(text) => text.split_whitespace().collect(),
        toml::Value::Array(list) => list.iter().filter_map(toml::Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn library_flags(words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let value = match word.strip_prefix("-L") {
            Some("") => words.next().copied(),
            other => other,
        };
        let path = value.and_then(|value| match value.split_once('=') {
            Some(("native" | "all", path)) => Some(path),
            Some(("dependency" | "crate" | "framework", _)) => None,
            _ => Some(value),
        });
        found.extend(path.map(str::to_string));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_found_in_all_spellings() {
        let words = ["-L", "/a", "-Lnative=/b", "-C", "opt-level=3", "-L", "dependency=/c", "-Lall=/d", "-L"];
        assert_eq!(library_flags(&words), ["/a", "/b", "/d"]);
    }

    #[test]
    fn the_triple_chooses_its_table() {
        let text = r#"
            [build]
            rustflags = "-L /build -O"
            [target.thumb-none]
            rustflags = ["-L", "/thumb"]
        "#;
        let table: toml::Table = text.parse().unwrap();
        assert_eq!(paths_in(&table, None), ["/build"]);
        assert_eq!(paths_in(&table, Some("thumb-none")), ["/thumb", "/build"]);
    }

    #[test]
    fn files_are_read_upwards_and_relative_paths_joined() {
        let directory = tempfile::tempdir().unwrap();
        let inner = directory.path().join("a/b");
        for (place, flag) in [("a/b", "-Lnear"), ("", "-L/far")] {
            let cargo = directory.path().join(place).join(".cargo");
            std::fs::create_dir_all(&cargo).unwrap();
            std::fs::write(cargo.join("config.toml"), format!("[build]\nrustflags = [\"{flag}\"]\n")).unwrap();
        }
        assert_eq!(library_paths(&inner, None), [inner.join("near"), PathBuf::from("/far")]);
    }
}
