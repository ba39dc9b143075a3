//! How full policy maps are, and how full they will be.
//!
//! In: the cluster. Out: a [`Forecast`]: entries per endpoint with what causes
//! them, and the labels that multiply identities.

use super::Cluster;
use crate::identity::NumericIdentity;
use crate::policy_map::L4Key;
use crate::rule::{Direction, RulePort};
use std::collections::{BTreeMap, BTreeSet};

/// What is in policy maps, and what makes them grow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forecast {
    /// How many pods and workloads have a policy map.
    pub pods: usize,
    /// How many identities they have.
    pub identities: usize,
    /// Per policy and ports, the fullest map first.
    pub maps: Vec<MapForecast>,
    /// Label keys, those that multiply identities most first.
    pub labels: Vec<LabelForecast>,
}

/// The map of endpoints with one identity and the same named ports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MapForecast {
    /// The endpoints.
    pub endpoints: Vec<String>,
    /// Entries there are.
    pub entries: usize,
    /// Entries of pods' identities among them: these grow with the cluster.
    pub of_pods: usize,
    /// Entries by policy, the most first. An entry with several counts for
    /// each.
    pub by_policy: Vec<(String, usize)>,
    /// Entries that selectors ask for, before entries merge; the most first.
    pub by_selector: Vec<(String, usize)>,
}

/// A label key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelForecast {
    /// `source:key`.
    pub key: String,
    /// How many values pods have for it.
    pub values: usize,
    /// How many identities there would be without it.
    pub identities_without: usize,
}

impl Forecast {
    /// Entries of a map when so many pods more are like those there are: each
    /// brings as many identities as pods do now, and each of these as many
    /// entries.
    #[must_use]
    pub fn entries_with(&self, map: &MapForecast, more_pods: usize) -> usize {
        // Wide enough for whatever number a caller comes with.
        let [pods, own, more, of_pods] =
            [self.pods, self.identities, more_pods, map.of_pods].map(|n| n as u128);
        let identities = (own * more).div_ceil(pods.max(1));
        let entries = of_pods.saturating_mul(identities).div_ceil(own.max(1));
        map.entries
            .saturating_add(usize::try_from(entries).unwrap_or(usize::MAX))
    }
}

fn by_count(counts: BTreeMap<String, usize>) -> Vec<(String, usize)> {
    let mut counts: Vec<(String, usize)> = counts.into_iter().collect();
    counts.sort_by(|(a, n), (b, m)| m.cmp(n).then(a.cmp(b)));
    counts
}

impl Cluster {
    /// How full policy maps are, and why. Endpoints without a policy are left
    /// out.
    ///
    /// ```
    /// use netverdict::cluster::{Cluster, Forecast};
    /// let cluster = Cluster::read(include_str!("../../examples/shop.yaml")).unwrap();
    /// let forecast: Forecast = cluster.forecast();
    /// // Entries of each endpoint's map, which has room for 16,384 unless it is told otherwise.
    /// assert!(forecast.maps.iter().all(|map| map.entries < 16_384));
    /// let fullest = &forecast.maps[0];
    /// assert!(forecast.entries_with(fullest, 100) >= fullest.entries);
    /// ```
    #[must_use]
    pub fn forecast(&self) -> Forecast {
        let pods = || self.endpoints.iter().filter(|e| !e.host_network);
        let identities: BTreeSet<NumericIdentity> = pods().map(|e| e.identity).collect();
        let mut groups: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for endpoint in pods() {
            let group = groups.entry((endpoint.identity, &endpoint.named_ports));
            group.or_default().push(endpoint);
        }
        let maps = groups.into_values().filter_map(|endpoints| {
            let mut map = self.forecast_map(endpoints.first()?, &identities)?;
            map.endpoints = endpoints.iter().map(ToString::to_string).collect();
            Some(map)
        });
        let mut maps: Vec<MapForecast> = maps.collect();
        maps.sort_by(|a, b| (b.entries, &a.endpoints).cmp(&(a.entries, &b.endpoints)));
        Forecast {
            pods: pods().count(),
            identities: identities.len(),
            maps,
            labels: self.forecast_labels(&identities),
        }
    }

