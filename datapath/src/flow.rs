//! Events as Hubble shows them: lines as of `hubble observe`, and flows in the
//! JSON of its exporter (Cilium 1.20.2 hubble/pkg/printer, api/v1/flow).

use crate::event::Event;
use netverdict::cluster::Cluster;
use netverdict::identity::NumericIdentity;
use netverdict::policy_map::MatchType;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{SystemTime, UNIX_EPOCH};

/// Hubble's number of the events of policy verdicts.
const POLICY_VERDICT: u8 = 5;

/// A pod, as flows name it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pod {
    namespace: String,
    name: String,
    workloads: Vec<(String, String)>,
}

/// What addresses and identities are called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    pods: BTreeMap<IpAddr, Pod>,
    labels: BTreeMap<u32, Vec<String>>,
}

impl Names {
    /// The names of a cluster's pods and identities.
    #[must_use]
    pub fn of(cluster: &Cluster) -> Self {
        let mut names = Self::default();
        for (id, labels) in cluster.identities().iter() {
            let labels = labels.iter().map(ToString::to_string);
            names.labels.insert(id.0, labels.collect());
        }
        for endpoint in cluster.endpoints() {
            for address in &endpoint.addresses {
                let pod = Pod {
                    namespace: endpoint.namespace.clone(),
                    name: endpoint.name.clone(),
                    workloads: endpoint.workloads.clone(),
                };
                names.pods.insert(address.to_canonical(), pod);
            }
        }
        names
    }

    /// `namespace/name:port`, or the address.
    fn peer(&self, address: SocketAddr) -> String {
        let port = address.port();
        match (self.pods.get(&address.ip()), port) {
            (Some(pod), 0) => format!("{}/{}", pod.namespace, pod.name),
            (Some(pod), port) => format!("{}/{}:{port}", pod.namespace, pod.name),
            (None, 0) => address.ip().to_string(),
            (None, _) => address.to_string(),
        }
    }

    fn endpoint(&self, address: SocketAddr, identity: u32) -> Value {
        let mut value = json!({ "identity": identity });
        if let Some(labels) = self.labels.get(&identity) {
            value["labels"] = json!(labels);
        }
        if let Some(pod) = self.pods.get(&address.ip()) {
            value["namespace"] = json!(pod.namespace);
            value["pod_name"] = json!(pod.name);
            if !pod.workloads.is_empty() {
                let workloads = pod.workloads.iter();
                value["workloads"] = workloads
                    .map(|(kind, name)| json!({"name": name, "kind": kind}))
                    .collect();
            }
        }
        value
    }
}

/// ` (ID:1234)`, or the name of a reserved identity.
fn identity(number: u32) -> String {
    use netverdict::identity::Reserved;
    match Reserved::by_id(NumericIdentity(number)) {
        Some(reserved) => format!("({})", reserved.name),
        None => format!("(ID:{number})"),
    }
}

impl Event {
    fn match_type(&self) -> MatchType {
        let number = usize::from(self.answer.match_type() as u8);
        MatchType::EVERY.get(number).copied().unwrap_or_default()
    }

