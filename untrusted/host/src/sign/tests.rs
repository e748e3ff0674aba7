//! Signatures are compared with those of other projects, and every byte of one is changed.

use twine_abi::layout::XFRM;
use twine_abi::sgx::{AttributeFlags, Attributes, MiscSelect, Sigstruct};

use super::{
    Certificate, PrivateKey, PublicKey, SECURITY_VERSION, SignError, Statement, development,
};
use crate::image::Image;
use crate::launch::create::Debugging;
use crate::state::Directories;

const LINUX_KEY: &str = include_str!("../../tests/data/encl.pem");
const LINUX_SIGSTRUCT: &[u8; Sigstruct::LEN] = include_bytes!("../../tests/data/encl.ss");
const FORTANIX_SGXS: &[u8] = include_bytes!("../../tests/data/test_enclave.sgxs");
const FORTANIX_SIGSTRUCT: &[u8] = include_bytes!("../../tests/data/test_enclave.sig");

fn key() -> PrivateKey {
    PrivateKey::from_pem(LINUX_KEY).unwrap()
}

/// A user who has a key already; making one takes a second.
fn user(home: &tempfile::TempDir) -> Directories {
    let directories = Directories::below(home.path());
    let path = directories.state().unwrap().join("development-key.pem");
    crate::state::create_secret(&path, LINUX_KEY.as_bytes()).unwrap();
    directories
}

fn image() -> Image {
    Image::from_sgxs(FORTANIX_SGXS).unwrap()
}

fn statement(debugging: Debugging) -> Statement {
    Statement::new(image().mrenclave(), debugging, SECURITY_VERSION)
}

#[test]
fn the_sigstruct_of_linux_self_test_is_reproduced_byte_for_byte() {
    let theirs = Sigstruct::from_bytes(LINUX_SIGSTRUCT);
    let ours = Statement::of(&theirs).sign(&key()).unwrap();
    assert_eq!(ours.sigstruct().to_bytes(), *LINUX_SIGSTRUCT);
}

#[test]
fn the_sigstruct_of_another_tool_is_accepted_for_its_own_image_only() {
    let certificate = Certificate::from_bytes(FORTANIX_SIGSTRUCT).unwrap();
    certificate.check_image(&image()).unwrap();
    let other = Certificate::from_bytes(LINUX_SIGSTRUCT).unwrap();
    assert!(matches!(
        other.check_image(&image()),
        Err(SignError::OtherImage { .. })
    ));
}

#[test]
fn no_byte_of_a_sigstruct_can_be_changed() {
    let good = statement(Debugging::Forbidden).sign(&key()).unwrap();
    let bytes = good.sigstruct().to_bytes();
    for place in 0..bytes.len() {
        let mut changed = bytes;
        changed[place] ^= 1;
        assert!(Certificate::from_bytes(&changed).is_err(), "byte {place}");
    }
    Certificate::from_bytes(&bytes[1..]).expect_err("too short");
}

#[test]
fn signing_twice_gives_the_same_bytes() {
    let sign = || statement(Debugging::Forbidden).sign(&key()).unwrap();
    assert_eq!(sign(), sign());
}

/// The host chooses SECS; only what the masks leave open is its choice.
#[test]
fn a_statement_fixes_everything_but_aex_notify() {
    for (debugging, debug) in [
        (Debugging::Forbidden, AttributeFlags::EMPTY),
        (Debugging::Allowed, AttributeFlags::DEBUG),
    ] {
        let sigstruct = *statement(debugging).sign(&key()).unwrap().sigstruct();
        let flags = AttributeFlags::MODE64BIT | AttributeFlags::KSS | debug;
        assert_eq!(sigstruct.attributes, Attributes { flags, xfrm: XFRM });
        let open = !sigstruct.attribute_mask.flags.bits();
        assert_eq!(open, AttributeFlags::AEXNOTIFY.bits());
        assert_eq!(sigstruct.attribute_mask.xfrm, u64::MAX);
        assert_eq!(sigstruct.misc_select, MiscSelect::EXINFO);
        assert_eq!(sigstruct.misc_mask, u32::MAX);
        assert_eq!(
            (sigstruct.isv_prod_id, sigstruct.isv_svn),
            (1, SECURITY_VERSION.0)
        );
        assert_eq!(sigstruct.date, 0x2026_0101);
        assert_eq!(sigstruct.vendor, 0);
        assert_eq!(sigstruct.isv_family_id[..4], [0x38, 0x4a, 0x38, 0xcb]);
        assert_eq!(sigstruct.isv_ext_prod_id[..4], [0xf4, 0x80, 0x2e, 0xb5]);
    }
}

