//! `netverdict-bindgen IN.wasm OUT_DIR NAME`: the JavaScript that goes with a
//! module, as an ES module that is given the module's bytes.

use anyhow::{Result, bail};
use wasm_bindgen_cli_support::Bindgen;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [module, folder, name] = arguments.as_slice() else {
        bail!("usage: netverdict-bindgen IN.wasm OUT_DIR NAME");
    };
    Bindgen::new()
        .input_path(module)
        .out_name(name)
        .web(true)?
        .omit_default_module_path(true)
        .typescript(true)
        .remove_name_section(true)
        .remove_producers_section(true)
        .generate(folder)
}
