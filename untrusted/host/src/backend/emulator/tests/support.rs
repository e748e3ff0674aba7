//! Builds, signs and runs the test enclave.
//!
//! ```text
//! 0x00000  code            RX
//! 0x08000  data, stacks    RW, 8 pages; the blocks of threads 0 and 1 are the first two
//! 0x10000  TCS 0, then its two SSA frames
//! 0x20000  TCS 1, then its two SSA frames
//! 0x40000  nothing, to the end
//! ```

use std::sync::{Arc, OnceLock};

use rsa::BigUint;
use rsa::traits::PublicKeyParts as _;
use rsa::{Pkcs1v15Sign, RsaPrivateKey};
use sha2::{Digest as _, Sha256};
use twine_abi::sgx::sigstruct::{EXPONENT, HEADER, HEADER2};
use twine_abi::sgx::{
    AttributeFlags, Attributes, Digest, GprSgx, MiscSelect, PageKind, Permissions, SecInfo, Secs,
    Sigstruct, Tcs,
};

use crate::backend::emulator::{Emulator, EmulatorConfig, PAGE_BYTES};
use crate::backend::{
    Backend as _, BackendError, Build, Enclave, Leaf, Left, Measure, PageRange, Registers,
};

use super::guest;

pub(in crate::backend) const PAGE: u64 = 4096;
pub(in crate::backend) const SIZE: u64 = 1 << 20;
pub(in crate::backend) const DATA: u64 = 0x8000;
const DATA_PAGES: usize = 8;
pub(in crate::backend) const DATA_LEN: u64 = DATA_PAGES as u64 * PAGE;
/// A place in the data that nothing else uses: four pages on, after the blocks and away from the stacks.
pub(in crate::backend) const SCRATCH: u64 = DATA + 2 * PAGE;
pub(in crate::backend) const TCS: [u64; 2] = [0x10000, 0x20000];
pub(in crate::backend) const FREE: u64 = 0x40000;
pub(in crate::backend) const FRAMES: u32 = 2;

/// Offset of a frame of a thread.
pub(in crate::backend) fn frame(thread: usize, index: u64) -> u64 {
    TCS[thread] + PAGE + index * PAGE
}

/// An emulator with a secret of its own. The directory lives as long as the emulator.
pub(in crate::backend) struct Platform {
    pub(in crate::backend) emulator: Emulator,
    _directory: tempfile::TempDir,
}

pub(in crate::backend) fn platform(change: impl FnOnce(&mut EmulatorConfig)) -> Platform {
    let directory = tempfile::tempdir().unwrap();
    let mut config = EmulatorConfig {
        secret: directory.path().join("platform"),
        ..EmulatorConfig::default()
    };
    change(&mut config);
    Platform {
        emulator: Emulator::new(config).unwrap(),
        _directory: directory,
    }
}

/// The parameters that the tests' enclaves are created with unless they ask for others.
pub(in crate::backend) fn secs() -> Secs {
    Secs {
        size: SIZE,
        ssa_frame_size: 1,
        misc_select: MiscSelect::EXINFO,
        attributes: Attributes {
            flags: AttributeFlags::MODE64BIT | AttributeFlags::KSS,
            xfrm: 7,
        },
        config_id: [0xc1; 64],
        config_svn: 5,
        ..Secs::ZERO
    }
}

/// Adds the pages of the enclave.
pub(in crate::backend) fn fill(build: &mut dyn Build) -> Result<(), BackendError> {
    let mut code = guest::code().to_vec();
    code.resize(code.len().next_multiple_of(PAGE_BYTES), 0xcc);
    let rx = SecInfo::new(PageKind::Reg, Permissions::RX);
    let rw = SecInfo::new(PageKind::Reg, Permissions::RW);
    build.add_pages(0, &code, rx, Measure::Contents)?;
    build.add_pages(DATA, &data(), rw, Measure::Contents)?;
    for (index, tcs) in TCS.into_iter().enumerate() {
        let info = SecInfo::new(PageKind::Tcs, Permissions::EMPTY);
        build.add_pages(tcs, &thread(index).to_bytes(), info, Measure::Contents)?;
        let frames = [0; 2 * PAGE_BYTES];
        build.add_pages(tcs + PAGE, &frames, rw, Measure::AddressOnly)?;
    }
    Ok(())
}

/// The TCS of a thread.
pub(in crate::backend) fn thread(index: usize) -> Tcs {
    Tcs {
        ossa: TCS[index] + PAGE,
        nssa: FRAMES,
        oentry: 0,
        ogsbase: DATA + index as u64 * PAGE,
        fslimit: u32::MAX,
        gslimit: u32::MAX,
        ..Tcs::ZERO
    }
}

