//! Fuzz bodies: each states a property of a decoder that must hold for any bytes. A fuzzer only forwards to them.

use crate::{
    codec::BlockBox,
    format::{
        directory, epochs,
        inode::{FileKind, INODE_LEN, Inode},
        node::Node,
        record::{Head, decode_operations, encode_operations},
        reference::Kind,
        superblock::{self, Header},
    },
    slots,
};

/// Any bytes as one block.
fn block(bytes: &[u8]) -> BlockBox {
    let mut block = BlockBox::zeroed();
    block
        .iter_mut()
        .zip(bytes)
        .for_each(|(to, from)| *to = *from);
    block
}

/// Decoding any superblock ends in a value or an error, and without the key never in a state.
pub fn superblock(bytes: &[u8]) {
    let block = block(bytes);
    if let Ok(header) = Header::decode(&block) {
        let key = crate::VolumeKey::new([0; 32]);
        assert!(
            superblock::open(&header, &block, &key).is_err(),
            "nobody sealed this"
        );
    }
}

/// The state inside a superblock decodes to a value or an error, also when an attacker has the key.
pub fn state(bytes: &[u8]) {
    drop(superblock::State::decode(bytes));
}

/// A tree node that decodes is encoded to the same bytes.
pub fn node(bytes: &[u8]) {
    let block = block(bytes);
    for kind in [Kind::Data, Kind::Node, Kind::Inodes, Kind::Bitmap] {
        if let Ok(node) = Node::decode(&block, kind) {
            assert!(*node.encode() == *block, "a node has one encoding");
        }
    }
}

/// A record's head decodes to a value or an error.
pub fn record_head(bytes: &[u8]) {
    drop(Head::decode(bytes));
}

/// Operations that decode are encoded to the same bytes.
pub fn operations(bytes: &[u8]) {
    if let Ok(operations) = decode_operations(bytes)
        && !operations
            .iter()
            .any(crate::format::record::Operation::frees_inode)
    {
        assert!(
            encode_operations(&operations) == bytes,
            "operations have one encoding"
        );
    }
}

/// An inode that decodes is encoded to the same bytes.
pub fn inode(bytes: &[u8]) {
    if let Ok(Some((inode, tree))) = Inode::decode(bytes)
        && bytes.len() == INODE_LEN
    {
        assert!(inode.encode(&tree) == bytes, "an inode has one encoding");
    }
}

/// In any directory bucket that decodes, what is inserted is found, and what is removed is gone.
pub fn directory(bytes: &[u8]) {
    let mut block = block(bytes);
    let Ok(before) = directory::entries(&block) else {
        return;
    };
    let name = b"a name of the fuzzer's own";
    if before.iter().any(|entry| entry.name == name) {
        return;
    }
    if let Ok(true) = directory::insert(&mut block, name, 77, FileKind::File) {
        let found = directory::find(&block, name);
        let Ok(Some(entry)) = found else {
            unreachable!("inserted just now")
        };
        assert!(
            directory::remove(&mut block, entry.at).is_ok(),
            "found just now"
        );
    }
    assert!(
        directory::entries(&block) == Ok(before),
        "the others stay as they were"
    );
}

/// A block of the epoch list decodes to a value or an error.
pub fn epoch_list(bytes: &[u8]) {
    drop(epochs::decode(&block(bytes)));
}

/// A slot area decodes to a value or nothing.
pub fn slots(bytes: &[u8]) {
    slots::fuzz_decode(bytes);
}

/// A property of a decoder.
pub type Body = fn(&[u8]);

/// All bodies, by name.
pub const ALL: [(&str, Body); 9] = [
    ("superblock", superblock),
    ("state", state),
    ("node", node),
    ("record_head", record_head),
    ("operations", operations),
    ("inode", inode),
    ("directory", directory),
    ("epoch_list", epoch_list),
    ("slots", slots),
];

#[cfg(test)]
mod tests {
    use alloc::{vec, vec::Vec};

    use super::{directory as directory_property, *};
    use crate::format::directory;

    /// Corner inputs: empty, short, all equal, and plausible starts with noise behind.
    fn corners() -> Vec<Vec<u8>> {
        let mut inputs = vec![
            Vec::new(),
            vec![0],
            vec![0; 256],
            vec![0; 4096],
            vec![0xff; 256],
            vec![0xff; 4096],
        ];
        for start in [
            &b"TWINEFS\x1a\x01\0\0\0\x01\0\x0c\0"[..],
            b"TWINEKEY\x01\0\0\0\0\0\0\0",
            &[1, 0, 0, 0],
            &[3, 0, 1, 0],
        ] {
            for len in [64, 256, 3984, 4072, 4096, 16_384] {
                let mut noise = start.to_vec();
                let mut value = 1u32;
                noise.resize_with(len, || {
                    value = value.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    value.to_le_bytes()[3] & value.to_le_bytes()[2]
                });
                inputs.push(noise);
            }
        }
        inputs
    }

    #[test]
    fn all_properties_hold_on_corner_inputs_and_their_neighbours() {
        for input in corners() {
            for (_, body) in ALL {
                body(&input);
                for at in (0..input.len().min(160))
                    .chain([input.len() / 2])
                    .filter(|at| *at < input.len())
                {
                    let mut changed = input.clone();
                    changed[at] = changed[at].wrapping_add(1);
                    body(&changed);
                }
            }
        }
    }

    #[test]
    fn directory_property_holds_on_real_buckets() {
        let mut bucket = BlockBox::zeroed();
        for number in 0..60u32 {
            let name = alloc::format!("file number {number}");
            assert!(directory::insert(&mut bucket, name.as_bytes(), 20, FileKind::File).unwrap());
            directory_property(bucket.as_slice());
        }
        for at in 0..4096 {
            let mut changed = bucket.clone();
            changed[at] ^= 0x11;
            directory_property(changed.as_slice());
        }
    }
}
