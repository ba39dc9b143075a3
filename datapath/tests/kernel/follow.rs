//! Tables and policy maps that follow a cluster as it changes.

use crate::Outcome;
use crate::batch::{Batch, ours, packet, to_ours};
use crate::packets::cluster;
use netverdict::cluster::{Change, ObjectKey, PublishedCluster};
use netverdict::compile::MapUpdate;
use netverdict::config::Config;
use netverdict::identity::NumericIdentity;
use netverdict::object::Object;
use netverdict::object::load::{LoadOptions, load};
use netverdict::policy_map::{Key, L4Key, key_to_bytes};
use netverdict::rule::Direction;
use netverdict::source::SourceId;
use netverdict_datapath::{Error, PolicyMaps, TableMap};
use netverdict_table::{Direction as Way, Question, View, Write};
use std::collections::BTreeMap;

fn objects(text: &str) -> Vec<Object> {
    let config = Config::default();
    let loaded = load(SourceId(1), text, &LoadOptions::new(&config));
    assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
    loaded.into_objects().collect()
}

fn pod(n: u32) -> String {
    let app = ["web", "db", "cache", "bad"][n as usize % 4];
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: p{n}, namespace: shop, labels: {{app: {app}, n: n{n}}}}}\n\
         status: {{podIP: 10.1.{}.{}}}\n",
        n / 250,
        1 + n % 250
    )
}

fn policy(n: u32) -> String {
    format!(
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: p{n}, namespace: shop}}\n\
         spec: {{podSelector: {{matchLabels: {{app: {}}}}}, ingress: [{{from: [{{podSelector: {{matchLabels: {{app: {}}}}}}}, \
         {{ipBlock: {{cidr: 10.{}.0.0/16}}}}], ports: [{{port: {}, endPort: {}, protocol: TCP}}]}}]}}\n",
        ["web", "db"][n as usize % 2],
        ["cache", "bad", "web"][n as usize % 3],
        n % 200,
        1000 + n * 3,
        1000 + n * 3 + n % 50
    )
}

/// Changes of a cluster: pods and policies that come, change and go.
fn changes() -> Vec<Vec<Change>> {
    let upsert = |text: String| {
        objects(&text)
            .into_iter()
            .map(|o| Change::Upsert(Box::new(o)))
    };
    let remove = |text: String| {
        objects(&text)
            .into_iter()
            .map(|o| Change::Remove(ObjectKey::of(&o)))
    };
    let mut all = Vec::new();
    for n in 0..24 {
        all.push(upsert(pod(n)).collect());
        if n % 3 == 0 {
            all.push(upsert(policy(n)).collect());
        }
        if n % 7 == 6 {
            all.push(remove(pod(n - 3)).chain(upsert(pod(n + 100))).collect());
        }
        if n % 12 == 11 {
            all.push(remove(policy(n - 11)).collect());
        }
    }
    all
}

/// Asks the kernel what it asks the image, and compares.
fn agree(
    batch: &Batch,
    image: &[u8],
    identities: &[u32],
) -> Result<usize, Box<dyn std::error::Error>> {
    let view = View::new(image)?;
    let mut questions = Vec::new();
    for subject in 0..view.subjects() {
        for identity in identities {
            for port in [80, 1000, 1009, 1040, 1100, 1180] {
                for way in [Way::Ingress, Way::Egress] {
                    questions.push(Question::new(subject, way, *identity, 6, port));
                }
            }
        }
    }
    questions.truncate(crate::batch::BATCH);
    let asked: Vec<[u8; 16]> = questions.iter().map(to_ours).collect();
    let said = batch.ask("table_batch", &asked, &packet())?;
    for (question, said) in questions.iter().zip(&said) {
        let code = view.verdict(question).map_or(-133, |a| a.code());
        if code != said.code {
            return Err(format!("{question:?}: {said:?}, not {code}").into());
        }
    }
    Ok(questions.len())
}

/// Every update of a cluster's table, done to the kernel's copy while it is in
/// force, leaves exactly the published image.
pub(crate) fn tables() -> Outcome {
    let mut published = PublishedCluster::new(cluster(""))?;
    let (mut table, batch): (TableMap, Batch) = ours(1 << 20)?;
    table.replace(published.image())?;
    let (mut stores, mut whole, mut asked) = (0, 0, 0);
    for (n, changes) in changes().into_iter().enumerate() {
        let update = published.apply(changes)?;
        whole += update
            .writes
            .iter()
            .filter(|w| matches!(w, Write::Replace { .. }))
            .count();
        stores += update.writes.len();
        table.publish(&update.writes)?;
        if table.image()? != published.image() {
            return Err("the kernel's image is not the published one".into());
        }
        if n % 5 == 0 {
            table.wait_for_readers()?;
            published.end_grace_period();
        }
        if n % 5 != 0 {
            continue;
        }
        let identities: Vec<u32> = published
            .cluster()
            .identities()
            .iter()
            .map(|(id, _)| id.0)
            .collect();
        asked += agree(&batch, published.image(), &identities)?;
    }
    // A write beyond the image is refused whole.
    let far = Write::Word64 {
        at: u32::MAX - 7,
        value: 1,
    };
    let good = table.image()?;
    if !matches!(table.publish(&[far]), Err(Error::Outside { .. })) || table.image()? != good {
        return Err("a write beyond the image was done".into());
    }
    Ok(format!(
        "{stores} writes, {whole} of them whole images; {asked} questions agree"
    ))
}

