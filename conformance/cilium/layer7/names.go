package layer7

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/netip"
	"reflect"
	"regexp"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/cilium/cilium/pkg/fqdn"
	"github.com/cilium/cilium/pkg/fqdn/dns"
	"github.com/cilium/cilium/pkg/option"
	"github.com/cilium/cilium/pkg/policy/api"
)

// NamesQuestion is a history of DNS answers and collections, and asks what is known after each.
type NamesQuestion struct {
	ID        string             `json:"id,omitempty"`
	Config    NamesConfig        `json:"config"`
	Selectors []api.FQDNSelector `json:"selectors"`
	Steps     []NamesStep        `json:"steps"`
	// The first step after which repeated runs differ.
	Unstable *int `json:"unstable,omitempty"`
}

// Repeat is how often each history is run. Cilium iterates maps, in random order, where order
// decides which of several addresses goes that are alike in use.
var Repeat = 1

// NamesConfig are the agent options that matter. Zero means Cilium's default, except for MinTTL
// and GraceMs, whose default is zero.
type NamesConfig struct {
	MinTTL        int `json:"minTTL,omitempty"`
	MaxIPsPerHost int `json:"maxIPsPerHost,omitempty"`
	MaxZombies    int `json:"maxZombies,omitempty"`
	GraceMs       int `json:"graceMs,omitempty"`
	Endpoints     int `json:"endpoints,omitempty"`
}

// NamesStep is something that happens at a time: "update" is an answer with addresses, "lookup"
// nothing, "gc" a collection of names, "alive" a connection found alive, "ctgc" the end of a
// collection of connections, "leave" the end of an endpoint, "register" and "unregister" a selector
// coming or going.
type NamesStep struct {
	Ms       int64             `json:"ms"`
	Op       string            `json:"op"`
	EP       int               `json:"ep,omitempty"`
	Name     string            `json:"name,omitempty"`
	IPs      []netip.Addr      `json:"ips,omitempty"`
	TTL      int               `json:"ttl,omitempty"`
	Selector *api.FQDNSelector `json:"selector,omitempty"`
	State    *NamesState       `json:"state"`
}

// NamesState is what can be observed.
type NamesState struct {
	// Addresses of every name, and names of every address, in the agent's cache.
	Names     map[string][]netip.Addr `json:"names"`
	Addresses map[netip.Addr][]string `json:"addresses"`
	// Selectors behind every address that has one.
	Labels    map[netip.Addr][]string `json:"labels"`
	Endpoints []NamesOfEndpoint       `json:"endpoints"`
}

// NamesOfEndpoint is what an endpoint looked up.
type NamesOfEndpoint struct {
	Addresses map[netip.Addr][]string `json:"addresses"`
	Entries   []Entry                 `json:"entries"`
	Zombies   []Zombie                `json:"zombies"`
}

// Entry is an answer that is still in the cache for at least one of its addresses.
type Entry struct {
	Name      string       `json:"name"`
	ExpiresMs int64        `json:"expires"`
	TTL       int          `json:"ttl"`
	IPs       []netip.Addr `json:"ips"`
}

// Zombie is an address that expired and may be in use.
type Zombie struct {
	IP      netip.Addr `json:"ip"`
	Names   []string   `json:"names"`
	AliveMs int64      `json:"aliveAt"`
	DueMs   int64      `json:"deletePendingAt"`
	Alive   bool       `json:"alive"`
}

// start is where the clock of a history begins, far enough in the past that Cilium, which reads
// the real clock when it rebuilds its cache, takes all of it for past.
var start = time.Unix(1_000_000_000, 0)

func at(ms int64) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }

func since(t time.Time) int64 {
	if t.IsZero() {
		return -1
	}
	return t.Sub(start).Milliseconds()
}

type endpointNames struct {
	history *fqdn.DNSCache
	zombies *fqdn.DNSZombieMappings
}

type names struct {
	config    NamesConfig
	global    *fqdn.DNSCache
	endpoints []*endpointNames
	selectors map[api.FQDNSelector]*regexp.Regexp
}

// Answer fills in the answers. Caches and zombies are Cilium's; what is repeated here is the order
// in which pkg/fqdn/namemanager and pkg/fqdn/messagehandler call them, with the clock of the
// history in place of the real one.
func (n *NamesQuestion) Answer() error {
	for run := range max(1, Repeat) {
		steps := slices.Clone(n.Steps)
		if err := n.run(steps); err != nil {
			return err
		}
		if run == 0 {
			n.Steps = steps
		}
		for i := range steps {
			if n.Unstable != nil && i >= *n.Unstable {
				break
			}
			if !reflect.DeepEqual(steps[i].State, n.Steps[i].State) {
				n.Unstable = &i
			}
		}
	}
	return nil
}

func (n *NamesQuestion) run(steps []NamesStep) error {
	config := n.Config
	config.MaxIPsPerHost = cmp.Or(config.MaxIPsPerHost, 1000)
	config.MaxZombies = cmp.Or(config.MaxZombies, 10000)
	config.Endpoints = cmp.Or(config.Endpoints, 1)
	option.Config.ToFQDNsIdleConnectionGracePeriod = time.Duration(config.GraceMs) * time.Millisecond
	state := &names{config: config, selectors: map[api.FQDNSelector]*regexp.Regexp{}}
	state.global = fqdn.NewDNSCache(config.MinTTL)
	state.global.DisableCleanupTrack()
	for range config.Endpoints {
		state.endpoints = append(state.endpoints, state.newEndpoint())
	}
	for _, selector := range n.Selectors {
		state.register(selector)
	}
	for i := range steps {
		if err := state.step(&steps[i]); err != nil {
			return fmt.Errorf("step %d: %w", i, err)
		}
		shown, err := state.show()
		if err != nil {
			return err
		}
		steps[i].State = shown
	}
	return nil
}

