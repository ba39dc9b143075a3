// SPDX-License-Identifier: Apache-2.0 OR MIT

//go:build cgo

package netverdict

// #include "shim.h"
import "C"

import (
	"encoding/json"
	"unsafe"
)

// Request is an HTTP request.
type Request struct {
	Method string `json:"method"`
	Path   string `json:"path"` // with its query
	Host   string `json:"host,omitempty"`
	// Headers are pairs of name and value.
	Headers [][2]string `json:"headers,omitempty"`
}

// Layer7 is what becomes of what is sent on a flow.
type Layer7 struct {
	Sent string `json:"sent"`
	// Outcome is "forwarded", "not-inspected" (no proxy looks at it), "403",
	// "refused" (as the DNS proxy answers), "dropped", "unknown", or empty when the
	// flow itself does not pass.
	Outcome string      `json:"outcome"`
	Why     string      `json:"why"`
	Egress  *Layer7Side `json:"egress"`
	Ingress *Layer7Side `json:"ingress"`
	Headers [][2]string `json:"headers"` // of the request as it arrives
}

// Layer7Side is what one proxy makes of it.
type Layer7Side struct {
	Outcome  string      `json:"outcome"`
	Tried    []Tried     `json:"tried"`
	Missing  [][2]string `json:"missing"`  // headers logged as missing
	Rejected [][2]string `json:"rejected"` // headers logged as rejected
}

// Tried is a rule that a proxy tried.
type Tried struct {
	Wanted string `json:"wanted"`
	At     string `json:"at"`
	Miss   string `json:"miss"` // why it does not match; empty when it does
	Rules  []Rule `json:"rules"`
}

// Verdict says what happens to a flow, and to what is sent on it. It costs less
// than [Engine.Explain], which lists every candidate.
func (e *Engine) Verdict(flow Flow) (*Explanation, error) {
	question, err := json.Marshal(flow)
	if err != nil {
		return nil, err
	}
	answer, err := e.buffer(func(b **C.netverdict_buffer, err **C.netverdict_error) C.netverdict_status {
		data, length := raw(question)
		return C.go_engine_verdict(e.c, (*C.char)(unsafe.Pointer(data)), length, b, err)
	})
	if err != nil {
		return nil, err
	}
	verdict := new(Explanation)
	return verdict, json.Unmarshal(answer, verdict)
}

// Learning says how names are learned; 0 is Cilium's default.
type Learning struct {
	MinTTL              uint32 `json:"minTtl,omitempty"`
	MaxAddressesPerName int    `json:"maxAddressesPerName,omitempty"`
	MaxZombies          int    `json:"maxZombies,omitempty"`
	IdleGrace           uint64 `json:"idleGrace,omitempty"` // milliseconds
	MaxHeld             int    `json:"maxHeld,omitempty"`
}

// DNSAnswer is an answer of DNS as it passed.
type DNSAnswer struct {
	Name      string // that was asked for, whatever names the records have
	Addresses []string
	TTL       uint32 // the shortest of all records, in seconds
	At        uint64 // milliseconds since any moment
	Endpoint  uint64 // who asked: any number
}

// Learn stages what an answer of DNS says; StatusFull when too much is held
// already.
func (e *Engine) Learn(answer DNSAnswer) error {
	var p pinned
	defer p.Unpin()
	given := new(C.netverdict_dns_answer)
	given.struct_size = C.sizeof_netverdict_dns_answer
	given.name = p.str(answer.Name)
	given.addresses, given.address_count = p.strs(answer.Addresses)
	given.endpoint = C.uint64_t(answer.Endpoint)
	given.at = C.uint64_t(answer.At)
	given.ttl = C.uint32_t(answer.TTL)
	return e.change(func(err **C.netverdict_error) C.netverdict_status {
		return C.netverdict_engine_learn(e.c, given, err)
	})
}

// KeepAlive says that a connection of the endpoint to the address was seen
// alive: the address stays allowed though it expired.
func (e *Engine) KeepAlive(endpoint uint64, address string, at uint64) error {
	return e.change(func(err **C.netverdict_error) C.netverdict_status {
		t, l := text(address)
		return C.go_engine_keep_alive(e.c, C.uint64_t(endpoint), t, l, C.uint64_t(at), err)
	})
}

