//! A disk that may lose power: what is durable, what is not, and every image that a crash could leave.

use std::{collections::BTreeMap, sync::Arc};

use twine_fs::{Error, Range, Store, store::testing::Event};

use crate::{BLOCK, support::Random};

const SECTOR: usize = 512;

/// An image as layers over a shared base: a crash changes few sectors of it.
#[derive(Clone)]
pub(crate) struct Image {
    base: Arc<Vec<u8>>,
    sectors: BTreeMap<usize, Arc<[u8]>>,
    len: usize,
}

impl Image {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        Self {
            base: Arc::new(bytes.to_vec()),
            sectors: BTreeMap::new(),
            len: bytes.len(),
        }
    }

    pub(crate) fn apply(&mut self, event: &Event, kept: impl Fn(usize) -> bool) {
        match event {
            Event::Write(first, data) => {
                let start = *first as usize * (BLOCK / SECTOR);
                for (number, sector) in data
                    .chunks(SECTOR)
                    .enumerate()
                    .filter(|(number, _)| kept(*number))
                {
                    self.sectors.insert(start + number, sector.into());
                    self.len = self.len.max((start + number + 1) * SECTOR);
                }
            }
            Event::Resize(blocks) if kept(0) => {
                self.len = *blocks as usize * BLOCK;
                self.sectors.split_off(&(self.len / SECTOR));
            }
            Event::Resize(_) | Event::Flush | Event::Note(_) => {}
        }
    }

    pub(crate) fn flatten(&self) -> Vec<u8> {
        let mut bytes = self.base.to_vec();
        bytes.resize(self.len, 0);
        for (number, sector) in &self.sectors {
            bytes[number * SECTOR..][..SECTOR].copy_from_slice(sector);
        }
        bytes
    }
}

impl Store for Image {
    fn read(&self, first: u64, into: &mut [u8]) -> Result<(), Error> {
        let start = first as usize * BLOCK;
        if start + into.len() > self.len {
            return Err(Error::Host(22));
        }
        let under = self.base.get(start..).unwrap_or_default();
        let under = &under[..under.len().min(into.len())];
        into[..under.len()].copy_from_slice(under);
        into[under.len()..].fill(0);
        let range = start / SECTOR..(start + into.len()) / SECTOR;
        for (number, sector) in self.sectors.range(range) {
            into[number * SECTOR - start..][..SECTOR].copy_from_slice(sector);
        }
        Ok(())
    }

    fn write(&self, _: &[Range<'_>]) -> Result<(), Error> {
        panic!("a read-only mount writes nothing")
    }

    fn flush(&self) -> Result<(), Error> {
        panic!("a read-only mount writes nothing")
    }

    fn size(&self) -> Result<u64, Error> {
        Ok((self.len / BLOCK) as u64)
    }

    fn resize(&self, _: u64) -> Result<(), Error> {
        panic!("a read-only mount writes nothing")
    }
}

/// The disk during a replay of the trace: what is durable, and what may or may not be.
pub(crate) struct Disk {
    durable: Image,
    pub(crate) volatile: Vec<Event>,
}

impl Disk {
    pub(crate) fn new(start: &[u8]) -> Self {
        Self {
            durable: Image::new(start),
            volatile: Vec::new(),
        }
    }

    pub(crate) fn flush(&mut self) {
        for event in self.volatile.drain(..) {
            self.durable.apply(&event, |_| true);
        }
        if self.durable.sectors.len() > 512 {
            self.durable = Image::new(&self.durable.flatten());
        }
    }

    /// What a crash may leave: all volatile writes up to some point, or a random choice of their sectors.
    pub(crate) fn images(&self, random: &mut Random, choices: usize) -> Vec<Image> {
        let mut images = vec![self.durable.clone()];
        let mut image = self.durable.clone();
        for event in &self.volatile {
            image.apply(event, |_| true);
            images.push(image.clone());
        }
        for choice in 0..choices {
            let mut image = self.durable.clone();
            let torn = random.below(self.volatile.len().max(1) as u64) as usize;
            for (number, event) in self.volatile.iter().enumerate() {
                let seed = random.next();
                match choice % 3 {
                    // One write is torn, the others arrived.
                    0 => image.apply(event, |sector| {
                        number != torn || (seed >> (sector % 64)) & 1 == 1
                    }),
                    // Some writes arrived, in whatever order, the others not at all.
                    1 => image.apply(event, |_| seed & 1 == 1),
                    // Any sector of any write.
                    _ => image.apply(event, |sector| (seed >> (sector % 64)) & 1 == 1),
                }
            }
            images.push(image);
        }
        images
    }
}
