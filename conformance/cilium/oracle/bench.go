package oracle

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/cilium/cilium/pkg/crypto/certificatemanager"
	envoypolicy "github.com/cilium/cilium/pkg/envoy/policy"
	"github.com/cilium/cilium/pkg/identity"
	"github.com/cilium/cilium/pkg/identity/identitymanager"
	"github.com/cilium/cilium/pkg/labels"
	"github.com/cilium/cilium/pkg/policy"
	"github.com/cilium/cilium/pkg/u8proto"
)

// Bench is what a scenario costs Cilium's engine, in nanoseconds of processor time of the whole
// process, the garbage collector included; medians.
type Bench struct {
	Entries int `json:"entries"`
	// Parse is from the JSON text of all policies to policy entries, schemas left out.
	Parse     float64 `json:"parse"`
	Cold      float64 `json:"cold"`
	Compile   float64 `json:"compile"`
	Recompile float64 `json:"recompile"`
	Distil    float64 `json:"distil"`
	Add       float64 `json:"add,omitempty"`
	Lookup    float64 `json:"lookup,omitempty"`
	// CompileBytes is how much one Compile allocates.
	CompileBytes float64 `json:"compileBytes"`
}

// benchmark is a scenario that is measured.
type benchmark struct {
	resolver
	subject *identity.Identity
	owner   *subjectEndpoint
	ids     identity.IdentityMap
	// texts are the policies as JSON.
	texts [][]byte
}

// Measure compiles the policy of the scenario's first endpoint again and again.
func Measure(s *Scenario, added []ScenarioIdentity, rounds int) (Bench, error) {
	s.Config.apply()
	documents := readDocuments(s)
	w, err := newWorld(s, documents)
	if err != nil {
		return Bench{}, err
	}
	for _, d := range documents {
		if !d.Accepted {
			return Bench{}, fmt.Errorf("%s is refused: %s", d.Name, d.Error)
		}
	}
	if len(s.Endpoints) == 0 || w.identities[identity.NumericIdentity(s.Endpoints[0].ID)] == nil {
		return Bench{}, errors.New("no endpoint to measure")
	}
	b := benchmark{
		resolver: resolver{scenario: s, documents: documents, world: w},
		subject:  w.identities[identity.NumericIdentity(s.Endpoints[0].ID)],
		owner:    &subjectEndpoint{id: 1},
		ids:      w.labelMap(),
	}
	for _, text := range s.Policies {
		for _, part := range SplitDocuments(text) {
			b.texts = append(b.texts, expandList(part.JSON)...)
		}
	}
	if len(b.texts) != len(documents) {
		return Bench{}, errors.New("a policy is no document")
	}
	return b.run(added, rounds)
}

// load makes a repository with the identities and rules, and no peer selector.
func (b *benchmark) load() *policy.Repository {
	secrets := certificatemanager.NewMockSecretManagerSDS()
	repo := policy.NewPolicyRepository(quiet, b.ids, secretsBySDS{},
		envoypolicy.NewEnvoyL7RulesTranslator(quiet, secrets), identitymanager.NewIDManager(quiet), nil)
	repo.SetNamedPortsGetter(b.world)
	repo.UpdateIdentities(b.ids, nil)
	for _, d := range b.documents {
		repo.MustAddPolicyEntries(d.entries)
	}
	return repo
}

// parse reads every policy as the agent does, which leaves schemas to the API server.
func (b *benchmark) parse() error {
	for i, d := range b.documents {
		fresh := &document{resource: d.resource, source: d.source}
		fresh.Namespace = d.Namespace
		finish, err := d.kind.decode(fresh, b.scenario.Config, b.texts[i])
		if err != nil {
			return err
		}
		if err := finish(); err != nil {
			return err
		}
	}
	return nil
}

// ports sends all redirects to one port.
var ports = map[string]uint16{policy.FallbackRedirectID: firstProxyPort}

