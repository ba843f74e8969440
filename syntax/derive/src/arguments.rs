//! `#[derive(Arguments)]`

use proc_macro2::TokenStream;
use quote::quote;
use syn::{DeriveInput, Expr, Lit, Type, UnOp};

use crate::attributes::{self, Default, Kind, Named, inner};

pub(crate) fn derive(input: &DeriveInput) -> syn::Result<TokenStream> {
    let fields = attributes::fields(input)?;
    let (ident, doc) = (&input.ident, attributes::doc(&input.attrs));
    let (impl_generics, type_generics, where_clause) = input.generics.split_for_impl();
    let idents: Vec<_> = fields.iter().map(|named| &named.field.ident).collect();
    let descriptions = fields
        .iter()
        .map(describe)
        .collect::<syn::Result<Vec<_>>>()?;
    let decoders = fields.iter().map(decode).collect::<syn::Result<Vec<_>>>()?;
    let validate = validation(input)?.map(|function| {
        quote! { fields.validate((#function)(&arguments))?; }
    });
    Ok(quote! {
        impl #impl_generics ::syntax::Arguments for #ident #type_generics #where_clause {
            fn schema() -> &'static ::syntax::Schema {
                static SCHEMA: ::std::sync::LazyLock<::syntax::Schema> =
                    ::std::sync::LazyLock::new(|| {
                        let fields = ::std::vec::Vec::new();
                        #(let mut fields = fields; #descriptions)*
                        ::syntax::Schema { doc: #doc, fields }
                    });
                &SCHEMA
            }

            fn from_fields(
                fields: &mut ::syntax::decode::Fields<'_, '_>,
            ) -> ::std::option::Option<Self> {
                // A block without fields does not look at them.
                let _ = &fields;
                #(let #idents = #decoders;)*
                let arguments = Self { #(#idents: #idents?),* };
                #validate
                ::std::option::Option::Some(arguments)
            }
        }
    })
}

/// The function of `#[arguments(validate = ...)]`.
fn validation(input: &DeriveInput) -> syn::Result<Option<Expr>> {
    let mut function = None;
    for attribute in input
        .attrs
        .iter()
        .filter(|attribute| attribute.path().is_ident("arguments"))
    {
        attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident("validate") {
                return Err(meta.error("arguments have `validate`"));
            }
            function = Some(meta.value()?.parse()?);
            Ok(())
        })?;
    }
    Ok(function)
}

/// The statement that adds a field to the schema.
fn describe(named: &Named<'_>) -> syn::Result<TokenStream> {
    let Named {
        field,
        name,
        kind,
        doc,
    } = named;
    let ty = &field.ty;
    Ok(match kind {
        Kind::Attribute { default, file } => {
            let required = default.is_none() && inner(ty, "Option").is_none();
            let text = match default {
                None => quote! { ::std::option::Option::None },
                Some(default) => {
                    let shown = shown(default, ty)?;
                    quote! { ::std::option::Option::Some(#shown.to_string()) }
                }
            };
            quote! {
                fields.push(::syntax::Field {
                    names_file: #file,
                    ..::syntax::Field::attribute::<#ty>(#name, #doc, #required, #text)
                });
            }
        }
        Kind::Block { default, min } => {
            let (optional, list) = (inner(ty, "Option"), inner(ty, "Vec"));
            let repeated = list.is_some();
            let min = match repeated {
                true => *min,
                false => usize::from(!default && optional.is_none()),
            };
            let block = optional.or(list).unwrap_or(ty);
            quote! {
                fields.push(::syntax::Field::block::<#block>(#name, #doc, #repeated, #min));
            }
        }
        Kind::Label => quote! { fields.push(::syntax::Field::label(#name, #doc)); },
        Kind::Squash => quote! {
            fields.extend(<#ty as ::syntax::Arguments>::schema().fields.iter().cloned());
        },
        Kind::Stages { prefix } => {
            let stage = list_element(named)?;
            quote! { fields.extend(::syntax::Field::stages::<#stage>(#name, #prefix)); }
        }
    })
}

/// The expression that decodes a field: an `Option` of its type.
fn decode(named: &Named<'_>) -> syn::Result<TokenStream> {
    let Named {
        field, name, kind, ..
    } = named;
    let ty = &field.ty;
    let (optional, list) = (inner(ty, "Option"), inner(ty, "Vec"));
    Ok(match kind {
        Kind::Attribute { default, file } => {
            let decoded = match default {
                None if optional.is_some() => quote! { fields.optional(#name) },
                None => quote! { fields.required(#name) },
                Some(default) => {
                    let value = value(default, ty)?;
                    quote! { fields.or_else(#name, || #value) }
                }
            };
            let noted = file.then(|| quote! { fields.names_file(#name); });
            quote! {{ #noted #decoded }}
        }
        Kind::Block { min, .. } if list.is_some() => quote! { fields.blocks(#name, #min) },
        Kind::Block { .. } if optional.is_some() => quote! { fields.optional_block(#name) },
        Kind::Block { default: true, .. } => quote! { fields.block_or_empty(#name) },
        Kind::Block { .. } => quote! { fields.block(#name) },
        Kind::Label => quote! { fields.label() },
        Kind::Squash => quote! { <#ty as ::syntax::Arguments>::from_fields(fields) },
        Kind::Stages { prefix } => {
            let stage = list_element(named)?;
            quote! { fields.stages::<#stage>(#prefix) }
        }
    })
}

fn list_element<'a>(named: &Named<'a>) -> syn::Result<&'a Type> {
    let wrong = || syn::Error::new_spanned(&named.field.ty, "stages are a Vec");
    inner(&named.field.ty, "Vec").ok_or_else(wrong)
}

/// The default as a value of the field's type.
fn value(default: &Default, ty: &Type) -> syn::Result<TokenStream> {
    Ok(match default {
        Default::OfType => quote! { <#ty as ::std::default::Default>::default() },
        Default::Value(expr) => match literal(expr)? {
            Some(value) => quote! { ::syntax::decode::default_of::<#ty>(#value) },
            None => quote! { #expr },
        },
    })
}

/// The default as it would be written in a file.
fn shown(default: &Default, ty: &Type) -> syn::Result<TokenStream> {
    if let Default::Value(expr) = default
        && let Some(value) = literal(expr)?
    {
        return Ok(value);
    }
    let value = value(default, ty)?;
    Ok(quote! { ::syntax::ToValue::to_value(&{ let value: #ty = #value; value }) })
}

/// A literal, or an array of literals, as a value of the language; `None` for other expressions.
fn literal(expr: &Expr) -> syn::Result<Option<TokenStream>> {
    Ok(match expr {
        Expr::Lit(expr) => match &expr.lit {
            Lit::Str(text) => Some(quote! { ::syntax::Value::from(#text) }),
            Lit::Bool(value) => Some(quote! { ::syntax::Value::from(#value) }),
            Lit::Int(number) => Some(quote! { ::syntax::Value::from(#number as i64) }),
            Lit::Float(number) => Some(quote! { ::syntax::Value::from(#number as f64) }),
            other => return Err(syn::Error::new_spanned(other, "no literal of the language")),
        },
        Expr::Unary(unary) if matches!(unary.op, UnOp::Neg(_)) => match &*unary.expr {
            Expr::Lit(inner) => match &inner.lit {
                Lit::Int(number) => Some(quote! { ::syntax::Value::from(-(#number as i64)) }),
                Lit::Float(number) => Some(quote! { ::syntax::Value::from(-(#number as f64)) }),
                _ => None,
            },
            _ => None,
        },
        Expr::Array(array) => {
            let elements = array
                .elems
                .iter()
                .map(literal)
                .collect::<syn::Result<Vec<_>>>()?;
            let elements: Option<Vec<_>> = elements.into_iter().collect();
            elements.map(|elements| quote! { ::syntax::Value::array([#(#elements),*]) })
        }
        _ => None,
    })
}