    fn forecast_map(
        &self,
        endpoint: &super::Endpoint,
        identities: &BTreeSet<NumericIdentity>,
    ) -> Option<MapForecast> {
        let policy = self.policy(endpoint).ok()?;
        let mut by_policy: BTreeMap<String, usize> = BTreeMap::new();
        let mut of_pods = 0;
        for (key, entry) in policy.map.entries() {
            of_pods += usize::from(identities.contains(&key.identity));
            let rules = policy.subject.direction(key.direction);
            let objects: BTreeSet<String> = rules
                .rules_of(&entry.origin)
                .map(|r| r.origin.id())
                .collect();
            for object in objects {
                *by_policy.entry(object).or_default() += 1;
            }
        }
        let selectors = self.repository.selectors();
        let mut by_selector: BTreeMap<String, usize> = BTreeMap::new();
        let tiers = Direction::BOTH.into_iter();
        let tiers = tiers.flat_map(|d| &policy.subject.direction(d).tiers);
        for filter in tiers.flat_map(|t| &t.filters) {
            let keys = match filter.key.port {
                RulePort::Number(port) => {
                    L4Key::range(filter.key.protocol, port, filter.end_port).count()
                }
                RulePort::Name(_) => 1,
            };
            for (i, (id, _)) in filter.policies.iter().enumerate() {
                let (name, peers) = if filter.wildcard == Some(i) {
                    ("everybody".to_owned(), crate::identity::AGGREGATES.len())
                } else {
                    let name = selectors.selector(*id).map(ToString::to_string);
                    let peers = selectors
                        .selections(*id)
                        .map_or(0, roaring::RoaringBitmap::len);
                    (
                        name.unwrap_or_default(),
                        usize::try_from(peers).unwrap_or(usize::MAX),
                    )
                };
                *by_selector.entry(name).or_default() += peers * keys;
            }
        }
        Some(MapForecast {
            endpoints: Vec::new(),
            entries: policy.map.len(),
            of_pods,
            by_policy: by_count(by_policy),
            by_selector: by_count(by_selector),
        })
    }

    fn forecast_labels(&self, identities: &BTreeSet<NumericIdentity>) -> Vec<LabelForecast> {
        let labels: Vec<Vec<String>> = identities
            .iter()
            .filter_map(|id| self.identities().get(*id))
            .map(|labels| labels.iter().map(ToString::to_string).collect())
            .collect();
        fn key(label: &str) -> &str {
            label.split_once('=').map_or(label, |(key, _)| key)
        }
        let mut values: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for label in labels.iter().flatten() {
            values.entry(key(label)).or_default().insert(label);
        }
        let mut all: Vec<LabelForecast> = values
            .iter()
            .map(|(name, values)| {
                let without: BTreeSet<Vec<&str>> = labels
                    .iter()
                    .map(|set| {
                        let rest = set.iter().map(String::as_str);
                        rest.filter(|label| key(label) != *name).collect()
                    })
                    .collect();
                LabelForecast {
                    key: (*name).to_owned(),
                    values: values.len(),
                    identities_without: without.len(),
                }
            })
            .collect();
        all.sort_by(|a, b| {
            (a.identities_without, b.values, &a.key).cmp(&(b.identities_without, a.values, &b.key))
        });
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_pods_bring_identities_and_entries_as_those_before() {
        let forecast = Forecast {
            pods: 10,
            identities: 5,
            ..Forecast::default()
        };
        let map = MapForecast {
            entries: 20,
            of_pods: 10,
            ..MapForecast::default()
        };
        // 500 identities more, with two entries each.
        assert_eq!(forecast.entries_with(&map, 1000), 1020);
        assert_eq!(forecast.entries_with(&map, 0), 20);
        assert_eq!(Forecast::default().entries_with(&map, 1000), 20);
    }
}
