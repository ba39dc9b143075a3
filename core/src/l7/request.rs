//! A request's headers, as Envoy keeps them.
//!
//! In: method, host, path and headers. Out: values by name, and changes to
//! them. Names are in lower case; method, host and path are the
//! pseudo-headers `:method`, `:authority` and `:path`, and `host` is another
//! name of `:authority`.

use std::borrow::Cow;

/// An HTTP request, any version: gRPC is HTTP/2 with the path
/// `/package.Service/Method`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    headers: Vec<(String, String)>,
}

impl Request {
    /// A request without further headers. `path` includes the query string,
    /// `host` a port if the client sent one.
    #[must_use]
    pub fn new(method: &str, host: &str, path: &str) -> Self {
        let pseudo = [(METHOD, method), (AUTHORITY, host), (PATH, path)];
        Self {
            headers: pseudo.map(|(n, v)| (n.to_owned(), v.to_owned())).into(),
        }
    }

    /// A request as people write it: `GET /docs`, `GET /docs host=example.com`.
    /// `None` when it is none; what the path looks like is not judged.
    ///
    /// ```
    /// use netverdict::l7::Request;
    ///
    /// let request = Request::from_words("GET /docs?page=2 host=api.example.com").expect("a request");
    /// assert_eq!((&*request.method(), &*request.path()), ("GET", "/docs?page=2"));
    /// assert_eq!(request.host(), "api.example.com");
    /// ```
    #[must_use]
    pub fn from_words(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let (method, path) = (words.next()?, words.next()?);
        let mut host = "";
        for word in words {
            host = word.strip_prefix("host=")?;
        }
        Some(Self::new(method, host, path))
    }

    /// Adds a value of a header.
    pub fn add(&mut self, name: &str, value: &str) {
        let name = lower_name(name);
        if name.starts_with(':')
            && let Some((_, known)) = self.headers.iter_mut().find(|(n, _)| *n == name)
        {
            // Of these there is one: values are joined.
            known.push(',');
            known.push_str(value);
            return;
        }
        self.headers.push((name, value.to_owned()));
    }

    /// The value of a header, several joined by commas; `None` without it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        let mut values = self
            .headers
            .iter()
            .filter(|(n, _)| n == name)
            .map(|(_, v)| v);
        let first = values.next()?;
        let mut all = Cow::Borrowed(first.as_str());
        for value in values {
            let all = all.to_mut();
            all.push(',');
            all.push_str(value);
        }
        Some(all)
    }

    /// Sets the first value of a header, and adds one if there is none.
    pub(super) fn set(&mut self, name: &str, value: &str) {
        match self.headers.iter_mut().find(|(n, _)| n == name) {
            Some((_, known)) => value.clone_into(known),
            None => self.add(name, value),
        }
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.headers.retain(|(n, _)| n != name);
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> Cow<'_, str> {
        self.get(METHOD).unwrap_or_default()
    }

    /// The host, with its port if the client sent one.
    #[must_use]
    pub fn host(&self) -> Cow<'_, str> {
        self.get(AUTHORITY).unwrap_or_default()
    }

    /// The path with its query string.
    #[must_use]
    pub fn path(&self) -> Cow<'_, str> {
        self.get(PATH).unwrap_or_default()
    }

    /// The headers beside method, host and path, in order.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let own = self.headers.iter().filter(|(n, _)| !n.starts_with(':'));
        own.map(|(n, v)| (n.as_str(), v.as_str()))
    }
}

pub(super) const METHOD: &str = ":method";
pub(super) const AUTHORITY: &str = ":authority";
pub(super) const PATH: &str = ":path";

/// The name headers are kept under.
pub(super) fn lower_name(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    if name == "host" {
        return AUTHORITY.to_owned();
    }
    name
}
