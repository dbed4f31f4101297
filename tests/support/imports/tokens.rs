//! A tokenizer for Rust that is sufficient to find paths.

/// A token. Literals and lifetimes are skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    Word(&'a str),
    /// `::`
    Separator,
    Sign(char),
}

/// The tokens of a file, without items under `#[cfg(test)]`.
pub(super) fn without_tests(text: &str) -> Vec<Token<'_>> {
    let all = tokens(text);
    let mut kept = Vec::new();
    let mut at = 0;
    while at < all.len() {
        match end_of_test(&all[at..]) {
            Some(length) => at += length,
            None => {
                kept.push(all[at]);
                at += 1;
            }
        }
    }
    kept
}

/// The number of tokens of an item under `#[cfg(test)]`, if one begins here.
fn end_of_test(tokens: &[Token<'_>]) -> Option<usize> {
    let is = |at: usize, token| tokens.get(at) == Some(&token);
    let open = Token::Sign('(');
    if !(is(0, Token::Sign('#')) && is(2, Token::Word("cfg")) && is(3, open)) {
        return None;
    }
    let for_tests = is(4, Token::Word("test"))
        || (is(4, Token::Word("all")) && is(5, open) && is(6, Token::Word("test")));
    if !for_tests {
        return None;
    }
    let mut depth = 0_i32;
    let mut is_behind_attribute = false;
    for (at, token) in tokens.iter().enumerate() {
        match token {
            Token::Sign('{' | '(' | '[') => depth += 1,
            Token::Sign('}' | ')' | ']') => {
                depth -= 1;
                if depth == 0 && *token == Token::Sign('}') {
                    return Some(at + 1);
                }
                is_behind_attribute |= depth == 0;
            }
            Token::Sign(';' | ',') if depth == 0 && is_behind_attribute => return Some(at + 1),
            _ => {}
        }
    }
    Some(tokens.len())
}

fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            _ if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            _ if rest.starts_with("/*") => comment(rest),
            _ if rest.starts_with("::") => {
                found.push(Token::Separator);
                2
            }
            '"' => string(rest),
            '\'' => quote(rest),
            _ if first.is_alphabetic() || first == '_' => {
                let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
                let length = end.unwrap_or(rest.len());
                match literal(rest, length) {
                    Some(length) => length,
                    None => {
                        found.push(Token::Word(&rest[..length]));
                        length
                    }
                }
            }
            _ if first.is_whitespace() || first.is_ascii_digit() => first.len_utf8(),
            _ => {
                found.push(Token::Sign(first));
                first.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    found
}

/// The length of a comment, which may contain nested comments.
fn comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        if rest.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                break;
            }
        } else {
            at += 1;
        }
    }
    at
}

/// The length of a string with escapes.
fn string(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of a character literal, or of the quote before a lifetime.
fn quote(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), Some(_)) => {
            chars.find(|(_, c)| *c == '\'').map_or(text.len(), |(at, _)| at + 1)
        }
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 1,
    }
}

/// The length of a literal that begins with a word of this many bytes: `r"…"`, `b'…'`, `c"…"`,
/// `br#"…"#`.
fn literal(text: &str, word: usize) -> Option<usize> {
    let (prefix, behind) = text.split_at(word);
    match (prefix, behind.chars().next()?) {
        ("r" | "br" | "cr", '"' | '#') => {
            let hashes = behind.bytes().take_while(|byte| *byte == b'#').count();
            let opened = behind[hashes..].strip_prefix('"')?;
            let close = format!("\"{}", "#".repeat(hashes));
            let length = opened.find(&close).unwrap_or(opened.len());
            Some((word + hashes + 1 + length + close.len()).min(text.len()))
        }
        ("b" | "c", '"') => Some(word + string(behind)),
        ("b", '\'') => Some(word + quote(behind)),
        _ => None,
    }
}