#[test]
fn a_signature_made_elsewhere_is_joined_only_if_it_fits() {
    let statement = statement(Debugging::Forbidden);
    let key = key();
    let signature = key.sign(&statement.to_sign()).unwrap();
    let joined = statement.assemble(key.public(), &signature).unwrap();
    assert_eq!(joined, statement.sign(&key).unwrap());
    assert_eq!(joined.statement(), statement);
    assert_eq!(joined.mrsigner(), key.public().mrsigner());

    let other_statement = super::tests::statement(Debugging::Allowed);
    let other_key = PrivateKey::generate().unwrap();
    for refused in [
        other_statement.assemble(key.public(), &signature),
        statement.assemble(other_key.public(), &signature),
        statement.assemble(key.public(), &signature[1..]),
        statement.assemble(key.public(), &[0xff; 384]),
        statement.assemble(key.public(), &[0xff; 4096]),
        statement.assemble(key.public(), &[]),
    ] {
        assert!(matches!(refused, Err(SignError::BadSignature)));
    }
}

#[test]
fn keys_of_another_length_or_exponent_are_refused_with_what_they_have() {
    for (bits, exponent) in [(2048, 3_u32), (3072, 65537)] {
        let exponent_is = rsa::BigUint::from(exponent);
        let key = rsa::RsaPrivateKey::new_with_exp(&mut rsa::rand_core::OsRng, bits, &exponent_is)
            .unwrap();
        let pem =
            rsa::pkcs8::EncodePrivateKey::to_pkcs8_pem(&key, rsa::pkcs8::LineEnding::LF).unwrap();
        let Err(SignError::WrongKey {
            bits: found,
            exponent_is_three,
        }) = PrivateKey::from_pem(&pem)
        else {
            panic!("{bits} bits and {exponent} are not SGX's");
        };
        assert_eq!((found, exponent_is_three), (bits, exponent == 3));
    }
    assert!(matches!(
        PrivateKey::from_pem("secret"),
        Err(SignError::NotAKey(_))
    ));
    assert!(matches!(
        PublicKey::from_pem(LINUX_KEY),
        Err(SignError::NotAKey(_))
    ));
}

#[test]
fn a_user_keeps_one_key_and_one_certificate_for_each_form() {
    let home = tempfile::tempdir().unwrap();
    let directories = Directories::below(home.path());
    let certify = |debugging| development::certify(&directories, &image(), debugging).unwrap();
    let first = certify(Debugging::Forbidden);
    assert_eq!(certify(Debugging::Forbidden), first);
    let debug = certify(Debugging::Allowed);
    assert_ne!(debug.statement(), first.statement());
    assert_eq!(debug.mrsigner(), first.mrsigner());
    assert_eq!(kept(&directories).len(), 2);
}

#[test]
fn a_damaged_certificate_is_made_again_and_a_foreign_one_is_not_taken() {
    let home = tempfile::tempdir().unwrap();
    let directories = user(&home);
    let certify = || development::certify(&directories, &image(), Debugging::Forbidden).unwrap();
    let good = certify();
    let [path] = kept(&directories).try_into().expect("one certificate");
    let foreign_key = PrivateKey::generate().unwrap();
    let foreign = statement(Debugging::Forbidden).sign(&foreign_key).unwrap();
    for damage in [
        b"".as_slice(),
        &[0; Sigstruct::LEN],
        LINUX_SIGSTRUCT,
        &foreign.sigstruct().to_bytes(),
    ] {
        std::fs::write(&path, damage).unwrap();
        assert_eq!(certify(), good);
        assert_eq!(std::fs::read(&path).unwrap(), good.sigstruct().to_bytes());
    }
}

#[test]
fn certificates_of_forgotten_images_do_not_pile_up() {
    let home = tempfile::tempdir().unwrap();
    let directories = user(&home);
    let old = directories.state_in("sigstructs").unwrap();
    for name in 0..100 {
        std::fs::write(old.join(format!("{name}.sigstruct")), b"old").unwrap();
    }
    development::certify(&directories, &image(), Debugging::Forbidden).unwrap();
    assert_eq!(kept(&directories).len(), 1);
}

#[test]
fn a_file_that_is_no_key_is_reported_and_not_replaced() {
    let home = tempfile::tempdir().unwrap();
    let directories = Directories::below(home.path());
    let path = directories.state().unwrap().join("development-key.pem");
    crate::state::replace(&path, b"something precious").unwrap();
    let refused = development::key(&directories).expect_err("not a key");
    assert!(
        refused.to_string().contains("development-key.pem"),
        "{refused}"
    );
    assert_eq!(std::fs::read(&path).unwrap(), b"something precious");
}

fn kept(directories: &Directories) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(directories.state_in("sigstructs").unwrap()).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}
