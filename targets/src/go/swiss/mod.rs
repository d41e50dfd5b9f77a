//! Go's map of Go 1.24 and later: groups of eight with control bytes, tables under a directory.
