//! HTTP for fetching collateral: TLS with the certificates that this machine trusts.

use std::sync::Arc;
use std::time::Duration;

use twine_attest::limits::COLLATERAL_LEN_BYTES_MAX;
use twine_attest::pccs::{Response, Transport};
use ureq::Agent;
use ureq::tls::{RootCerts, TlsConfig};

/// Longest wait for one document.
const TIMEOUT: Duration = Duration::from_secs(30);

pub(super) struct Https(Agent);

impl Https {
    /// For the service at `url`. Without TLS only if that is how the service was named, which a policy allows only for this
    /// machine.
    pub(super) fn new(url: &str) -> Self {
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::PlatformVerifier)
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .build();
        let plain = url.starts_with("http://");
        let mut config = Agent::config_builder()
            .tls_config(tls)
            .https_only(!plain)
            .http_status_as_error(false)
            // To where the verifier has not pointed, nothing is followed.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(TIMEOUT));
        if plain {
            config = config.proxy(None);
        }
        Self(config.build().into())
    }
}

impl Transport for Https {
    fn get(&self, url: &str) -> Result<Response, String> {
        let tell = |error: ureq::Error| error.to_string();
        let mut response = self.0.get(url).call().map_err(tell)?;
        let limit = u64::try_from(COLLATERAL_LEN_BYTES_MAX).unwrap_or(u64::MAX);
        let body = response.body_mut().with_config().limit(limit).read_to_vec();
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        Ok(Response {
            status: response.status().as_u16(),
            header: response
                .headers()
                .iter()
                .map(|(name, value)| (name.to_string(), text(value.as_bytes())))
                .collect(),
            body: body.map_err(tell)?,
        })
    }
}
