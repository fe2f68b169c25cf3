//! The server's threads: one that accepts, one for each connection.

use std::io::{self, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::net::Shutdown;
use stiefel_core::nbd::ExportName;
use stiefel_core::nbd::negotiation::{Negotiation, Opening};
use stiefel_core::nbd::strands::{ROLL_BYTES, Roll};
use stiefel_linux::memory;

use super::handshake::negotiate;
use super::opened::Disk;
use super::session::Session;
use super::sessions::{Link, Sessions};
use super::socket::{prepare, send_all};
use super::stats::{Counters, Stats, add};
use super::work::Work;
use super::{Denied, Gate, SessionInfo, transmission};

/// How long to wait for somebody to leave when the system has no room for one more connection.
const NO_ROOM_PAUSE: Duration = Duration::from_secs(1);

/// A running disk service. Dropping it is [`Server::hang_up`].
pub struct Server {
    house: Arc<House>,
    listener: Arc<TcpListener>,
    accepting: Option<JoinHandle<()>>,
}

/// What all sessions have in common.
struct House {
    disk: Arc<Disk>,
    gate: Arc<dyn Gate>,
    sessions: Arc<Sessions>,
    counters: Arc<Counters>,
    work: Work,
}

impl Server {
    /// Serves `disk` to those whom `gate` lets in. A disk has one server: the one
    /// before is hung up, and nobody is let in until it is drained. From now on this
    /// program gives freed memory back early ([`stiefel_linux::memory`]).
    ///
    /// # Errors
    /// When the system has no more threads.
    pub fn start(listener: TcpListener, disk: Arc<Disk>, gate: Arc<dyn Gate>) -> io::Result<Self> {
        // A thread of our own waits for connections; one that looks again and again would let
        // each of them wait for a while.
        listener.set_nonblocking(false)?;
        memory::give_back_early();
        let work = Work::start(&disk)?;
        let sessions = disk.hand_over();
        let house = Arc::new(House {
            disk,
            gate,
            sessions,
            counters: Arc::default(),
            work,
        });
        let listener = Arc::new(listener);
        let accepting = {
            let (house, listener) = (Arc::clone(&house), Arc::clone(&listener));
            thread::Builder::new()
                .name("disk-accept".into())
                .spawn(move || accept(&house, listener))?
        };
        Ok(Self {
            house,
            listener,
            accepting: Some(accepting),
        })
    }

    /// Cuts all connections and takes no more. Does not wait: each session that was
    /// let in still drains what it has begun, and then goes out through
    /// [`Gate::closed`].
    pub fn hang_up(&self) {
        self.house.sessions.close();
        // Wakes the thread that accepts. An error means that it has ended already.
        let _ = rustix::net::shutdown(&*self.listener, Shutdown::Both);
    }

    /// Hangs up, and returns when everything is drained and all threads have ended.
    /// A gate must not wait for the thread that calls this.
    pub fn close(mut self) {
        self.hang_up();
        if let Some(accepting) = self.accepting.take() {
            // A thread that panicked has said so already.
            let _ = accepting.join();
        }
    }

    /// What has been done so far.
    pub fn stats(&self) -> Stats {
        self.house.counters.stats()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.hang_up();
    }
}

/// Accepts until the house is closed, then waits for all connections' threads.
fn accept(house: &Arc<House>, listener: Arc<TcpListener>) {
    let mut threads: Vec<JoinHandle<()>> = Vec::new();
    loop {
        let accepted = listener.accept();
        if house.sessions.is_closed() {
            break;
        }
        let (ended, running) = threads.into_iter().partition(JoinHandle::is_finished);
        threads = running;
        join(ended);
        match accepted {
            Ok((socket, peer)) => threads.extend(receive(house, socket, peer)),
            Err(error) if gone_before_accepted(&error) => {}
            Err(_) => house.sessions.wait_for_room(NO_ROOM_PAUSE),
        }
    }
    drop(listener);
    join(threads);
}

fn join(threads: Vec<JoinHandle<()>>) {
    for thread in threads {
        // A thread that panicked has said so already.
        let _ = thread.join();
    }
}

fn gone_before_accepted(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted
    )
}

