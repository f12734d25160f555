//! One peer connection: ICE-lite, DTLS, SRTP and data channels behind one [`Transport`].
//!
//! Sans-IO: datagrams, time and data come in as arguments, datagrams and events go out as
//! values. The only crate that names WebRTC libraries; it knows no rooms and reads no SDP.
//! DTLS and SCTP draw their own randomness.

mod certificate;
mod dtls;
mod error;
#[cfg(test)]
mod hex;
mod ice;
pub mod limits;
mod sctp;
pub mod srtp;
mod transport;

pub use certificate::{Certificate, CertificateError};
pub use error::{Refused, SendDataError, Unbelieved};
pub use transport::{Event, Output, Role, Transport};
