//! The paths in a file.

use super::tokens::Token;

/// A path with several segments, or a path in a `use`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Import {
    pub(super) path: Vec<String>,
    /// Whether it is a `use`, which may be a re-export.
    pub(super) is_use: bool,
    /// The name that it introduces.
    pub(super) name: String,
}

pub(super) fn imports(tokens: &[Token<'_>]) -> Vec<Import> {
    let mut reader = Reader { tokens, at: 0, found: Vec::new() };
    while let Some(token) = reader.peek(0) {
        match token {
            Token::Word("use") => {
                reader.at += 1;
                reader.tree(&[], true);
            }
            Token::Word(_) if reader.peek(1) == Some(Token::Separator) => reader.tree(&[], false),
            // A `::` after a type, as in `<T as X>::y`, does not begin a path.
            Token::Separator => reader.at += 2,
            _ => reader.at += 1,
        }
    }
    reader.found
}

struct Reader<'a> {
    tokens: &'a [Token<'a>],
    at: usize,
    found: Vec<Import>,
}

impl<'a> Reader<'a> {
    fn peek(&self, ahead: usize) -> Option<Token<'a>> {
        self.tokens.get(self.at + ahead).copied()
    }

    /// Reads a path behind a prefix, and in a `use` what its braces list.
    fn tree(&mut self, prefix: &[String], is_use: bool) {
        let mut path = prefix.to_vec();
        loop {
            match self.peek(0) {
                Some(Token::Word(word)) => {
                    path.push(word.to_owned());
                    self.at += 1;
                }
                Some(Token::Sign('{')) if is_use => {
                    self.at += 1;
                    self.group(&path);
                    return;
                }
                Some(Token::Sign('*')) if is_use => {
                    self.at += 1;
                    break;
                }
                _ => break,
            }
            if self.peek(0) != Some(Token::Separator) {
                break;
            }
            self.at += 1;
        }
        if is_use && path.last().is_some_and(|last| last == "self") && path.len() > 1 {
            path.pop();
        }
        let mut name = path.last().cloned().unwrap_or_default();
        if is_use && self.peek(0) == Some(Token::Word("as")) {
            if let Some(Token::Word(alias)) = self.peek(1) {
                name = alias.to_owned();
            }
            self.at += 2;
        }
        self.found.push(Import { path, is_use, name });
    }

    fn group(&mut self, prefix: &[String]) {
        loop {
            match self.peek(0) {
                None => return,
                Some(Token::Sign('}')) => {
                    self.at += 1;
                    return;
                }
                Some(Token::Sign(',')) => self.at += 1,
                Some(Token::Word(_) | Token::Sign('*' | '{')) => self.tree(prefix, true),
                Some(_) => self.at += 1,
            }
        }
    }
}
