//! Which public items have an example.
//!
//! In: the sources of the crates for others, api/CRATE.txt, which says what of them
//! is public, and the READMEs that are their front pages. Out: a line for each type
//! and function that does something and occurs in no example. An example counts for
//! a type when it stands at it, at one of its methods, or names the type; for a
//! function or method when it stands there or calls it. What only gives a part of a
//! value, or makes a value of its parts, needs none.

use crate::job::root;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use syn::{Attribute, Expr, ImplItem, Item, Stmt, TraitItem, Visibility};

/// Crates, where their sources are, and pages with programs of theirs that are
/// tested. What is in a page counts as an example of the crate.
const CRATES: [(&str, &str, &[&str]); 5] = [
    ("netverdict", "core", &["core/README.md"]),
    ("netverdict-analysis", "analysis", &["analysis/README.md"]),
    ("netverdict-table", "table", &["table/README.md"]),
    ("netverdict-datapath", "datapath", &["datapath/README.md"]),
    ("netverdict-ffi", "ffi", &["docs/c-abi.md"]),
];

/// What a crate shows and does.
#[derive(Default)]
struct Crate {
    /// Code of every example.
    examples: String,
    /// Functions and methods that do something, with their files; a method as
    /// `Type::method`.
    behave: BTreeMap<String, String>,
    /// Types and functions that have an example of their own.
    shown: BTreeSet<String>,
}

/// Complains about what has no example.
pub(crate) fn check() -> Result<(), String> {
    let mut missing = Vec::new();
    for (name, folder, pages) in CRATES {
        let listing = read(&root().join(format!("api/{name}.txt")))?;
        let mut found = Crate::default();
        for page in pages {
            found.examples += &code(&read(&root().join(page))?);
        }
        sources(&root().join(folder).join("src"), &mut found)?;
        missing.extend(found.missing(&listing));
    }
    if missing.is_empty() {
        return Ok(());
    }
    Err(missing.join("\n"))
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))
}

/// Every source below a folder, without tests.
fn sources(folder: &Path, into: &mut Crate) -> Result<(), String> {
    let entries = fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    for path in entries.flatten().map(|e| e.path()) {
        if path.is_dir() {
            sources(&path, into)?;
        } else if path.extension().is_some_and(|e| e == "rs") {
            let text = read(&path)?;
            let file = syn::parse_file(&text).map_err(|e| format!("{}: {e}", path.display()))?;
            let name = path.strip_prefix(root()).unwrap_or(&path);
            into.examples += &code(&documentation(&file.attrs));
            into.items(&file.items, &name.display().to_string());
        }
    }
    Ok(())
}

/// The text of documentation comments.
fn documentation(attributes: &[Attribute]) -> String {
    let mut text = String::new();
    for attribute in attributes.iter().filter(|a| a.path().is_ident("doc")) {
        let syn::Meta::NameValue(pair) = &attribute.meta else {
            continue;
        };
        if let Expr::Lit(syn::ExprLit {
            lit: syn::Lit::Str(line),
            ..
        }) = &pair.value
        {
            text.push_str(line.value().strip_prefix(' ').unwrap_or(&line.value()));
            text.push('\n');
        }
    }
    text
}

/// What stands between fences.
fn code(text: &str) -> String {
    let mut code = String::new();
    let mut within = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            within = !within;
        } else if within {
            code.push_str(line);
            code.push('\n');
        }
    }
    code
}

fn public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

impl Crate {
    /// Keeps what an item shows; true when it has an example.
    fn keep(&mut self, name: &str, attributes: &[Attribute]) {
        let code = code(&documentation(attributes));
        if !code.is_empty() {
            self.shown.insert(name.to_owned());
            self.examples += &code;
        }
    }

    fn items(&mut self, items: &[Item], file: &str) {
        for item in items {
            match item {
                Item::Struct(i) => self.keep(&i.ident.to_string(), &i.attrs),
                Item::Enum(i) => self.keep(&i.ident.to_string(), &i.attrs),
                Item::Type(i) => self.keep(&i.ident.to_string(), &i.attrs),
                Item::Fn(i) if public(&i.vis) => {
                    let name = i.sig.ident.to_string();
                    self.keep(&name, &i.attrs);
                    if !plain_block(&i.block) {
                        self.behave.insert(name, file.to_owned());
                    }
                }
                Item::Trait(i) => {
                    let of = i.ident.to_string();
                    self.keep(&of, &i.attrs);
                    for item in &i.items {
                        if let TraitItem::Fn(method) = item {
                            let name = format!("{of}::{}", method.sig.ident);
                            self.keep(&name, &method.attrs);
                            self.behave.insert(name, file.to_owned());
                        }
                    }
                }
                Item::Impl(i) if i.trait_.is_none() => {
                    let syn::Type::Path(of) = &*i.self_ty else {
                        continue;
                    };
                    let Some(of) = of.path.segments.last() else {
                        continue;
                    };
                    let of = of.ident.to_string();
                    for item in &i.items {
                        let ImplItem::Fn(method) = item else { continue };
                        if !public(&method.vis) {
                            continue;
                        }
                        let name = format!("{of}::{}", method.sig.ident);
                        self.keep(&name, &method.attrs);
                        if method.sig.receiver().is_some() && !plain_block(&method.block) {
                            self.behave.insert(name, file.to_owned());
                        }
                    }
                }
                Item::Mod(i) => {
                    let tests = i.attrs.iter().any(|a| a.path().is_ident("cfg"));
                    if let (Some((_, items)), false) = (&i.content, tests) {
                        self.items(items, file);
                    }
                }
                _ => {}
            }
        }
    }

