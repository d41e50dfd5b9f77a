//! Targets: an adapter and the configuration it runs in.

use std::collections::{BTreeMap, BTreeSet};

use toml::de::{DeTable, DeValue};

use crate::engine::Engine;
use crate::fault::Fault;
use crate::map::{self, Map, Profile};
use crate::mutant::{Mutant, Mutants};
use crate::scenario::{self, Scenario, families};

/// Mutants, each with a fault without which it does not show.
pub type Needs = &'static [(&'static Mutant, Fault)];

/// An adapter under a name, with the versions of what it adapts.
#[derive(Clone, Copy)]
pub struct Target {
    /// The name on the command line: `dashmap`, `flurry@0.4.0`.
    pub name: &'static str,
    package: &'static str,
    lock: &'static str,
    /// Its mutants.
    pub mutants: Mutants,
    /// Faults without which some of them do not show.
    needs: Needs,
    /// Whether data races are looked for.
    pub races: bool,
    /// Functions in which a data race is known and accepted, by a part of their names.
    pub accepted_races: &'static [&'static str],
    /// Whether scenarios may make keys collide that are no fault's.
    pub collides: bool,
    /// What scenarios and oracles must know about the map.
    pub profile: fn() -> Profile,
    /// Faults that must not happen to it, see [`Map::excludes`].
    pub excludes: fn() -> &'static [Fault],
    /// Runs a scenario, see [`scenario::run`].
    pub run: fn(&Scenario),
    /// The same on shuttle and on loom, where the target has a form for them.
    foreign: [Option<fn(&Scenario)>; 2],
    /// Which optional capabilities the map has, see [`map::capabilities`].
    pub capabilities: fn() -> Vec<(&'static str, bool)>,
    /// Tries the adapter on one thread, see [`map::self_check`].
    pub self_check: fn() -> Result<(), String>,
    /// The name of the adapter's type, with its path.
    pub(crate) adapter: fn() -> &'static str,
}

impl Target {
    /// A target that runs `M`. `package` is the map's crate as `lock`, the text of the runner's
    /// `Cargo.lock`, names it, or `std`: a target is a version of a map and of everything that map
    /// depends on, and a repro records both.
    ///
    /// ```text
    /// Target::of::<Dashmap>("dashmap", "dashmap", include_str!("../../Cargo.lock"))
    /// ```
    pub const fn of<M: Map>(
        name: &'static str,
        package: &'static str,
        lock: &'static str,
    ) -> Target {
        Target {
            name,
            package,
            lock,
            mutants: &[],
            needs: &[],
            races: true,
            accepted_races: &[],
            collides: true,
            profile: M::profile,
            excludes: M::excludes,
            run: scenario::run::<M>,
            foreign: [None; 2],
            capabilities: map::capabilities::<M>,
            self_check: map::self_check::<M>,
            adapter: std::any::type_name::<M>,
        }
    }

    /// The same target with mutants, which `--fault` switches on by name.
    #[must_use]
    pub const fn with_mutants(self, mutants: Mutants) -> Target {
        Target { mutants, ..self }
    }

    /// The same target, some mutants of which do not show unless a fault is injected: the catalogue injects it with
    /// them.
    #[must_use]
    pub const fn where_mutants_need(self, needs: Needs) -> Target {
        Target { needs, ..self }
    }

    /// The faults that a mutant needs.
    pub(crate) fn faults_for(&self, mutant: &'static Mutant) -> Vec<Fault> {
        let own = self.needs.iter().filter(|need| std::ptr::eq(need.0, mutant));
        own.map(|need| need.1).collect()
    }

    /// The built-in scenarios that it is explored with, and those that are drawn from this seed, with `kept` ones ahead
    /// of the drawn.
    pub fn scenarios(&self, seed: u64, kept: Vec<Scenario>) -> Vec<Scenario> {
        let mut scenarios = families::with_kept(&(self.profile)(), seed, kept);
        if !self.collides {
            scenarios.iter_mut().for_each(|scenario| scenario.collide = 0);
        }
        scenarios
    }

    /// The same target, for which no scenario makes keys collide: the map, or the hasher that it is given, cannot do
    /// with many keys of one hash.
    #[must_use]
    pub const fn without_collisions(self) -> Target {
        Target { collides: false, ..self }
    }

    /// The same target, in which data races are not looked for: a model of a program that has them.
    #[must_use]
    pub const fn racing(self) -> Target {
        Target { races: false, ..self }
    }

