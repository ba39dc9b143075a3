//! Prefixes as label keys.
//!
//! In: prefixes. Out: the `cidr:` label of a prefix and the world label of its
//! family. Selector keys cannot contain colons, so an IPv6 address is written
//! with dashes, padded with a zero where a dash would stand at an end
//! (Cilium 1.20.2 pkg/labels/cidr.go).

use super::{Label, LabelSet, LabelSource, keys};
use crate::config::Config;
use crate::object::cidr::parse_prefix;
use ipnet::IpNet;
use std::net::IpAddr;

/// The key of a prefix's `cidr:` label: `10.0.0.0/8`, `2001-db8--0/32`.
#[must_use]
pub fn prefix_label_key(prefix: &IpNet) -> String {
    let network = prefix.trunc();
    match network.addr() {
        IpAddr::V4(a) => format!("{a}/{}", prefix.prefix_len()),
        IpAddr::V6(a) => {
            let text = a.to_string();
            let mut key = String::with_capacity(text.len() + 6);
            if text.starts_with(':') {
                key.push('0');
            }
            key.extend(text.chars().map(|c| if c == ':' { '-' } else { c }));
            if text.ends_with(':') {
                key.push('0');
            }
            key.push('/');
            key.push_str(&prefix.prefix_len().to_string());
            key
        }
    }
}

/// The prefix a `cidr:` label key stands for; `None` for other text.
#[must_use]
pub fn label_key_to_prefix(key: &str) -> Option<IpNet> {
    parse_prefix(&key.replace('-', ":")).ok()
}

/// The label by which a selector names a prefix: its `cidr:` label, or the
/// world label of its family when the prefix is everything.
#[must_use]
pub fn cidr_label(prefix: &IpNet, config: &Config) -> Label {
    if prefix.prefix_len() == 0 {
        world_label(&prefix.addr(), config)
    } else {
        Label::new(LabelSource::Cidr, prefix_label_key(prefix), "")
    }
}

/// The world label of an address: by family when the *other* family is
/// enabled, else the plain one.
#[must_use]
pub fn world_label(addr: &IpAddr, config: &Config) -> Label {
    Label::reserved(match addr {
        IpAddr::V4(_) if config.ipv6 => "world-ipv4",
        IpAddr::V6(_) if config.ipv4 => "world-ipv6",
        _ => "world",
    })
}

/// The labels of a prefix that a policy names: its own and its family's.
#[must_use]
pub fn named_prefix_labels(prefix: &IpNet, config: &Config) -> LabelSet {
    [
        cidr_label(prefix, config),
        world_label(&prefix.addr(), config),
    ]
    .into_iter()
    .collect()
}

/// The labels a CIDR group puts on its prefixes: its own, each also with the
/// value as part of the key, because a prefix may be in several groups, and
/// its name (Cilium 1.20.2 pkg/policy/k8s/cilium_cidr_group.go).
#[must_use]
pub fn group_labels<'a>(
    name: &str,
    own: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Vec<Label> {
    let of_group = |key: String, value: &str| Label::new(LabelSource::CidrGroup, key, value);
    let mut labels = Vec::new();
    for (key, value) in own {
        if !key.starts_with(keys::CILIUM_PREFIX) {
            labels.push(of_group(key.to_owned(), value));
            labels.push(of_group(format!("{key}+{value}"), ""));
        }
    }
    labels.push(of_group(format!("{}/{name}", keys::CIDR_GROUP_NAME), ""));
    labels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_prefixes() {
        for (prefix, key) in [
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("1.2.3.4/32", "1.2.3.4/32"),
            ("2001:db8::/32", "2001-db8--0/32"),
            ("fe80::/10", "fe80--0/10"),
            ("64:ff9b::/96", "64-ff9b--0/96"),
            ("::/96", "0--0/96"),
            ("::1/128", "0--1/128"),
            ("2001:db8::1/128", "2001-db8--1/128"),
            ("2001:db8:0:1:1:1:1:1/128", "2001-db8-0-1-1-1-1-1/128"),
            ("::ffff:1.2.3.4/128", "0--ffff-1.2.3.4/128"),
        ] {
            let p: IpNet = prefix.parse().unwrap();
            assert_eq!(prefix_label_key(&p), key);
            let back = label_key_to_prefix(key).unwrap();
            assert_eq!(back, p.trunc(), "{key}");
        }
        assert_eq!(label_key_to_prefix("10.0.0.0/08"), None);
        assert_eq!(label_key_to_prefix("app"), None);
    }

    #[test]
    fn world_labels_follow_the_enabled_families() {
        let four: IpAddr = "1.2.3.4".parse().unwrap();
        let six: IpAddr = "::1".parse().unwrap();
        let dual = Config::default();
        let only4 = Config {
            ipv6: false,
            ..Config::default()
        };
        assert_eq!(world_label(&four, &dual).key(), "world-ipv4");
        assert_eq!(world_label(&six, &dual).key(), "world-ipv6");
        assert_eq!(world_label(&four, &only4).key(), "world");
        assert_eq!(world_label(&six, &only4).key(), "world-ipv6");
    }
}
