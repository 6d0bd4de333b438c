//! routeros-sim
