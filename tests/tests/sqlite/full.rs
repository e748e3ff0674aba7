//! A disk that is full in the middle of a transaction, memory that is used up: SQLite takes the transaction back and goes on.

use twine::Input;
use twine::Outcome;
use twine::abi::exchange::{Header, HostCall, HostErrno};
use twine::document::Limits;
use twine::serve::Services;
use twine_guests::sqlite::Program;
use twine_tests::run::text;

use super::shell::{VFS, Volume};

/// A host whose disk has no room for a volume of more than this many blocks.
struct SmallDisk {
    honest: Box<dyn Services>,
    blocks: u64,
}

impl Services for SmallDisk {
    fn serve(&mut self, header: &Header, payload: &mut [u8]) -> i64 {
        let resizes = HostCall::try_from(header.op).is_ok_and(|call| call == HostCall::StoreResize);
        if resizes && header.args[1] > self.blocks {
            return -(HostErrno::NoSpace as i64);
        }
        self.honest.serve(header, payload)
    }
}

#[test]
fn a_full_disk_costs_the_transaction_and_nothing_else() {
    const SCRIPT: &str = "
CREATE TABLE t(n INTEGER PRIMARY KEY, filler);
INSERT INTO t WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 100) SELECT i, zeroblob(100) FROM n;
BEGIN;
INSERT INTO t VALUES (1000, 'kept');
COMMIT;
BEGIN;
UPDATE t SET filler = 'lost';
INSERT INTO t WITH RECURSIVE n(i) AS (VALUES (2001) UNION ALL SELECT i + 1 FROM n WHERE i < 9000) SELECT i, randomblob(3000) FROM n;
COMMIT;
ROLLBACK;
SELECT count(*), sum(filler = 'lost'), sum(filler = 'kept') FROM t;
PRAGMA integrity_check;
DELETE FROM t WHERE n <= 50;
INSERT INTO t VALUES (1001, 'after');
SELECT count(*) FROM t;
PRAGMA integrity_check;
";
    // With a cache that holds the transaction, the disk fills up at its end; with a small one, in its middle.
    for (vfs, cache) in VFS.iter().flat_map(|vfs| [(vfs, -100_000), (vfs, 20)]) {
        let volume = Volume::new();
        let arguments = ["-batch", "-vfs", vfs, "main.db"];
        let script = format!("PRAGMA cache_size = {cache};{SCRIPT}");
        let ran = volume.run_with(Program::Shell, &arguments, Input::bytes(script), |launch| {
            launch.services(|honest| {
                Box::new(SmallDisk {
                    honest,
                    blocks: 2048,
                })
            })
        });
        let (output, errors) = (text(&ran.output), text(&ran.errors));
        assert_eq!(output, "101|0|1\nok\n52\nok\n", "{vfs} {cache}: {errors}");
        assert!(
            errors.contains("database or disk is full (13)"),
            "{vfs} {cache}: {errors}"
        );
        assert_eq!(ran.outcome.unwrap(), Outcome::Exited { code: 1 });
        assert_eq!(
            volume.query("SELECT count(*), sum(filler = 'after') FROM t; PRAGMA integrity_check;"),
            "52|1\nok\n"
        );
    }
}

#[test]
fn used_up_memory_costs_the_statement_and_nothing_else() {
    const SCRIPT: &str = "
CREATE TABLE t(n, filler);
BEGIN;
INSERT INTO t VALUES (1, 'kept');
INSERT INTO t WITH RECURSIVE n(i) AS (VALUES (2) UNION ALL SELECT i + 1 FROM n WHERE i < 300)
  SELECT i, group_concat(hex(zeroblob(100000))) OVER (ORDER BY i) FROM n;
COMMIT;
SELECT count(*), max(filler) FROM t;
SELECT length(hex(zeroblob(1000000)));
PRAGMA integrity_check;
";
    for vfs in VFS {
        let volume = Volume::new();
        let arguments = ["-batch", "-vfs", vfs, "main.db"];
        let ran = volume.run_with(Program::Shell, &arguments, Input::bytes(SCRIPT), |launch| {
            let limits = Limits {
                memory_bytes: 16 << 20,
                ..Limits::default()
            };
            launch.limits(limits).unwrap()
        });
        let (output, errors) = (text(&ran.output), text(&ran.errors));
        assert_eq!(output, "1|kept\n2000000\nok\n", "{vfs}: {errors}");
        assert!(errors.contains("out of memory (7)"), "{vfs}: {errors}");
        assert_eq!(ran.outcome.unwrap(), Outcome::Exited { code: 1 }, "{vfs}");
    }
}
