//! The attributes on the fields of a struct, read.

use syn::{
    Attribute, Data, DeriveInput, Expr, Field, Fields, Lit, LitInt, LitStr, Meta, Token, Type,
};

/// What a field of a struct is.
pub(crate) enum Kind {
    Attribute {
        default: Option<Default>,
        /// Whether the value is the path of a file.
        file: bool,
    },
    Block {
        default: bool,
        min: usize,
    },
    Label,
    Squash,
    Stages {
        prefix: String,
    },
}

/// The default of an attribute.
pub(crate) enum Default {
    /// `default`: the type's own.
    OfType,
    /// `default = ...`
    Value(Expr),
}

/// A field and what its attributes say.
pub(crate) struct Named<'a> {
    pub(crate) field: &'a Field,
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) doc: String,
}

/// The fields of a struct.
pub(crate) fn fields(input: &DeriveInput) -> syn::Result<Vec<Named<'_>>> {
    match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => fields.named.iter().map(named).collect(),
            Fields::Unit => Ok(Vec::new()),
            Fields::Unnamed(_) => Err(syn::Error::new_spanned(input, "the fields need names")),
        },
        _ => Err(syn::Error::new_spanned(input, "this derive is for structs")),
    }
}

fn named(field: &Field) -> syn::Result<Named<'_>> {
    let ident = field
        .ident
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default();
    let mut name = ident.strip_prefix("r#").unwrap_or(&ident).to_owned();
    let mut kind = None;
    for attribute in &field.attrs {
        let path = attribute.path();
        let found = if path.is_ident("attr") {
            attr(attribute, &mut name)?
        } else if path.is_ident("block") {
            block(attribute, &mut name)?
        } else if path.is_ident("label") {
            Kind::Label
        } else if path.is_ident("squash") {
            Kind::Squash
        } else if path.is_ident("stages") {
            stages(attribute)?
        } else {
            continue;
        };
        if kind.replace(found).is_some() {
            return Err(syn::Error::new_spanned(
                attribute,
                "a field is only one thing",
            ));
        }
    }
    let wanted = "the field needs #[attr], #[block], #[label], #[squash] or #[stages]";
    let kind = kind.ok_or_else(|| syn::Error::new_spanned(field, wanted))?;
    Ok(Named {
        field,
        name,
        kind,
        doc: doc(&field.attrs),
    })
}

fn attr(attribute: &Attribute, name: &mut String) -> syn::Result<Kind> {
    let (mut default, mut file) = (None, false);
    nested(attribute, |meta| {
        if meta.path.is_ident("file") {
            file = true;
        } else if meta.path.is_ident("name") {
            *name = meta.value()?.parse::<LitStr>()?.value();
        } else if meta.path.is_ident("default") {
            default = Some(match meta.input.peek(Token![=]) {
                true => Default::Value(meta.value()?.parse()?),
                false => Default::OfType,
            });
        } else {
            return Err(meta.error("an attribute has `name`, `default` and `file`"));
        }
        Ok(())
    })?;
    Ok(Kind::Attribute { default, file })
}

fn block(attribute: &Attribute, name: &mut String) -> syn::Result<Kind> {
    let (mut default, mut min) = (false, 0);
    nested(attribute, |meta| {
        if meta.path.is_ident("name") {
            *name = meta.value()?.parse::<LitStr>()?.value();
        } else if meta.path.is_ident("default") {
            default = true;
        } else if meta.path.is_ident("min") {
            min = meta.value()?.parse::<LitInt>()?.base10_parse()?;
        } else {
            return Err(meta.error("a block has `name`, `default` and `min`"));
        }
        Ok(())
    })?;
    Ok(Kind::Block { default, min })
}

fn stages(attribute: &Attribute) -> syn::Result<Kind> {
    let mut prefix = String::new();
    nested(attribute, |meta| {
        if !meta.path.is_ident("prefix") {
            return Err(meta.error("stages have a `prefix`"));
        }
        prefix = meta.value()?.parse::<LitStr>()?.value();
        Ok(())
    })?;
    Ok(Kind::Stages { prefix })
}

fn nested(
    attribute: &Attribute,
    parse: impl FnMut(syn::meta::ParseNestedMeta<'_>) -> syn::Result<()>,
) -> syn::Result<()> {
    match &attribute.meta {
        Meta::Path(_) => Ok(()),
        _ => attribute.parse_nested_meta(parse),
    }
}

/// The doc comment, its lines joined: an empty line stays one.
pub(crate) fn doc(attributes: &[Attribute]) -> String {
    let mut lines = Vec::new();
    for attribute in attributes {
        if let Meta::NameValue(meta) = &attribute.meta
            && meta.path.is_ident("doc")
            && let Expr::Lit(literal) = &meta.value
            && let Lit::Str(text) = &literal.lit
        {
            let text = text.value();
            lines.push(text.strip_prefix(' ').unwrap_or(&text).to_owned());
        }
    }
    lines.join("\n").trim().to_owned()
}

/// The `T` of `Option<T>` or `Vec<T>`.
pub(crate) fn inner<'a>(ty: &'a Type, wrapper: &str) -> Option<&'a Type> {
    let Type::Path(path) = ty else {
        return None;
    };
    let last = path
        .path
        .segments
        .last()
        .filter(|segment| segment.ident == wrapper)?;
    let syn::PathArguments::AngleBracketed(arguments) = &last.arguments else {
        return None;
    };
    arguments.args.iter().find_map(|argument| match argument {
        syn::GenericArgument::Type(ty) => Some(ty),
        _ => None,
    })
}
