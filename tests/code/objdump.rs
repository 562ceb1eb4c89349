//! objdump's listing of a file's code, cut into functions.

use libtest_mimic::Failed;
use std::path::Path;
use std::process::Command;

/// One function of the listing.
pub struct Function {
    /// Its name as objdump has it, mangled.
    pub name: String,
    /// Its address.
    pub address: u64,
    /// The section it lies in.
    pub section: String,
    /// Its instructions: mnemonic and operands, with objdump's remarks; `...` for a run of zeros that it leaves out.
    pub lines: Vec<String>,
}

/// Disassembles `path`.
pub fn listing(path: &Path) -> Result<Vec<Function>, Failed> {
    let output = Command::new("objdump").args(["-d", "--no-show-raw-insn"]).arg(path).env("LC_ALL", "C").output()?;
    let (mut functions, mut section) = (Vec::<Function>::new(), String::new());
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        if let Some(name) = line.strip_prefix("Disassembly of section ") {
            section = name.trim_end_matches(':').to_owned();
        } else if let Some((address, name)) = line.strip_suffix(">:").and_then(|line| line.split_once(" <")) {
            let address = u64::from_str_radix(address, 16)?;
            functions.push(Function { name: name.to_owned(), address, section: section.clone(), lines: Vec::new() });
        } else if let Some(function) = functions.last_mut() {
            let text = line.split_once(":\t").map(|(_, text)| text.trim()).or((line.trim() == "...").then_some("..."));
            function.lines.extend(text.map(str::to_owned));
        }
    }
    if functions.is_empty() { Err("objdump shows no code".into()) } else { Ok(functions) }
}
