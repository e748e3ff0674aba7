//! The server: a POST of a request is answered with the bundle, or with why not.
//!
//! It speaks plain HTTP, since nothing that passes needs more, and believes nothing but evidence. It is small on purpose: what
//! keeps the wide world from keeping it busy belongs in front of it.

use std::collections::HashSet;
use std::io::{Cursor, Read as _};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::thread;

use anyhow::{Result, anyhow};
use clap::Args;
use tiny_http::{Method, Response, Server};
use twine_attest::evidence::Request;
use twine_attest::evidence::limits::REQUEST_LEN_BYTES_MAX;

use super::Given;
use super::answer::{Answer, Provisioner};
use crate::exit;

/// Answer requests over HTTP, one bundle for each
#[derive(Args, Debug)]
#[command(after_help = exit::PROVISION_HELP)]
pub(super) struct Arguments {
    /// Where to listen; port 0 takes a free one, which is printed
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    #[command(flatten)]
    given: Given,
}

/// Requests that are answered at the same time. One whose sender falls silent keeps one of them busy.
const WORKERS: usize = 8;

/// Answered requests that are remembered, 32 bytes each. When they are used up the server has to be started again.
const ANSWERED_MAX: usize = 1 << 20;

impl Arguments {
    pub(super) fn run(&self) -> Result<ExitCode> {
        let provisioner = Provisioner::new(&self.given)?;
        let server =
            Server::http(self.listen).map_err(|error| anyhow!("{}: {error}", self.listen))?;
        let desk = Desk {
            provisioner,
            answered: Mutex::default(),
        };
        log::warn!("answering requests at http://{}/", server.server_addr());
        thread::scope(|scope| {
            for _ in 0..WORKERS {
                scope.spawn(|| desk.work(&server));
            }
        });
        Ok(ExitCode::SUCCESS)
    }
}

/// Where requests are answered.
struct Desk {
    provisioner: Provisioner,
    /// Hashes of the requests that were answered with a bundle.
    answered: Mutex<HashSet<[u8; 32]>>,
}

impl Desk {
    fn work(&self, server: &Server) {
        for mut request in server.incoming_requests() {
            let from = request
                .remote_addr()
                .map_or_else(|| "?".into(), ToString::to_string);
            let (status, body) = self.answer(&mut request, &from);
            let length = body.len();
            let response = Response::new(
                status.into(),
                Vec::new(),
                Cursor::new(body),
                Some(length),
                None,
            );
            if let Err(error) = request.respond(response) {
                log::warn!("{from}: went away before the answer: {error}");
            }
        }
    }

    fn answer(&self, request: &mut tiny_http::Request, from: &str) -> (u16, Vec<u8>) {
        let refuse = |status: u16, why: &str| {
            log::warn!("{from}: refused: {}", why.replace('\n', " "));
            (status, why.as_bytes().to_vec())
        };
        if *request.method() != Method::Post {
            return refuse(405, "a request comes by POST");
        }
        let mut bytes = Vec::new();
        let most = u64::try_from(REQUEST_LEN_BYTES_MAX).unwrap_or(u64::MAX);
        let read = request.as_reader().take(most + 1).read_to_end(&mut bytes);
        if let Err(error) = read {
            return refuse(400, &format!("the request was cut short: {error}"));
        }
        if bytes.len() > REQUEST_LEN_BYTES_MAX {
            return refuse(413, "no request is that long");
        }
        if !self.take(&bytes) {
            return refuse(
                409,
                "this request has been answered, and each gets one bundle; launch anew",
            );
        }
        match self.provisioner.answer(&bytes) {
            Ok(Answer::Bundle { bundle, verdict }) => {
                log::warn!(
                    "{from}: gave a bundle of {} bytes to:\n{verdict}",
                    bundle.len()
                );
                (200, bundle)
            }
            Ok(Answer::Refused { verdict }) => {
                self.give_back(&bytes);
                refuse(403, &verdict)
            }
            Err(error) => {
                self.give_back(&bytes);
                refuse(400, &format!("{error:#}"))
            }
        }
    }

    /// Notes the request as answered; `false` if it was.
    fn take(&self, request: &[u8]) -> bool {
        let mut answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        answered.len() < ANSWERED_MAX && answered.insert(Request::hash(request))
    }

    fn give_back(&self, request: &[u8]) {
        let mut answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        answered.remove(&Request::hash(request));
    }
}
