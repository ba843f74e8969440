//! Live handles in the language: a consumer to forward to, an authentication handler.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use super::Object;

/// What a capsule may hold.
pub trait CapsuleValue: Any + Send + Sync + fmt::Debug {
    /// The name of the type, as messages and references show it: `otelcol.Consumer`.
    fn type_name(&self) -> &'static str;

    /// Whether both are the same handle, or stand for the same thing.
    fn equals(&self, other: &dyn CapsuleValue) -> bool;

    /// For downcasting.
    fn as_any(&self) -> &dyn Any;

    /// The object that it can be seen as, if there is one: then its fields can be accessed.
    fn to_object(&self) -> Option<Object> {
        None
    }
}

/// A live handle as a value.
#[derive(Clone)]
pub struct Capsule {
    value: Arc<dyn CapsuleValue>,
}

// === impl Capsule ===

impl Capsule {
    /// Makes a capsule.
    pub fn new(value: Arc<dyn CapsuleValue>) -> Self {
        Self { value }
    }

    /// What is inside, if it is of that type.
    pub fn downcast_ref<T: CapsuleValue>(&self) -> Option<&T> {
        self.value.as_any().downcast_ref()
    }

    /// What is inside.
    pub fn value(&self) -> &Arc<dyn CapsuleValue> {
        &self.value
    }

    /// The name of the type inside.
    pub fn type_name(&self) -> &'static str {
        self.value.type_name()
    }

    /// A handle of which only the type is known, as when a configuration is checked.
    pub(crate) fn unknown(type_name: &'static str) -> Self {
        Self::new(Arc::new(UnknownHandle(type_name)))
    }

    /// Whether nothing but its type is known.
    pub(crate) fn is_unknown(&self) -> bool {
        self.downcast_ref::<UnknownHandle>().is_some()
    }

    /// The object it can be seen as.
    pub fn to_object(&self) -> Option<Object> {
        self.value.to_object()
    }
}

impl PartialEq for Capsule {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.value, &other.value) || self.value.equals(other.value.as_ref())
    }
}

impl fmt::Debug for Capsule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

/// Stands for a handle that does not exist yet, by the name of its type.
#[derive(Debug)]
struct UnknownHandle(&'static str);

impl CapsuleValue for UnknownHandle {
    fn type_name(&self) -> &'static str {
        self.0
    }

    fn equals(&self, _: &dyn CapsuleValue) -> bool {
        false
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
