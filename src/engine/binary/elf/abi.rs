//! The names of operating system ABIs (`EI_OSABI`, gABI chapter 4), as patchelf writes and reads them.

/// Each number that has a name, with the name that is printed and the others that are understood.
const NAMES: [(u8, &str, &[&str]); 12] = [
    (0, "System V", &["sysv"]),
    (1, "HP-UX", &[]),
    (2, "NetBSD", &[]),
    (3, "Linux", &["gnu"]),
    (4, "GNU Hurd", &["hurd"]),
    (6, "Solaris", &[]),
    (7, "AIX", &[]),
    (8, "IRIX", &[]),
    (9, "FreeBSD", &[]),
    (10, "Tru64", &[]),
    (12, "OpenBSD", &[]),
    (13, "OpenVMS", &[]),
];

/// The name of ABI `number`, or the number as `0x61` where it has none.
#[must_use]
pub fn os_abi_name(number: u8) -> String {
    let named = NAMES.iter().find(|(known, ..)| *known == number);
    named.map_or_else(|| format!("0x{number:02X}"), |(_, name, _)| (*name).to_owned())
}

/// The ABI that `name` means, whatever its case: a name, or a number as [`os_abi_name`] writes it.
#[must_use]
pub fn os_abi_of(name: &str) -> Option<u8> {
    let means = |known: &str| known.eq_ignore_ascii_case(name);
    let named = NAMES.iter().find(|(_, known, others)| means(known) || others.iter().any(|other| means(other)));
    match named {
        Some((number, ..)) => Some(*number),
        None => {
            let digits = name.strip_prefix("0x").or_else(|| name.strip_prefix("0X"))?;
            u8::from_str_radix(digits, 16).ok().filter(|_| !digits.starts_with('+'))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_read_as_it_is_written() {
        for number in 0..=u8::MAX {
            assert_eq!(os_abi_of(&os_abi_name(number)), Some(number));
        }
    }

    #[test]
    fn the_case_does_not_matter_and_other_words_mean_nothing() {
        assert_eq!(os_abi_of("lInUx"), Some(3));
        assert_eq!(os_abi_of("SYSTEM V"), Some(0));
        assert_eq!(os_abi_of("hurd"), Some(4));
        assert_eq!(os_abi_name(5), "0x05");
        for unknown in ["", "5", "0x", "0x100", "0x+1", "windows"] {
            assert_eq!(os_abi_of(unknown), None, "{unknown}");
        }
    }
}
