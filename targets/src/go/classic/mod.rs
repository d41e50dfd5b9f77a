//! Go's map of Go 1.23 and before: buckets of eight, grown bucket by bucket.