    /// What Hubble calls the verdict.
    #[must_use]
    pub const fn verdict(&self) -> &'static str {
        match (self.answer.is_allowed(), self.answer.proxy_port()) {
            (true, 0) => "FORWARDED",
            (true, _) => "REDIRECTED",
            (false, _) => "DROPPED",
        }
    }

    const fn direction(&self) -> &'static str {
        if self.egress { "EGRESS" } else { "INGRESS" }
    }

    /// The flags of a TCP header that are set, in Hubble's order and names.
    fn flags(&self) -> Vec<&'static str> {
        const NAMES: [(u8, &str); 8] = [
            (0x02, "SYN"),
            (0x10, "ACK"),
            (0x04, "RST"),
            (0x01, "FIN"),
            (0x08, "PSH"),
            (0x20, "URG"),
            (0x40, "ECE"),
            (0x80, "CWR"),
        ];
        let set = NAMES.iter().filter(|(bit, _)| self.tcp_flags & bit != 0);
        set.map(|(_, name)| *name).collect()
    }

    fn summary(&self) -> String {
        match self.protocol {
            6 => format!("TCP Flags: {}", self.flags().join(", ")),
            17 => "UDP".into(),
            132 => "SCTP".into(),
            1 | 58 => {
                let family = if self.protocol == 1 {
                    "ICMPv4"
                } else {
                    "ICMPv6"
                };
                let (kind, code) = self.icmp.unwrap_or_default();
                match (self.protocol, kind) {
                    (1, 8) | (58, 128) => format!("{family} EchoRequest"),
                    (1, 0) | (58, 129) => format!("{family} EchoReply"),
                    _ => format!("{family} type {kind} code {code}"),
                }
            }
            other => format!("protocol {other}"),
        }
    }

    /// The event in one line, as `hubble observe` prints it.
    #[must_use]
    pub fn line(&self, names: &Names) -> String {
        let (arrow, verdict) = match self.answer.is_allowed() {
            true => ("->", "ALLOWED"),
            // Whether what was dropped was a reply is not known.
            false => ("<>", "DENIED"),
        };
        format!(
            "{}: {} {} {arrow} {} {} policy-verdict:{} {} {verdict} ({})",
            short_time(self.time),
            names.peer(self.source),
            identity(self.source_identity),
            names.peer(self.destination),
            identity(self.destination_identity),
            self.match_type().as_str(),
            self.direction(),
            self.summary(),
        )
    }

    /// The event as a Hubble flow.
    #[must_use]
    pub fn to_flow(&self, names: &Names) -> Value {
        let mut flow = json!({
            "time": long_time(self.time),
            "verdict": self.verdict(),
            "IP": {
                "source": self.source.ip().to_string(),
                "destination": self.destination.ip().to_string(),
                "ipVersion": if self.source.is_ipv4() { "IPv4" } else { "IPv6" },
            },
            "source": names.endpoint(self.source, self.source_identity),
            "destination": names.endpoint(self.destination, self.destination_identity),
            "Type": "L3_L4",
            "event_type": { "type": POLICY_VERDICT },
            "traffic_direction": self.direction(),
            "policy_match_type": self.match_type() as u8,
            "Summary": self.summary(),
        });
        let ports = json!({
            "source_port": self.source.port(),
            "destination_port": self.destination.port(),
        });
        let l4 = match self.protocol {
            6 => {
                let mut tcp = ports;
                let flags = self
                    .flags()
                    .into_iter()
                    .map(|f| (f.to_owned(), json!(true)));
                tcp["flags"] = Value::Object(flags.collect());
                json!({ "TCP": tcp })
            }
            17 => json!({ "UDP": ports }),
            132 => json!({ "SCTP": ports }),
            1 | 58 => {
                let (kind, code) = self.icmp.unwrap_or_default();
                let family = if self.protocol == 1 {
                    "ICMPv4"
                } else {
                    "ICMPv6"
                };
                json!({ family: { "type": kind, "code": code } })
            }
            _ => Value::Null,
        };
        if !l4.is_null() {
            flow["l4"] = l4;
        }
        if self.answer.is_allowed() {
            flow["is_reply"] = json!(false);
        } else {
            let reason = -i32::from(self.answer.code());
            flow["drop_reason"] = json!(reason);
            flow["drop_reason_desc"] = json!(drop_reason(reason));
        }
        match self.answer.auth_type() {
            1 => flow["auth_type"] = json!("SPIRE"),
            2 => flow["auth_type"] = json!("TEST_ALWAYS_FAIL"),
            _ => {}
        }
        if self.answer.proxy_port() != 0 {
            flow["proxy_port"] = json!(self.answer.proxy_port());
        }
        flow
    }
}

