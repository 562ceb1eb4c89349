//! The commands that are asked most often, by scripts many times in a row, parsed without building all of the others.
//!
//! The types are those of the whole command line. What they don't take, `--help` included, is left to it, so that there is one
//! wording of every message.

use super::arguments::{Cli, Command, Common};
use clap::{Args, Parser};
use std::ffi::OsString;

/// One command's arguments and the common options.
#[derive(Debug, Parser)]
#[command(name = "wheelwright", disable_help_flag = true)]
struct Alone<T: Args> {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    arguments: T,
}

/// The command line, where it names such a command first and is in order.
pub fn parse() -> Option<Cli> {
    let mut words = std::env::args_os();
    let program = words.next()?;
    let command = words.next()?;
    let rest = || std::iter::once(program).chain(words);
    match command.to_str()? {
        "tree" => alone(rest(), Command::Tree),
        "audit" => alone(rest(), Command::Audit),
        _ => None,
    }
}

fn alone<T: Args>(words: impl Iterator<Item = OsString>, command: fn(T) -> Command) -> Option<Cli> {
    let Alone { common, arguments } = Alone::<T>::try_parse_from(words).ok()?;
    Some(Cli { paths: Vec::new(), common, command: Some(command(arguments)) })
}

#[cfg(test)]
mod tests {
    use super::super::arguments::{Audit, Tree};
    use super::*;

    fn both<T: Args>(words: &[&str], command: fn(T) -> Command) -> (Option<String>, Option<String>) {
        let whole = ["wheelwright"].iter().chain(words);
        let short = ["wheelwright"].iter().chain(words.get(1..).unwrap_or_default());
        let text = |cli: Cli| format!("{cli:?}");
        let quick = alone(short.map(OsString::from), command).map(text);
        (quick, Cli::try_parse_from(whole).ok().map(text))
    }

    #[test]
    fn both_parsers_read_the_same() {
        for words in [&["tree", "a"][..], &["tree", "--json", "-v", "a"], &["tree", "a", "--sysroot", "/x", "--all"]] {
            let (quick, whole) = both::<Tree>(words, Command::Tree);
            assert!(quick.is_some() && quick == whole, "{words:?}: {quick:?} {whole:?}");
        }
        for words in
            [&["audit"][..], &["audit", "a", "b", "--loader-only"], &["audit", "--compatibility", "2_28", "--", "-a"]]
        {
            let (quick, whole) = both::<Audit>(words, Command::Audit);
            assert!(quick.is_some() && quick == whole, "{words:?}: {quick:?} {whole:?}");
        }
        for words in [&["tree"][..], &["tree", "--help"], &["tree", "a", "--nope"], &["tree", "a", "b"]] {
            assert_eq!(both::<Tree>(words, Command::Tree), (None, None), "{words:?}");
        }
    }
}
