//! `diff`: which connections a change opens, closes and changes, and by which
//! rules.

mod show;

use crate::command::reach::{By, look};
use crate::exit::{Exit, Failure};
use crate::progress::Progress;
use crate::world::{World, WorldArgs};
use crate::{git, input, patch};
use clap::{Args, ValueEnum};
use netverdict::cluster::{Change, ObjectKey};
use netverdict::object::Object;
use netverdict_analysis::connectivity::{Connectivity, Options};
use netverdict_analysis::difference::{ChangeKind, Difference, learn_same_names};
use netverdict_analysis::peer::Grouping;
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::PathBuf;

/// Say exactly which connections a change opens, closes or changes, with the
/// rules that decided before and that decide now.
///
/// `diff OLD NEW` compares two folders or files, `diff --git main..HEAD PATH`
/// two revisions, `diff --patch FILE PATH` what is there with what a patch makes
/// of it, and `diff PATH --with FILE --without OBJECT` what is there with what
/// would be. What `-f` names belongs to both.
#[derive(Args, Debug)]
pub(crate) struct DiffArgs {
    /// OLD and NEW, or the paths that `--git`, `--patch`, `--with` and
    /// `--without` are about.
    #[arg(value_name = "PATH")]
    more: Vec<PathBuf>,
    /// Two revisions: `main..HEAD`, `main...HEAD` (since they parted), `main..`,
    /// or one, compared with the files as they are.
    #[arg(long, value_name = "RANGE", conflicts_with = "patch")]
    git: Option<String>,
    /// A unified diff, as `git diff` and `diff -u` write it.
    #[arg(long, value_name = "FILE")]
    patch: Option<PathBuf>,
    /// What is compared with what.
    #[arg(long, value_enum, default_value_t, value_name = "WHAT")]
    by: By,
    /// What makes exit status 4.
    #[arg(long, value_enum, default_value_t, value_name = "WHEN")]
    fail_on: FailOn,
    #[command(flatten)]
    world: WorldArgs,
    /// How to print.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Output,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum FailOn {
    /// Any difference.
    #[default]
    Any,
    /// Something opens, or may.
    Opened,
    /// Something closes, or may.
    Closed,
    /// Nothing.
    Never,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
    /// For a comment on a pull request.
    Markdown,
    /// Annotations in GitHub Actions.
    Github,
}

/// What there is to show.
pub(crate) struct Compared<'a> {
    pub(crate) old: &'a Connectivity<'a>,
    pub(crate) new: &'a Connectivity<'a>,
    pub(crate) worlds: [&'a World; 2],
    pub(crate) difference: &'a Difference,
    /// Policies that are other than before, yet nothing would change without
    /// that; `None` when there were too many to find out.
    pub(crate) idle: Option<&'a [String]>,
}

/// Compares.
pub(crate) fn run(args: &DiffArgs) -> Result<Exit, Failure> {
    if args.by == By::Namespace {
        return Err(Failure::new(
            "`diff` compares workloads or pods, not namespaces",
        ));
    }
    let (mut before, mut after) = worlds(args)?;
    let [stand_ins, _] = learn_same_names(&mut before.cluster, &mut after.cluster);
    let options = Options {
        grouping: match args.by {
            By::Pod => Grouping::Pod,
            By::Workload | By::Namespace => Grouping::Workload,
        },
        stand_ins,
        all_entities: true,
        ..Options::default()
    };
    let old = look(&before.cluster, &options);
    let new = look(&after.cluster, &options);
    let mut bar = None;
    let difference = Difference::with_progress(&old, &new, &mut |_, all| {
        bar.get_or_insert_with(|| Progress::on_terminal("comparing", "peers", all))
            .step();
    });
    drop(bar);
    let idle = idle(&before, &after, &new, &options);
    let compared = Compared {
        old: &old,
        new: &new,
        worlds: [&before, &after],
        difference: &difference,
        idle: idle.as_deref(),
    };
    let mut out = io::BufWriter::new(anstream::stdout().lock());
    match args.output {
        Output::Text => show::text(&mut out, &compared)?,
        Output::Json => show::json(&mut out, &compared)?,
        Output::Markdown => show::markdown(&mut out, &compared)?,
        Output::Github => show::github(&mut out, &compared)?,
    }
    out.flush()?;
    let unsettled = difference.has(ChangeKind::Unsettled);
    let differs = match args.fail_on {
        FailOn::Any => !difference.is_empty(),
        FailOn::Opened => difference.has(ChangeKind::Opened) || unsettled,
        FailOn::Closed => difference.has(ChangeKind::Closed) || unsettled,
        FailOn::Never => false,
    };
    Ok(if differs { Exit::Differs } else { Exit::Fine })
}