/// The data: the threads' blocks. Stack tops and the GPRSGX are absolute in the guest's block only after `relocate`.
fn data() -> Vec<u8> {
    let mut data = vec![0; DATA_PAGES * PAGE_BYTES];
    for index in 0..TCS.len() {
        let block = index * PAGE_BYTES;
        let gprs = frame(index, 0) + PAGE - GprSgx::LEN as u64;
        data[block + 32..][..8].copy_from_slice(&2_u64.to_le_bytes());
        data[block + 40..][..8].copy_from_slice(&gprs.to_le_bytes());
    }
    data
}

/// One built enclave.
pub(in crate::backend) struct Guest {
    pub(in crate::backend) enclave: Arc<dyn Enclave>,
    pub(in crate::backend) base: u64,
}

/// Builds the usual enclave.
pub(in crate::backend) fn start(platform: &Platform) -> Guest {
    /// Signing takes longer than everything else.
    static SIGNED: OnceLock<Sigstruct> = OnceLock::new();
    let sigstruct = SIGNED.get_or_init(|| signed(statement(&secs())));
    let mut build = platform.emulator.create(&secs()).unwrap();
    fill(&mut *build).unwrap();
    Guest::adopt(build.initialise(sigstruct).unwrap())
}

/// Builds an enclave with other parameters; `sign` may change what is signed.
pub(in crate::backend) fn start_with(
    platform: &Platform,
    secs: &Secs,
    sign: impl FnOnce(&mut Sigstruct),
) -> Guest {
    let mut build = platform.emulator.create(secs).unwrap();
    fill(&mut *build).unwrap();
    let mut sigstruct = statement(secs);
    sign(&mut sigstruct);
    Guest::adopt(build.initialise(&signed(sigstruct)).unwrap())
}

impl Guest {
    /// Takes over an enclave that was filled by [`fill`].
    pub(in crate::backend) fn adopt(enclave: Arc<dyn Enclave>) -> Self {
        let guest = Self {
            base: enclave.base(),
            enclave,
        };
        guest.relocate();
        guest
    }

    /// Calls an operation and expects it to come back by EEXIT.
    pub(in crate::backend) fn call(
        &self,
        thread: usize,
        op: u64,
        arguments: [u64; 4],
    ) -> (u64, u64) {
        let mut registers = arguments_of(op, arguments);
        let left = self.enter(thread, Leaf::Enter, &mut registers);
        assert_eq!(left.unwrap(), Left::Exited, "operation {op}");
        assert_eq!(registers.rdi, 0, "operation {op}");
        (registers.rsi, registers.rdx)
    }

    pub(in crate::backend) fn enter(
        &self,
        thread: usize,
        leaf: Leaf,
        registers: &mut Registers,
    ) -> Result<Left, BackendError> {
        self.enclave.enter(TCS[thread], leaf, registers)
    }

    /// Calls an operation and returns how it left.
    pub(in crate::backend) fn left(&self, thread: usize, op: u64, arguments: [u64; 4]) -> Left {
        let mut registers = arguments_of(op, arguments);
        self.enter(thread, Leaf::Enter, &mut registers).unwrap()
    }

    /// Enters the exception handler and then resumes; returns how the thread left and with what.
    pub(in crate::backend) fn handle_and_resume(&self, thread: usize) -> (Left, Registers) {
        let mut registers = Registers::default();
        let left = self.enter(thread, Leaf::Enter, &mut registers).unwrap();
        assert_eq!(left, Left::Exited);
        assert_eq!(registers.rdi, guest::ANSWER_RESUME);
        let left = self.enter(thread, Leaf::Resume, &mut registers).unwrap();
        (left, registers)
    }

    /// Executes a leaf inside; returns RAX and RFLAGS.
    pub(in crate::backend) fn leaf(&self, leaf: u64, rbx: u64, rcx: u64, rdx: u64) -> (u64, u64) {
        self.call(0, guest::op::LEAF, [leaf, rbx, rcx, rdx])
    }

    /// Writes a word in the enclave, from inside.
    pub(in crate::backend) fn store(&self, offset: u64, value: u64) {
        self.call(1, guest::op::STORE, [self.base + offset, value, 0, 0]);
    }

    /// Reads a word in the enclave, from inside.
    pub(in crate::backend) fn load(&self, offset: u64) -> u64 {
        self.call(1, guest::op::LOAD, [self.base + offset, 0, 0, 0])
            .0
    }

    /// Writes bytes in the enclave, from inside.
    pub(in crate::backend) fn store_bytes(&self, offset: u64, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        assert!(rest.is_empty());
        for (place, word) in (offset..).step_by(8).zip(words) {
            self.store(place, u64::from_le_bytes(*word));
        }
    }

    /// Reads bytes in the enclave, from inside.
    pub(in crate::backend) fn load_bytes<const N: usize>(&self, offset: u64) -> [u8; N] {
        let mut bytes = [0; N];
        for (place, word) in (offset..).step_by(8).zip(bytes.chunks_mut(8)) {
            word.copy_from_slice(&self.load(place).to_le_bytes()[..word.len()]);
        }
        bytes
    }

