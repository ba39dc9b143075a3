//! Ports with their layer-7 rules.

use super::REMOVED_FIELD;
use crate::diagnostic::Diagnostic;
use crate::object::cilium::{
    EnvoyConfigRef, HeaderMatch, HttpRule, L7Rules, Listener, PortProtocol, PortRule, Secret,
    TlsContext,
};
use crate::object::decode::{Decode, Decoder};
use crate::source::Spanned;
use crate::yaml::Node;

impl Decode for PortRule {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| {
            f.foreign(
                &["port", "protocol", "endPort"],
                "ports stand one level deeper: `toPorts: [{ports: [{port: …, protocol: …}]}]`",
            );
            f.foreign(&["http", "dns"], "layer-7 rules stand in `rules`");
            Self {
                span: f.span(),
                ports: f.get("ports"),
                terminating_tls: f.get("terminatingTLS"),
                originating_tls: f.get("originatingTLS"),
                server_names: f.get("serverNames"),
                listener: f.get("listener"),
                rules: f.get("rules"),
            }
        })
    }
}

impl Decode for PortProtocol {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| Self {
            span: f.span(),
            port: f.get("port"),
            end_port: f.get("endPort"),
            protocol: f.get("protocol"),
        })
    }
}

impl Decode for TlsContext {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| Self {
            span: f.span(),
            secret: f.get("secret"),
            trusted_ca: f.get("trustedCA"),
            certificate: f.get("certificate"),
            private_key: f.get("privateKey"),
        })
    }
}

impl Decode for Secret {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| Self {
            namespace: f.get("namespace"),
            name: f.get("name"),
        })
    }
}

impl Decode for Listener {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| Self {
            span: f.span(),
            envoy_config: f.get("envoyConfig"),
            name: f.get("name"),
            priority: f.get("priority"),
        })
    }
}

impl Decode for EnvoyConfigRef {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| Self {
            kind: f.get("kind"),
            name: f.get("name"),
        })
    }
}

impl Decode for L7Rules {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| {
            let removed: Vec<_> = ["kafka", "l7proto", "l7"]
                .into_iter()
                .filter_map(|name| f.entry(name))
                .map(|e| Spanned::new(e.key.clone(), e.key_span))
                .collect();
            let rules = Self {
                span: f.span(),
                http: f.get("http"),
                dns: f.get("dns"),
                removed,
            };
            let alone = rules.http.is_none() && rules.dns.is_none();
            for key in &rules.removed {
                let left = if alone {
                    "the agent drops it, which leaves the whole port allowed; the API server refuses `rules` without `http` or `dns`"
                } else {
                    "the agent drops it; `http` and `dns` are what is left"
                };
                let instead = match key.value.as_str() {
                    "kafka" => "restrict who reaches the port here, and topics by the broker's own ACLs",
                    _ => "for another protocol write a CiliumEnvoyConfig and name its listener as `listener`",
                };
                let help = format!("{left}; {instead}");
                let message = format!("`{}` rules were removed in Cilium 1.20", key.value);
                let d = Diagnostic::new(REMOVED_FIELD, key.span, message).help(help);
                f.decoder().in_field(&key.value, |decoder| decoder.report(d));
            }
            rules
        })
    }
}

impl Decode for HttpRule {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| Self {
            span: f.span(),
            path: f.get("path"),
            method: f.get("method"),
            host: f.get("host"),
            headers: f.get("headers"),
            header_matches: f.get("headerMatches"),
        })
    }
}

impl Decode for HeaderMatch {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| Self {
            span: f.span(),
            mismatch: f.get("mismatch"),
            name: f.get("name"),
            secret: f.get("secret"),
            value: f.get("value"),
        })
    }
}
