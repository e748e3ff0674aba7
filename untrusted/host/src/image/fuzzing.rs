//! Bodies of the fuzz targets. Each states a property of every sequence of bytes.

#![expect(clippy::expect_used, reason = "a broken property is to be a panic")]

use sha2::{Digest, Sha256};

use super::Image;

/// Reading any bytes as SGXS ends in a value or an error, never a panic; and a stream that is read is the only one for
/// its enclave: writing gives it back, and its hash is the enclave's identity.
pub fn sgxs(stream: &[u8]) {
    let Ok(image) = Image::from_sgxs(stream) else {
        return;
    };
    assert_eq!(written(&image), stream, "a second stream for one enclave");
    assert_eq!(image.mrenclave(), <[u8; 32]>::from(Sha256::digest(stream)));
}

/// Reading any bytes as an ELF file ends in a value or an error, never a panic; and an image that is made of a file
/// survives being written as SGXS.
pub fn elf(file: &[u8]) {
    let Ok(image) = Image::from_elf(file) else {
        return;
    };
    let again = Image::from_sgxs(&written(&image)).expect("an image can be read back");
    assert_eq!(again.runs(), image.runs());
}

fn written(image: &Image) -> Vec<u8> {
    let mut stream = Vec::new();
    image
        .write_sgxs(&mut stream)
        .expect("memory takes everything");
    stream
}
