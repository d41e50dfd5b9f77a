//! A function, as far as its tokens must be known to make a test of it.

use proc_macro::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};

use crate::{Mistake, attribute, path};

/// A function that is to be a test.
pub(crate) struct Function {
    attributes: Vec<Attribute>,
    /// What stands between the attributes and the body: visibility, name, return type.
    head: Vec<TokenTree>,
    name: Ident,
    body: Group,
}

/// An attribute: `#` and what is in the brackets.
struct Attribute {
    sharp: TokenTree,
    inside: Group,
}

impl Attribute {
    fn words(&self) -> Vec<TokenTree> {
        self.inside.stream().into_iter().collect()
    }

    fn is(&self, name: &str) -> bool {
        matches!(self.words().first(), Some(TokenTree::Ident(word)) if word.to_string() == name)
    }

    fn tokens(&self) -> [TokenTree; 2] {
        [self.sharp.clone(), self.inside.clone().into()]
    }

    /// The value of `name = "…"` or `name(expected = "…")`: the last token of what is written.
    fn value(&self) -> Option<TokenTree> {
        match self.words().pop()? {
            TokenTree::Group(group) => {
                let words: Vec<TokenTree> = group.stream().into_iter().collect();
                words.into_iter().find(|w| matches!(w, TokenTree::Literal(_)))
            }
            value @ TokenTree::Literal(_) => Some(value),
            _ => None,
        }
    }
}

impl Function {
    /// Reads an item.
    pub(crate) fn read(item: TokenStream) -> Result<Function, Mistake> {
        let mut rest: Vec<TokenTree> = item.into_iter().collect();
        let attributes = take_attributes(&mut rest);
        let Some(TokenTree::Group(body)) = rest.pop().filter(is_body) else {
            return Err(Mistake(Span::call_site(), "only a function with a body can be a test"));
        };
        let name = check(&rest)?;
        let function = Function { attributes, head: rest, name, body };
        match function.attributes.iter().find(|a| a.is("test")) {
            Some(twice) => Err(Mistake(
                twice.inside.span(),
                "`#[mapcheck::test]` stands in place of `#[test]`",
            )),
            None => Ok(function),
        }
    }

    /// Whether it has an attribute of which it is not known yet whether it is there.
    pub(crate) fn has_conditional_attributes(&self) -> bool {
        self.attributes.iter().any(|a| a.is("cfg_attr"))
    }

    /// The same function, with one attribute more.
    pub(crate) fn with_attribute_last(self, last: TokenStream) -> TokenStream {
        let attributes = self.attributes.iter().flat_map(Attribute::tokens);
        attributes.chain(last).chain(self.head).chain([self.body.into()]).collect()
    }

    /// A test that explores this function, with the settings that these calls make.
    pub(crate) fn as_test(self, calls: &TokenStream) -> TokenStream {
        let panics = self.attributes.iter().find(|a| a.is("should_panic"));
        let expected = panics.map(|a| a.value());
        let kept = self.attributes.iter().filter(|a| !a.is("should_panic"));
        let mut test = attribute(&["core", "prelude", "v1", "test"], TokenStream::new());
        test.extend(kept.flat_map(Attribute::tokens));
        let end = self.head.iter().position(is_arrow).unwrap_or(self.head.len());
        test.extend(self.head[..end].iter().cloned());
        // Within the test, so that the function keeps its name on stacks, and may call itself.
        let inner = self.head.iter().skip_while(|t| !is_word(t, "fn")).cloned();
        let mut body: TokenStream = inner.chain([self.body.into()]).collect();
        body.extend(exploring(self.name, expected, calls));
        test.extend([TokenTree::from(Group::new(Delimiter::Brace, body))]);
        test
    }
}

/// The call of the framework that explores the function of this name.
fn exploring(name: Ident, expected: Option<Option<TokenTree>>, calls: &TokenStream) -> TokenStream {
    let span = Span::call_site();
    let call = |names: &[&str], arguments: TokenStream| {
        let arguments = Group::new(Delimiter::Parenthesis, arguments);
        let mut tokens = path(names, span);
        tokens.extend([TokenTree::from(arguments)]);
        tokens
    };
    let mut settings = call(&["mapcheck", "Settings", "for_tests"], TokenStream::new());
    settings.extend(calls.clone());
    let mut arguments = settings;
    let comma = || TokenTree::from(proc_macro::Punct::new(',', proc_macro::Spacing::Alone));
    arguments.extend([comma(), name.into()]);
    let Some(text) = expected else { return call(&["mapcheck", "__explore_test"], arguments) };
    let text = text.unwrap_or_else(|| proc_macro::Literal::string("").into());
    arguments.extend([comma(), text]);
    call(&["mapcheck", "__explore_panic"], arguments)
}

fn is_word(token: &TokenTree, word: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident.to_string() == word)
}

fn is_punct(token: &TokenTree, mark: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == mark)
}

fn is_arrow(token: &TokenTree) -> bool {
    is_punct(token, '-')
}

fn is_body(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace)
}

fn take_attributes(tokens: &mut Vec<TokenTree>) -> Vec<Attribute> {
    let mut attributes = Vec::new();
    while tokens.first().is_some_and(|t| is_punct(t, '#')) {
        let Some(TokenTree::Group(inside)) = tokens.get(1).cloned() else { break };
        attributes.push(Attribute { sharp: tokens[0].clone(), inside });
        tokens.drain(..2);
    }
    attributes
}

/// How many tokens the brackets with lifetimes take here: a test may have those.
fn lifetimes(tokens: &[TokenTree]) -> usize {
    if !tokens.first().is_some_and(|t| is_punct(t, '<')) {
        return 0;
    }
    let end = tokens.iter().position(|t| is_punct(t, '>')).unwrap_or(0);
    let named =
        |i: usize| matches!(tokens[i], TokenTree::Ident(_)) && !is_punct(&tokens[i - 1], '\'');
    if (1..end).any(named) { 0 } else { end + 1 }
}

/// The name of the function with this head, if it can be a test.
fn check(head: &[TokenTree]) -> Result<Ident, Mistake> {
    let found = head.iter().position(|t| is_word(t, "fn"));
    let at = found.ok_or(Mistake(Span::call_site(), "only a function can be a test"))?;
    let refused = [
        (
            "async",
            "an async function cannot be explored: it needs a runtime, whose threads outlive the test",
        ),
        ("unsafe", "a test is called by the harness, so it cannot be unsafe"),
        ("extern", "a test is called by the harness, so it cannot be extern"),
    ];
    for (word, why) in refused {
        if let Some(token) = head[..at].iter().find(|t| is_word(t, word)) {
            return Err(Mistake(token.span(), why));
        }
    }
    let Some(TokenTree::Ident(name)) = head.get(at + 1) else {
        return Err(Mistake(head[at].span(), "only a function can be a test"));
    };
    match head.get(at + 2 + lifetimes(&head[at + 2..])) {
        Some(TokenTree::Group(arguments)) if arguments.stream().is_empty() => Ok(name.clone()),
        Some(TokenTree::Group(arguments)) => {
            Err(Mistake(arguments.span(), "a test has no arguments: nobody would give it any"))
        }
        _ => Err(Mistake(name.span(), "a test has no type parameters: nobody would choose them")),
    }
}
