//! Loopback ports for tests that run side by side, in this process and in others.

use std::{
    net::TcpListener,
    os::{linux::net::SocketAddrExt, unix::net},
    sync::{
        atomic::{AtomicU16, Ordering},
        Mutex,
    },
};

/// The first of `count` neighbouring ports that are free now, and that no other test is given while this process runs: a
/// server may listen on one later, or again.
///
/// Below the range from which the system gives ports to clients.
pub fn free_ports(count: u16) -> u16 {
    const RANGE: std::ops::Range<u16> = 20_000..32_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    static HELD: Mutex<Vec<net::UnixListener>> = Mutex::new(Vec::new());
    let size = RANGE.end - RANGE.start - count;
    // Test processes that run beside this one begin elsewhere.
    let begin = std::process::id().wrapping_mul(97) % u32::from(size);
    for _ in 0..size {
        let step = NEXT.fetch_add(count, Ordering::Relaxed);
        let first = RANGE.start + ((begin + u32::from(step)) % u32::from(size)) as u16;
        let held: Option<Vec<_>> = (first..first + count).map(hold).collect();
        if let Some(held) = held {
            HELD.lock().expect("no panic").extend(held);
            return first;
        }
    }
    panic!("no free port in {RANGE:?} on loopback");
}

/// Takes a name that stands for a port, if the port is free. The kernel forgets it with the process.
fn hold(port: u16) -> Option<net::UnixListener> {
    let name = format!("virtengine-port-{port}");
    let name = net::SocketAddr::from_abstract_name(name).ok()?;
    let held = net::UnixListener::bind_addr(&name).ok()?;
    TcpListener::bind(("127.0.0.1", port)).ok()?;
    Some(held)
}
