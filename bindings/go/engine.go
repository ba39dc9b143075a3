// SPDX-License-Identifier: Apache-2.0 OR MIT

//go:build cgo

package netverdict

// #include "shim.h"
import "C"

import (
	"encoding/json"
	"runtime"
	"sync"
	"unsafe"
)

// Options of an engine; the zero value has Cilium's defaults.
type Options struct {
	// Config has agent options as in a scenario (testdata/README.md), like
	// {"enforcement": "always"}.
	Config map[string]any `json:"config,omitempty"`

	DisableICMPFragNeeded       bool              `json:"disableICMPFragNeeded,omitempty"`
	DisableClusterNetworkPolicy bool              `json:"disableClusterNetworkPolicy,omitempty"`
	WellKnownIdentities         bool              `json:"wellKnownIdentities,omitempty"`
	FixedIdentities             map[uint32]string `json:"fixedIdentities,omitempty"`
	// IdentityLabels says which labels make identities.
	IdentityLabels []string `json:"identityLabels,omitempty"`
	// LocalNode is the node whose agent this is.
	LocalNode string `json:"localNode,omitempty"`
	// Names are DNS names with their addresses.
	Names            map[string][]string `json:"names,omitempty"`
	DefaultNamespace *string             `json:"defaultNamespace,omitempty"`
	// Strictness says whose refusals count: "agent", "crds" or "apiserver".
	Strictness string `json:"strictness,omitempty"`
	// Learning says how names are learned; nil is as Cilium does.
	Learning *Learning `json:"learning,omitempty"`
	// Identities is what SaveIdentities gave: identities keep their numbers.
	Identities []byte `json:"-"`
}

// Engine knows the objects of a cluster. It may be used from several
// goroutines: questions are answered side by side, changes one by one.
type Engine struct {
	mu sync.RWMutex
	c  *C.netverdict_engine
}

// New makes an engine without objects; options may be nil.
func New(options *Options) (*Engine, error) {
	if options == nil {
		options = &Options{}
	}
	text, err := json.Marshal(options)
	if err != nil {
		return nil, err
	}
	var engine *C.netverdict_engine
	var failed *C.netverdict_error
	data, length := raw(text)
	ids, count := raw(options.Identities)
	status := C.go_engine_new((*C.char)(unsafe.Pointer(data)), length, ids, count, &engine, &failed)
	if err := failure(status, failed); err != nil {
		return nil, err
	}
	e := &Engine{c: engine}
	runtime.SetFinalizer(e, (*Engine).Close)
	return e, nil
}

// Close frees the engine now instead of some time after its last use. Closing
// twice does nothing; a closed engine answers StatusNullArgument.
func (e *Engine) Close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	C.netverdict_engine_free(&e.c)
	runtime.SetFinalizer(e, nil)
}

// change calls a function that changes the engine.
func (e *Engine) change(call func(err **C.netverdict_error) C.netverdict_status) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	var err *C.netverdict_error
	return failure(call(&err), err)
}

// ask calls a function that only asks.
func (e *Engine) ask(call func(err **C.netverdict_error) C.netverdict_status) error {
	e.mu.RLock()
	defer e.mu.RUnlock()
	var err *C.netverdict_error
	return failure(call(&err), err)
}

// Diagnostic is a problem of a document, or a remark on a cluster.
type Diagnostic struct {
	Code     string `json:"code"`
	Severity string `json:"severity"` // "error", "warning" or "info"
	Message  string `json:"message"`
	File     string `json:"file"`
	Line     int    `json:"line"`
	Column   int    `json:"column"`
	EndLine  int    `json:"endLine"`
	EndCol   int    `json:"endColumn"`
	Path     string `json:"path"`
	Object   string `json:"object"`
	Help     string `json:"help"`
}

