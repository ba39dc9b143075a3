//! Prints the public interface of a crate, a line for each item.
//!
//! In: a file of rustdoc's JSON. Out: items, sorted, derived and blanket
//! implementations left out. Exit status 3: the compiler that wrote the file is
//! too new or too old.

use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(path) = std::env::args_os().nth(1) else {
        eprintln!("usage: netverdict-public-api FILE.json");
        return ExitCode::from(1);
    };
    let format = std::fs::read_to_string(&path)
        .ok()
        .and_then(|text| serde_json::from_str::<serde_json::Value>(&text).ok())
        .and_then(|json| json["format_version"].as_u64());
    if format != Some(u64::from(rustdoc_types::FORMAT_VERSION)) {
        eprintln!(
            "rustdoc wrote format {format:?}, and {} is read here",
            rustdoc_types::FORMAT_VERSION
        );
        return ExitCode::from(3);
    }
    let api = public_api::Builder::from_rustdoc_json(path)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .omit_auto_derived_impls(true)
        .build();
    match api {
        Ok(api) => {
            println!("{api}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(1)
        }
    }
}
