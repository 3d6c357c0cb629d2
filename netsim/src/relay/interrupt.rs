//! Ctrl-C as something to wait for. Not what it ends.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
};

use nix::sys::{
    signal::{SigSet, Signal},
    signalfd::{SfdFlags, SignalFd},
};

/// SIGINT and SIGTERM, kept from ending the process.
#[derive(Debug)]
pub struct Interrupt(SignalFd);

impl Interrupt {
    /// Takes the signals over. Call it before the process has threads: those that run do not heed it.
    ///
    /// # Errors
    /// The system lets the process wait for no signal.
    pub fn take() -> io::Result<Self> {
        let mut signals = SigSet::empty();
        signals.add(Signal::SIGINT);
        signals.add(Signal::SIGTERM);
        signals.thread_block()?;
        Ok(Self(SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC)?))
    }
}

impl AsFd for Interrupt {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
