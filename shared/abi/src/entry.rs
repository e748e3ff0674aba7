//! The numbers that registers carry when a thread goes in and comes out. The [crate] documentation has the tables.
//!
//! An exchange area belongs to one call: the address given with [`Entry::Call`] is checked once and stays in force until
//! that call is done.

/// Why the host enters a thread that is not in the middle of an exception.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u64)]
pub enum Entry {
    /// Begin a [`Call`] on an idle thread.
    Call = 0,
    /// The host call that this thread left for has been served.
    Return = 1,
}

/// What the host says about the asynchronous exit that it enters for (CSSA = 1).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u64)]
pub enum Event {
    /// The processor reported an exception; the SSA frame tells which.
    Exception = 0,
    /// Stop the guest: its time is up. Granted only while the thread runs the guest's own code.
    Stop = 1,
}

/// Work an idle thread can be asked to do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u64)]
pub enum Call {
    /// Relocate the image and seal its constants. Once, before everything else.
    Initialise = 1,
    /// Check the launch document and the module, and run the guest. Once.
    Launch = 2,
    /// Do nothing and come back: what a bare transition costs.
    Ping = 3,
    /// Make one empty host call ([`crate::exchange::HostCall::Yield`]) for every unit in the exchange area's first
    /// argument, and come back: what a host call costs. At most [`ECHO_MAX`].
    Echo = 4,
}

/// Most host calls that one [`Call::Echo`] makes.
pub const ECHO_MAX: u64 = 1 << 24;

/// Why the enclave left.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u64)]
pub enum Exit {
    /// The call is done; RSI holds a [`Status`]. The thread is idle again.
    Done = 0,
    /// The exchange area holds a host call. Answer it and enter with [`Entry::Return`].
    HostCall = 1,
    /// The exception has been dealt with. Continue with ERESUME.
    Resume = 2,
    /// The enclave has killed itself and refuses every entry from now on.
    Dead = 3,
    /// The entry did not fit the thread's state and changed nothing. RSI holds a [`Status`].
    Refused = 4,
}

/// How a call ended, or why an entry was refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u64)]
pub enum Status {
    /// All went well. After [`Call::Launch`] the exchange area holds an [`crate::outcome`].
    Ok = 0,
    /// No such call number.
    UnknownCall = 1,
    /// The thread or the enclave is not in a state for this, or there is no such entry code.
    WrongState = 2,
    /// The exchange area lies inside the enclave, wraps around, or is misaligned.
    BadExchange = 3,
    /// The stop was not granted now: the thread is not in guest code. Resume and ask again.
    NotNow = 4,
}

macro_rules! try_from_u64 {
    ($($type:ident: $($variant:ident),+;)+) => {$(
        impl TryFrom<u64> for $type {
            type Error = u64;

            /// Returns the number itself if it names nothing.
            fn try_from(number: u64) -> Result<Self, u64> {
                $(if number == Self::$variant as u64 { return Ok(Self::$variant); })+
                Err(number)
            }
        }
    )+};
}

try_from_u64! {
    Entry: Call, Return;
    Event: Exception, Stop;
    Call: Initialise, Launch, Ping, Echo;
    Exit: Done, HostCall, Resume, Dead, Refused;
    Status: Ok, UnknownCall, WrongState, BadExchange, NotNow;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_names_itself_and_no_other_is_accepted() {
        for number in 0..64 {
            assert_eq!(
                Exit::try_from(number).map_or_else(|n| n, |exit| exit as u64),
                number
            );
            assert_eq!(
                Call::try_from(number).map_or_else(|n| n, |call| call as u64),
                number
            );
            assert_eq!(
                Status::try_from(number).map_or_else(|n| n, |status| status as u64),
                number
            );
        }
        assert_eq!(Call::try_from(0), Err(0));
        assert_eq!(Exit::try_from(5), Err(5));
        assert_eq!(Entry::try_from(u64::MAX), Err(u64::MAX));
    }
}
