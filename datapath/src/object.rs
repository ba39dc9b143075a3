//! BPF object files.
//!
//! In: the path of an object that clang built, constants to set in it, maps to
//! use in the place of its own. Out: its maps and programs in the kernel.
//!
//! `aya-obj` reads the file, resolves what it refers to and adapts its type
//! descriptions; the system calls are ours.
//!
//! ```no_run
//! use netverdict_datapath::{Loaded, Object, TableMap, find_object, object_directories};
//!
//! # fn ask(image: &[u8], packet: &[u8]) -> Result<(), netverdict_datapath::Error> {
//! let mut table = TableMap::create(image.len())?;
//! table.replace(image)?;
//! println!("looked for in {:?}", object_directories());
//! let mut object = Object::open(&find_object("verdict_test.bpf.o")?)?;
//! object.set("netverdict_table_mask", &table.mask().to_ne_bytes())?;
//! object.set_value_size("netverdict_table", (table.mask() + 65) as u32)?;
//! object.set_max_entries("questions", 1024)?;
//! object.use_map(table.map())?;
//! let loaded: Loaded = object.load()?;
//! let run = loaded.program("ask")?.test_run(packet, 1000)?;
//! println!("{} after {} ns", run.returned, run.nanoseconds);
//! println!("{} entries", loaded.map("questions")?.keys()?.len());
//! # Ok(())
//! # }
//! ```

use crate::call::{self, MapShape, Run};
use crate::error::Error;
use crate::map::Map;
use aya_obj::btf::BtfFeatures;
use aya_obj::{EbpfSectionKind, Object as File};
use std::collections::{BTreeMap, HashSet};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes kept for what the verifier says.
const LOG: usize = 1 << 20;
/// Lines of it that are shown.
const LOG_LINES: usize = 30;

/// An object file before it is loaded.
pub struct Object {
    path: PathBuf,
    file: File,
    given: BTreeMap<String, Arc<Map>>,
}

impl std::fmt::Debug for Object {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Object")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// A program in the kernel.
#[derive(Debug)]
pub struct Program {
    name: String,
    fd: OwnedFd,
}

/// What was loaded from an object file.
#[derive(Debug)]
pub struct Loaded {
    /// Its maps, by name.
    pub maps: BTreeMap<String, Arc<Map>>,
    /// Its programs, by name.
    pub programs: BTreeMap<String, Program>,
}

impl Object {
    /// Reads an object file.
    ///
    /// # Errors
    /// When it cannot be read, or is none.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let bytes = std::fs::read(path).map_err(|e| Error::object(path, e))?;
        let file = File::parse(&bytes).map_err(|e| Error::object(path, e))?;
        Ok(Self {
            path: path.to_owned(),
            file,
            given: BTreeMap::new(),
        })
    }

    /// Sets a constant (`const volatile`) of the programs.
    ///
    /// # Errors
    /// When there is none of this name and size.
    pub fn set(&mut self, name: &str, value: &[u8]) -> Result<(), Error> {
        let constant = [(name, (value, true))].into();
        let done = self.file.patch_map_data(constant);
        done.map_err(|e| Error::object(&self.path, e))
    }

    fn declared(&mut self, map: &str) -> Result<&mut aya_obj::Map, Error> {
        let path = &self.path;
        let declared = self.file.maps.get_mut(map);
        declared.ok_or_else(|| Error::object(path, format!("has no map {map}")))
    }

    /// Sets how long the values of a map are.
    ///
    /// # Errors
    /// When there is no such map.
    pub fn set_value_size(&mut self, map: &str, size: u32) -> Result<(), Error> {
        self.declared(map)?.set_value_size(size);
        Ok(())
    }

    /// Sets how many entries a map may have.
    ///
    /// # Errors
    /// When there is no such map.
    pub fn set_max_entries(&mut self, map: &str, entries: u32) -> Result<(), Error> {
        self.declared(map)?.set_max_entries(entries);
        Ok(())
    }