    /// The same target, of which data races are accepted in functions that have one of these in their names. They are
    /// counted, and not told. Say beside it why each is accepted.
    #[must_use]
    pub const fn accepting_races(self, functions: &'static [&'static str]) -> Target {
        Target { accepted_races: functions, ..self }
    }

    /// The same target, which `--engine shuttle` runs in this form: a model over [`Shuttle`](crate::model::Shuttle).
    #[must_use]
    pub const fn on_shuttle<M: Map>(self) -> Target {
        Target { foreign: [Some(scenario::run::<M>), self.foreign[1]], ..self }
    }

    /// The same target, which `--engine loom` runs in this form: a model over [`Loom`](crate::model::Loom).
    #[must_use]
    pub const fn on_loom<M: Map>(self) -> Target {
        Target { foreign: [self.foreign[0], Some(scenario::run::<M>)], ..self }
    }

    /// How an engine other than the machine runs a scenario; `None` where the target has no form for it.
    pub(crate) fn foreign(&self, engine: Engine) -> Option<fn(&Scenario)> {
        match engine {
            Engine::Native => None,
            Engine::Shuttle => self.foreign[0],
            Engine::Loom => self.foreign[1],
        }
    }

    /// The map's crate.
    pub(crate) fn package(&self) -> &'static str {
        self.package
    }

    /// The map's crate and version, then those of its dependencies by name:
    /// `flurry 0.4.0, ahash 0.7.8, seize 0.2.1`. Just the crate's name where the lock file does not
    /// have it.
    pub fn versions(&self) -> String {
        let locked = locked(self.lock).unwrap_or_default();
        let mut rest = BTreeSet::new();
        let mut todo = vec![self.package.to_owned()];
        while let Some(name) = todo.pop() {
            let dependencies = locked.get(&name).map(|p| &p.1[..]).unwrap_or_default();
            todo.extend(dependencies.iter().filter(|&d| rest.insert(d.clone())).cloned());
        }
        rest.remove(self.package);
        let told = |name: &str| match locked.get(name) {
            Some((version, _)) => format!("{} {version}", name.split(' ').next().unwrap_or(name)),
            None => name.to_owned(),
        };
        let names = std::iter::once(self.package).chain(rest.iter().map(String::as_str));
        names.map(told).collect::<Vec<_>>().join(", ")
    }
}

/// The packages of a lock file: version and dependencies, by name. Where there are several versions
/// of one, `name version` finds each, as in the lists of dependencies.
fn locked(text: &str) -> Option<BTreeMap<String, (String, Vec<String>)>> {
    let table = DeTable::parse(text).ok()?;
    let mut found = BTreeMap::new();
    for package in table.get_ref().get("package")?.get_ref().as_array()? {
        let package = package.get_ref().as_table()?;
        let word = |key: &str| package.get(key)?.get_ref().as_str().map(str::to_owned);
        let (name, version) = (word("name")?, word("version")?);
        let list = package.get("dependencies").and_then(|d| d.get_ref().as_array());
        let name_of = |item: &toml::Spanned<DeValue<'_>>| {
            item.get_ref().as_str().map(|d| d.split(" (").next().unwrap_or(d).to_owned())
        };
        let dependencies: Vec<String> =
            list.map(|l| l.iter().filter_map(name_of).collect()).unwrap_or_default();
        found.insert(format!("{name} {version}"), (version.clone(), dependencies.clone()));
        found.insert(name, (version, dependencies));
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str = r#"
        version = 4
        [[package]]
        name = "a"
        version = "1.2.0"
        dependencies = ["b", "c 2.0.0"]
        [[package]]
        name = "b"
        version = "0.3.0"
        dependencies = ["c 2.0.0"]
        [[package]]
        name = "c"
        version = "1.0.0"
        [[package]]
        name = "c"
        version = "2.0.0"
    "#;

    fn target(package: &'static str) -> Target {
        Target {
            name: "t",
            package,
            lock: LOCK,
            mutants: &[],
            needs: &[],
            races: true,
            accepted_races: &[],
            collides: true,
            profile: || unreachable!("not asked for"),
            excludes: || &[],
            run: |_| (),
            foreign: [None; 2],
            capabilities: Vec::new,
            self_check: || Ok(()),
            adapter: || "t::T",
        }
    }

    #[test]
    fn a_mutant_needs_the_faults_that_its_target_says() {
        static MUTANT: Mutant =
            Mutant { id: "M1", name: "m", what: "", classes: &[], exposure: "" };
        static OTHER: Mutant = Mutant { id: "M2", name: "o", what: "", classes: &[], exposure: "" };
        static NEEDS: Needs = &[(&MUTANT, Fault::AllocationFailure)];
        let target = target("a").where_mutants_need(NEEDS);
        assert_eq!(target.faults_for(&MUTANT), [Fault::AllocationFailure]);
        assert_eq!(target.faults_for(&OTHER), []);
    }

    #[test]
    fn a_target_s_versions_are_its_crate_and_all_that_it_depends_on() {
        assert_eq!(target("a").versions(), "a 1.2.0, b 0.3.0, c 2.0.0");
        assert_eq!(target("std").versions(), "std");
    }
}
