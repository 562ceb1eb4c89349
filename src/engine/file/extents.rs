//! Where a file's bytes lie on its filesystem, so that bytes that two files share need no reading.
//!
//! Asked of Linux by FIEMAP (Documentation/filesystems/fiemap.rst), a bounded batch at a time, on the filesystems that can
//! share; on others, and elsewhere, nothing is known. One of the two places of the program with `unsafe`: the system call takes
//! a structure of its own, which no safe interface knows.

use std::fs::File;

/// A stretch of a file that lies in one piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Where it begins in the file.
    pub start: u64,
    /// Where it ends in the file; behind the file's end where its last block is not full.
    pub end: u64,
    /// Where it begins on the filesystem's devices; `None` where the bytes at that place are not those of the file: written
    /// later, compressed, encrypted, or kept in the inode.
    pub physical: Option<u64>,
}

/// Whether what is still to be written has to be written first. Until it is, a page that was changed after a copy that shares
/// blocks is told to lie where the old one lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unwritten {
    /// Ask at once; the answer may be about old bytes.
    Left,
    /// Write it first, which may take long.
    WrittenFirst,
}

/// Whether two files may share bytes: both lie on one filesystem that can share, and their addresses mean the same device.
#[must_use]
pub fn may_share(a: &File, b: &File) -> bool {
    system::may_share(a, b).unwrap_or(false)
}

/// The extents from `offset` on, some hundred at most, by place; fewer follow than asked for only at the end, and none means
/// that no more are. `None` where the filesystem can't tell.
#[must_use]
pub fn extents_from(file: &File, offset: u64, unwritten: Unwritten) -> Option<Vec<Extent>> {
    system::extents_from(file, offset, unwritten)
}

#[cfg(target_os = "linux")]
mod system {
    use super::{Extent, Unwritten};
    use rustix::ioctl::{Getter, Opcode, Updater, ioctl, opcode};
    use std::fs::File;
    use std::os::unix::fs::MetadataExt;

    /// At most this many extents are asked for at once: 7 KiB.
    const BATCH: usize = 128;
    /// linux/fiemap.h, `FIEMAP_FLAG_SYNC`.
    const SYNC: u32 = 1;
    /// linux/fiemap.h: the flags that leave the bytes where they are said to be, `FIEMAP_EXTENT_LAST` and `_SHARED`.
    const HARMLESS: u32 = 0x1 | 0x2000;
    /// linux/magic.h and fs/xfs, fs/bcachefs: the filesystems whose files share blocks, and that tell so by one address space.
    const SHARING: [u32; 3] = [0x9123_683e, 0x5846_5342, 0xca45_1a4e];
    /// linux/fs.h, `FS_XFLAG_REALTIME`: the file's bytes lie on another device of the same filesystem.
    const REALTIME: u32 = 1;

    /// linux/fiemap.h, `struct fiemap` without its extents.
    #[repr(C)]
    #[derive(Clone, Copy)]
    struct Head {
        start: u64,
        length: u64,
        flags: u32,
        mapped: u32,
        count: u32,
        reserved: u32,
    }

    /// linux/fiemap.h, `struct fiemap_extent`.
    #[repr(C)]
    #[derive(Clone, Copy)]
    struct Told {
        logical: u64,
        physical: u64,
        length: u64,
        reserved64: [u64; 2],
        flags: u32,
        reserved: [u32; 3],
    }

    #[repr(C)]
    struct Request {
        head: Head,
        extents: [Told; BATCH],
    }

    /// linux/fs.h, `struct fsxattr`.
    #[repr(C)]
    struct Attributes {
        flags: u32,
        others: [u32; 4],
        reserved: [u8; 8],
    }

    /// linux/fs.h, `FS_IOC_FIEMAP`; its size is that of the head alone.
    const FIEMAP: Opcode = opcode::read_write::<Head>(b'f', 11);
    /// linux/fs.h, `FS_IOC_FSGETXATTR`.
    const ATTRIBUTES: Opcode = opcode::read::<Attributes>(b'X', 31);

    pub fn may_share(a: &File, b: &File) -> Option<bool> {
        let same = a.metadata().ok()?.dev() == b.metadata().ok()?.dev();
        // An overlay gives its own type here, as it must: its files may lie on different devices.
        let shares = |file: &File| {
            // 32 bits wide in the kernel's headers, a signed word in the call's answer.
            Some(SHARING.contains(&(rustix::fs::fstatfs(file).ok()?.f_type as u32)))
        };
        Some(same && shares(a)? && shares(b)? && !is_realtime(a)? && !is_realtime(b)?)
    }

    #[expect(unsafe_code, reason = "a system call without a safe interface; the reason why it holds stands below")]
    fn is_realtime(file: &File) -> Option<bool> {
        // SAFETY: the call fills a `struct fsxattr`, of which `Attributes` is the layout, and writes nothing else.
        let attributes = unsafe { ioctl(file, Getter::<ATTRIBUTES, Attributes>::new()) }.ok()?;
        Some(attributes.flags & REALTIME != 0)
    }

    #[expect(unsafe_code, reason = "a system call without a safe interface; the reason why it holds stands below")]
    pub fn extents_from(file: &File, offset: u64, unwritten: Unwritten) -> Option<Vec<Extent>> {
        let flags = if unwritten == Unwritten::WrittenFirst { SYNC } else { 0 };
        let told = Told { logical: 0, physical: 0, length: 0, reserved64: [0; 2], flags: 0, reserved: [0; 3] };
        let head =
            Head { start: offset, length: u64::MAX - offset, flags, mapped: 0, count: BATCH as u32, reserved: 0 };
        let mut request = Request { head, extents: [told; BATCH] };
        // SAFETY: the call takes a `struct fiemap` with room for `count` extents behind it, and writes to these alone.
        // `Request` is laid out so and has room for `BATCH`.
        unsafe { ioctl(file, Updater::<FIEMAP, Request>::new(&mut request)) }.ok()?;
        let mapped = usize::try_from(request.head.mapped).ok()?;
        let extents = request.extents.iter().take(mapped).map(|told| Extent {
            start: told.logical,
            end: told.logical.saturating_add(told.length),
            physical: (told.flags & !HARMLESS == 0).then_some(told.physical),
        });
        Some(extents.collect())
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use super::{Extent, Unwritten};
    use std::fs::File;

    pub fn may_share(_: &File, _: &File) -> Option<bool> {
        None
    }

    pub fn extents_from(_: &File, _: u64, _: Unwritten) -> Option<Vec<Extent>> {
        None
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    /// Where the filesystem tells of extents at all, they cover what was written, in order and not on one another.
    #[test]
    fn extents_cover_what_was_written() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        std::fs::write(&path, vec![7; 1 << 20]).unwrap();
        let file = File::open(&path).unwrap();
        let Some(extents) = extents_from(&file, 0, Unwritten::WrittenFirst) else { return };
        assert!(extents.windows(2).all(|pair| pair[0].end <= pair[1].start), "{extents:?}");
        assert!(extents.iter().map(|extent| extent.end - extent.start).sum::<u64>() >= 1 << 20, "{extents:?}");
        assert_eq!(extents_from(&file, 2 << 20, Unwritten::Left), Some(Vec::new()));
    }
}
