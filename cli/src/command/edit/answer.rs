//! What the server answers, and whom.
//!
//! In: requests. Out: files of the editor, manifests, or a refusal. Only pages
//! that the server itself gave get anything: the address has a secret, and
//! requests that another site or another name for this machine caused are
//! refused before anything is looked at.

use super::folder::Folder;
use super::request::Request;
use super::site::Site;
use std::io::{self, Write};

/// A request that is not answered.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    why: &'static str,
}

impl Refusal {
    pub(crate) const fn new(status: u16, why: &'static str) -> Self {
        Self { status, why }
    }
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    status: u16,
    kind: &'static str,
    body: Vec<u8>,
}

impl From<Refusal> for Answer {
    fn from(Refusal { status, why }: Refusal) -> Self {
        Self {
            status,
            kind: "text/plain; charset=utf-8",
            body: why.into(),
        }
    }
}

impl Answer {
    fn text(body: String) -> Self {
        Self {
            status: 200,
            kind: "text/plain; charset=utf-8",
            body: body.into_bytes(),
        }
    }

    /// Sends it, and that nothing follows.
    pub(crate) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let head = format!(
            "HTTP/1.1 {} -\r\n\
             Content-Type: {}\r\n\
             Content-Length: {}\r\n\
             Cache-Control: no-store\r\n\
             Content-Security-Policy: frame-ancestors 'none'\r\n\
             Cross-Origin-Resource-Policy: same-origin\r\n\
             Referrer-Policy: no-referrer\r\n\
             X-Content-Type-Options: nosniff\r\n\
             Connection: close\r\n\r\n",
            self.status,
            self.kind,
            self.body.len()
        );
        out.write_all(head.as_bytes())?;
        out.write_all(&self.body)?;
        out.flush()
    }
}

/// The server.
#[derive(Debug)]
pub(crate) struct Server {
    site: Site,
    folder: Folder,
    port: u16,
    token: String,
}

impl Server {
    pub(crate) const fn new(site: Site, folder: Folder, port: u16, token: String) -> Self {
        Self {
            site,
            folder,
            port,
            token,
        }
    }

    /// Where a browser finds it.
    pub(crate) fn address(&self) -> String {
        format!("http://127.0.0.1:{}/{}/", self.port, self.token)
    }

    /// Answers a request.
    pub(crate) fn answer(&self, request: &Request) -> Answer {
        self.permit(request)
            .and_then(|below| self.serve(request, below))
            .unwrap_or_else(Answer::from)
    }

    /// The path below the secret, if the request may be answered.
    fn permit<'a>(&self, request: &'a Request) -> Result<&'a str, Refusal> {
        let hosts = ["127.0.0.1", "localhost"].map(|name| format!("{name}:{}", self.port));
        // A name of somebody else's that leads here is no name of ours.
        let host = request.header("host").unwrap_or_default();
        if !hosts.iter().any(|known| known == host) {
            return Err(Refusal::new(421, "this is 127.0.0.1"));
        }
        let origin = request.header("origin");
        let own = |origin: &str| {
            hosts
                .iter()
                .any(|h| origin.strip_prefix("http://") == Some(h))
        };
        let site = request.header("sec-fetch-site");
        let asked_here = matches!(site, None | Some("same-origin" | "none"));
        if origin.is_some_and(|o| !own(o)) || (request.method != "GET" && !asked_here) {
            return Err(Refusal::new(403, "another site asked"));
        }
        let below = request.path.strip_prefix('/');
        let below = below.and_then(|path| path.strip_prefix(self.token.as_str()));
        below
            .and_then(|path| path.strip_prefix('/'))
            .ok_or(Refusal::new(
                404,
                "the address lacks its secret: take the one that was printed",
            ))
    }

    fn serve(&self, request: &Request, below: &str) -> Result<Answer, Refusal> {
        let expected = request.header("if-match");
        match (request.method.as_str(), below.strip_prefix("api/")) {
            ("GET", None) => {
                let (body, kind) = self
                    .site
                    .file(below, &self.folder.title())
                    .ok_or(Refusal::new(404, "there is no such file"))?;
                Ok(Answer {
                    status: 200,
                    kind,
                    body,
                })
            }
            ("GET", Some("files")) => {
                let body = serde_json::to_vec(&self.folder.files()?)
                    .map_err(|_| Refusal::new(500, "the folder cannot be told"))?;
                Ok(Answer {
                    status: 200,
                    kind: "application/json",
                    body,
                })
            }
            (method, Some(call)) => {
                let name = call
                    .strip_prefix("file/")
                    .ok_or(Refusal::new(404, "there is no such call"))?;
                match method {
                    "PUT" => self
                        .folder
                        .write(name, &request.body, expected)
                        .map(Answer::text),
                    "DELETE" => self
                        .folder
                        .remove(name, expected)
                        .map(|()| Answer::text(String::new())),
                    _ => Err(Refusal::new(405, "PUT or DELETE")),
                }
            }
            _ => Err(Refusal::new(405, "GET")),
        }
    }
}