    /// The registers in an SSA frame of thread 0.
    pub(in crate::backend) fn saved(&self, index: u64) -> GprSgx {
        let at = frame(0, index) + PAGE - GprSgx::LEN as u64;
        GprSgx::from_bytes(&self.load_bytes(at))
    }

    /// Puts stack tops into the blocks, which the image cannot know: STORE needs no stack.
    fn relocate(&self) {
        for thread in 0..TCS.len() as u64 {
            let top = self.base + DATA + DATA_LEN - thread * 2 * PAGE;
            self.store(DATA + thread * PAGE + 24, top);
        }
    }
}

fn arguments_of(op: u64, [rsi, rdx, r8, r9]: [u64; 4]) -> Registers {
    Registers {
        rdi: op,
        rsi,
        rdx,
        r8,
        r9,
    }
}

/// A SIGSTRUCT, not yet signed, for the usual enclave with these parameters.
pub(in crate::backend) fn statement(secs: &Secs) -> Sigstruct {
    let mut attributes = secs.attributes;
    attributes.flags = attributes.flags | AttributeFlags::INIT;
    Sigstruct {
        header: HEADER,
        header2: HEADER2,
        date: 0x2026_0101,
        misc_select: secs.misc_select,
        misc_mask: u32::MAX,
        attributes,
        attribute_mask: Attributes {
            flags: AttributeFlags::from_bits(u64::MAX),
            xfrm: u64::MAX,
        },
        enclave_hash: measurement(secs),
        isv_family_id: [0xfa; 16],
        isv_ext_prod_id: [0xe7; 16],
        isv_prod_id: 77,
        isv_svn: 3,
        ..Sigstruct::ZERO
    }
}

/// MRENCLAVE of the usual enclave, computed here once more, from the manual's description.
fn measurement(secs: &Secs) -> Digest {
    /// Records instead of building.
    struct Records(Sha256);
    impl Build for Records {
        fn add_pages(
            &mut self,
            offset: u64,
            bytes: &[u8],
            info: SecInfo,
            measure: Measure,
        ) -> Result<(), BackendError> {
            for (page, contents) in bytes.chunks(PAGE_BYTES).enumerate() {
                let offset = offset + page as u64 * PAGE;
                self.0.update(0x0000_0000_4444_4145_u64.to_le_bytes());
                self.0.update(offset.to_le_bytes());
                self.0.update(&info.to_bytes()[..48]);
                for (index, chunk) in contents.chunks(256).enumerate() {
                    if measure == Measure::Contents {
                        self.0.update(0x0044_4E45_5458_4545_u64.to_le_bytes());
                        self.0.update((offset + index as u64 * 256).to_le_bytes());
                        self.0.update([0; 48]);
                        self.0.update(chunk);
                    }
                }
            }
            Ok(())
        }

        fn leave_room(&mut self, _: PageRange, _: Permissions) -> Result<(), BackendError> {
            Ok(())
        }

        fn initialise(self: Box<Self>, _: &Sigstruct) -> Result<Arc<dyn Enclave>, BackendError> {
            Err(BackendError::Lost)
        }
    }
    let mut records = Records(Sha256::new());
    records.0.update(0x0045_5441_4552_4345_u64.to_le_bytes());
    records.0.update(secs.ssa_frame_size.to_le_bytes());
    records.0.update(secs.size.to_le_bytes());
    records.0.update([0; 44]);
    fill(&mut records).unwrap();
    records.0.finalize().into()
}

/// The tests' signer. Two of them, to tell signers apart.
pub(in crate::backend) fn key(index: usize) -> &'static RsaPrivateKey {
    static KEYS: [OnceLock<RsaPrivateKey>; 2] = [const { OnceLock::new() }; 2];
    KEYS[index].get_or_init(|| {
        let key = crate::sign::PrivateKey::generate()
            .unwrap()
            .to_pem()
            .unwrap();
        rsa::pkcs8::DecodePrivateKey::from_pkcs8_pem(&key).unwrap()
    })
}

/// Signs with the first key.
pub(in crate::backend) fn signed(sigstruct: Sigstruct) -> Sigstruct {
    signed_by(key(0), sigstruct)
}

/// Signs.
pub(in crate::backend) fn signed_by(key: &RsaPrivateKey, sigstruct: Sigstruct) -> Sigstruct {
    let digest = Sha256::digest(sigstruct.signed());
    let signature = key
        .sign(Pkcs1v15Sign::new::<rsa::sha2::Sha256>(), &digest)
        .unwrap();
    let signature = BigUint::from_bytes_be(&signature);
    let square = &signature * &signature;
    let cube = (&square % key.n()) * &signature;
    Sigstruct {
        modulus: little_endian(key.n()),
        exponent: EXPONENT,
        signature: little_endian(&signature),
        q1: little_endian(&(square / key.n())),
        q2: little_endian(&(cube / key.n())),
        ..sigstruct
    }
}

fn little_endian(number: &BigUint) -> [u8; 384] {
    let mut bytes = number.to_bytes_le();
    bytes.resize(384, 0);
    bytes.try_into().unwrap()
}