func diagnostics(handle *C.netverdict_diagnostics) ([]Diagnostic, error) {
	defer C.netverdict_diagnostics_free(&handle)
	var buffer *C.netverdict_buffer
	var err *C.netverdict_error
	if e := failure(C.netverdict_diagnostics_json(handle, &buffer, &err), err); e != nil {
		return nil, e
	}
	var list []Diagnostic
	return list, json.Unmarshal(take(buffer), &list)
}

// Apply stages a document: YAML or JSON with any number of Kubernetes objects,
// in place of what a document of that name held. Objects that a cluster would
// refuse are left out, and diagnostics say why.
func (e *Engine) Apply(name, document string) ([]Diagnostic, error) {
	var found *C.netverdict_diagnostics
	err := e.change(func(err **C.netverdict_error) C.netverdict_status {
		n, nl := text(name)
		t, tl := text(document)
		return C.go_engine_apply(e.c, n, nl, t, tl, &found, err)
	})
	if err != nil {
		return nil, err
	}
	return diagnostics(found)
}

// Check says what there is to say about a document, without taking it.
func (e *Engine) Check(name, document string) ([]Diagnostic, error) {
	var found *C.netverdict_diagnostics
	err := e.ask(func(err **C.netverdict_error) C.netverdict_status {
		n, nl := text(name)
		t, tl := text(document)
		return C.go_engine_check(e.c, n, nl, t, tl, &found, err)
	})
	if err != nil {
		return nil, err
	}
	return diagnostics(found)
}

// Remove stages that a document goes; StatusNotFound when there is none.
func (e *Engine) Remove(name string) error {
	return e.change(func(err **C.netverdict_error) C.netverdict_status {
		n, nl := text(name)
		return C.go_engine_remove(e.c, n, nl, err)
	})
}

// SetIdentity stages a number with its labels, "k8s:app" to "web".
func (e *Engine) SetIdentity(identity uint32, labels map[string]string) error {
	var p pinned
	defer p.Unpin()
	list, count := p.labels(labels)
	return e.change(func(err **C.netverdict_error) C.netverdict_status {
		return C.netverdict_engine_set_identity(e.c, C.uint32_t(identity), list, count, err)
	})
}

// RemoveIdentity stages that an identity that was set goes.
func (e *Engine) RemoveIdentity(identity uint32) error {
	return e.change(func(err **C.netverdict_error) C.netverdict_status {
		return C.netverdict_engine_remove_identity(e.c, C.uint32_t(identity), err)
	})
}

// SetNamespace stages a namespace.
func (e *Engine) SetNamespace(name string, labels map[string]string) error {
	var p pinned
	defer p.Unpin()
	list, count := p.labels(labels)
	return e.change(func(err **C.netverdict_error) C.netverdict_status {
		n, nl := text(name)
		return C.go_engine_set_namespace(e.c, n, nl, list, count, err)
	})
}

// RemoveNamespace stages that a namespace that was set goes.
func (e *Engine) RemoveNamespace(name string) error {
	return e.change(func(err **C.netverdict_error) C.netverdict_status {
		n, nl := text(name)
		return C.go_engine_remove_namespace(e.c, n, nl, err)
	})
}

// NamedPort is a port with a name.
type NamedPort struct {
	Name     string
	Protocol uint8 // 6 TCP, 17 UDP, 132 SCTP
	Port     uint16
}

// Endpoint is a pod.
type Endpoint struct {
	Namespace string
	Name      string
	Node      string
	// Identity, or 0 to have one allocated for the labels.
	Identity uint32
	// Labels of the pod, or of its identity ("k8s:app") when that is given.
	Labels    map[string]string
	Addresses []string
	Ports     []NamedPort
}

