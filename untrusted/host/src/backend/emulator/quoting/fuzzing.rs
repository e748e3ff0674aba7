//! What must hold whatever a client asks the simulated quoting service.

use std::sync::OnceLock;

use prost::Message as _;

use crate::backend::emulator::model::{PlatformSecret, Processor};
use crate::quote::aesm::message::Request;

use super::server::Server;

/// Any request is answered: with a refusal, or with what was asked for. There is no quote, because nobody can guess the
/// code that authenticates a report.
pub(crate) fn answers(bytes: &[u8]) {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    let processor = || Processor::new(PlatformSecret::new([1; 32]), [1; 32]);
    let server = SERVER.get_or_init(|| Server::new(&processor()).ok());
    let (Some(server), Ok(request)) = (server, Request::decode(bytes)) else {
        return;
    };
    let answer = server.answer(request);
    let quote = answer.get_quote_ex.and_then(|answer| answer.quote);
    assert!(quote.is_none(), "a quote of what is no report");
}
