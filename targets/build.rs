//! Compiles the map in C, with the compiler's callbacks for what it accesses. Whatever is linked with these targets is
//! linked with mapcheck, which defines them: no sanitizer's runtime is.

use std::path::Path;

fn main() {
    println!("cargo:rerun-if-changed=c");
    let here = std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it");
    cc::Build::new()
        // From the root on, since reports take relative paths for libc's own.
        .file(Path::new(&here).join("c/cmap.c"))
        .std("c11")
        .flag("-fsanitize=thread")
        // As it would be shipped, and with lines for reports.
        .opt_level(2)
        .debug(true)
        .extra_warnings(true)
        .compile("cmap");
}