/// Cilium's names of the reasons that a table gives.
#[must_use]
pub const fn drop_reason(reason: i32) -> &'static str {
    match reason {
        133 => "POLICY_DENIED",
        157 => "FRAG_NOT_SUPPORTED",
        181 => "POLICY_DENY",
        189 => "AUTH_REQUIRED",
        _ => "DROP_REASON_UNKNOWN",
    }
}

/// Year, month, day, hour, minute, second, nanosecond, UTC.
fn civil(time: SystemTime) -> (i64, usize, u64, u64, u64, u64, u32) {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (days, rest) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    // Years begin in March, so that the odd day comes last; eras have 400.
    let days = days as i64 + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let date = (day - (153 * month + 2) / 5 + 1) as u64;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    (
        year,
        month as usize,
        date,
        rest / 3600,
        rest / 60 % 60,
        rest % 60,
        since.subsec_nanos(),
    )
}

/// `Nov 21 16:20:01.123`, UTC.
fn short_time(time: SystemTime) -> String {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let (_, month, date, h, m, s, nanos) = civil(time);
    let month = MONTHS.get(month.wrapping_sub(1)).unwrap_or(&"?");
    format!(
        "{month} {date:2} {h:02}:{m:02}:{s:02}.{:03}",
        nanos / 1_000_000
    )
}

/// RFC 3339, UTC.
fn long_time(time: SystemTime) -> String {
    let (year, month, date, h, m, s, nanos) = civil(time);
    format!("{year:04}-{month:02}-{date:02}T{h:02}:{m:02}:{s:02}.{nanos:09}Z")
}

#[cfg(test)]
mod tests {
    use super::*;
    use netverdict_table::{Answer, MatchType as M};
    use std::time::Duration;

    fn event(code: i16) -> Event {
        Event {
            time: UNIX_EPOCH + Duration::from_millis(1_795_278_001_123),
            ifindex: 3,
            endpoint: 1,
            egress: false,
            source: ([10, 0, 0, 1], 41234).into(),
            destination: ([10, 0, 0, 2], 80).into(),
            source_identity: 2,
            destination_identity: 4711,
            protocol: 6,
            tcp_flags: 0x12,
            icmp: None,
            answer: Answer::new(code, M::L3L4, false, 0, 0, None, 0),
            length: 60,
        }
    }

    #[test]
    fn lines_are_hubbles() {
        let names = Names::default();
        assert_eq!(
            event(0).line(&names),
            "Nov 21 16:20:01.123: 10.0.0.1:41234 (world) -> 10.0.0.2:80 (ID:4711) \
             policy-verdict:L3-L4 INGRESS ALLOWED (TCP Flags: SYN, ACK)"
        );
        let dropped = event(-133).line(&names);
        assert!(dropped.contains("<> 10.0.0.2:80"), "{dropped}");
        assert!(dropped.contains("INGRESS DENIED"), "{dropped}");
    }

    #[test]
    fn flows_are_hubbles() {
        let flow = event(-181).to_flow(&Names::default());
        assert_eq!(flow["time"], "2026-11-21T16:20:01.123000000Z");
        assert_eq!(flow["verdict"], "DROPPED");
        assert_eq!(flow["drop_reason_desc"], "POLICY_DENY");
        assert_eq!(flow["l4"]["TCP"]["destination_port"], 80);
        assert!(flow.get("is_reply").is_none());
        assert_eq!(event(0).to_flow(&Names::default())["is_reply"], false);
    }

    #[test]
    fn leap_days() {
        let at = |seconds| long_time(UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(at(0), "1970-01-01T00:00:00.000000000Z");
        assert_eq!(at(951_782_400), "2000-02-29T00:00:00.000000000Z");
        assert_eq!(at(951_868_800), "2000-03-01T00:00:00.000000000Z");
        assert_eq!(at(1_709_164_800), "2024-02-29T00:00:00.000000000Z");
    }
}
