//! The enclave image that was built together with this library. `build.rs` checked it and computed its measurement.

use twine_abi::sgx::Digest;

use crate::image::{ElfError, Image};

impl Image {
    /// The file of the bundled image.
    pub const BUNDLED_ELF: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/enclave.elf"));

    /// The image that was built together with this library.
    ///
    /// # Errors
    /// Never in practice: the build fails if the image is not as it must be.
    pub fn bundled() -> Result<Self, ElfError> {
        Ok(Self::from_elf(Self::BUNDLED_ELF)?.with_mrenclave(MRENCLAVE))
    }
}

/// Measuring takes a millisecond; a launch has few of them. A wrong value would not survive EINIT.
const MRENCLAVE: Digest = *include_bytes!(concat!(env!("OUT_DIR"), "/enclave.mrenclave"));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_measurement_made_by_the_build_script_is_the_images() {
        let measured = Image::from_elf(Image::BUNDLED_ELF).unwrap();
        assert_eq!(Image::bundled().unwrap().mrenclave(), measured.mrenclave());
    }
}
