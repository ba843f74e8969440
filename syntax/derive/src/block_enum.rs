//! `#[derive(BlockEnum)]`

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput, Fields, LitStr, Type, Variant};

use crate::attributes::doc;
use crate::keyword::snake_case;

pub(crate) fn derive(input: &DeriveInput) -> syn::Result<TokenStream> {
    let Data::Enum(data) = &input.data else {
        return Err(syn::Error::new_spanned(input, "this derive is for enums"));
    };
    let ident = &input.ident;
    let names = data
        .variants
        .iter()
        .map(name)
        .collect::<syn::Result<Vec<_>>>()?;
    let types = data
        .variants
        .iter()
        .map(content)
        .collect::<syn::Result<Vec<_>>>()?;
    let docs: Vec<String> = data
        .variants
        .iter()
        .map(|variant| doc(&variant.attrs))
        .collect();
    let variants: Vec<_> = data.variants.iter().map(|variant| &variant.ident).collect();
    Ok(quote! {
        impl ::syntax::BlockEnum for #ident {
            fn variants() -> &'static [::syntax::decode::Variant] {
                &[#(::syntax::decode::Variant {
                    name: #names,
                    schema: <#types as ::syntax::Arguments>::schema,
                    doc: #docs,
                }),*]
            }

            fn decode(
                name: &str,
                body: &::syntax::ast::Body,
                decoder: &mut ::syntax::Decoder<'_>,
            ) -> ::std::option::Option<Self> {
                match name {
                    #(#names => <#types as ::syntax::Arguments>::decode(body, decoder)
                        .map(Self::#variants),)*
                    _ => ::std::option::Option::None,
                }
            }
        }
    })
}

fn name(variant: &Variant) -> syn::Result<String> {
    match variant
        .attrs
        .iter()
        .find(|attribute| attribute.path().is_ident("block"))
    {
        Some(attribute) => attribute.parse_args::<LitStr>().map(|name| name.value()),
        None => Ok(snake_case(&variant.ident.to_string())),
    }
}

fn content(variant: &Variant) -> syn::Result<&Type> {
    match &variant.fields {
        Fields::Unnamed(fields) if fields.unnamed.len() == 1 => Ok(&fields.unnamed[0].ty),
        _ => Err(syn::Error::new_spanned(
            variant,
            "a variant holds the arguments of its block",
        )),
    }
}