fn worlds(args: &DiffArgs) -> Result<(World, World), Failure> {
    let here = vec![PathBuf::from(".")];
    let paths = if args.more.is_empty() {
        &here
    } else {
        &args.more
    };
    let (mut old, mut new) = if let Some(text) = &args.git {
        let range = git::range(text)?;
        let new = match &range.new {
            Some(revision) => git::texts(revision, paths)?,
            None => input::texts(paths)?,
        };
        (git::texts(&range.old, paths)?, new)
    } else if let Some(file) = &args.patch {
        let old = input::texts(paths)?;
        let text = input::texts(std::slice::from_ref(file))?;
        let text = text.into_iter().next().map(|(_, t)| t).unwrap_or_default();
        let new = patch::apply(&old, &text)?;
        (old, new)
    } else if let [before, after] = &*args.more {
        (
            input::texts(std::slice::from_ref(before))?,
            input::texts(std::slice::from_ref(after))?,
        )
    } else if args.world.asks_what_if() {
        let texts = input::texts(paths)?;
        (texts.clone(), texts)
    } else {
        return Err(Failure::new("nothing to compare with").help(
            "give OLD and NEW, `--git main..HEAD`, `--patch FILE`, `--with FILE` or `--without OBJECT`",
        ));
    };
    let both = args.world.paths_with(&[]);
    if !both.is_empty() {
        let both = input::texts(&both)?;
        old.extend(both.clone());
        new.extend(both);
    }
    Ok((
        args.world.open_texts(old, false)?,
        args.world.open_texts(new, true)?,
    ))
}

/// More policies that are other than before nobody tries one by one.
const TRIED: usize = 16;

/// Policies that are other than before without any effect: with each as it was
/// and all else as it is, the same would be open.
fn idle(
    before: &World,
    after: &World,
    new: &Connectivity<'_>,
    options: &Options,
) -> Option<Vec<String>> {
    fn text<'w>(world: &'w World, object: &Object) -> &'w str {
        let span = object.span();
        let source = world.sources.get(span.source);
        let text = source.and_then(|s| s.text().get(span.start as usize..span.end as usize));
        text.unwrap_or_default()
    }
    let policies = |world: &World| -> BTreeSet<ObjectKey> {
        let all = world.cluster.objects().filter(|o| o.is_policy());
        all.map(ObjectKey::of).collect()
    };
    let mut changed = policies(before);
    changed.extend(policies(after));
    changed.retain(
        |key| match (before.cluster.object(key), after.cluster.object(key)) {
            (Some(old), Some(new)) => text(before, old) != text(after, new),
            _ => true,
        },
    );
    if changed.len() > TRIED {
        return None;
    }
    if changed.is_empty() {
        return Some(Vec::new());
    }
    let mut trial = after.cluster.rebuilt();
    let change = |world: &World, key: &ObjectKey| match world.cluster.object(key) {
        Some(object) => Change::Upsert(Box::new(object.clone())),
        None => Change::Remove(key.clone()),
    };
    let mut idle = Vec::new();
    for key in &changed {
        trial.apply([change(before, key)]);
        let as_it_was = Connectivity::new(&trial, options);
        if Difference::new(&as_it_was, new).is_empty() {
            let parts = [&key.kind, &key.namespace, &key.name];
            let parts: Vec<&str> = parts.into_iter().map(String::as_str).collect();
            let parts: Vec<&str> = parts.into_iter().filter(|p| !p.is_empty()).collect();
            idle.push(parts.join("/"));
        }
        trial.apply([change(after, key)]);
    }
    Some(idle)
}
