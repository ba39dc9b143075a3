//! What is sent on a flow, and what becomes of it behind a redirect.
//!
//! In: `--http`, `--header`, `--dns`, `--sni`. Out: whether it gets through,
//! what the sender sees if not, and the rules that were tried; for people and
//! for programs.

use crate::exit::{Exit, Failure};
use crate::question::Question;
use crate::report;
use crate::style::{self, clean};
use crate::world::World;
use anstyle::Style;
use clap::Args;
use netverdict::cluster::{
    FlowAnswer, JsonLayer7, Layer7, Layer7Answer, Layer7Outcome, Layer7Side, TriedLayer7,
};
use netverdict::l7::{Request, Secrets};
use netverdict::source::Sources;
use std::io::{self, Write};

/// What is sent.
#[derive(Args, Debug)]
pub(crate) struct SentArgs {
    /// An HTTP request on the flow: `GET /docs`, `POST /v1/orders host=api.example.com`.
    #[arg(long, value_name = "METHOD PATH [host=HOST]", conflicts_with = "dns")]
    http: Option<String>,
    /// A header of the request: `X-Token: 1`; may be given several times.
    #[arg(long, value_name = "NAME: VALUE", requires = "http")]
    header: Vec<String>,
    /// A DNS query on the flow, for this name.
    #[arg(long, value_name = "NAME")]
    dns: Option<String>,
    /// The server name of the flow's TLS handshake.
    #[arg(long, value_name = "NAME")]
    sni: Option<String>,
}

/// What is sent, read.
#[derive(Debug)]
pub(crate) struct Sent {
    request: Option<Request>,
    query: Option<String>,
    server_name: Option<String>,
}

impl SentArgs {
    /// Reads the arguments; `None` without any.
    pub(crate) fn read(&self) -> Result<Option<Sent>, Failure> {
        let mut request = None;
        if let Some(text) = &self.http {
            let mut own = read_request(text)?;
            for header in &self.header {
                let (name, value) = header
                    .split_once(':')
                    .ok_or_else(|| Failure::new(format!("`--header {header}` has no colon")))?;
                own.add(name.trim(), value.trim());
            }
            request = Some(own);
        }
        if request.is_none() && self.dns.is_none() && self.sni.is_none() {
            return Ok(None);
        }
        Ok(Some(Sent {
            request,
            query: self.dns.clone(),
            server_name: self.sni.clone(),
        }))
    }
}

fn read_request(text: &str) -> Result<Request, Failure> {
    let wrong = || {
        Failure::new(format!("`--http {text}` is no request"))
            .help("write a method, a path and perhaps a host: `GET /docs host=api.example.com`")
    };
    let request = Request::from_words(text).ok_or_else(wrong)?;
    let path = request.path();
    if !path.starts_with('/') && path != "*" {
        return Err(wrong());
    }
    Ok(request)
}

impl Sent {
    fn layer7(&self) -> Layer7<'_> {
        Layer7 {
            server_name: self.server_name.as_deref(),
            request: self.request.clone(),
            query: self.query.as_deref(),
        }
    }

    /// The answer for programs.
    pub(crate) fn json(&self, answer: &Layer7Answer, sources: &Sources) -> JsonLayer7 {
        JsonLayer7::new(&self.layer7(), answer, sources)
    }

    /// Asks what becomes of it.
    pub(crate) fn ask(
        &self,
        world: &World,
        question: &Question,
        flow: &FlowAnswer,
    ) -> Layer7Answer {
        // Files may hold secrets, and none of them is read.
        let secrets = Secrets::default();
        world
            .cluster
            .layer7(&question.flow(), flow, &self.layer7(), &secrets)
    }

    /// Writes the answer: the rules that decide, or all that were tried.
    pub(crate) fn write(
        &self,
        out: &mut dyn Write,
        answer: &Layer7Answer,
        sources: &Sources,
        all: bool,
    ) -> io::Result<()> {
        let Some(outcome) = &answer.outcome else {
            // The packet is dropped before anybody reads it.
            return Ok(());
        };
        let (said, look) = said(outcome);
        let strong = style::STRONG;
        writeln!(
            out,
            "\n{strong}layer 7{strong:#}: {} {look}{said}{look:#}",
            clean(&self.layer7().to_string())
        )?;
        if let Layer7Outcome::Unknown(why) = outcome {
            writeln!(out, "  {}", clean(why))?;
        }
        for side in [&answer.egress, &answer.ingress].into_iter().flatten() {
            if side.outcome != Layer7Outcome::NotInspected {
                write_side(out, side, sources, all)?;
            }
        }
        Ok(())
    }
}

fn write_side(
    out: &mut dyn Write,
    side: &Layer7Side,
    sources: &Sources,
    all: bool,
) -> io::Result<()> {
    const LISTED: usize = 12;
    writeln!(out, "  tried by the {} proxy", side.direction)?;
    let passes = side.outcome.passes();
    let shown: Vec<&TriedLayer7> = side
        .tried
        .iter()
        .filter(|t| all || !passes || t.miss.is_none())
        .collect();
    for tried in shown.iter().take(LISTED) {
        let (sign, look) = match tried.miss {
            None => ("✓", style::GOOD),
            Some(_) => ("·", Style::new()),
        };
        let faint = style::FAINT;
        let place = match tried.rules.is_empty() {
            true => String::new(),
            false => report::place(sources, tried.span),
        };
        writeln!(
            out,
            "    {look}{sign}{look:#} {}  {faint}{place}{faint:#}",
            clean(&tried.wanted)
        )?;
        if let Some(miss) = &tried.miss {
            writeln!(out, "        {}", clean(miss))?;
        }
    }
    match shown.len().saturating_sub(LISTED) {
        0 => {}
        more => writeln!(out, "    and {more} more")?,
    }
    for (list, word) in [
        (&side.http.missing, "missing"),
        (&side.http.rejected, "rejected"),
    ] {
        for (name, value) in list {
            writeln!(
                out,
                "    logged as {word}: {}: {}",
                clean(name),
                clean(value)
            )?;
        }
    }
    Ok(())
}

/// What happens, and how it looks.
fn said(outcome: &Layer7Outcome) -> (&'static str, Style) {
    match outcome {
        Layer7Outcome::NotInspected => ("goes on: no proxy looks at it", style::GOOD),
        Layer7Outcome::Forwarded => ("goes on", style::GOOD),
        Layer7Outcome::Forbidden => ("is answered with 403", style::ERROR),
        Layer7Outcome::Refused => ("is answered as refused", style::ERROR),
        Layer7Outcome::Dropped => ("is dropped by the proxy", style::ERROR),
        Layer7Outcome::Unknown(_) => ("is undecided", style::WARNING),
    }
}

/// How a command ends that asked; a flow that does not pass has ended it
/// already.
pub(crate) fn exit(answer: &Layer7Answer, flow: Exit) -> Exit {
    match &answer.outcome {
        None => flow,
        Some(Layer7Outcome::Unknown(_)) => Exit::Invalid,
        Some(outcome) if outcome.passes() => flow,
        Some(_) => Exit::Denied,
    }
}
