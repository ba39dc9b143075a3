//! A flow as JSON: bare, or in the wrapper of the exporter and of
//! `hubble observe -o json`.

use super::{
    Event, RecordedEnd, RecordedFlow, RecordedRequest, RecordedVerdict, is_policy_drop, turn,
};
use netverdict::policy_map::MatchType;
use netverdict::rule::{Direction, protocol};
use serde_json::{Map, Value};
use std::net::IpAddr;

/// What a wrapper may hold in place of a flow.
const NOTICES: [&str; 4] = ["node_status", "lost_events", "agent_event", "debug_event"];

/// Messages of the datapath (pkg/monitor/api/types.go).
const DROP: i64 = 1;
const TRACE: i64 = 4;
const POLICY_VERDICT: i64 = 5;
const LAYER7: i64 = 129;

pub(super) fn read(line: &str) -> Result<Option<RecordedFlow>, String> {
    let value: Value = serde_json::from_str(line).map_err(|e| format!("not JSON: {e}"))?;
    let Value::Object(map) = value else {
        return Err("not a JSON object".to_owned());
    };
    let map = Fields(tidy(map));
    if let Some(flow) = map.object("flow")? {
        return read_flow(&flow).map(Some);
    }
    if NOTICES.iter().any(|n| map.0.contains_key(*n)) {
        return Ok(None);
    }
    let known = ["source", "destination", "verdict", "IP", "l4"];
    if known.iter().all(|k| !map.0.contains_key(*k)) {
        return Err("a JSON object, but not a flow".to_owned());
    }
    read_flow(&map).map(Some)
}

/// Keys without the blanks that copying from a page leaves in them.
fn tidy(map: Map<String, Value>) -> Map<String, Value> {
    let tidy_value = |value| match value {
        Value::Object(map) => Value::Object(tidy(map)),
        other => other,
    };
    map.into_iter()
        .map(|(key, value)| {
            let key = match key.contains(char::is_whitespace) {
                true => key.split_whitespace().collect(),
                false => key,
            };
            (key, tidy_value(value))
        })
        .collect()
}

/// An object whose fields are read by type. Absent and `null` are the same.
struct Fields(Map<String, Value>);

impl Fields {
    fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key).filter(|v| !v.is_null())
    }

    fn wrong(key: &str, wanted: &str) -> String {
        format!("`{key}` is not {wanted}")
    }

    fn object(&self, key: &str) -> Result<Option<Self>, String> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Object(map)) => Ok(Some(Self(map.clone()))),
            Some(_) => Err(Self::wrong(key, "an object")),
        }
    }

    fn text(&self, key: &str) -> Result<String, String> {
        match self.get(key) {
            None => Ok(String::new()),
            Some(Value::String(text)) => Ok(text.trim().to_owned()),
            Some(_) => Err(Self::wrong(key, "text")),
        }
    }

    fn number(&self, key: &str) -> Result<Option<i64>, String> {
        match self.get(key) {
            None => Ok(None),
            // Large numbers are text in this form of JSON.
            Some(Value::String(text)) => text.trim().parse().map(Some).map_err(drop),
            Some(value) => value.as_i64().map(Some).ok_or(()),
        }
        .map_err(|()| Self::wrong(key, "a number"))
    }

    fn small<N: TryFrom<i64>>(&self, key: &str) -> Result<Option<N>, String> {
        let number = self.number(key)?;
        let small = number.map(|n| N::try_from(n).map_err(|_| Self::wrong(key, "in range")));
        small.transpose()
    }

    fn flag(&self, key: &str) -> Result<Option<bool>, String> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Bool(b)) => Ok(Some(*b)),
            Some(_) => Err(Self::wrong(key, "true or false")),
        }
    }

    fn list(&self, key: &str) -> Result<&[Value], String> {
        match self.get(key) {
            None => Ok(&[]),
            Some(Value::Array(items)) => Ok(items),
            Some(_) => Err(Self::wrong(key, "a list")),
        }
    }

    fn texts(&self, key: &str) -> Result<Vec<String>, String> {
        let items = self.list(key)?.iter();
        items
            .map(|item| {
                let text = item.as_str().map(|t| t.trim().to_owned());
                text.ok_or_else(|| Self::wrong(key, "a list of texts"))
            })
            .collect()
    }

    fn objects(&self, key: &str) -> Result<Vec<Self>, String> {
        let items = self.list(key)?.iter();
        items
            .map(|item| match item {
                Value::Object(map) => Ok(Self(tidy(map.clone()))),
                _ => Err(Self::wrong(key, "a list of objects")),
            })
            .collect()
    }

    fn address(&self, key: &str) -> Result<Option<IpAddr>, String> {
        let text = self.text(key)?;
        if text.is_empty() {
            return Ok(None);
        }
        let address = text.parse::<IpAddr>();
        let address = address.map_err(|_| Self::wrong(key, &format!("an address: `{text}`")))?;
        Ok(Some(address.to_canonical()))
    }
}