// SetEndpoint stages a pod, in place of what was set for its name before.
func (e *Engine) SetEndpoint(endpoint Endpoint) error {
	var p pinned
	defer p.Unpin()
	given := new(C.netverdict_endpoint)
	given.struct_size = C.sizeof_netverdict_endpoint
	given.namespace_name = p.str(endpoint.Namespace)
	given.name = p.str(endpoint.Name)
	given.node = p.str(endpoint.Node)
	given.identity = C.uint32_t(endpoint.Identity)
	given.labels, given.label_count = p.labels(endpoint.Labels)
	given.addresses, given.address_count = p.strs(endpoint.Addresses)
	if len(endpoint.Ports) != 0 {
		ports := make([]C.netverdict_named_port, len(endpoint.Ports))
		for i, port := range endpoint.Ports {
			ports[i].name = p.str(port.Name)
			ports[i].port = C.uint16_t(port.Port)
			ports[i].protocol = C.uint8_t(port.Protocol)
		}
		p.Pin(&ports[0])
		given.ports, given.port_count = &ports[0], C.size_t(len(ports))
	}
	return e.change(func(err **C.netverdict_error) C.netverdict_status {
		return C.netverdict_engine_set_endpoint(e.c, given, err)
	})
}

// RemoveEndpoint stages that a pod that was set goes.
func (e *Engine) RemoveEndpoint(namespace, name string) error {
	return e.change(func(err **C.netverdict_error) C.netverdict_status {
		ns, nsl := text(namespace)
		n, nl := text(name)
		return C.go_engine_remove_endpoint(e.c, ns, nsl, n, nl, err)
	})
}

// Service is a service that policies may name.
type Service struct {
	Namespace string
	Name      string
	Labels    map[string]string
	Selector  map[string]string
	Addresses []string
}

// SetService stages a service.
func (e *Engine) SetService(service Service) error {
	var p pinned
	defer p.Unpin()
	given := new(C.netverdict_service)
	given.struct_size = C.sizeof_netverdict_service
	given.namespace_name = p.str(service.Namespace)
	given.name = p.str(service.Name)
	given.labels, given.label_count = p.labels(service.Labels)
	given.selector, given.selector_count = p.labels(service.Selector)
	given.addresses, given.address_count = p.strs(service.Addresses)
	return e.change(func(err **C.netverdict_error) C.netverdict_status {
		return C.netverdict_engine_set_service(e.c, given, err)
	})
}

// RemoveService stages that a service that was set goes.
func (e *Engine) RemoveService(namespace, name string) error {
	return e.change(func(err **C.netverdict_error) C.netverdict_status {
		ns, nsl := text(namespace)
		n, nl := text(name)
		return C.go_engine_remove_service(e.c, ns, nsl, n, nl, err)
	})
}

// SetName stages what DNS says of a name; without addresses it is forgotten.
func (e *Engine) SetName(name string, addresses ...string) error {
	var p pinned
	defer p.Unpin()
	list, count := p.strs(addresses)
	return e.change(func(err **C.netverdict_error) C.netverdict_status {
		n, nl := text(name)
		return C.go_engine_set_name(e.c, n, nl, list, count, err)
	})
}

// MapUpdate is what is to be done to the policy map of each of some subjects:
// put the keys with their values, then delete keys. Packed, 12 bytes each, for
// BatchUpdate and BatchDelete of a BPF map.
type MapUpdate struct {
	Subjects   []uint32
	PutKeys    []byte
	PutValues  []byte
	DeleteKeys []byte
}

// WriteKind says how a write has to happen.
type WriteKind uint32

// Kinds of writes: bytes that nothing leads to yet, words that are one aligned
// store each after all before, and a whole new image.
const (
	WriteBytes WriteKind = iota
	WriteWord16
	WriteWord64
	WriteReplace
)

// Write is one step of bringing a copy of the image up to date.
type Write struct {
	Kind WriteKind
	At   uint32
	Data []byte
}

// Update is what a commit changed.
type Update struct {
	Revision uint64
	// Whole: every policy map is to be emptied first.
	Whole  bool
	Maps   []MapUpdate
	Writes []Write
}

