//! `cargo xtask bench-kernel`: lookups in the running kernel.
//!
//! In: the programs of datapath/bpf. Out: docs/benchmarks-kernel.md.

use crate::bench::machine;
use crate::job::{cargo, root, run as run_command};
use crate::{bpf, job::Tally};

/// Measures and writes the page.
pub(crate) fn run() -> Result<Tally, String> {
    bpf::run()?;
    let body = bpf::directory().join("bench-kernel.md");
    let arguments = [
        "test",
        "--release",
        "--package=netverdict-datapath",
        "--test=kernel",
        "--",
        "bench",
    ];
    let mut bench = cargo(&arguments);
    bench.env("NETVERDICT_BENCH", &body);
    bench.env("NETVERDICT_REQUIRE_KERNEL", "1");
    run_command(&mut bench)?;
    let body = std::fs::read_to_string(&body).map_err(|e| format!("{}: {e}", body.display()))?;
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let kernel = kernel.split('-').next().unwrap_or_default().trim();
    let page = format!(
        "{HEAD}\nMeasured on {}, Linux {kernel}.\n\n{body}",
        machine()
    );
    let path = root().join("docs/benchmarks-kernel.md");
    std::fs::write(&path, page).map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(Tally::ONE)
}

const HEAD: &str = "\
# Benchmarks in the kernel

`cargo xtask bench-kernel` writes this page: nanoseconds per verdict of BPF programs in the running kernel, on the same
entries and questions, whose answers are compared first.

- *Cilium's policy.h*: `bpf/lib/policy.h` of Cilium 1.20.2 as it is, over its LPM map.
- *hash map, two probes*: identity, protocol and port exact, then the same for the cluster. It knows neither port
  ranges nor precedence: what hashing costs at least.
- *netverdict*: `netverdict_table.h`, with the control line read for each question.
- *the loop alone*: question read and answer written, nothing looked up.

*Plain* policies allow pods by TCP port; *hostile* ones have identities of every scope, denials, authentication and entries for
everybody, and are asked about five protocols. *Hot*: 16,384 shuffled questions again and again. *Cold*: 64 questions after 64 MiB of
other memory have been walked through. *ratio* is Cilium's time over the row's, loop included; *net of the loop* without it,
which is uncertain by a few nanoseconds. Lower quartiles of 41 samples, for
others use the machine; the lookups take turns.
";
