//! `cargo xtask install --prefix DIR`: the C libraries where compilers look.
//!
//! In: the workspace. Out: in DIR, `lib/` with both libraries, shared with a
//! soname and static, `lib/pkgconfig/`, `lib/cmake/netverdict/`, and `include/`.

use crate::job::{self, cargo, root};
use std::fs;
use std::path::{Path, PathBuf};

/// How the libraries are built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    /// For use.
    Release,
    /// For the tests, which have built most of it already.
    Dev,
}

impl Profile {
    const fn folder(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Dev => "debug",
        }
    }
}

/// A library: its name, whether it has the engine, and what is said of it.
struct Library {
    name: &'static str,
    engine: bool,
    pc: &'static str,
    about: &'static str,
}

const LIBRARIES: [Library; 2] = [
    Library {
        name: "netverdict",
        engine: true,
        pc: "netverdict",
        about: "Network-policy engine compatible with Cilium",
    },
    Library {
        name: "netverdict_table",
        engine: false,
        pc: "netverdict-table",
        about: "Reader of netverdict's verdict tables",
    },
];

/// What the static libraries want beside them.
const SYSTEM: &str = "-lpthread -ldl -lm";

/// Builds and installs.
pub(crate) fn run(prefix: &str, profile: Profile) -> Result<(), String> {
    let prefix = std::path::absolute(prefix).map_err(|e| format!("{prefix}: {e}"))?;
    let (lib, include) = (prefix.join("lib"), prefix.join("include"));
    let (pkgconfig, cmake) = (lib.join("pkgconfig"), lib.join("cmake/netverdict"));
    for folder in [&lib, &include, &pkgconfig, &cmake] {
        fs::create_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    }
    let abi = abi()?;
    for library in &LIBRARIES {
        let built = build(library, profile)?;
        let name = library.name;
        let so = lib.join(format!("lib{name}.so.{abi}"));
        copy(&built.join("libnetverdict_ffi.so"), &so)?;
        link(
            &format!("lib{name}.so.{abi}"),
            &lib.join(format!("lib{name}.so")),
        )?;
        let archive = lib.join(format!("lib{name}.a"));
        copy(&built.join("libnetverdict_ffi.a"), &archive)?;
        let text = package(library, &prefix);
        write(&pkgconfig.join(format!("{}.pc", library.pc)), &text)?;
    }
    for header in headers() {
        let name = header.file_name().unwrap_or_default();
        copy(&header, &include.join(name))?;
    }
    write(&cmake.join("netverdict-config.cmake"), &cmake_config(&abi))?;
    write(
        &cmake.join("netverdict-config-version.cmake"),
        &cmake_version(),
    )?;
    println!("installed in {}", prefix.display());
    Ok(())
}

/// Lets pkg-config find everything from where its files are, wherever the
/// folder goes.
pub(crate) fn relocatable(prefix: &Path) -> Result<(), String> {
    for library in &LIBRARIES {
        let path = prefix.join(format!("lib/pkgconfig/{}.pc", library.pc));
        let text = package(library, Path::new("${pcfiledir}/../.."));
        write(&path, &text)?;
    }
    Ok(())
}

fn headers() -> Vec<PathBuf> {
    let files = [
        "ffi/include/netverdict.h",
        "ffi/include/netverdict_view.h",
        "table/include/netverdict_table.h",
        "bindings/cpp/include/netverdict.hpp",
    ];
    files.iter().map(|f| root().join(f)).collect()
}

/// Builds a library; returns the folder it is in. The library of tables is
/// built aside: it has the same crate's name.
fn build(library: &Library, profile: Profile) -> Result<PathBuf, String> {
    let target = target_folder();
    let target = match library.engine {
        true => target,
        false => target.join("ffi-table"),
    };
    let mut command = cargo(&["build", "--quiet", "--package=netverdict-ffi"]);
    command.arg("--target-dir").arg(&target);
    if profile == Profile::Release {
        command.arg("--release");
    }
    if !library.engine {
        command.arg("--no-default-features");
    }
    job::run(&mut command)?;
    Ok(target.join(profile.folder()))
}

/// Where cargo builds.
pub(crate) fn target_folder() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// Flags of the compiler that take paths of this machine out of what it makes.
pub(crate) fn same_paths() -> Vec<String> {
    let remap = |from: PathBuf, to: &str| format!("--remap-path-prefix={}={to}", from.display());
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| std::env::var_os("HOME").map(|h| Path::new(&h).join(".cargo")));
    // The last one that fits counts: a target folder is often within the root.
    let mut flags = vec![
        remap(root(), "netverdict"),
        remap(target_folder(), "target"),
    ];
    flags.extend(home.map(|h| remap(h, "cargo")));
    flags
}