    /// Uses a map that is there in the place of the object's own.
    ///
    /// # Errors
    /// When the object has no such map, or one of another shape.
    pub fn use_map(&mut self, map: &Arc<Map>) -> Result<(), Error> {
        let path = self.path.clone();
        let shape = shape(self.declared(map.name())?);
        if shape != map.shape() {
            let why = format!(
                "the map {} was made by another version of this program",
                map.name()
            );
            return Err(Error::object(&path, why));
        }
        self.given.insert(map.name().to_owned(), Arc::clone(map));
        Ok(())
    }

    /// Creates the maps and loads the programs.
    ///
    /// # Errors
    /// What the kernel says; nothing of it stays then.
    pub fn load(mut self) -> Result<Loaded, Error> {
        let path = self.path;
        let wrong = |e: &dyn std::fmt::Display| Error::object(&path, e);
        let features = BtfFeatures::new(true, true, true, true, true, true, true, true);
        let btf = match self.file.fixup_and_sanitize_btf(&features) {
            Ok(None) => None,
            Ok(Some(btf)) => {
                let fd = call::load_btf(&btf.to_bytes());
                Some(fd.map_err(|e| Error::of("load type descriptions", e))?)
            }
            Err(e) => return Err(wrong(&e)),
        };
        let mut maps = BTreeMap::new();
        for (name, declared) in &self.file.maps {
            let map = match self.given.remove(name) {
                Some(map) => map,
                None => Arc::new(create(name, declared)?),
            };
            maps.insert(name.clone(), map);
        }
        let text: HashSet<usize> = self
            .file
            .functions
            .keys()
            .map(|(section, _)| *section)
            .collect();
        let declared = self.file.maps.clone();
        let places = maps
            .iter()
            .filter_map(|(name, map)| Some((name.as_str(), map.raw(), declared.get(name)?)));
        self.file
            .relocate_maps(places, &text)
            .map_err(|e| wrong(&e))?;
        self.file.relocate_calls(&text).map_err(|e| wrong(&e))?;
        let mut programs = BTreeMap::new();
        for name in self.file.programs.keys() {
            let fd = load_program(&self.file, name, btf.as_ref().map(AsRawFd::as_raw_fd));
            let fd =
                fd.map_err(|failed| failed.unwrap_or_else(|| wrong(&"a program is missing")))?;
            let program = Program {
                name: name.clone(),
                fd,
            };
            programs.insert(name.clone(), program);
        }
        Ok(Loaded { maps, programs })
    }
}

fn shape(declared: &aya_obj::Map) -> MapShape {
    MapShape {
        map_type: declared.map_type(),
        key_size: declared.key_size(),
        value_size: declared.value_size(),
        max_entries: declared.max_entries(),
        flags: declared.map_flags(),
    }
}

fn create(name: &str, declared: &aya_obj::Map) -> Result<Map, Error> {
    let map = Map::create(name, shape(declared))?;
    if matches!(
        declared.section_kind(),
        EbpfSectionKind::Rodata | EbpfSectionKind::Data | EbpfSectionKind::Bss
    ) {
        if !declared.data().is_empty() {
            map.put(&[0; 4], declared.data())?;
        }
        // The verifier counts on constants only where nobody can change them.
        if declared.section_kind() == EbpfSectionKind::Rodata {
            call::freeze(map.raw()).map_err(|e| Error::of(format!("freeze {name}"), e))?;
        }
    }
    Ok(map)
}

