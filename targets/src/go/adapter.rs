//! Drives the maps.
