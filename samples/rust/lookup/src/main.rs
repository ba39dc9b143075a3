//! A table that `netverdict compile` wrote, read without the engine:
//!
//!     lookup shop.nvt IDENTITY-OF-DB IDENTITY-OF-API IDENTITY-OF-WEB
use netverdict_table::{Direction, View};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [table, db, api, web] = &arguments[..] else {
        return Err("usage: lookup TABLE DB API WEB".into());
    };
    let bytes = std::fs::read(table)?;
    let view = View::new(&bytes)?; // checked once; lookups need no checks after that
    let subject = view.subject_of_identity(db.parse()?).ok_or("no such subject")?;
    let policy = view.policy(subject, Direction::Ingress).ok_or("no policy")?;
    for (name, identity) in [("shop/api", api), ("shop/web", web)] {
        let answer = policy.verdict(identity.parse()?, 6, 5432);
        let word = if answer.is_allowed() { "allow" } else if answer.is_deny() { "deny" } else { "default-deny" };
        println!("{name} -> shop/db 5432/TCP: {word}");
    }
    Ok(())
}