func packed(data *C.uint8_t, count C.size_t) []byte {
	return C.GoBytes(unsafe.Pointer(data), C.int(count*12))
}

// Commit applies all that is staged at once, and brings the table up to date.
func (e *Engine) Commit() (*Update, error) {
	var handle *C.netverdict_update
	err := e.change(func(err **C.netverdict_error) C.netverdict_status {
		return C.netverdict_engine_commit(e.c, &handle, err)
	})
	if err != nil {
		return nil, err
	}
	defer C.netverdict_update_free(&handle)
	update := &Update{
		Revision: uint64(C.netverdict_update_revision(handle)),
		Whole:    C.netverdict_update_is_whole(handle) != 0,
		Maps:     make([]MapUpdate, C.netverdict_update_map_count(handle)),
		Writes:   make([]Write, C.netverdict_update_write_count(handle)),
	}
	for i := range update.Maps {
		m := C.netverdict_map_update{struct_size: C.sizeof_netverdict_map_update}
		var failed *C.netverdict_error
		if err := failure(C.netverdict_update_map(handle, C.size_t(i), &m, &failed), failed); err != nil {
			return nil, err
		}
		subjects := unsafe.Slice((*uint32)(unsafe.Pointer(m.subjects)), int(m.subject_count))
		update.Maps[i] = MapUpdate{
			Subjects:   append([]uint32(nil), subjects...),
			PutKeys:    packed(m.put_keys, m.put_count),
			PutValues:  packed(m.put_values, m.put_count),
			DeleteKeys: packed(m.delete_keys, m.delete_count),
		}
	}
	for i := range update.Writes {
		w := C.netverdict_write{struct_size: C.sizeof_netverdict_write}
		var failed *C.netverdict_error
		if err := failure(C.netverdict_update_write(handle, C.size_t(i), &w, &failed), failed); err != nil {
			return nil, err
		}
		update.Writes[i] = Write{
			Kind: WriteKind(w.kind),
			At:   uint32(w.at),
			Data: C.GoBytes(unsafe.Pointer(w.data), C.int(w.len)),
		}
	}
	return update, nil
}

// EndGracePeriod lets numbers of subjects that are gone be used again.
func (e *Engine) EndGracePeriod() error {
	return e.change(func(err **C.netverdict_error) C.netverdict_status {
		return C.netverdict_engine_end_grace_period(e.c, err)
	})
}

// Revision is how many commits there were.
func (e *Engine) Revision() uint64 {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return uint64(C.netverdict_engine_revision(e.c))
}

// Remarks says how the committed objects fit together.
func (e *Engine) Remarks() ([]Diagnostic, error) {
	var found *C.netverdict_diagnostics
	err := e.ask(func(err **C.netverdict_error) C.netverdict_status {
		return C.netverdict_engine_remarks(e.c, &found, err)
	})
	if err != nil {
		return nil, err
	}
	return diagnostics(found)
}

// buffer asks a question whose answer is a buffer.
func (e *Engine) buffer(call func(b **C.netverdict_buffer, err **C.netverdict_error) C.netverdict_status) ([]byte, error) {
	var buffer *C.netverdict_buffer
	err := e.ask(func(err **C.netverdict_error) C.netverdict_status { return call(&buffer, err) })
	if err != nil {
		return nil, err
	}
	return take(buffer), nil
}

// Flow is a question: two ends, and one of Port ("443/TCP"), ICMP and ICMPv6
// (a type, or "type/code").
type Flow struct {
	From     string `json:"from"`
	To       string `json:"to"`
	Port     string `json:"port,omitempty"`
	ICMP     string `json:"icmp,omitempty"`
	ICMPv6   string `json:"icmpv6,omitempty"`
	Fragment bool   `json:"fragment,omitempty"`
	// What is sent on it, if that is asked: an HTTP request or a DNS query for a
	// name, the server name of a TLS handshake, and what secrets hold that header
	// matches name, by "namespace/name/item".
	HTTP    *Request          `json:"http,omitempty"`
	DNS     string            `json:"dns,omitempty"`
	SNI     string            `json:"sni,omitempty"`
	Secrets map[string]string `json:"secrets,omitempty"`
}