/// `NETVERDICT_ABI_VERSION`, as the header says.
fn abi() -> Result<String, String> {
    let path = root().join("ffi/include/netverdict_view.h");
    let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let line = text
        .lines()
        .find_map(|l| l.strip_prefix("#define NETVERDICT_ABI_VERSION "));
    line.map(str::to_owned)
        .ok_or(format!("{}: no NETVERDICT_ABI_VERSION", path.display()))
}

fn package(library: &Library, prefix: &Path) -> String {
    format!(
        "prefix={}\nlibdir=${{prefix}}/lib\nincludedir=${{prefix}}/include\n\n\
         Name: {}\nDescription: {}\nVersion: {}\nLibs: -L${{libdir}} -l{}\n\
         Libs.private: {SYSTEM}\nCflags: -I${{includedir}}\n",
        prefix.display(),
        library.pc,
        library.about,
        env!("CARGO_PKG_VERSION"),
        library.name,
    )
}

/// Targets for `find_package(netverdict)`, found relative to the file itself.
fn cmake_config(abi: &str) -> String {
    let mut text = String::from(
        "# Targets of netverdict: netverdict::netverdict, netverdict::table, and both with _static.\n\
         get_filename_component(_netverdict_prefix \"${CMAKE_CURRENT_LIST_DIR}/../../..\" ABSOLUTE)\n\
         set(_netverdict_system pthread ${CMAKE_DL_LIBS} m)\n",
    );
    for (target, name) in [("netverdict", "netverdict"), ("table", "netverdict_table")] {
        text.push_str(&format!(
            "if(NOT TARGET netverdict::{target})\n\
             \x20 add_library(netverdict::{target} SHARED IMPORTED)\n\
             \x20 set_target_properties(netverdict::{target} PROPERTIES\n\
             \x20   IMPORTED_LOCATION \"${{_netverdict_prefix}}/lib/lib{name}.so.{abi}\"\n\
             \x20   IMPORTED_SONAME \"lib{name}.so.{abi}\"\n\
             \x20   INTERFACE_INCLUDE_DIRECTORIES \"${{_netverdict_prefix}}/include\")\n\
             \x20 add_library(netverdict::{target}_static STATIC IMPORTED)\n\
             \x20 set_target_properties(netverdict::{target}_static PROPERTIES\n\
             \x20   IMPORTED_LOCATION \"${{_netverdict_prefix}}/lib/lib{name}.a\"\n\
             \x20   INTERFACE_LINK_LIBRARIES \"${{_netverdict_system}}\"\n\
             \x20   INTERFACE_INCLUDE_DIRECTORIES \"${{_netverdict_prefix}}/include\")\n\
             endif()\n"
        ));
    }
    text.push_str("unset(_netverdict_prefix)\nunset(_netverdict_system)\n");
    text
}

/// Versions before 1 agree when all of their numbers but the last do.
fn cmake_version() -> String {
    format!(
        "set(PACKAGE_VERSION \"{version}\")\n\
         if(PACKAGE_FIND_VERSION VERSION_GREATER PACKAGE_VERSION)\n\
         \x20 set(PACKAGE_VERSION_COMPATIBLE FALSE)\n\
         elseif(PACKAGE_FIND_VERSION_MAJOR EQUAL {major} AND PACKAGE_FIND_VERSION_MINOR EQUAL {minor})\n\
         \x20 set(PACKAGE_VERSION_COMPATIBLE TRUE)\n\
         else()\n\
         \x20 set(PACKAGE_VERSION_COMPATIBLE FALSE)\n\
         endif()\n\
         if(PACKAGE_FIND_VERSION VERSION_EQUAL PACKAGE_VERSION)\n\
         \x20 set(PACKAGE_VERSION_EXACT TRUE)\n\
         endif()\n",
        version = env!("CARGO_PKG_VERSION"),
        major = env!("CARGO_PKG_VERSION_MAJOR"),
        minor = env!("CARGO_PKG_VERSION_MINOR"),
    )
}

fn copy(from: &Path, to: &Path) -> Result<(), String> {
    // A library that a program uses is not written over.
    let _ = fs::remove_file(to);
    fs::copy(from, to)
        .map(|_| ())
        .map_err(|e| format!("{} to {}: {e}", from.display(), to.display()))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|e| format!("{}: {e}", path.display()))
}

#[cfg(unix)]
fn link(to: &str, at: &Path) -> Result<(), String> {
    let _ = fs::remove_file(at);
    std::os::unix::fs::symlink(to, at).map_err(|e| format!("{}: {e}", at.display()))
}

#[cfg(not(unix))]
fn link(to: &str, at: &Path) -> Result<(), String> {
    copy(&at.with_file_name(to), at)
}