fn read_flow(flow: &Fields) -> Result<RecordedFlow, String> {
    let mut read = RecordedFlow {
        time: flow.text("time")?,
        verdict: verdict(flow)?,
        drop_reason: drop_reason(flow)?,
        source: end(flow, "source", "source_names")?,
        destination: end(flow, "destination", "destination_names")?,
        direction: direction(&flow.text("traffic_direction")?)?,
        proxied: flow.number("proxy_port")?.is_some_and(|p| p != 0),
        ..RecordedFlow::default()
    };
    if let Some(ip) = flow.object("IP")? {
        read.source.address = ip.address("source")?;
        read.destination.address = ip.address("destination")?;
    }
    let syn = layer4(flow, &mut read)?;
    read.event = event(flow, &read)?;
    if read.event == Event::PolicyVerdict {
        // 0, no entry, is left out.
        let number = flow.number("policy_match_type")?.unwrap_or(0);
        read.match_type = match_type(number);
        if read.match_type.is_none() {
            return Err(format!("`policy_match_type` {number} is not known"));
        }
    }
    let mut said = flow.flag("is_reply")?;
    if said.is_none() {
        said = match &*flow.text("trace_reason")? {
            "NEW" => Some(false),
            "REPLY" => Some(true),
            _ => None,
        };
    }
    layer7(flow, &mut read, &mut said)?;
    let asked = read.event == Event::PolicyVerdict
        || (read.verdict == Some(RecordedVerdict::Dropped) && is_policy_drop(&read.drop_reason));
    read.turn = turn(said, syn, asked);
    for key in [
        "egress_allowed_by",
        "ingress_allowed_by",
        "egress_denied_by",
        "ingress_denied_by",
    ] {
        for policy in flow.objects(key)? {
            let (kind, namespace) = (policy.text("kind")?, policy.text("namespace")?);
            let name = policy.text("name")?;
            read.policies.push(match namespace.is_empty() {
                true => format!("{kind}/{name}"),
                false => format!("{kind}/{namespace}/{name}"),
            });
        }
    }
    Ok(read)
}

fn verdict(flow: &Fields) -> Result<Option<RecordedVerdict>, String> {
    let number = match flow.get("verdict") {
        None => return Ok(None),
        Some(Value::Number(n)) => n.as_i64().unwrap_or(-1),
        Some(_) => match &*flow.text("verdict")? {
            "VERDICT_UNKNOWN" => 0,
            "FORWARDED" => 1,
            "DROPPED" => 2,
            "ERROR" => 3,
            "AUDIT" => 4,
            "REDIRECTED" => 5,
            "TRACED" => 6,
            "TRANSLATED" => 7,
            other => {
                return Err(format!(
                    "`verdict` is `{other}`, which Hubble does not know"
                ));
            }
        },
    };
    Ok(match number {
        0 => None,
        1 => Some(RecordedVerdict::Forwarded),
        2 => Some(RecordedVerdict::Dropped),
        4 => Some(RecordedVerdict::Audited),
        5 => Some(RecordedVerdict::Redirected),
        3 | 6 | 7 => Some(RecordedVerdict::Other),
        other => return Err(format!("`verdict` is {other}, which Hubble does not know")),
    })
}

/// The reason by name; old records have only its number.
fn drop_reason(flow: &Fields) -> Result<String, String> {
    let number = match flow.get("drop_reason_desc") {
        Some(Value::String(name)) => return Ok(name.trim().to_owned()),
        Some(Value::Number(n)) => n.as_i64(),
        _ => flow.number("drop_reason")?,
    };
    Ok(match number {
        None | Some(0) => String::new(),
        Some(133) => "POLICY_DENIED".to_owned(),
        Some(181) => "POLICY_DENY".to_owned(),
        Some(189) => "AUTH_REQUIRED".to_owned(),
        Some(other) => other.to_string(),
    })
}

fn direction(text: &str) -> Result<Option<Direction>, String> {
    match text {
        "" | "TRAFFIC_DIRECTION_UNKNOWN" => Ok(None),
        "INGRESS" => Ok(Some(Direction::Ingress)),
        "EGRESS" => Ok(Some(Direction::Egress)),
        other => Err(format!("`traffic_direction` is `{other}`")),
    }
}

