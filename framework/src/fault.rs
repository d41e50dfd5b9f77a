//! Faults: what is injected besides schedules. Each injection is a decision.

/// A kind of fault that can be switched on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fault {
    /// The allocator hands out the block that was freed last, as soon as one of its layout is asked
    /// for: exposes ABA, and hides uses after free for as long.
    AddressReuse,
    /// Keys collide: some in pairs, some all of them, decided anew for each execution.
    HashCollisions,
}

/// The faults there are: name, and what it does in a sentence.
pub const NAMES: &[(Fault, &str, &str)] = &[
    (Fault::AddressReuse, "address-reuse", "a freed block is handed out again at once"),
    (Fault::HashCollisions, "hash-collisions", "keys collide, in pairs or all of them"),
];

impl Fault {
    /// The fault with a name of [`NAMES`].
    ///
    /// # Errors
    /// A fragment that goes on after the name and lists those there are.
    ///
    /// ```
    /// use mapcheck::Fault;
    /// assert_eq!(Fault::by_name("address-reuse"), Ok(Fault::AddressReuse));
    /// ```
    pub fn by_name(name: &str) -> Result<Fault, String> {
        let found = NAMES.iter().find(|f| f.1 == name).map(|f| f.0);
        found.ok_or_else(|| {
            let names: Vec<&str> = NAMES.iter().map(|f| f.1).collect();
            format!("is no fault; there are {}", names.join(", "))
        })
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|f| f.0 == self).map_or("", |f| f.1)
    }
}
