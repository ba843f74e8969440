//! `#[derive(Keyword)]`

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput, Fields, LitStr, Token, punctuated::Punctuated};

pub(crate) fn derive(input: &DeriveInput) -> syn::Result<TokenStream> {
    let Data::Enum(data) = &input.data else {
        return Err(syn::Error::new_spanned(input, "this derive is for enums"));
    };
    let ident = &input.ident;
    let (mut variants, mut words, mut arms) = (Vec::new(), Vec::new(), Vec::new());
    for variant in &data.variants {
        if !matches!(variant.fields, Fields::Unit) {
            return Err(syn::Error::new_spanned(variant, "a keyword has no fields"));
        }
        let mut names = Vec::new();
        for attribute in variant
            .attrs
            .iter()
            .filter(|found| found.path().is_ident("keyword"))
        {
            let list = Punctuated::<LitStr, Token![,]>::parse_terminated;
            names.extend(attribute.parse_args_with(list)?.iter().map(LitStr::value));
        }
        if names.is_empty() {
            names.push(snake_case(&variant.ident.to_string()));
        }
        let variant = &variant.ident;
        variants.push(variant);
        words.push(names[0].clone());
        arms.push(quote! { #(#names)|* => ::std::result::Result::Ok(Self::#variant) });
    }
    Ok(quote! {
        impl #ident {
            /// The word as it is written in a file.
            pub const fn as_str(&self) -> &'static str {
                match self {
                    #(Self::#variants => #words),*
                }
            }
        }

        impl ::syntax::FromValue for #ident {
            fn from_value(
                value: &::syntax::Value,
            ) -> ::std::result::Result<Self, ::syntax::ValueError> {
                let text = <::std::string::String as ::syntax::FromValue>::from_value(value)?;
                match text.as_str() {
                    #(#arms,)*
                    _ => ::std::result::Result::Err(::syntax::ValueError::not_one_of(
                        &text,
                        <Self as ::syntax::FromValue>::keywords(),
                    )),
                }
            }

            fn type_name() -> ::std::string::String {
                "string".to_owned()
            }

            fn keywords() -> &'static [&'static str] {
                &[#(#words),*]
            }
        }

        impl ::syntax::ToValue for #ident {
            fn to_value(&self) -> ::syntax::Value {
                ::syntax::Value::from(self.as_str())
            }
        }
    })
}

/// `TwoWords` as `two_words`.
pub(crate) fn snake_case(name: &str) -> String {
    let mut out = String::new();
    for (index, ch) in name.chars().enumerate() {
        if ch.is_uppercase() && index > 0 {
            out.push('_');
        }
        out.extend(ch.to_lowercase());
    }
    out
}