// EndKeepAlive says that all connections of the endpoint were looked through,
// beginning at that time.
func (e *Engine) EndKeepAlive(endpoint, at uint64) error {
	return e.change(func(err **C.netverdict_error) C.netverdict_status {
		return C.netverdict_engine_end_keep_alive(e.c, C.uint64_t(endpoint), C.uint64_t(at), err)
	})
}

// ForgetNames says that the endpoint is gone, and with it what it asked for.
func (e *Engine) ForgetNames(endpoint uint64) error {
	return e.change(func(err **C.netverdict_error) C.netverdict_status {
		return C.netverdict_engine_forget_names(e.c, C.uint64_t(endpoint), err)
	})
}

// ExpireNames stages that names lose the addresses that expired.
func (e *Engine) ExpireNames(at uint64) error {
	return e.change(func(err **C.netverdict_error) C.netverdict_status {
		return C.netverdict_engine_expire_names(e.c, C.uint64_t(at), err)
	})
}

// ProxyPort says where a redirect leads.
type ProxyPort struct {
	Identity  uint32 // of the subject; 0: of every one without a port of its own
	Direction uint8  // Ingress or Egress
	Protocol  uint8  // 6 TCP, 17 UDP, 132 SCTP
	Port      uint16 // that redirects
	ProxyPort uint16
	Listener  string // a custom one's qualified name
}

// SetProxyPorts stages where redirects lead. One that is not among them is not
// realised yet, and its entries are left out.
func (e *Engine) SetProxyPorts(ports ...ProxyPort) error {
	var p pinned
	defer p.Unpin()
	list := make([]C.netverdict_proxy_port, len(ports))
	for i, port := range ports {
		list[i].listener = p.str(port.Listener)
		list[i].identity = C.uint32_t(port.Identity)
		list[i].direction = C.uint8_t(port.Direction)
		list[i].protocol = C.uint8_t(port.Protocol)
		list[i].port = C.uint16_t(port.Port)
		list[i].proxy_port = C.uint16_t(port.ProxyPort)
	}
	var first *C.netverdict_proxy_port
	if len(list) != 0 {
		first = &list[0]
		p.Pin(first)
	}
	return e.change(func(err **C.netverdict_error) C.netverdict_status {
		return C.netverdict_engine_set_proxy_ports(e.c, first, C.size_t(len(list)), err)
	})
}

// UseStandInPorts stages that redirects lead to stand-ins again.
func (e *Engine) UseStandInPorts() error {
	return e.change(func(err **C.netverdict_error) C.netverdict_status {
		return C.netverdict_engine_use_stand_in_ports(e.c, err)
	})
}

// ProxyPolicy is the policy of an endpoint as Cilium sends it to Envoy: the
// message cilium.NetworkPolicy as JSON.
func (e *Engine) ProxyPolicy(endpoint string) ([]byte, error) {
	return e.buffer(func(b **C.netverdict_buffer, err **C.netverdict_error) C.netverdict_status {
		t, l := text(endpoint)
		return C.go_engine_proxy_policy(e.c, t, l, b, err)
	})
}

// Compile makes a table that stays as it is, with the rules behind its verdicts
// ([View.Origin]).
func (e *Engine) Compile() ([]byte, error) {
	return e.buffer(func(b **C.netverdict_buffer, err **C.netverdict_error) C.netverdict_status {
		return C.netverdict_engine_compile(e.c, b, err)
	})
}

// AnswerLayer7 answers a question about layer 7 in the exchange format: kind is
// "dns", "http", "sni", "fqdn" or "proxy".
func AnswerLayer7(kind, question string) ([]byte, error) {
	var buffer *C.netverdict_buffer
	var err *C.netverdict_error
	k, kl := text(kind)
	q, ql := text(question)
	if e := failure(C.go_scenario_layer7(k, kl, q, ql, &buffer, &err), err); e != nil {
		return nil, e
	}
	return take(buffer), nil
}