/// Loads one program; `None` when the file does not have it.
fn load_program(file: &File, name: &str, btf: Option<RawFd>) -> Result<OwnedFd, Option<Error>> {
    let declared = file.programs.get(name).ok_or(None)?;
    let function = file.functions.get(&declared.function_key()).ok_or(None)?;
    let instructions: Vec<u8> = function.instructions.iter().flat_map(bytes_of).collect();
    let functions = function.func_info.func_info_bytes();
    let lines = function.line_info.line_info_bytes();
    let program = call::Program {
        name,
        license: &declared.license,
        instructions: &instructions,
        btf,
        functions: (&functions, function.func_info_rec_size as u32),
        lines: (&lines, function.line_info_rec_size as u32),
    };
    let refused = match call::load_program(&program, &mut []) {
        Ok(fd) => return Ok(fd),
        Err(error) => error,
    };
    let what = || format!("load the program {name}");
    if refused.raw_os_error() == Some(libc::EPERM) {
        return Err(Some(Error::of(what(), refused)));
    }
    // Once more, to hear why.
    let mut log = vec![0; LOG];
    let error = match call::load_program(&program, &mut log) {
        Ok(fd) => return Ok(fd),
        Err(error) => error,
    };
    let text = String::from_utf8_lossy(&log);
    let lines: Vec<&str> = text.trim_end_matches('\0').lines().collect();
    if lines.is_empty() {
        return Err(Some(Error::of(what(), error)));
    }
    let from = lines.len().saturating_sub(LOG_LINES);
    Err(Some(Error::Verifier {
        program: name.to_owned(),
        log: lines.get(from..).unwrap_or_default().join("\n"),
    }))
}

/// An instruction as it stands in memory.
fn bytes_of(instruction: &aya_obj::generated::bpf_insn) -> [u8; 8] {
    let [o0, o1] = instruction.off.to_ne_bytes();
    let [i0, i1, i2, i3] = instruction.imm.to_ne_bytes();
    let (dst, src) = (instruction.dst_reg(), instruction.src_reg());
    let registers = if cfg!(target_endian = "little") {
        dst | src << 4
    } else {
        dst << 4 | src
    };
    [instruction.code, registers, o0, o1, i0, i1, i2, i3]
}

impl Program {
    /// Opens a pinned program.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        Ok(Self {
            fd: call::open_pin(path)?,
            name: name.into_owned(),
        })
    }

    pub(crate) fn pin(&self, path: &Path) -> Result<(), Error> {
        call::pin(self.raw(), path)
    }

    pub(crate) fn raw(&self) -> RawFd {
        self.fd.as_raw_fd()
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs it on a packet that never was on a wire.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn test_run(&self, packet: &[u8], repeat: u32) -> Result<Run, Error> {
        call::test_run(self.raw(), packet, repeat)
            .map_err(|e| Error::of(format!("run {}", self.name), e))
    }
}

impl Loaded {
    /// A map.
    ///
    /// # Errors
    /// When the object has none of this name.
    pub fn map(&self, name: &str) -> Result<&Arc<Map>, Error> {
        self.maps.get(name).ok_or_else(|| missing(name))
    }

    /// A program.
    ///
    /// # Errors
    /// When the object has none of this name.
    pub fn program(&self, name: &str) -> Result<&Program, Error> {
        self.programs.get(name).ok_or_else(|| missing(name))
    }
}

fn missing(name: &str) -> Error {
    Error::NotLoaded {
        what: name.to_owned(),
    }
}

/// Where objects are looked for: `$NETVERDICT_BPF`, and beside the program.
#[must_use]
pub fn object_directories() -> Vec<PathBuf> {
    let given = std::env::var_os("NETVERDICT_BPF").map(PathBuf::from);
    let program = std::env::current_exe().unwrap_or_default();
    let near = program.ancestors().skip(1).take(3);
    let near = near.flat_map(|d| [d.join("bpf"), d.join("lib/netverdict")]);
    given.into_iter().chain(near).collect()
}

/// The first object of a name where objects are looked for.
///
/// # Errors
/// When there is none.
pub fn find_object(name: &str) -> Result<PathBuf, Error> {
    let directories = object_directories();
    let paths = directories.iter().map(|d| d.join(name));
    let found = paths.clone().find(|p| p.is_file());
    found.ok_or_else(|| {
        let looked: Vec<String> = directories
            .iter()
            .map(|d| d.display().to_string())
            .collect();
        let why = format!(
            "not found in {}. `cargo xtask bpf` builds it; NETVERDICT_BPF names its directory",
            looked.join(", ")
        );
        Error::object(Path::new(name), why)
    })
}