fn by_bytes(entries: &[(Key, [u8; 12])]) -> BTreeMap<[u8; 12], [u8; 12]> {
    entries.iter().map(|(k, v)| (key_to_bytes(k), *v)).collect()
}

/// What the kernel has of an endpoint's map.
fn in_kernel(
    maps: &PolicyMaps,
    endpoint: u32,
) -> Result<BTreeMap<[u8; 12], [u8; 12]>, Box<dyn std::error::Error>> {
    let map = maps.map(endpoint).ok_or("no map")?;
    let mut found = BTreeMap::new();
    for key in map.keys()? {
        let value = map.get(&key)?.ok_or("a key without a value")?;
        let value = value.first_chunk().ok_or("a short value")?;
        found.insert(key.try_into().map_err(|_| "a short key")?, *value);
    }
    Ok(found)
}

/// Incremental changes bring Cilium's maps to exactly what a whole
/// synchronisation writes, and what is too large is refused before it.
pub(crate) fn policy_maps() -> Outcome {
    let mut published = PublishedCluster::new(cluster(""))?;
    let mut maps = PolicyMaps::new(16384, None);
    for subject in published.subjects() {
        maps.sync(
            subject.number,
            "an endpoint",
            &published.entries(subject.number),
        )?;
    }
    let (mut put, mut removed) = (0, 0);
    let all = changes();
    let last = all.len() - 1;
    for (n, changes) in all.into_iter().enumerate() {
        let update = published.apply(changes)?;
        for MapUpdate { subjects, changes } in &update.maps {
            for subject in subjects {
                let written = maps.apply(*subject, "an endpoint", changes)?;
                put += written.put;
                removed += written.removed;
            }
        }
        // Reading maps back takes a system call for each entry.
        if n % 9 != 0 && n != last {
            continue;
        }
        for subject in published.subjects() {
            let expected = by_bytes(&published.entries(subject.number));
            if in_kernel(&maps, subject.number)? != expected {
                return Err(format!("the map of subject {} differs", subject.number).into());
            }
        }
    }
    if put == 0 || removed == 0 {
        return Err("nothing was changed".into());
    }
    overflow(&published)?;
    Ok(format!(
        "{put} entries written and {removed} deleted one update at a time"
    ))
}

fn overflow(published: &PublishedCluster) -> Result<(), Box<dyn std::error::Error>> {
    let subject = published.subjects().next().ok_or("no subject")?;
    let mut maps = PolicyMaps::new(64, None);
    let few: Vec<_> = published
        .entries(subject.number)
        .into_iter()
        .take(10)
        .collect();
    maps.sync(1, "shop/web", &few)?;
    let before = in_kernel(&maps, 1)?;
    let many: Vec<(Key, [u8; 12])> = (0..65)
        .map(|n| {
            let key = Key {
                direction: Direction::Egress,
                identity: NumericIdentity(0x0100_0001 + n),
                l4: L4Key::port(6, 443),
            };
            (key, [0, 0, 24 << 3, 0, 1, 0xff, 0xff, 0xff, 0, 0, 0, 0])
        })
        .collect();
    let refused = maps.sync(1, "shop/web", &many);
    let Err(Error::Overflow(overflow)) = refused else {
        return Err("65 entries went into a map of 64".into());
    };
    let text = overflow.to_string();
    if !(text.contains("shop/web comes to 65 entries")
        && text.contains("65 of them are egress entries for protocol 6, port 443"))
    {
        return Err(text.into());
    }
    if in_kernel(&maps, 1)? != before {
        return Err("something was written all the same".into());
    }
    // As many as fit, and then others in their place.
    maps.sync(1, "shop/web", &many[..64])?;
    let others: Vec<(Key, [u8; 12])> = many
        .iter()
        .take(64)
        .map(|(key, value)| {
            let l4 = L4Key::port(17, 53);
            (Key { l4, ..*key }, *value)
        })
        .collect();
    maps.sync(1, "shop/web", &others)?;
    if in_kernel(&maps, 1)? != by_bytes(&others) {
        return Err("a full map was not replaced".into());
    }
    Ok(())
}

/// Without its capabilities the process is told what it lacks.
pub(crate) fn refusals() -> Outcome {
    let refused = std::thread::spawn(|| {
        // SAFETY: changes the identity of this thread alone, by the system call
        // itself; it ends right after.
        let done = unsafe { libc::syscall(libc::SYS_setresuid, 65534, 65534, 65534) };
        assert_eq!(done, 0);
        netverdict_datapath::probe()
    });
    match refused.join().map_err(|_| "the thread panicked")? {
        Err(error @ Error::NotPermitted { .. }) if error.to_string().contains("CAP_BPF") => {
            Ok("EPERM names CAP_BPF and CAP_NET_ADMIN".into())
        }
        other => Err(format!("{other:?}").into()),
    }
}
