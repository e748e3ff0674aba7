//! Provisioning over HTTP. No TLS: what passes is public or sealed, and neither side believes the way it came.

use std::io::Read as _;
use std::time::Duration;

use ureq::Agent;

use super::{ANSWER_LEN_BYTES_MAX, ProvisionError, Provisioner, TIMEOUT_DEFAULT};
use crate::launch::outcome::printable;

/// A server that answers a POST of a request with the bundle, or with another status and the reason as text.
#[derive(Clone, Debug)]
pub struct Http {
    url: String,
    timeout: Duration,
}

/// Longest reason that is shown.
const REASON_LEN_BYTES_MAX: u64 = 4096;

/// A server that is there takes a connection soon.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

impl Http {
    /// Uses the server at this URL (`http://…`).
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            timeout: TIMEOUT_DEFAULT,
        }
    }

    /// Waits so long for the whole answer.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    fn agent(&self) -> Agent {
        Agent::config_builder()
            .timeout_global(Some(self.timeout))
            .timeout_connect(Some(CONNECT_TIMEOUT.min(self.timeout)))
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .build()
            .into()
    }

    fn failed(&self, error: &ureq::Error) -> ProvisionError {
        match error {
            ureq::Error::Timeout(_) => ProvisionError::Timeout {
                timeout: self.timeout,
                waiting: format!("waiting for {}", self.url),
            },
            error => ProvisionError::Http {
                url: self.url.clone(),
                reason: error.to_string(),
            },
        }
    }
}

impl Provisioner for Http {
    fn provision(&mut self, request: &[u8]) -> Result<Vec<u8>, ProvisionError> {
        if !self.url.starts_with("http://") {
            return Err(ProvisionError::Http {
                url: self.url.clone(),
                reason: "only http:// is spoken here; what passes needs no TLS".into(),
            });
        }
        let sent = self.agent().post(&self.url);
        let sent = sent.content_type("application/cbor").send(request);
        let mut answer = sent.map_err(|error| self.failed(&error))?;
        let status = answer.status();
        let body = answer.body_mut();
        if !status.is_success() {
            let mut reason = Vec::new();
            // What has come of it by then is shown.
            let _ = body
                .as_reader()
                .take(REASON_LEN_BYTES_MAX)
                .read_to_end(&mut reason);
            let reason = printable(String::from_utf8_lossy(&reason).trim());
            return Err(ProvisionError::Refused(format!("{reason} (HTTP {status})")));
        }
        let most = u64::try_from(ANSWER_LEN_BYTES_MAX).unwrap_or(u64::MAX);
        if body.content_length().is_some_and(|len| len > most) {
            return Err(ProvisionError::TooLong);
        }
        match body.with_config().limit(most).read_to_vec() {
            Ok(bundle) => Ok(bundle),
            Err(ureq::Error::BodyExceedsLimit(_)) => Err(ProvisionError::TooLong),
            Err(error) => Err(self.failed(&error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::net::TcpListener;
    use std::thread::{self, JoinHandle};

    use super::*;

    /// A server for one request, which it returns with everything around it.
    fn server(answer: &'static [u8]) -> (Http, JoinHandle<Vec<u8>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let served = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut seen = Vec::new();
            while !seen.ends_with(b"the request") {
                let mut more = [0; 1024];
                let len = stream.read(&mut more).unwrap();
                assert_ne!(len, 0, "the request is cut short");
                seen.extend(&more[..len]);
            }
            stream.write_all(answer).unwrap();
            seen
        });
        (Http::new(url), served)
    }

    fn ask(answer: &'static [u8]) -> Result<Vec<u8>, ProvisionError> {
        let (mut http, served) = server(answer);
        let brought = http.provision(b"the request");
        let seen = served.join().unwrap();
        assert!(seen.starts_with(b"POST / HTTP/1.1\r\n"));
        brought
    }

    #[test]
    fn the_body_of_a_good_answer_is_the_bundle() {
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nbundle";
        assert_eq!(ask(answer).unwrap(), b"bundle");
    }

    #[test]
    fn the_reason_of_a_refusal_is_told_without_control_characters() {
        let answer = b"HTTP/1.1 403 Forbidden\r\ncontent-length: 14\r\n\r\nnot you\x1b[31m.\n";
        let error = ask(answer).unwrap_err().to_string();
        assert!(
            error.starts_with("the provisioner refuses: not you"),
            "{error}"
        );
        assert!(!error.contains('\x1b'), "{error}");
    }

    #[test]
    fn an_answer_that_is_cut_short_or_leads_elsewhere_is_no_bundle() {
        let cut = b"HTTP/1.1 200 OK\r\ncontent-length: 60\r\n\r\nbundle";
        ask(cut).unwrap_err();
        let moved =
            b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
        assert!(matches!(ask(moved), Err(ProvisionError::Refused(_))));
    }

    #[test]
    fn an_answer_that_says_to_be_too_long_is_not_read() {
        let long = b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\nbundle";
        assert!(matches!(ask(long), Err(ProvisionError::TooLong)));
    }

    #[test]
    fn a_server_that_is_not_there_or_silent_is_told_apart() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let mut silent = Http::new(&url).timeout(Duration::from_millis(50));
        let error = silent.provision(b"the request").unwrap_err();
        assert!(matches!(error, ProvisionError::Timeout { .. }), "{error}");
        drop(listener);
        let error = Http::new(&url).provision(b"the request").unwrap_err();
        assert!(error.to_string().starts_with(&url), "{error}");
        let error = Http::new("https://x/").provision(b"x").unwrap_err();
        assert!(error.to_string().contains("needs no TLS"), "{error}");
    }
}
