//! Whose key opens a volume: on a machine whose processor derives keys as EGETKEY does, but from a hash.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failing set-up is a failing test, wherever the helper stands"
)]

use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use twine_abi::exchange::Clock;
use twine_abi::outcome::Kind;
use twine_abi::sgx::{KeyPolicy, KeyRequest};
use twine_fs::{
    Access, KeySlots, MemoryStore, Options, Slot, SlotKind, SlotSecret, Store as _, Volume,
};
use twine_launch::{
    Binding, KeySource, Mount, MountKind, RecoveryKey, RuntimeBinding, VolumePolicy,
};
use twine_recovery::{PrivateKey, PublicKey};
use twine_runtime::{Fault, Identity, OpenStore, Outcome, Platform, Sink, launch};
use zeroize::Zeroizing;

use crate::support::{Launch, Services, SharedWorld, owner};

/// An enclave on a machine, and the volume that its host offers.
#[derive(Clone)]
struct Machine {
    store: Arc<MemoryStore>,
    made: bool,
    fuses: u8,
    image: u8,
    signer: u8,
    isv_svn: u16,
    cpu_svn: u8,
    config_id: [u8; 64],
}

impl Machine {
    fn new() -> Self {
        Self {
            store: Arc::default(),
            made: true,
            fuses: 1,
            image: 1,
            signer: 1,
            isv_svn: 5,
            cpu_svn: 5,
            config_id: [0; 64],
        }
    }

    /// Launches a program with a volume; `argument` makes it another document.
    fn launch(&mut self, policy: VolumePolicy, program: &str, argument: &str) -> Outcome {
        self.launch_for(Access::ReadWrite, policy, program, argument)
    }

    fn launch_for(
        &mut self,
        access: Access,
        policy: VolumePolicy,
        program: &str,
        argument: &str,
    ) -> Outcome {
        self.launch_with(access, policy, program, |guest| {
            guest.draft.arguments = twine_launch::Arguments::Fixed(vec![argument.into()]);
        })
    }

    fn launch_with(
        &mut self,
        access: Access,
        policy: VolumePolicy,
        program: &str,
        change: impl FnOnce(&mut Launch),
    ) -> Outcome {
        let mut guest = Launch::new(program);
        change(&mut guest);
        guest.draft.mounts = vec![Mount {
            guest: "/".into(),
            kind: MountKind::Volume(policy),
            read_only: access == Access::ReadOnly,
        }];
        let (_, identity, request) = guest.seal();
        let identity = Identity {
            isv_svn: self.isv_svn,
            cpu_svn: [self.cpu_svn; 16],
            ..identity
        };
        self.config_id = identity.config_id;
        let outcome = launch(Box::new(self.clone()), &identity, request).outcome;
        self.made = false;
        outcome
    }

    /// Launches a signed document.
    fn launch_signed(&mut self, program: &str, by: u8, name: &str, version: u16) -> Outcome {
        self.launch_with(Access::ReadWrite, BY_OWNER, program, |guest| {
            guest.owner = Some(owner(by));
            guest.draft.application.name = name.into();
            guest.draft.application.version = version;
        })
    }

    /// Launches with recovery keys.
    fn launch_recoverable(&mut self, access: Access, keys: &[u8]) -> Outcome {
        self.launch_with(access, BY_MODULE, PROGRAM, |guest| {
            let keys = keys.iter().map(|byte| recovery_key(*byte).public());
            guest.draft.recovery = keys.map(|key| RecoveryKey(*key.bytes())).collect();
        })
    }

    /// Whom the slots are for, by recovery keys.
    fn recipients(&self) -> Vec<u8> {
        let slots = KeySlots::read(&*self.store).unwrap();
        let recipient = |parameters: &[u8]| {
            let key = PublicKey::of_slot(parameters).unwrap();
            (0..9).find(|byte| recovery_key(*byte).public() == key)
        };
        let slots = slots
            .slots()
            .filter(|(_, slot)| slot.kind == SlotKind::Recovery);
        slots
            .map(|(_, slot)| recipient(&slot.parameters).unwrap())
            .collect()
    }

