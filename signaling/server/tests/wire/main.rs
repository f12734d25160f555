//! A signaling node over real sockets, with the SFU's end of the link in the test's hands.

#[cfg(test)]
mod dev;
#[cfg(test)]
mod http;
#[cfg(test)]
mod lan;
#[cfg(test)]
mod logs;
#[cfg(test)]
mod node;
#[cfg(test)]
mod notes;
#[cfg(test)]
mod pool;
#[cfg(test)]
mod recordings;
#[cfg(test)]
mod restart;
#[cfg(test)]
mod revocations;
#[cfg(test)]
mod socket;
#[cfg(test)]
mod stop;
#[cfg(test)]
mod tokens;
#[cfg(test)]
mod twirp;
#[cfg(test)]
mod validate;