/// Gives a connection its thread; without one, or without room, it is dropped.
fn receive(house: &Arc<House>, socket: TcpStream, peer: SocketAddr) -> Option<JoinHandle<()>> {
    prepare(&socket).ok()?;
    let connection = Connection {
        link: house.sessions.admit(socket, peer)?,
        house: Arc::clone(house),
    };
    thread::Builder::new()
        .name("disk-session".into())
        .spawn(move || connection.run())
        .ok()
}

/// A connection from its arrival to its end, however it ends.
struct Connection {
    link: Arc<Link>,
    house: Arc<House>,
}

impl Connection {
    fn run(&self) {
        let socket = &self.link.socket;
        if let Ok(Some((negotiation, opening))) = negotiate(socket, self.house.disk.export()) {
            // Whatever ended the session, it is over; nobody is left to be told.
            let _ = self.open(&negotiation, &opening);
        }
    }

    fn open(&self, negotiation: &Negotiation, opening: &Opening) -> io::Result<()> {
        let House {
            disk,
            gate,
            sessions,
            counters,
            work,
        } = &*self.house;
        let info = SessionInfo {
            id: self.link.id,
            peer: self.link.peer,
            slot: opening.export.slot(),
        };
        if let Err(denied) = gate.open(&info) {
            return self.deny(negotiation, opening, &denied);
        }
        let strand = match opening.export {
            ExportName::Strand(strand) => Some((strand, Arc::clone(sessions))),
            ExportName::Disk | ExportName::Slot(_) | ExportName::Watch => None,
        };
        let serial = strand.as_ref().map(|(strand, _)| strand.serial);
        let (opened, agreed) = negotiation.grant(opening, disk.export());
        let session = Session::new(
            Arc::clone(&self.link),
            Arc::clone(disk),
            agreed,
            Arc::clone(counters),
            strand,
        );
        let _open = Open {
            gate: &**gate,
            info,
            session: &session,
        };
        sessions.wait_for_predecessors();
        if opening.export == ExportName::Watch {
            send_all(&self.link.socket, &opened, false)?;
            return watch(sessions, &self.link);
        }
        if let Some(slot) = info.slot
            && !sessions.take(slot, serial, &self.link)
        {
            let reason = "a newer connection has this slot".into();
            return self.deny(negotiation, opening, &Denied { reason });
        }
        add(&counters.sessions, 1);
        send_all(&self.link.socket, &opened, false)?;
        let outcome = transmission::serve(&session, work);
        if outcome.is_err() {
            // Nobody shall wait for a client that is gone or out of step.
            self.link.cut();
        }
        outcome
    }

    fn deny(
        &self,
        negotiation: &Negotiation,
        opening: &Opening,
        denied: &Denied,
    ) -> io::Result<()> {
        match negotiation.deny(opening, &denied.reason) {
            Some(bytes) => send_all(&self.link.socket, &bytes, false),
            None => Ok(()),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.house.sessions.leave(self.link.id);
    }
}

/// Takes the answers to the calls of the roll, until the client leaves.
fn watch(sessions: &Sessions, link: &Link) -> io::Result<()> {
    let mut bytes = [0; ROLL_BYTES];
    let mut socket = &link.socket;
    if sessions.watch(link) {
        loop {
            socket.read_exact(&mut bytes)?;
            sessions.answered(Roll::parse(&bytes));
        }
    }
    Ok(())
}

/// A session that the gate has let in. Its end is told when nothing of it is left.
struct Open<'a> {
    gate: &'a dyn Gate,
    info: SessionInfo,
    session: &'a Arc<Session>,
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.session.drain();
        self.gate.closed(&self.info);
    }
}