func (n *names) newEndpoint() *endpointNames {
	return &endpointNames{
		history: fqdn.NewDNSCacheWithLimit(n.config.MinTTL, n.config.MaxIPsPerHost),
		zombies: fqdn.NewDNSZombieMappings(quiet, n.config.MaxZombies, n.config.MaxIPsPerHost),
	}
}

func (n *names) register(selector api.FQDNSelector) {
	// One that does not compile is logged and not registered.
	if matcher, err := selector.ToRegex(); err == nil {
		n.selectors[selector] = matcher
	}
}

func (n *names) step(step *NamesStep) error {
	now := at(step.Ms)
	if step.EP < 0 || step.EP >= len(n.endpoints) {
		return fmt.Errorf("there is no endpoint %d", step.EP)
	}
	endpoint := n.endpoints[step.EP]
	switch step.Op {
	case "lookup":
	case "update":
		name := dns.FQDN(step.Name)
		if len(step.IPs) == 0 {
			return nil
		}
		if endpoint.history.Update(now, name, step.IPs, step.TTL).Upserted {
			endpoint.zombies.ForceExpireByNameIP(now, name, step.IPs...)
		}
		n.global.Update(now, name, step.IPs, step.TTL, endpoint.history)
	case "alive":
		for _, ip := range step.IPs {
			endpoint.zombies.MarkAlive(now, ip)
		}
	case "ctgc":
		endpoint.zombies.SetCTGCTime(now, now)
	case "gc":
		n.collect(now)
	case "leave":
		n.endpoints[step.EP] = n.newEndpoint()
	case "register":
		n.register(*step.Selector)
	case "unregister":
		delete(n.selectors, *step.Selector)
	default:
		return fmt.Errorf("unknown op %q", step.Op)
	}
	return nil
}

// collect is doGC of pkg/fqdn/namemanager/gc.go.
func (n *names) collect(now time.Time) {
	const aliveTTL = 120
	alive := fqdn.NewDNSCache(aliveTTL)
	touched := sets.New[string]()
	leaked := n.global.DumpNames()
	for _, endpoint := range n.endpoints {
		leaked = leaked.Difference(endpoint.history.DumpNames())
		touched = touched.Union(endpoint.history.GC(now, endpoint.zombies))
		living, dead := endpoint.zombies.GC()
		for _, zombie := range living {
			for _, name := range zombie.Names {
				touched.Insert(name)
				alive.Update(now, name, []netip.Addr{zombie.IP}, aliveTTL)
			}
		}
		for _, zombie := range dead {
			touched.Insert(zombie.Names...)
		}
	}
	touched = touched.Union(leaked)
	if touched.Len() == 0 {
		return
	}
	caches := []*fqdn.DNSCache{alive}
	for _, endpoint := range n.endpoints {
		caches = append(caches, endpoint.history)
	}
	n.global.ReplaceFromCacheByNames(touched.UnsortedList(), caches...)
}

func (n *names) show() (*NamesState, error) {
	state := &NamesState{
		Names:     map[string][]netip.Addr{},
		Addresses: sorted(n.global.GetIPs()),
		Labels:    map[netip.Addr][]string{},
	}
	for name := range n.global.DumpNames() {
		ips := n.global.Lookup(name)
		slices.SortFunc(ips, netip.Addr.Compare)
		state.Names[name] = ips
	}
	for ip, all := range state.Addresses {
		labels := sets.New[string]()
		for selector, matcher := range n.selectors {
			if slices.ContainsFunc(all, matcher.MatchString) {
				label := selector.IdentityLabel()
				labels.Insert(label.Key)
			}
		}
		if labels.Len() > 0 {
			state.Labels[ip] = sets.List(labels)
		}
	}
	for _, endpoint := range n.endpoints {
		shown := NamesOfEndpoint{Addresses: sorted(endpoint.history.GetIPs()), Entries: []Entry{}, Zombies: []Zombie{}}
		for _, entry := range endpoint.history.Dump() {
			ips := slices.Clone(entry.IPs)
			slices.SortFunc(ips, netip.Addr.Compare)
			shown.Entries = append(shown.Entries, Entry{entry.Name, since(entry.ExpirationTime), entry.TTL, ips})
		}
		slices.SortFunc(shown.Entries, func(a, b Entry) int {
			return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ExpiresMs, b.ExpiresMs), cmp.Compare(a.TTL, b.TTL),
				slices.CompareFunc(a.IPs, b.IPs, netip.Addr.Compare))
		})
		living := sets.New[netip.Addr]()
		for _, zombie := range endpoint.zombies.DumpAlive(nil) {
			living.Insert(zombie.IP)
		}
		text, err := endpoint.zombies.MarshalJSON()
		if err != nil {
			return nil, err
		}
		var zombies struct {
			Deletes map[netip.Addr]*fqdn.DNSZombieMapping `json:"deletes"`
		}
		if err := json.Unmarshal(text, &zombies); err != nil {
			return nil, err
		}
		for ip, zombie := range zombies.Deletes {
			slices.Sort(zombie.Names)
			shown.Zombies = append(shown.Zombies,
				Zombie{ip, zombie.Names, since(zombie.AliveAt), since(zombie.DeletePendingAt), living.Has(ip)})
		}
		slices.SortFunc(shown.Zombies, func(a, b Zombie) int { return a.IP.Compare(b.IP) })
		state.Endpoints = append(state.Endpoints, shown)
	}
	return state, nil
}

func sorted(all map[netip.Addr][]string) map[netip.Addr][]string {
	for _, list := range all {
		slices.Sort(list)
	}
	return all
}
