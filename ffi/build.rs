//! Gives the shared library its soname: the number of the ABI, which has
//! nothing to do with the version of the crate.

/// `NETVERDICT_ABI_VERSION`; a test of the crate compares the two.
const ABI: u32 = 0;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let engine = std::env::var_os("CARGO_FEATURE_ENGINE").is_some();
    let name = if engine {
        "libnetverdict"
    } else {
        "libnetverdict_table"
    };
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,{name}.so.{ABI}");
    }
}