fn end(flow: &Fields, key: &str, names: &str) -> Result<RecordedEnd, String> {
    let mut read = RecordedEnd {
        names: flow.texts(names)?,
        ..RecordedEnd::default()
    };
    for name in &mut read.names {
        *name = name.trim_end_matches('.').to_lowercase();
    }
    let Some(end) = flow.object(key)? else {
        return Ok(read);
    };
    read.namespace = end.text("namespace")?;
    read.pod = end.text("pod_name")?;
    read.labels = end.texts("labels")?;
    read.labels.sort_unstable();
    read.identity = end.small("identity")?.filter(|id| *id != 0);
    read.cluster = end.text("cluster_name")?;
    for workload in end.objects("workloads")? {
        read.workloads
            .push((workload.text("kind")?, workload.text("name")?));
    }
    Ok(read)
}

/// Protocol and port; and whether TCP's SYN and ACK are set.
fn layer4(flow: &Fields, read: &mut RecordedFlow) -> Result<Option<(bool, bool)>, String> {
    let Some(l4) = flow.object("l4")? else {
        return Ok(None);
    };
    let with_ports = [
        ("TCP", protocol::TCP),
        ("UDP", protocol::UDP),
        ("SCTP", protocol::SCTP),
    ];
    for (key, number) in with_ports {
        let Some(own) = l4.object(key)? else { continue };
        read.protocol = Some(number);
        read.port = own.small("destination_port")?.filter(|p| *p != 0);
        let flags = own.object("flags")?;
        return flags
            .map(|f| {
                let set = |key| f.flag(key).map(|f| f.unwrap_or(false));
                Ok((set("SYN")?, set("ACK")?))
            })
            .transpose();
    }
    let icmp = [("ICMPv4", protocol::ICMP), ("ICMPv6", protocol::ICMPV6)];
    for (key, number) in icmp {
        let Some(own) = l4.object(key)? else { continue };
        read.protocol = Some(number);
        // Zeros are left out.
        let kind: Option<u8> = own.small("type")?;
        read.port = Some(u16::from(kind.unwrap_or(0)));
        read.icmp_code = Some(own.small("code")?.unwrap_or(0));
        return Ok(None);
    }
    for (key, number) in [("VRRP", 112), ("IGMP", 2)] {
        if l4.object(key)?.is_some() {
            (read.protocol, read.port) = (Some(number), Some(0));
        }
    }
    Ok(None)
}

fn event(flow: &Fields, read: &RecordedFlow) -> Result<Event, String> {
    let kind = match flow.object("event_type")? {
        Some(event) => event.number("type")?,
        None => None,
    };
    Ok(match kind {
        Some(POLICY_VERDICT) => Event::PolicyVerdict,
        Some(DROP) => Event::Drop,
        Some(TRACE) => Event::Trace,
        Some(LAYER7) => Event::Layer7,
        Some(_) => Event::Other,
        None if flow.get("l7").is_some() || flow.text("Type")? == "L7" => Event::Layer7,
        None if flow.get("policy_match_type").is_some() => Event::PolicyVerdict,
        None if !read.drop_reason.is_empty() => Event::Drop,
        None => Event::Unsaid,
    })
}

fn match_type(number: i64) -> Option<MatchType> {
    MatchType::EVERY
        .into_iter()
        .find(|m| i64::from(*m as u8) == number)
}

fn layer7(flow: &Fields, read: &mut RecordedFlow, said: &mut Option<bool>) -> Result<(), String> {
    let Some(l7) = flow.object("l7")? else {
        return Ok(());
    };
    read.proxied = true;
    match &*l7.text("type")? {
        "REQUEST" => *said = said.or(Some(false)),
        "RESPONSE" => *said = said.or(Some(true)),
        _ => {}
    }
    if let Some(http) = l7.object("http")? {
        let method = http.text("method")?;
        if !method.is_empty() {
            read.sent = Some(RecordedRequest::http(&method, &http.text("url")?));
        }
    }
    if let Some(dns) = l7.object("dns")? {
        let name = dns.text("query")?;
        let addresses: Vec<IpAddr> = dns
            .texts("ips")?
            .iter()
            .filter_map(|ip| ip.parse().ok())
            .collect();
        if !name.is_empty() {
            if !addresses.is_empty() {
                let name = name.trim_end_matches('.').to_lowercase();
                read.answered = Some((name, addresses));
            }
            read.sent = Some(RecordedRequest::dns(&name));
        }
    }
    Ok(())
}