// Rule is a rule and where it is written.
type Rule struct {
	Rule string `json:"rule"` // Kind/namespace/name, Kind/name of clusterwide objects
	Path string `json:"path"` // the field
	At   string `json:"at"`   // file:line:column
}

// Key is the key of a policy map's entry.
type Key struct {
	Identity   uint32 `json:"identity"`
	Protocol   uint8  `json:"protocol"`
	Port       uint16 `json:"port"`
	PortPrefix uint8  `json:"portPrefix"`
}

// Redirect is where a side sends a flow.
type Redirect struct {
	Parser    string   `json:"parser"` // "http", "dns", "tls" or "crd"
	Listener  string   `json:"listener"`
	Port      uint16   `json:"port"`
	Protocol  string   `json:"protocol"`
	ProxyPort uint16   `json:"proxyPort"`
	Rules     []string `json:"rules"`
}

// Side is what the policy of one side of a flow says.
type Side struct {
	Direction string    `json:"direction"`
	Subject   string    `json:"subject"`
	Verdict   string    `json:"verdict"`
	Why       []string  `json:"why"`
	Peer      *uint32   `json:"peer"`
	MatchType string    `json:"matchType"`
	Hubble    string    `json:"hubble"`
	Code      int16     `json:"code"`
	Key       *Key      `json:"key"`
	Redirect  *Redirect `json:"redirect"`
	// Authentication that is required: "spire", "test-always-fail", a number.
	Authentication string `json:"authentication"`
	Rules          []Rule `json:"rules"`
	DefaultDenyBy  []Rule `json:"defaultDenyBy"`
	// Explanation has every candidate, as `netverdict explain -o json` prints it.
	Explanation json.RawMessage `json:"explanation"`
}

// Explanation is what happens to a flow, and why.
type Explanation struct {
	From     string   `json:"from"`
	To       string   `json:"to"`
	Protocol string   `json:"protocol"`
	Port     uint16   `json:"port"`
	Verdict  string   `json:"verdict"` // or "unknown", for the reasons in Why
	Why      []string `json:"why"`
	Egress   *Side    `json:"egress"`
	Ingress  *Side    `json:"ingress"`
	// Layer7 is what becomes of what is sent; nil when that was not asked.
	Layer7 *Layer7 `json:"layer7"`
}

// Explain says what happens to a flow, and why.
func (e *Engine) Explain(flow Flow) (*Explanation, error) {
	question, err := json.Marshal(flow)
	if err != nil {
		return nil, err
	}
	answer, err := e.buffer(func(b **C.netverdict_buffer, err **C.netverdict_error) C.netverdict_status {
		data, length := raw(question)
		return C.go_engine_explain(e.c, (*C.char)(unsafe.Pointer(data)), length, b, err)
	})
	if err != nil {
		return nil, err
	}
	why := new(Explanation)
	return why, json.Unmarshal(answer, why)
}

// Identity of an endpoint, address, prefix or entity.
func (e *Engine) Identity(of string) (uint32, error) {
	var identity C.uint32_t
	err := e.ask(func(err **C.netverdict_error) C.netverdict_status {
		t, l := text(of)
		return C.go_engine_identity(e.c, t, l, &identity, err)
	})
	return uint32(identity), err
}

// IdentityLabels are the labels of an identity, "source:key=value".
func (e *Engine) IdentityLabels(identity uint32) ([]string, error) {
	answer, err := e.buffer(func(b **C.netverdict_buffer, err **C.netverdict_error) C.netverdict_status {
		return C.netverdict_engine_identity_labels(e.c, C.uint32_t(identity), b, err)
	})
	if err != nil {
		return nil, err
	}
	var labels []string
	return labels, json.Unmarshal(answer, &labels)
}

