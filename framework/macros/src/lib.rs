//! The attribute `#[mapcheck::test]`. It is written over plain tokens: a parser of Rust would be the largest part of
//! what a test binary has to build.
#![forbid(unsafe_code)]

mod function;
mod options;

use proc_macro::{Delimiter, Group, Ident, Literal, Punct, Spacing, Span, TokenStream, TokenTree};

use function::Function;

/// Explores a test: stands in place of `#[test]`, on a test that needs no other change.
///
/// The body is run once for each execution, on virtual threads, as by `mapcheck::explore`. Whatever the test promises,
/// it must keep in each of them: not to panic; to return `Ok`; with `#[should_panic]`, to panic, with the text that is
/// `expected`. The attributes that leave it out, such as `#[cfg]`, and all others stay.
///
/// In brackets after the name there may be settings, which are methods of `mapcheck::Settings`:
/// `#[mapcheck::test(executions = 500, scheduler = "random")]`.
///
/// `use mapcheck::test;` in a module makes each `#[test]` of the module this attribute.
///
/// # Errors
/// A compile error at the place, on what cannot be a test: an `async`, `unsafe` or `extern` function, one with
/// arguments or type parameters, or what is no function.
#[proc_macro_attribute]
pub fn test(options: TokenStream, item: TokenStream) -> TokenStream {
    expand(options, item).unwrap_or_else(Mistake::into_tokens)
}

/// What is wrong, and where.
struct Mistake(Span, &'static str);

impl Mistake {
    /// A call of `compile_error!` at the place.
    fn into_tokens(self) -> TokenStream {
        let Mistake(span, text) = self;
        let text = TokenTree::from(Literal::string(text));
        let mut tokens = path(&["core", "compile_error"], span);
        let argument = Group::new(Delimiter::Brace, TokenStream::from(text));
        tokens.extend([TokenTree::from(Punct::new('!', Spacing::Alone)), argument.into()]);
        tokens.into_iter().map(|token| at(token, span)).collect()
    }
}

fn at(mut token: TokenTree, span: Span) -> TokenTree {
    token.set_span(span);
    token
}

fn expand(options: TokenStream, item: TokenStream) -> Result<TokenStream, Mistake> {
    let function = Function::read(item)?;
    if function.has_conditional_attributes() {
        // The compiler resolves them before it comes to the attribute after them, which is this one again.
        return Ok(function.with_attribute_last(attribute(&["mapcheck", "test"], options)));
    }
    let calls = options::read(options)?;
    Ok(function.into_test(&calls))
}

/// The tokens `::a::b`.
fn path(names: &[&str], span: Span) -> TokenStream {
    let colon = |spacing| TokenTree::from(Punct::new(':', spacing));
    let part = |name: &&str| {
        let name = Ident::new(name, span).into();
        [colon(Spacing::Joint), colon(Spacing::Alone), name]
    };
    names.iter().flat_map(part).collect()
}

/// The tokens `#[::a::b(arguments)]`, without the brackets if there are no arguments.
fn attribute(names: &[&str], arguments: TokenStream) -> TokenStream {
    let mut inside = path(names, Span::call_site());
    if !arguments.is_empty() {
        inside.extend([TokenTree::from(Group::new(Delimiter::Parenthesis, arguments))]);
    }
    let sharp = TokenTree::from(Punct::new('#', Spacing::Alone));
    [sharp, Group::new(Delimiter::Bracket, inside).into()].into_iter().collect()
}