    fn slot_parameters(&self) -> Vec<Vec<u8>> {
        let slots = KeySlots::read(&*self.store).unwrap();
        let slots = slots.slots();
        slots.map(|(_, slot)| slot.parameters.clone()).collect()
    }
}

impl Platform for Machine {
    fn write(&mut self, sink: Sink, bytes: &[u8]) -> Result<usize, Fault> {
        SharedWorld::default().write(sink, bytes)
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Fault> {
        SharedWorld::default().read(buffer)
    }

    fn clock(&mut self, clock: Clock) -> Result<u64, Fault> {
        SharedWorld::default().clock(clock)
    }

    fn wait(&mut self, timeout: u64, interests: u64) -> Result<u64, Fault> {
        SharedWorld::default().wait(timeout, interests)
    }

    fn yield_now(&mut self) -> Result<(), Fault> {
        Ok(())
    }

    fn random(&mut self, buffer: &mut [u8]) {
        twine_fs::Platform::random(&Services, buffer).unwrap();
    }

    fn services(&mut self) -> Box<dyn twine_fs::Platform> {
        Box::new(Services)
    }

    fn open_store(&mut self, mount: usize) -> Result<OpenStore, Fault> {
        assert_eq!(mount, 0);
        Ok(OpenStore {
            store: Box::new(Arc::clone(&self.store)),
            made: self.made,
        })
    }

    fn key(&mut self, request: &KeyRequest) -> Option<Zeroizing<[u8; 16]>> {
        let newer = request.isv_svn > self.isv_svn
            || request.cpu_svn.iter().any(|part| *part > self.cpu_svn);
        if newer {
            return None;
        }
        let policy = request.key_policy;
        let mut hash = Sha256::new();
        hash.update(request.to_bytes());
        hash.update([self.fuses]);
        for (bit, value) in [
            (KeyPolicy::MRENCLAVE, self.image),
            (KeyPolicy::MRSIGNER, self.signer),
        ] {
            hash.update([if policy.contains(bit) { value } else { 0 }]);
        }
        if policy.contains(KeyPolicy::CONFIGID) {
            hash.update(self.config_id);
        }
        let mut key = Zeroizing::new([0; 16]);
        key.copy_from_slice(&hash.finalize()[..16]);
        Some(key)
    }
}

const fn policy(bound_to: Binding, runtime: RuntimeBinding) -> VolumePolicy {
    VolumePolicy {
        create: true,
        key: KeySource::Sealed { bound_to, runtime },
    }
}

const BY_MODULE: VolumePolicy = policy(Binding::Module, RuntimeBinding::Signer);
const BY_OWNER: VolumePolicy = policy(Binding::Owner, RuntimeBinding::Signer);
const BY_DOCUMENT: VolumePolicy = policy(Binding::Document, RuntimeBinding::Signer);

const PROGRAM: &str = r#"(module (memory (export "memory") 1) (func (export "_start")))"#;
const OTHER: &str = r#"(module (memory (export "memory") 2) (func (export "_start")))"#;

fn opened(outcome: &Outcome) -> bool {
    match outcome.kind {
        Kind::Exited => true,
        Kind::VolumeRefused => false,
        kind => panic!("{kind:?}: {}", outcome.message),
    }
}

#[test]
fn a_key_bound_to_the_module_does_not_depend_on_the_document() {
    let mut machine = Machine::new();
    assert!(opened(&machine.launch(BY_MODULE, PROGRAM, "a")));
    assert!(opened(&machine.launch(BY_MODULE, PROGRAM, "b")));
    assert!(!opened(&machine.launch(BY_MODULE, OTHER, "a")));
    assert!(!opened(&machine.launch(BY_DOCUMENT, PROGRAM, "a")));
}

#[test]
fn a_key_bound_to_the_document_opens_for_no_other() {
    let mut machine = Machine::new();
    assert!(opened(&machine.launch(BY_DOCUMENT, PROGRAM, "a")));
    assert!(opened(&machine.launch(BY_DOCUMENT, PROGRAM, "a")));
    assert!(!opened(&machine.launch(BY_DOCUMENT, PROGRAM, "b")));
    assert!(!opened(&machine.launch(BY_MODULE, PROGRAM, "a")));
}

#[test]
fn a_key_bound_to_the_owner_opens_for_what_the_owner_signs_under_the_same_name() {
    let mut machine = Machine::new();
    assert!(opened(&machine.launch_signed(PROGRAM, 1, "db", 3)));
    assert!(opened(&machine.launch_signed(OTHER, 1, "db", 3)));
    for (by, name) in [(2, "db"), (1, "web")] {
        let refused = machine.launch_signed(PROGRAM, by, name, 3);
        assert!(!opened(&refused));
        assert!(refused.message.contains("for another owner"), "{refused:?}");
    }
    assert!(!opened(&machine.launch(BY_MODULE, PROGRAM, "a")));
}

#[test]
fn once_a_newer_version_of_the_owners_has_opened_a_volume_an_older_one_does_not() {
    let mut machine = Machine::new();
    assert!(opened(&machine.launch_signed(PROGRAM, 1, "db", 3)));
    let before = machine.slot_parameters();
    assert!(opened(&machine.launch_signed(PROGRAM, 1, "db", 4)));
    let after = machine.slot_parameters();
    assert_eq!((before.len(), after.len()), (1, 1));
    assert_ne!(before, after);
    assert!(opened(&machine.launch_signed(PROGRAM, 1, "db", 4)));
    assert_eq!(machine.slot_parameters(), after, "once is enough");
    let refused = machine.launch_signed(PROGRAM, 1, "db", 3);
    assert!(!opened(&refused));
    assert!(
        refused
            .message
            .contains("sealed by version 4 of the application"),
        "{refused:?}"
    );
    // Of another owner's versions nothing is told: they are none of this one's.
    let refused = machine.launch_signed(PROGRAM, 2, "db", 3);
    assert!(refused.message.contains("for another owner"), "{refused:?}");
}

#[test]
fn a_refusal_tells_another_program_from_another_machine() {
    for policy in [BY_MODULE, BY_DOCUMENT] {
        let mut machine = Machine::new();
        assert!(opened(&machine.launch(policy, PROGRAM, "a")));
        let refused = machine.launch(policy, OTHER, "a");
        assert!(
            refused
                .message
                .contains("sealed on this machine for another"),
            "{refused:?}"
        );
        let elsewhere: [fn(&mut Machine); 2] =
            [|machine| machine.fuses += 1, |machine| machine.signer += 1];
        for change in elsewhere {
            let mut other = machine.clone();
            change(&mut other);
            let refused = other.launch(policy, PROGRAM, "a");
            assert!(!opened(&refused));
            assert!(
                refused
                    .message
                    .contains("another machine, by another user's emulator"),
                "{refused:?}"
            );
        }
    }
}

#[test]
fn every_recovery_key_of_the_document_has_a_slot_that_opens() {
    let mut machine = Machine::new();
    assert!(opened(&machine.launch_recoverable(Access::ReadWrite, &[1])));
    assert_eq!(machine.recipients(), [1]);
    assert!(opened(
        &machine.launch_recoverable(Access::ReadOnly, &[1, 2])
    ));
    assert_eq!(machine.recipients(), [1], "a reader changes nothing");
    assert!(opened(
        &machine.launch_recoverable(Access::ReadWrite, &[1, 2])
    ));
    assert_eq!(machine.recipients(), [1, 2]);
    assert!(opened(&machine.launch(BY_MODULE, PROGRAM, "a")));
    assert_eq!(machine.recipients(), [1, 2], "who has a slot keeps it");

    let slots = KeySlots::read(&*machine.store).unwrap();
    for byte in [1, 2] {
        let opens = |(number, slot): (usize, &Slot)| {
            let secret = recovery_key(byte).decapsulate(&slots.uuid(), &slot.parameters)?;
            slots.unlock(number, &SlotSecret::new(*secret)).ok()
        };
        let key = slots.slots().find_map(opens).unwrap();
        let store = Box::new(Arc::clone(&machine.store));
        Volume::open(store, Box::new(Services), key, Options::default()).unwrap();
    }
}

#[test]
fn a_recovery_key_that_is_nobodys_is_refused_by_name() {
    let outcome = Machine::new().launch_with(Access::ReadWrite, BY_MODULE, PROGRAM, |guest| {
        guest.draft.recovery = vec![RecoveryKey([0; 32])];
    });
    assert!(!opened(&outcome));
    assert!(
        outcome.message.contains("is not a public key of X25519"),
        "{outcome:?}"
    );
}

fn recovery_key(byte: u8) -> PrivateKey {
    PrivateKey::new([byte; 32])
}

#[test]
fn another_image_opens_what_is_bound_to_the_signer_and_nothing_else() {
    for (runtime, expected) in [
        (RuntimeBinding::Signer, true),
        (RuntimeBinding::Image, false),
    ] {
        let policy = policy(Binding::Module, runtime);
        let mut machine = Machine::new();
        assert!(opened(&machine.launch(policy, PROGRAM, "a")));
        machine.image = 2;
        assert_eq!(opened(&machine.launch(policy, PROGRAM, "a")), expected);
        machine.signer = 2;
        assert!(!opened(&machine.launch(policy, PROGRAM, "a")));
    }
}

#[test]
fn newer_versions_open_the_volume_and_lock_older_ones_out() {
    for upgrade in [
        |machine: &mut Machine| machine.isv_svn += 1,
        |machine: &mut Machine| machine.cpu_svn += 1,
    ] {
        let mut machine = Machine::new();
        assert!(opened(&machine.launch(BY_MODULE, PROGRAM, "a")));
        let before = machine.slot_parameters();
        let mut newer = machine.clone();
        upgrade(&mut newer);
        assert!(opened(&newer.launch_for(
            Access::ReadOnly,
            BY_MODULE,
            PROGRAM,
            "a"
        )));
        assert_eq!(newer.slot_parameters(), before, "a reader changes nothing");
        assert!(opened(&newer.launch(BY_MODULE, PROGRAM, "a")));
        let after = newer.slot_parameters();
        assert_eq!((before.len(), after.len()), (1, 1));
        assert_ne!(before, after);
        assert!(opened(&newer.launch(BY_MODULE, PROGRAM, "a")));
        assert_eq!(newer.slot_parameters(), after, "once is enough");
        let refused = machine.launch(BY_MODULE, PROGRAM, "a");
        assert!(refused.message.contains("newer"), "{refused:?}");
        assert!(!opened(&refused));
    }
}

#[test]
fn a_file_that_is_too_short_for_slots_is_no_volume() {
    for blocks in [0, 1, 9] {
        let mut machine = Machine::new();
        machine.made = false;
        machine.store.resize(blocks).unwrap();
        let refused = machine.launch(BY_MODULE, PROGRAM, "a");
        assert!(refused.message.contains("not a volume"), "{refused:?}");
    }
}

#[test]
fn a_file_without_slots_is_refused_and_left_alone() {
    let mut machine = Machine::new();
    machine.made = false;
    machine.store.resize(100).unwrap();
    let refused = machine.launch(BY_MODULE, PROGRAM, "a");
    assert!(
        refused.message.contains("delete it to start anew"),
        "{refused:?}"
    );
    let mut bytes = vec![1; 100 * 4096];
    machine.store.read(0, &mut bytes).unwrap();
    assert!(bytes.iter().all(|byte| *byte == 0));
}

#[test]
fn nothing_is_made_that_may_not_be() {
    let mut machine = Machine::new();
    let never = VolumePolicy {
        create: false,
        ..BY_MODULE
    };
    assert!(!opened(&machine.launch(never, PROGRAM, "a")));
    machine.made = true;
    assert!(!opened(&machine.launch_for(
        Access::ReadOnly,
        BY_MODULE,
        PROGRAM,
        "a"
    )));
    assert_eq!(machine.store.size(), Ok(0));
}