func (b *benchmark) resolveOnce(repo *policy.Repository) (policy.SelectorPolicy, *policy.EndpointPolicy, error) {
	selectors, err := repo.ResolvePolicy(b.subject)
	if err != nil {
		return nil, nil, err
	}
	return selectors, selectors.DistillPolicy(quiet, b.owner, ports), nil
}

func (b *benchmark) run(added []ScenarioIdentity, rounds int) (Bench, error) {
	var parse, cold, compile, recompile, distil, allocated []float64
	entries := 0
	for range rounds {
		runtime.GC()
		var err error
		parse = append(parse, cpuOf(func() { err = b.parse() }))
		if err != nil {
			return Bench{}, err
		}
		runtime.GC()
		cold = append(cold, cpuOf(func() { _, _, err = b.resolveOnce(b.load()) }))
		repo := b.load()
		runtime.GC()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		var selectors policy.SelectorPolicy
		compile = append(compile, cpuOf(func() { selectors, _, err = b.resolveOnce(repo) }))
		runtime.ReadMemStats(&after)
		allocated = append(allocated, float64(after.TotalAlloc-before.TotalAlloc))
		if err != nil {
			return Bench{}, err
		}
		repo.BumpRevision()
		recompile = append(recompile, cpuOf(func() { _, _, err = b.resolveOnce(repo) }))
		if err != nil {
			return Bench{}, err
		}
		var distilled *policy.EndpointPolicy
		distil = append(distil, cpuOf(func() { distilled = selectors.DistillPolicy(quiet, b.owner, ports) }))
		entries = distilled.Len()
	}
	result := Bench{
		Entries: entries, Parse: median(parse), Cold: median(cold), Compile: median(compile),
		Recompile: median(recompile), Distil: median(distil), CompileBytes: median(allocated),
	}
	repo := b.load()
	_, distilled, err := b.resolveOnce(repo)
	if err != nil {
		return Bench{}, err
	}
	result.Lookup = b.lookups(distilled, rounds)
	result.Add = add(repo, distilled, added)
	return result, nil
}

// add is the mean cost of identities that come one by one and reach the endpoint's map.
func add(repo *policy.Repository, distilled *policy.EndpointPolicy, added []ScenarioIdentity) float64 {
	if len(added) == 0 {
		return 0
	}
	distilled.Ready()
	maps := make([]identity.IdentityMap, len(added))
	for i, given := range added {
		maps[i] = identity.IdentityMap{identity.NumericIdentity(given.ID): given.labelArray()}
	}
	total := cpuOf(func() {
		for _, m := range maps {
			var wg sync.WaitGroup
			repo.GetSelectorCache().UpdateIdentities(m, nil, &wg)
			wg.Wait()
			closer, _ := distilled.ConsumeMapChanges()
			closer()
		}
	})
	return total / float64(len(added))
}

func (id ScenarioIdentity) labelArray() labels.LabelArray { return id.ownLabels().LabelArray() }

// lookups is the mean cost of the scenario's queries, the keys made before.
func (b *benchmark) lookups(distilled *policy.EndpointPolicy, rounds int) float64 {
	var keys []policy.Key
	for _, q := range b.scenario.Queries {
		id, proto := identity.NumericIdentity(*q.Peer), u8proto.U8proto(q.Proto)
		if q.Direction == "ingress" {
			keys = append(keys, policy.IngressKey().WithIdentity(id).WithPortProto(proto, q.Port))
		} else {
			keys = append(keys, policy.EgressKey().WithIdentity(id).WithPortProto(proto, q.Port))
		}
	}
	if len(keys) == 0 {
		return 0
	}
	var all []float64
	denied := 0
	for range rounds {
		all = append(all, cpuOf(func() {
			for _, key := range keys {
				if entry, _, _ := distilled.Lookup(key); entry.IsDeny() {
					denied++
				}
			}
		})/float64(len(keys)))
	}
	runtime.KeepAlive(denied)
	return median(all)
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// cpuOf returns the processor time of the process during a call, in nanoseconds.
func cpuOf(f func()) float64 {
	start := cpuTime()
	f()
	return float64(cpuTime() - start)
}

func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
