//! Descriptions of sockets.

use std::ffi::{c_int, c_void};
use std::mem::{MaybeUninit, offset_of, zeroed};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use libc::{sockaddr, sockaddr_in, sockaddr_in6, sockaddr_storage, sockaddr_un, socklen_t};

type GetName = unsafe extern "C" fn(c_int, *mut sockaddr, *mut socklen_t) -> c_int;

/// Describes an IP or Unix socket. `None` for other kinds.
pub(super) fn describe(fd: c_int) -> Option<String> {
    let (family, here) = address(fd, libc::getsockname)?;
    let kind = match (family, option(fd, libc::SO_TYPE)?) {
        (libc::AF_INET | libc::AF_INET6, libc::SOCK_STREAM) => "TCP socket",
        (libc::AF_INET | libc::AF_INET6, libc::SOCK_DGRAM) => "UDP socket",
        (libc::AF_UNIX, _) => "Unix socket",
        _ => return None,
    };
    let mut text = format!("{kind} {here}").trim_end().to_owned();
    if option(fd, libc::SO_ACCEPTCONN) == Some(1) {
        text.push_str(", listening");
    }
    if let Some((_, peer)) = address(fd, libc::getpeername).filter(|(_, peer)| !peer.is_empty()) {
        text.push_str(" to ");
        text.push_str(&peer);
    }
    Some(text)
}

/// The family of an address, and the address as text.
fn address(fd: c_int, get_name: GetName) -> Option<(c_int, String)> {
    // SAFETY: the structure consists of integers, for which zero is a value.
    let mut address: sockaddr_storage = unsafe { zeroed() };
    let mut length = size_of::<sockaddr_storage>() as socklen_t;
    // SAFETY: `address` has room for `length` bytes, the most that the kernel writes.
    if unsafe { get_name(fd, (&raw mut address).cast(), &raw mut length) } != 0 {
        return None;
    }
    let family = c_int::from(address.ss_family);
    let text = match family {
        libc::AF_INET => {
            // SAFETY: the kernel has written an address of this family, and `sockaddr_storage` is
            // large enough and aligned for every family.
            let address = unsafe { &*(&raw const address).cast::<sockaddr_in>() };
            let ip = Ipv4Addr::from(u32::from_be(address.sin_addr.s_addr));
            SocketAddr::from((ip, u16::from_be(address.sin_port))).to_string()
        }
        libc::AF_INET6 => {
            // SAFETY: the family says that the kernel has written a `sockaddr_in6`, and
            // `sockaddr_storage` is large enough and aligned for it.
            let address = unsafe { &*(&raw const address).cast::<sockaddr_in6>() };
            let ip = Ipv6Addr::from(address.sin6_addr.s6_addr);
            SocketAddr::from((ip, u16::from_be(address.sin6_port))).to_string()
        }
        libc::AF_UNIX => {
            // SAFETY: the storage was zeroed, so all of `sun_path` is initialized even where the
            // kernel has written less, and it is aligned for every family.
            let address = unsafe { &*(&raw const address).cast::<sockaddr_un>() };
            let given = (length as usize).saturating_sub(offset_of!(sockaddr_un, sun_path));
            let path = address.sun_path.iter().take(given).map(|&byte| byte as u8);
            unix_path(&path.collect::<Vec<u8>>())
        }
        _ => String::new(),
    };
    Some((family, text))
}

/// A path in the file system, or an abstract name, which starts with a zero byte.
fn unix_path(bytes: &[u8]) -> String {
    match bytes {
        [] => String::new(),
        [0, name @ ..] => format!("@{}", String::from_utf8_lossy(name)),
        path => {
            let end = path.iter().position(|&byte| byte == 0).unwrap_or(path.len());
            String::from_utf8_lossy(&path[..end]).into_owned()
        }
    }
}

fn option(fd: c_int, option: c_int) -> Option<c_int> {
    let mut value = MaybeUninit::<c_int>::uninit();
    let mut length = size_of::<c_int>() as socklen_t;
    let start = value.as_mut_ptr().cast::<c_void>();
    // SAFETY: `value` has room for `length` bytes, the most that the kernel writes.
    let error = unsafe { libc::getsockopt(fd, libc::SOL_SOCKET, option, start, &raw mut length) };
    // SAFETY: the call succeeded, and both options that the callers read are integers.
    (error == 0).then(|| unsafe { value.assume_init() })
}