// Subject is where an endpoint stands in the table.
type Subject struct{ Subject, Endpoint, Identity uint32 }

// Subject of an endpoint ("shop/web"); StatusNotFound when it has none.
func (e *Engine) Subject(endpoint string) (Subject, error) {
	var numbers [3]C.uint32_t
	err := e.ask(func(err **C.netverdict_error) C.netverdict_status {
		t, l := text(endpoint)
		return C.go_engine_subject(e.c, t, l, &numbers[0], err)
	})
	return Subject{uint32(numbers[0]), uint32(numbers[1]), uint32(numbers[2])}, err
}

// Entry of a policy map, with the rules behind it.
type Entry struct {
	Direction    string `json:"direction"`
	Identity     uint32 `json:"identity"`
	Protocol     uint8  `json:"protocol"`
	Port         uint16 `json:"port"`
	PortPrefix   uint8  `json:"portPrefix"`
	Deny         bool   `json:"deny"`
	ProxyPort    uint16 `json:"proxyPort"`
	AuthType     uint8  `json:"authType"`
	AuthExplicit bool   `json:"authExplicit"`
	Precedence   uint32 `json:"precedence"`
	Invalid      bool   `json:"invalid"`
	Rules        []Rule `json:"rules"`
}

// Policy of an endpoint. Keys and Values are its policy map, packed, 12 bytes
// each.
type Policy struct {
	Subject         string  `json:"subject"`
	Identity        uint32  `json:"identity"`
	IngressEnforced bool    `json:"ingressEnforced"`
	EgressEnforced  bool    `json:"egressEnforced"`
	Entries         []Entry `json:"entries"`
	Keys            []byte  `json:"-"`
	Values          []byte  `json:"-"`
}

// Policy of an endpoint, or of "host"; StatusNoPolicy when rules contradict
// each other.
func (e *Engine) Policy(endpoint string) (*Policy, error) {
	var handle *C.netverdict_policy
	err := e.ask(func(err **C.netverdict_error) C.netverdict_status {
		t, l := text(endpoint)
		return C.go_engine_policy(e.c, t, l, &handle, err)
	})
	if err != nil {
		return nil, err
	}
	defer C.netverdict_policy_free(&handle)
	var buffer *C.netverdict_buffer
	var failed *C.netverdict_error
	if err := failure(C.netverdict_policy_json(handle, &buffer, &failed), failed); err != nil {
		return nil, err
	}
	policy := new(Policy)
	if err := json.Unmarshal(take(buffer), policy); err != nil {
		return nil, err
	}
	entries := C.netverdict_entries{struct_size: C.sizeof_netverdict_entries}
	if err := failure(C.netverdict_policy_entries(handle, &entries, &failed), failed); err != nil {
		return nil, err
	}
	policy.Keys = packed(entries.keys, entries.count)
	policy.Values = packed(entries.values, entries.count)
	return policy, nil
}

// View of the table as of the last commit.
func (e *Engine) View() (*View, error) {
	var view *C.netverdict_view
	err := e.ask(func(err **C.netverdict_error) C.netverdict_status {
		return C.netverdict_engine_view(e.c, &view, err)
	})
	if err != nil {
		return nil, err
	}
	return newView(view), nil
}

// Image is a copy of the table as of the last commit.
func (e *Engine) Image() []byte {
	e.mu.RLock()
	defer e.mu.RUnlock()
	b := C.netverdict_engine_image(e.c)
	return C.GoBytes(unsafe.Pointer(b.data), C.int(b.len))
}

// SaveIdentities gives the numbers of identities, for the Options of the next
// engine.
func (e *Engine) SaveIdentities() ([]byte, error) {
	return e.buffer(func(b **C.netverdict_buffer, err **C.netverdict_error) C.netverdict_status {
		return C.netverdict_engine_save_identities(e.c, b, err)
	})
}
