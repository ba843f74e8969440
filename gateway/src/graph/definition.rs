//! A kind of component without its type, as the table lists it and the engine handles it.

use std::{any::Any, fmt, future::Future, pin::Pin, sync::Arc};

use syntax::{Decoder, Field, Object, Schema, Value, ast::Body};
use tokio_util::sync::CancellationToken;

use super::{Component, Import, Site, import::Functions};
use crate::batch::Consumer;

/// How far a component is from being finished, in Alloy's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stability {
    /// May change or vanish.
    Experimental,
    /// Will stay, may change.
    PublicPreview,
    /// Stays as it is.
    GenerallyAvailable,
}

impl Stability {
    /// The word of `--stability.level`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Experimental => "experimental",
            Self::PublicPreview => "public-preview",
            Self::GenerallyAvailable => "generally-available",
        }
    }
}

/// Whether a block of this kind carries a name of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// A component: any number of blocks, each with its label.
    Required,
    /// A configuration block such as `logging`: at most one, without a label.
    None,
}

/// A row of the component table.
pub struct Definition {
    /// The name in the configuration, `otelcol.exporter.otlp`.
    pub name: &'static str,
    /// How finished it is.
    pub stability: Stability,
    /// Whether its blocks have labels.
    pub label: Label,
    /// The arguments that it takes.
    pub arguments: fn() -> &'static Schema,
    /// The values that it offers.
    pub exports: fn() -> &'static Schema,
    pub(super) decode: fn(&Body, &mut Decoder<'_>) -> Option<Box<dyn Arguments>>,
    /// For what brings a module.
    pub(super) import: Option<Functions>,
}

impl Definition {
    /// The row of a component.
    pub const fn component<C: Component>(name: &'static str, stability: Stability) -> Self {
        Self {
            name,
            stability,
            label: Label::Required,
            arguments: <C::Arguments as syntax::Arguments>::schema,
            exports: <C::Exports as syntax::Exports>::schema,
            decode: decode::<C>,
            import: None,
        }
    }

    /// The row of an import of a module.
    pub const fn import<C: Import>(name: &'static str, stability: Stability) -> Self {
        Self {
            import: Some(Functions::of::<C>()),
            ..Self::component::<C>(name, stability)
        }
    }

    /// The row of a configuration block, of which there is one at most.
    pub const fn block<C: Component>(name: &'static str, stability: Stability) -> Self {
        Self {
            label: Label::None,
            ..Self::component::<C>(name, stability)
        }
    }
}

impl Definition {
    /// Whether it brings a module.
    pub(super) fn is_import(&self) -> bool {
        self.import.is_some()
    }

    /// The exports before there is a component: each is there, and no more is known of it than
    /// what kind of handle it is, if it is one.
    pub(super) fn unknown_exports(&self) -> Value {
        let fields = (self.exports)().fields.iter();
        let unknown = |field: &'static Field| Value::unknown_of(&field.type_name);
        Value::Object(
            fields
                .map(|field| (field.name.clone(), unknown(field)))
                .collect::<Object>(),
        )
    }
}

impl fmt::Debug for Definition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Definition({})", self.name)
    }
}

fn decode<C: Component>(body: &Body, decoder: &mut Decoder<'_>) -> Option<Box<dyn Arguments>> {
    let arguments = <C::Arguments as syntax::Arguments>::decode(body, decoder)?;
    Some(Box::new(Decoded::<C>(arguments)))
}

/// The decoded arguments of some component.
pub(super) trait Arguments: Send + Sync {
    /// Whether a component with the other arguments would be the same.
    fn equals(&self, other: &dyn Arguments) -> bool;

    /// Makes a component of them.
    fn build(&self, site: Site) -> Result<Arc<dyn Instance>, String>;

    fn as_any(&self) -> &dyn Any;
}

struct Decoded<C: Component>(C::Arguments);

/// The arguments of a component of this type, if they are.
pub(super) fn decoded<C: Component>(arguments: &dyn Arguments) -> Option<&C::Arguments> {
    let decoded = arguments.as_any().downcast_ref::<Decoded<C>>()?;
    Some(&decoded.0)
}

impl<C: Component> Arguments for Decoded<C> {
    fn equals(&self, other: &dyn Arguments) -> bool {
        other
            .as_any()
            .downcast_ref::<Self>()
            .is_some_and(|other| self.0 == other.0)
    }

    fn build(&self, site: Site) -> Result<Arc<dyn Instance>, String> {
        Ok(Arc::new(Built(Arc::new(C::build(self.0.clone(), site)?))))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// A component that was built, of whatever kind.
pub(super) trait Instance: Send + Sync {
    fn exports(&self) -> Value;
    fn consumer(&self) -> Option<Arc<dyn Consumer>>;
    fn run(
        &self,
        stop: CancellationToken,
    ) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;
}

pub(super) struct Built<C>(pub(super) Arc<C>);

impl<C: Component> Instance for Built<C> {
    fn exports(&self) -> Value {
        syntax::Exports::to_object(&self.0.exports())
    }

    fn consumer(&self) -> Option<Arc<dyn Consumer>> {
        self.0.consumer()
    }

    fn run(
        &self,
        stop: CancellationToken,
    ) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>> {
        Box::pin(self.0.clone().run(stop))
    }
}
