//! The commands that are asked most often, by scripts many times in a row, parsed without building all of the others.
//!
//! The types are those of the whole command line. What they don't take, `--help` included, is left to it, so that there is one
//! wording of every message.

use super::arguments::{Cli, ColorChoice, Command, Common, LoadName, ModeName, PatcherName};
use super::elf::Elf;
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

/// The arguments of `elf` without the common options, of which it heeds hardly any.
#[derive(Debug, Parser)]
#[command(name = "wheelwright", disable_help_flag = true)]
struct ElfAlone {
    #[command(flatten)]
    arguments: Elf,
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
        "elf" => elf(rest()),
        _ => None,
    }
}

fn alone<T: Args>(words: impl Iterator<Item = OsString>, command: fn(T) -> Command) -> Option<Cli> {
    let Alone { common, arguments } = Alone::<T>::try_parse_from(words).ok()?;
    Some(Cli { paths: Vec::new(), common, command: Some(command(arguments)) })
}

fn elf(words: impl Iterator<Item = OsString>) -> Option<Cli> {
    let ElfAlone { arguments } = ElfAlone::try_parse_from(words).ok()?;
    // What is said under the name of a common option is said of that option too.
    let common = Common { interpreter: arguments.set_interpreter.clone(), ..unsaid() };
    Some(Cli { paths: Vec::new(), common, command: Some(Command::Elf(Box::new(arguments))) })
}

/// The common options where none is given.
fn unsaid() -> Common {
    Common {
        compatibility: None,
        trace: None,
        mode: ModeName::Repair,
        dist_name: None,
        module_name: None,
        ld_path: Vec::new(),
        sysroot: None,
        host: None,
        glibc: None,
        cpu: None,
        exclude: Vec::new(),
        interpreter: None,
        adopt: Vec::new(),
        load: LoadName::Auto,
        staging_dir: None,
        sandbox: false,
        patcher: PatcherName::Builtin,
        keep_relro: false,
        drop_build_rpaths: false,
        hash: false,
        color: ColorChoice::Auto,
        verbose: false,
    }
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
    #[test]
    fn the_words_of_elf_are_read_the_same() {
        let text = |cli: Cli| format!("{cli:?}");
        let rows = [
            &["a"][..],
            &["--print-rpath", "a", "--add-rpath", "/x", "b", "--add-rpath", "-y"],
            &["--interpreter", "/ld.so", "--replace-needed", "a", "b", "--replace-needed", "c", "d", "e"],
            &["--set-rpath", "", "--page-size", "4096", "--output", "o", "--json", "--", "-a"],
        ];
        for row in rows {
            let quick = elf(["wheelwright"].iter().chain(row).map(OsString::from)).map(text);
            let whole = Cli::try_parse_from(["wheelwright", "elf"].iter().chain(row)).map(text).unwrap();
            assert_eq!(quick, Some(whole), "{row:?}");
        }
        for row in [&["-v", "a"][..], &["--help"], &["--page-size", "3", "a"], &["--color", "never", "a"]] {
            assert!(elf(["wheelwright"].iter().chain(row).map(OsString::from)).is_none(), "{row:?}");
        }
    }
}