    /// What the listing has, does something, and no example shows.
    fn missing(&self, listing: &str) -> Vec<String> {
        let public: BTreeSet<String> = listing.lines().filter_map(function).collect();
        let words: BTreeSet<&str> = self
            .examples
            .split(|c: char| !c.is_alphanumeric() && c != '_')
            .collect();
        let called = |name: &str| {
            let call = format!("{name}(");
            let mut all = self.examples.match_indices(&call);
            all.any(|(at, _)| {
                let before = self.examples[..at].chars().next_back();
                !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
            })
        };
        let mut missing = BTreeSet::new();
        let mut types: BTreeMap<&str, (&str, bool)> = BTreeMap::new();
        for (name, file) in self.behave.iter().filter(|(n, _)| public.contains(*n)) {
            let own = self.shown.contains(name);
            let Some((of, method)) = name.split_once("::") else {
                if !own && !called(name) {
                    missing.insert(format!("{file}: no example of `{name}`"));
                }
                continue;
            };
            // A name that several types have does not say whose it is.
            let end = format!("::{method}");
            let alone = public.iter().filter(|n| n.ends_with(&end)).count() == 1;
            let shown = own || (alone && called(method));
            types.entry(of).or_insert((file, false)).1 |= shown;
        }
        for (of, (file, shown)) in types {
            if !shown && !self.shown.contains(of) && !words.contains(of) {
                missing.insert(format!("{file}: no example of `{of}`"));
            }
        }
        missing.into_iter().collect()
    }
}

/// A line of a listing as `Type::method` or `function`; `None` for what is no
/// function.
fn function(line: &str) -> Option<String> {
    let rest = line.strip_prefix("pub ")?;
    let at = rest.find("fn ")?;
    let before = &rest[..at];
    if before.contains("::") {
        return None;
    }
    let path = rest[at + 3..].split('(').next()?;
    // Without what stands between angle brackets.
    let mut depth = 0;
    let plain: String = path
        .chars()
        .filter(|c| {
            depth += i32::from(*c == '<');
            let keep = depth == 0;
            depth -= i32::from(*c == '>');
            keep
        })
        .collect();
    let mut parts = plain.rsplit("::");
    let name = parts.next()?;
    let of = parts.next().unwrap_or_default();
    if of.starts_with(char::is_uppercase) {
        return Some(format!("{of}::{name}"));
    }
    Some(name.to_owned())
}

/// One expression, and a plain one.
fn plain_block(block: &syn::Block) -> bool {
    match block.stmts.as_slice() {
        [] => true,
        [Stmt::Expr(only, None)] => plain(only),
        _ => false,
    }
}

/// A part of a value, or a value of parts.
fn plain(expression: &Expr) -> bool {
    match expression {
        Expr::Path(_) | Expr::Lit(_) => true,
        Expr::Field(e) => plain(&e.base),
        Expr::Reference(e) => plain(&e.expr),
        Expr::Paren(e) => plain(&e.expr),
        Expr::Unary(e) => plain(&e.expr),
        Expr::Cast(e) => plain(&e.expr),
        Expr::Binary(e) => plain(&e.left) && plain(&e.right),
        Expr::Tuple(e) => e.elems.iter().all(plain),
        Expr::Array(e) => e.elems.iter().all(plain),
        Expr::Struct(e) => e.fields.iter().all(|f| plain(&f.expr)),
        Expr::Call(e) => plain(&e.func) && e.args.iter().all(plain),
        Expr::MethodCall(e) => {
            let part = [
                "as_bytes",
                "as_deref",
                "as_ref",
                "as_slice",
                "as_str",
                "clone",
                "cloned",
                "contains",
                "copied",
                "count",
                "first",
                "get",
                "into",
                "is_empty",
                "is_none",
                "is_some",
                "iter",
                "keys",
                "last",
                "len",
                "map",
                "to_owned",
                "unwrap_or",
                "unwrap_or_default",
                "values",
            ];
            plain(&e.receiver) && part.iter().any(|p| e.method == p) && e.args.iter().all(plain)
        }
        Expr::Match(e) => {
            plain(&e.expr) && e.arms.iter().all(|a| a.guard.is_none() && plain(&a.body))
        }
        Expr::Macro(e) => e.mac.path.is_ident("matches"),
        _ => false,
    }
}
