//! System tests: the controller in one process with virtual routers that dial its hub over real UDP sockets on loopback.

pub mod bench;
pub mod judges;
pub mod lists;
pub mod load;
pub mod recordings;
pub mod world;
