//! The `Authorization` header: the blocks that say what is in it.

use base64::{Engine, engine::general_purpose::STANDARD};
use http::HeaderValue;
use syntax::Secret;

use super::{
    HttpClientArguments, Wrong,
    credential::{Credential, once},
    oauth2::Token,
};

/// An `Authorization` header of any type.
#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
#[arguments(validate = Self::check)]
pub struct Authorization {
    /// The secret.
    #[attr]
    pub credentials: Option<Secret>,
    /// Path of a file with the secret, read for each request.
    #[attr(file, default)]
    pub credentials_file: String,
    /// What stands before the secret.
    #[attr(default = "Bearer", name = "type")]
    pub kind: String,
}

/// Name and password.
#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
#[arguments(validate = Self::check)]
pub struct BasicAuth {
    /// The password.
    #[attr]
    pub password: Option<Secret>,
    /// Path of a file with the password, read for each request.
    #[attr(file, default)]
    pub password_file: String,
    /// The name.
    #[attr(default)]
    pub username: String,
}

impl Authorization {
    fn check(&self) -> Result<(), Wrong> {
        let kind = self.kind.trim();
        if kind.eq_ignore_ascii_case("basic") {
            return Err(("type", "is \"Basic\": use the block basic_auth".to_owned()));
        }
        if HeaderValue::from_str(kind).is_err() {
            return Err(("type", "cannot stand in a header".to_owned()));
        }
        once(
            "credentials",
            self.credentials.as_ref(),
            &self.credentials_file,
        )
    }
}

impl BasicAuth {
    fn check(&self) -> Result<(), Wrong> {
        once("password", self.password.as_ref(), &self.password_file)
    }
}

/// What is sent, or how it is found.
pub(super) enum Scheme {
    None,
    /// A word before a secret.
    Word(String, Credential),
    Basic(String, Credential),
    Token(Box<Token>),
}

impl Scheme {
    /// What the arguments say.
    pub(super) fn new(arguments: &HttpClientArguments) -> Result<Self, String> {
        if let Some(block) = &arguments.authorization {
            let kind = match block.kind.trim() {
                "" => "Bearer",
                kind => kind,
            };
            let credential = Credential::new(block.credentials.as_ref(), &block.credentials_file);
            return Ok(Self::Word(kind.to_owned(), credential));
        }
        if let Some(block) = &arguments.basic_auth {
            let credential = Credential::new(block.password.as_ref(), &block.password_file);
            return Ok(Self::Basic(block.username.clone(), credential));
        }
        if let Some(block) = &arguments.oauth2 {
            return Ok(Self::Token(Box::new(Token::new(block)?)));
        }
        let (token, file) = (
            arguments.bearer_token.as_ref(),
            &arguments.bearer_token_file,
        );
        match token.is_some() || !file.is_empty() {
            true => Ok(Self::Word(
                "Bearer".to_owned(),
                Credential::new(token, file),
            )),
            false => Ok(Self::None),
        }
    }

    /// The header of a request that is sent now.
    ///
    /// # Errors
    /// If a file cannot be read, or no token is given out.
    pub(super) async fn header(&self) -> Result<Option<HeaderValue>, String> {
        let text = match self {
            Self::None => return Ok(None),
            Self::Word(word, credential) => format!("{word} {}", credential.read().await?.expose()),
            Self::Basic(name, credential) => {
                let password = credential.read().await?;
                format!(
                    "Basic {}",
                    STANDARD.encode(format!("{name}:{}", password.expose()))
                )
            }
            Self::Token(token) => format!("Bearer {}", token.get().await?.expose()),
        };
        let mut value = HeaderValue::from_str(&text)
            .map_err(|_| "the credentials cannot stand in a header".to_owned())?;
        value.set_sensitive(true);
        Ok(Some(value))
    }

    /// Forgets a token that was refused.
    pub(super) fn refused(&self) {
        if let Self::Token(token) = self {
            token.forget();
        }
    }
}
