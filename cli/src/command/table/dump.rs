//! `table dump`: everything a table says.

use super::FileArgs;
use crate::args::Format;
use crate::columns::{self, cell};
use crate::exit::{Exit, Failure};
use crate::style::{self, clean};
use clap::Args;
use netverdict::listing::{Listing, PolicyListing, SubjectListing, VerdictListing};
use std::io::{self, Write};

/// Print everything a table says: subjects, classes with their identities and
/// ports, the verdict of each pair of classes, and the rules.
#[derive(Args, Debug)]
pub(super) struct DumpArgs {
    #[command(flatten)]
    file: FileArgs,
    /// How to print.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
}

/// Prints it.
pub(super) fn run(args: &DumpArgs) -> Result<Exit, Failure> {
    let bytes = super::read(&args.file.table)?;
    let listing = Listing::of(&super::view(&bytes, &args.file.table)?);
    let mut out = io::BufWriter::new(anstream::stdout().lock());
    match args.output {
        Format::Json => {
            serde_json::to_writer_pretty(&mut out, &listing)?;
            writeln!(out)?;
        }
        Format::Text => {
            writeln!(out, "identities: {}", listing.identities.join(" "))?;
            for subject in &listing.subjects {
                write_subject(&mut out, subject)?;
            }
            for (number, policy) in listing.policies.iter().enumerate() {
                write_policy(&mut out, number, policy)?;
            }
        }
    }
    out.flush()?;
    Ok(Exit::Fine)
}

fn write_subject(out: &mut dyn Write, s: &SubjectListing) -> io::Result<()> {
    let strong = style::STRONG;
    write!(out, "\n{strong}subject {}{strong:#}", s.subject)?;
    let (Some(ingress), Some(egress)) = (s.ingress, s.egress) else {
        return writeln!(out, ": none");
    };
    if let Some(identity) = s.identity {
        write!(out, ", identity {identity}")?;
    }
    if !s.endpoints.is_empty() {
        let endpoints: Vec<String> = s.endpoints.iter().map(u32::to_string).collect();
        write!(out, ", endpoints {}", endpoints.join(" "))?;
    }
    writeln!(out, ": ingress policy {ingress}, egress policy {egress}")?;
    let mut rows = Vec::new();
    for entry in &s.entries {
        rows.push(vec![
            cell(format!("  {}", entry.direction)),
            cell(format!("class {}", entry.class)),
            cell(entry.port.clone()),
            cell(format!("{:#010x}", entry.precedence)),
            cell(entry.rules.join(", ")),
        ]);
    }
    columns::write(out, &rows)
}

/// A verdict in words.
pub(super) fn words(v: &VerdictListing) -> String {
    let mut words = format!("{} {}", v.verdict, v.match_type);
    if v.proxy_port != 0 {
        words += &format!(", proxy port {}", v.proxy_port);
    }
    if v.auth_type != 0 {
        words += &format!(", authentication {}", v.auth_type);
    }
    words
}

fn write_policy(out: &mut dyn Write, number: usize, p: &PolicyListing) -> io::Result<()> {
    let strong = style::STRONG;
    let default = match (p.enforced, p.default_deny) {
        (false, _) => "not enforced",
        (true, true) => "what no rule allows is denied",
        (true, false) => "no default deny",
    };
    let direction = p.direction;
    writeln!(
        out,
        "\n{strong}policy {number}{strong:#}, {direction}: {default}"
    )?;
    let kinds = [("peer class", &p.peers), ("port class", &p.ports)];
    for (kind, classes) in kinds {
        for (class, members) in classes.iter().enumerate() {
            let members = members.join(", ");
            writeln!(out, "  {kind} {class}: {}", clean(&members))?;
        }
    }
    let mut head = vec![cell("  port\\peer")];
    head.extend((0..p.peers.len()).map(|class| cell(class.to_string())));
    let mut rows = vec![head];
    for (class, cells) in p.cells.iter().enumerate() {
        let mut row = vec![cell(format!("  {class}"))];
        row.extend(cells.iter().map(|verdict| cell(letter(*verdict))));
        rows.push(row);
    }
    columns::write(out, &rows)?;
    for (number, verdict) in (0u32..).zip(&p.verdicts) {
        writeln!(out, "  {} = {}", letter(number), words(verdict))?;
    }
    Ok(())
}

/// `a` to `z`, then `a1`: so that nobody takes verdicts for classes.
fn letter(number: u32) -> String {
    let first = char::from(b'a' + (number % 26) as u8);
    match number / 26 {
        0 => first.to_string(),
        rest => format!("{first}{rest}"),
    }
}
