//! The names that a block at the top level can have: those that work here, and those that only
//! Alloy has, so that a configuration that uses one is told so instead of being asked for its
//! spelling.

use syntax::did_you_mean;

use super::{Definition, Stability};

/// What a configuration may consist of.
#[derive(Clone, Copy, Debug)]
pub struct Vocabulary {
    /// The blocks that work here, by name.
    pub definitions: &'static [Definition],
    /// The blocks that Alloy has, by name, whether they work here or not.
    pub alloy: &'static [Known],
}

/// A block that Alloy has.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// `otelcol.processor.transform`
    pub name: &'static str,
    /// How finished it is in Alloy; none for what its community maintains.
    pub stability: Option<Stability>,
}

/// Blocks that are not in the table of definitions, since they are part of the language: they make
/// custom components and repeat others.
pub const STRUCTURAL: &[&str] = &["argument", "declare", "export", "foreach"];

impl Known {
    /// A block of Alloy's own.
    pub const fn new(name: &'static str, stability: Stability) -> Self {
        let stability = Some(stability);
        Self { name, stability }
    }

    /// A component that Alloy's community maintains.
    pub const fn community(name: &'static str) -> Self {
        let stability = None;
        Self { name, stability }
    }

    /// The words of Alloy's documentation for how finished it is.
    pub fn stability(&self) -> &'static str {
        self.stability.map_or("community", Stability::as_str)
    }
}

impl Vocabulary {
    /// The definition of a block, if it works here.
    pub fn definition(&self, name: &str) -> Option<&'static Definition> {
        self.definitions.iter().find(|row| row.name == name)
    }

    /// Alloy's block of that name.
    pub fn known(&self, name: &str) -> Option<&'static Known> {
        self.alloy.iter().find(|known| known.name == name)
    }

    /// Whether a block of this name works here.
    pub fn has(&self, name: &str) -> bool {
        self.definition(name).is_some() || STRUCTURAL.contains(&name)
    }

    /// What to say of a name that does not work here, and what may help.
    pub(super) fn explain(&self, name: &str) -> (String, Option<String>) {
        if let Some(known) = self.known(name) {
            let what = if name.contains('.') && !name.starts_with("import.") {
                "component"
            } else {
                "configuration block"
            };
            let message = format!("{name} is a {what} of Alloy that Corten does not have yet");
            let stability = known.stability();
            let note = (stability != Stability::GenerallyAvailable.as_str())
                .then(|| format!("note: in Alloy its stability is {stability}"));
            return (message, note);
        }
        let here = self.definitions.iter().map(|row| row.name);
        let names = here.chain(self.alloy.iter().map(|known| known.name));
        let message = format!("cannot find the definition of component name {name:?}");
        (message, did_you_mean(name, names))
    }
}

impl From<&'static [Definition]> for Vocabulary {
    fn from(definitions: &'static [Definition]) -> Self {
        let alloy = &[];
        Self { definitions, alloy }
    }
}
