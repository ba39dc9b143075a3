//! `edit`: the editor in a browser, on a folder of this machine.
//!
//! In: a folder of manifests and a folder with the built editor. Out: a server
//! on the loopback address that gives both to whoever knows its address, and
//! writes manifests when somebody saves.

mod answer;
mod folder;
mod request;
mod site;

use crate::exit::{Exit, Failure};
use answer::Server;
use clap::Args;
use folder::Folder;
use site::Site;
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Connections at a time.
const CONNECTIONS: usize = 64;
/// How long a browser may take for a part of what it sends.
const PATIENCE: Duration = Duration::from_secs(10);

/// Edit a folder of manifests in the browser: findings as you type, a map of
/// who may talk to whom, and the verdict on any flow.
#[derive(Args, Debug)]
pub(crate) struct EditArgs {
    /// The folder. Its manifests are written when you save, and only then.
    #[arg(default_value = ".", value_name = "DIR")]
    folder: PathBuf,
    /// The port on 127.0.0.1; 0 takes one that is free.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// The built editor; without this (and without `NETVERDICT_EDITOR`) it is
    /// looked for beside the program.
    #[arg(long, value_name = "DIR")]
    editor: Option<PathBuf>,
}

/// Serves until it is interrupted.
pub(crate) fn run(args: &EditArgs) -> Result<Exit, Failure> {
    let given = args.editor.clone();
    let given = given.or_else(|| std::env::var_os("NETVERDICT_EDITOR").map(PathBuf::from));
    let site = Site::find(given.as_deref())?;
    let folder = Folder::open(&args.folder)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, args.port))
        .map_err(|e| Failure::new(format!("127.0.0.1:{}: {e}", args.port)))?;
    let port = listener.local_addr()?.port();
    let server = Arc::new(Server::new(site, folder, port, token()?));
    let mut out = anstream::stdout();
    writeln!(out, "{}", server.address())?;
    out.flush()?;
    anstream::eprintln!("Open it in a browser; Ctrl-C ends it.");
    let open = Arc::new(AtomicUsize::new(0));
    for stream in listener.incoming().flatten() {
        let (server, open) = (Arc::clone(&server), Arc::clone(&open));
        if open.fetch_add(1, Ordering::Relaxed) >= CONNECTIONS {
            open.fetch_sub(1, Ordering::Relaxed);
            continue;
        }
        std::thread::spawn(move || {
            // Whoever hung up needs no answer.
            let _ = converse(&server, stream);
            open.fetch_sub(1, Ordering::Relaxed);
        });
    }
    Ok(Exit::Fine)
}

/// One question and its answer.
fn converse(server: &Server, mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let answer = match request::read(&stream) {
        Ok(Some(request)) => server.answer(&request),
        Ok(None) => return Ok(()),
        Err(refusal) => refusal.into(),
    };
    answer.write(&mut stream)
}

/// What an address must have that nobody can guess.
fn token() -> Result<String, Failure> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|e| Failure::new(format!("no randomness: {e}")))?;
    Ok(bytes.iter().map(|b| format!("{b:02x}")).collect())
}
