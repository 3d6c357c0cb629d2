//! A relay of real UDP packets that gives a link between nodes delay, rate and loss. Not a simulation:
//! here alone netsim touches real sockets and real time.
//!
//! Start at `scenario` (what a link is told; `load` also makes it of a planner's), then `way` (what becomes of a packet, decided by
//! [`crate::link::datagram`] with the clock passed in), `link` (sockets), `worker` (the thread that
//! drives them). [`self_test`] measures whether the relay keeps what it promises.

mod flows;
mod interrupt;
mod link;
pub mod load;
pub mod planned;
pub mod scenario;
pub mod self_test;
mod socket;
mod statistics;
mod way;
mod worker;

use std::{
    io,
    net::SocketAddr,
    os::{fd::AsFd as _, unix::net::UnixStream},
    thread::{self, JoinHandle},
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
};

pub use self::{
    interrupt::Interrupt,
    statistics::{LinkStatistics, Statistics, WayStatistics},
};
use self::{link::RelayedLink, scenario::Scenario, worker::Worker};

/// A relay at work. Dropping it ends its thread, without statistics.
#[derive(Debug)]
pub struct Relay {
    addresses: Vec<SocketAddr>,
    /// Closed by either side when it ends.
    stop: UnixStream,
    thread: JoinHandle<io::Result<Statistics>>,
}

/// Why there is no relay.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A link cannot listen.
    #[error("link {name} cannot listen on {listen}")]
    Listen {
        /// Its name.
        name: String,
        /// Where it should.
        listen: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The system refuses what every relay needs.
    #[error("the system gives the relay no thread, timer or poll")]
    System(#[from] io::Error),
}

/// Why a relay did not go on, or has no statistics.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RelayError {
    /// The system refused what it had given.
    #[error("the relay stopped by itself")]
    Stopped(#[from] io::Error),
}

impl Relay {
    /// Opens the links of a scenario and relays on a thread of its own.
    ///
    /// # Errors
    /// [`StartError`]; then nothing listens.
    pub fn start(scenario: &Scenario) -> Result<Self, StartError> {
        let open =
            |(index, section): (usize, &scenario::LinkSection)| {
                let (name, listen) = (&section.name, section.listen);
                RelayedLink::open(section, scenario.seed, index)
                    .map_err(|source| StartError::Listen { name: name.clone(), listen, source })
            };
        let links = scenario.links.iter().enumerate().map(open).collect::<Result<Vec<_>, _>>()?;
        let addresses = links.iter().map(RelayedLink::address).collect();
        let (stop, stopped) = UnixStream::pair()?;
        let worker = Worker::new(links, stopped)?;
        let thread = thread::Builder::new().name("relay".into()).spawn(|| worker.run())?;
        Ok(Self { addresses, stop, thread })
    }

    /// Where the links listen, in the order of the scenario.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Waits for Ctrl-C, or for the relay to fail, which [`Relay::stop`] then tells.
    ///
    /// # Errors
    /// The system does not let the process wait.
    pub fn wait(&self, interrupt: &Interrupt) -> io::Result<()> {
        let mut ends =
            [interrupt.as_fd(), self.stop.as_fd()].map(|end| PollFd::new(end, PollFlags::POLLIN));
        loop {
            match poll(&mut ends, PollTimeout::NONE) {
                Ok(_) => return Ok(()),
                Err(Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Ends the relay. What had come by now is counted, what was under way is not delivered.
    ///
    /// # Errors
    /// [`RelayError::Stopped`]: it had failed before.
    ///
    /// # Panics
    /// If the relay's thread did.
    pub fn stop(self) -> Result<Statistics, RelayError> {
        drop(self.stop);
        Ok(self.thread.join().expect("the relay's thread does not panic")?)
    }
}

#[cfg(test)]
mod tests;
