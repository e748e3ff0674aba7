//! What stands around a processor so that others can believe it: the quoting enclave, the service that keeps it, the
//! maker's keys, and the collateral that the maker publishes. All of it simulated.
//!
//! ```text
//!   Aesm (the client for real machines) ══ socket pair ══ server ──► QuotingEnclave ──► EGETKEY, EREPORT of the model
//!                                                                        │
//!   whoever verifies ◄── root, collateral ◄── SimulatedPlatform ◄── Pki ─┘
//! ```
//!
//! It works as the real thing does, so that the code that meets it is the code that meets the real thing; and whatever
//! it signs says that it is simulated. The keys are the user's own: they are derived from the emulated processor's secret.
//! Whoever has that file can sign whatever they like.

mod certificate;
mod collateral;
mod enclave;
pub(crate) mod fuzzing;
mod pki;
mod server;

#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::thread;

use sha2::{Digest as _, Sha256};

pub use collateral::{Collateral, Revoked, TcbStatus};

use crate::quote::aesm::{self, Aesm};
use crate::quote::{QuoteError, QuoteSource};
use crate::state::Directories;

use super::model::{PlatformSecret, Processor};
use super::secret;

use pki::Pki;
use server::Server;

/// What vouches for one user's emulator, as Intel vouches for processors: for whoever is to verify simulated evidence.
///
/// # Example
///
/// ```
/// use twine::backend::emulator::{Collateral, SimulatedPlatform};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let home = tempfile::tempdir()?;
/// # let directories = twine::state::Directories::below(home.path());
/// let platform = SimulatedPlatform::of(&directories)?;
/// // What a policy has to name before it accepts anything that this emulator says.
/// println!("{}", platform.root_sha256());
/// // The JSON that `twine verify --collateral` reads.
/// let collateral = platform.collateral(&Collateral::now())?;
/// # assert!(collateral.contains("53494D000000"));
/// # Ok(())
/// # }
/// ```
pub struct SimulatedPlatform {
    pki: Pki,
}

impl SimulatedPlatform {
    /// That of the user whose directories these are.
    ///
    /// # Errors
    /// [`QuoteError::Simulated`] if the emulator's secret cannot be made or read.
    pub fn of(directories: &Directories) -> Result<Self, QuoteError> {
        Self::load(&directories.emulator_secret().map_err(simulated)?)
    }

    /// That of the emulator with this secret file, which is made if it is not there.
    ///
    /// # Errors
    /// As [`SimulatedPlatform::of`].
    pub fn load(path: &Path) -> Result<Self, QuoteError> {
        let secret = secret::load_or_create(path).map_err(simulated)?;
        Self::with(&secret)
    }

    fn with(secret: &PlatformSecret) -> Result<Self, QuoteError> {
        Ok(Self {
            pki: Pki::derive(secret)?,
        })
    }

    /// The root certificate, DER.
    #[must_use]
    pub fn root(&self) -> &[u8] {
        self.pki.root.der()
    }

    /// The SHA-256 of the root certificate, as 64 hexadecimal digits. A policy that is to accept simulated evidence names it.
    #[must_use]
    pub fn root_sha256(&self) -> String {
        hexadecimal(&Sha256::digest(self.root()))
    }

    /// Collateral in the form that verifiers of quotes read (`QuoteCollateralV3`, JSON).
    ///
    /// # Errors
    /// [`QuoteError::Simulated`] if it asks for times before 1970 or after 9999.
    pub fn collateral(&self, collateral: &Collateral) -> Result<String, QuoteError> {
        collateral::issue(&self.pki, collateral)
    }
}

impl fmt::Debug for SimulatedPlatform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimulatedPlatform")
            .field("root_sha256", &self.root_sha256())
            .finish_non_exhaustive()
    }
}

/// The quoting service of an emulated processor, behind AESM's protocol. Its keys are derived when it is first asked.
pub(super) fn source(processor: &Processor) -> Arc<dyn QuoteSource> {
    let processor = processor.clone();
    let server = OnceLock::new();
    Arc::new(Aesm::behind(Box::new(move || {
        let server: &Arc<Server> = match server.get() {
            Some(server) => server,
            None => {
                let new = Arc::new(Server::new(&processor)?);
                server.get_or_init(|| new)
            }
        };
        connect(Arc::clone(server))
            .and_then(|stream| aesm::patient(stream, aesm::PATIENCE))
            .map_err(simulated)
    })))
}

/// One end of a pair of sockets; at the other one the server answers one request.
fn connect(server: Arc<Server>) -> io::Result<UnixStream> {
    let (ours, theirs) = UnixStream::pair()?;
    thread::Builder::new()
        .name("simulated aesm".into())
        .spawn(move || {
            // The client notices that there is no answer, and says so.
            if let Err(error) = server.serve(theirs) {
                log::debug!("the emulator's quoting service: {error}");
            }
        })?;
    Ok(ours)
}

fn simulated(error: impl fmt::Display) -> QuoteError {
    QuoteError::Simulated(error.to_string())
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
