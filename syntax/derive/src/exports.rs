//! `#[derive(Exports)]`

use proc_macro2::TokenStream;
use quote::quote;
use syn::DeriveInput;

use crate::attributes::{self, Kind};

pub(crate) fn derive(input: &DeriveInput) -> syn::Result<TokenStream> {
    let fields = attributes::fields(input)?;
    if let Some(other) = fields
        .iter()
        .find(|named| !matches!(named.kind, Kind::Attribute { .. }))
    {
        return Err(syn::Error::new_spanned(
            other.field,
            "exports are attributes only",
        ));
    }
    let (ident, doc) = (&input.ident, attributes::doc(&input.attrs));
    let idents: Vec<_> = fields.iter().map(|named| &named.field.ident).collect();
    let names: Vec<_> = fields.iter().map(|named| &named.name).collect();
    let docs: Vec<_> = fields.iter().map(|named| &named.doc).collect();
    let types: Vec<_> = fields.iter().map(|named| &named.field.ty).collect();
    Ok(quote! {
        impl ::syntax::Exports for #ident {
            fn schema() -> &'static ::syntax::Schema {
                static SCHEMA: ::std::sync::LazyLock<::syntax::Schema> =
                    ::std::sync::LazyLock::new(|| ::syntax::Schema {
                        doc: #doc,
                        fields: ::std::vec![#(
                            ::syntax::Field::attribute::<#types>(
                                #names,
                                #docs,
                                true,
                                ::std::option::Option::None,
                            )
                        ),*],
                    });
                &SCHEMA
            }

            fn to_object(&self) -> ::syntax::Value {
                ::syntax::Value::object([
                    #((#names, ::syntax::ToValue::to_value(&self.#idents)),)*
                ] as [(&str, ::syntax::Value); _])
            }
        }
    })
}
