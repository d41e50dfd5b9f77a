//! The settings in the attribute: `name = value`, separated by commas.

use proc_macro::{Delimiter, Group, Ident, Punct, Spacing, TokenStream, TokenTree};

use crate::Mistake;

/// Settings that are methods of `mapcheck::Settings` with one plain argument.
const NAMES: [&str; 7] =
    ["executions", "time", "max_steps", "seed", "scheduler", "fault", "accept_race"];
const KNOWN: &str = "the settings are `executions`, `time`, `max_steps`, `seed`, `scheduler`, `fault` and \
    `accept_race`";

/// The calls `.name(value)` that the settings stand for.
pub(crate) fn read(options: TokenStream) -> Result<TokenStream, Mistake> {
    let mut calls = TokenStream::new();
    let mut tokens = options.into_iter();
    while let Some(name) = tokens.next() {
        let name = known(name)?;
        let place = name.span();
        match tokens.next() {
            Some(TokenTree::Punct(p)) if p.as_char() == '=' => {}
            _ => return Err(Mistake(place, "a setting is written `name = value`")),
        }
        let is_comma = |t: &TokenTree| matches!(t, TokenTree::Punct(p) if p.as_char() == ',');
        let value: TokenStream = tokens.by_ref().take_while(|t| !is_comma(t)).collect();
        if value.is_empty() {
            return Err(Mistake(place, "this setting has no value"));
        }
        let dot = TokenTree::from(Punct::new('.', Spacing::Alone));
        let value = Group::new(Delimiter::Parenthesis, value);
        calls.extend([dot, name.into(), value.into()]);
    }
    Ok(calls)
}

fn known(token: TokenTree) -> Result<Ident, Mistake> {
    match token {
        TokenTree::Ident(name) if NAMES.contains(&&*name.to_string()) => Ok(name),
        other => Err(Mistake(other.span(), KNOWN)),
    }
}
