//! The wire over real sockets, with peers that die, dawdle and talk nonsense.

#[cfg(test)]
mod breaking;
#[cfg(test)]
mod node;
#[cfg(test)]
mod talking;
#[cfg(test)]
mod wire;
