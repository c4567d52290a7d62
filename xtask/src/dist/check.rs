//! What a released binary has to be: static, small, and silent about where it was built.

use std::path::Path;

use anyhow::{Context, Result, bail};
use object::Endianness;
use object::elf::{self, FileHeader64, Machine};
use object::read::elf::{Dyn as _, FileHeader as _, ProgramHeader as _};

/// No binary may be larger: it is copied into images, and mapped at every start.
pub(crate) const MAX_SIZE: usize = 6 * 1024 * 1024;

/// Refuses a binary that is larger than [`MAX_SIZE`].
///
/// # Errors
/// Says how large it is.
pub(crate) fn size(binary: &[u8]) -> Result<()> {
    if binary.len() > MAX_SIZE {
        bail!(
            "the binary has {}; at most {} are meant",
            mebibytes(binary.len()),
            mebibytes(MAX_SIZE)
        );
    }
    Ok(())
}

/// Refuses a binary that is not for this machine, or that asks the system it runs on for a loader
/// (`PT_INTERP`) or for libraries (`DT_NEEDED`).
///
/// # Errors
/// Says what it asks for.
pub(crate) fn is_static(binary: &[u8], machine: Machine) -> Result<()> {
    let header = FileHeader64::<Endianness>::parse(binary).context("no ELF file of 64 bits")?;
    let endian = header.endian().context("in the ELF header")?;
    if header.e_machine(endian) != machine {
        bail!("it is for another machine: {:?} instead of {machine:?}", header.e_machine(endian));
    }
    let mut needed = 0;
    for segment in header.program_headers(endian, binary).context("in the program headers")? {
        if let Some(loader) = segment.interpreter(endian, binary).context("in PT_INTERP")? {
            bail!("not static: it asks for the loader {}", String::from_utf8_lossy(loader));
        }
        let entries = segment.dynamic(endian, binary).context("in PT_DYNAMIC")?.unwrap_or_default();
        needed += entries.iter().filter(|entry| entry.d_tag(endian) == elf::DT_NEEDED).count();
    }
    if needed > 0 {
        bail!("not static: it asks for {needed} shared libraries");
    }
    Ok(())
}

/// Refuses a binary that has one of these paths in it.
///
/// # Errors
/// Names the path.
pub(crate) fn names_no_path(binary: &[u8], paths: &[&Path]) -> Result<()> {
    for path in paths {
        let needle = path.as_os_str().as_encoded_bytes();
        if binary.windows(needle.len()).any(|window| window == needle) {
            bail!("it has the path {} in it", path.display());
        }
    }
    Ok(())
}

/// A size as people read it.
pub(crate) fn mebibytes(bytes: usize) -> String {
    // In hundredths, without a detour through floating point.
    let hundredths = (bytes * 100).div_ceil(1024 * 1024);
    format!("{}.{:02} MiB", hundredths / 100, hundredths % 100)
}

#[cfg(test)]
mod tests {
    use std::env;
    use std::fs;

    use super::*;

    fn this_machine() -> Machine {
        if cfg!(target_arch = "aarch64") { elf::EM_AARCH64 } else { elf::EM_X86_64 }
    }

    #[test]
    #[cfg(not(target_feature = "crt-static"))]
    fn this_very_test_is_found_to_be_dynamic() {
        let binary = fs::read(env::current_exe().expect("a path")).expect("a file");
        let refusal = is_static(&binary, this_machine()).expect_err("it has a loader").to_string();
        assert!(refusal.starts_with("not static: it asks for the loader /lib"), "{refusal}");
    }

    #[test]
    fn another_machines_binary_is_refused() {
        let binary = fs::read(env::current_exe().expect("a path")).expect("a file");
        let refusal = is_static(&binary, elf::EM_S390).expect_err("no mainframe").to_string();
        assert!(refusal.starts_with("it is for another machine"), "{refusal}");
    }

    #[test]
    fn what_is_no_binary_is_refused() {
        assert!(is_static(b"#!/bin/sh\n", this_machine()).is_err());
        assert!(is_static(b"", this_machine()).is_err());
    }

    #[test]
    fn the_last_byte_that_fits_fits() {
        assert!(size(&vec![0; MAX_SIZE]).is_ok());
        let refusal = size(&vec![0; MAX_SIZE + 1]).expect_err("too large").to_string();
        assert_eq!(refusal, "the binary has 6.01 MiB; at most 6.00 MiB are meant");
    }

    #[test]
    fn a_path_is_found_wherever_it_stands() {
        let paths = [Path::new("/home/somebody")];
        assert!(names_no_path(b"\0/rapid/crates/cli/src/main.rs\0", &paths).is_ok());
        assert!(names_no_path(b"\0/home/somebody/rapid\0", &paths).is_err());
        assert!(names_no_path(b"", &paths).is_ok());
    }
}
