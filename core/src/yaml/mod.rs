//! YAML and JSON text → spanned value trees.
//!
//! In: the text of one source. Out: one [`Document`] per document, each either
//! a [`Node`] tree or a located error; a broken document never hides the others.

mod node;

pub use node::{Entry, Node, Number, Value};
