//! Thread-local storage of the executable: saved once as it is in a fresh thread, restored after every virtual thread.
//!
//! Only the executable's own segment (PT_TLS) is touched; it lies just below the thread pointer. What lies beyond
//! belongs to libc (errno, its allocator's cache) and stays.

use std::ffi::{c_int, c_void};

/// The static TLS block of one thread, and what it held when the thread was fresh.
#[derive(Default)]
pub(crate) struct Block {
    start: usize,
    pristine: Vec<u8>,
}

impl Block {
    /// The block of the calling thread, which must be fresh.
    pub fn of_caller() -> Block {
        let (size, start) = segment();
        let mut pristine = vec![0; size];
        // SAFETY: the segment of the calling thread is `size` readable bytes from `start`.
        unsafe { std::ptr::copy_nonoverlapping(start as *const u8, pristine.as_mut_ptr(), size) };
        Block { start, pristine }
    }

    /// Its first byte.
    pub fn start(&self) -> usize {
        self.start
    }

    /// Bytes saved.
    pub fn restore(&self) {
        // SAFETY: the block belongs to a donor, which lives for ever; the virtual thread on it has ended, its
        // destructors have run, and the machine keeps nothing in thread-local storage.
        unsafe {
            std::ptr::copy_nonoverlapping(
                self.pristine.as_ptr(),
                self.start as *mut u8,
                self.pristine.len(),
            );
        }
    }
}

/// Size of the executable's TLS segment and its address in the calling thread.
fn segment() -> (usize, usize) {
    let mut found = (0usize, 0usize);
    // SAFETY: the callback gets a valid pointer to `found`.
    unsafe { libc::dl_iterate_phdr(Some(first_object), (&raw mut found).cast()) };
    found
}

/// The first object reported is the executable.
unsafe extern "C" fn first_object(
    info: *mut libc::dl_phdr_info,
    _: usize,
    out: *mut c_void,
) -> c_int {
    // SAFETY: dl_iterate_phdr passes a valid description, and `segment` a pointer to a pair.
    unsafe {
        let info = &*info;
        for i in 0..info.dlpi_phnum {
            let header = &*info.dlpi_phdr.add(i as usize);
            if header.p_type == libc::PT_TLS && !info.dlpi_tls_data.is_null() {
                *out.cast::<(usize, usize)>() =
                    (header.p_memsz as usize, info.dlpi_tls_data.addr());
            }
        }
    }
    1
}
