package oracle

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// differences collects what is not the same in all answers to one scenario. Cilium iterates Go
// maps, whose order is random on purpose, so some results depend on chance.
type differences struct {
	first map[string]string
	found map[string]bool
}

func newDifferences(first *Answer) *differences {
	return &differences{first: flatten(first), found: map[string]bool{}}
}

func (d *differences) compare(answer *Answer) {
	again := flatten(answer)
	for path, value := range d.first {
		if other, present := again[path]; !present || other != value {
			d.found[path] = true
		}
	}
	for path := range again {
		if _, present := d.first[path]; !present {
			d.found[path] = true
		}
	}
}

// paths returns what differs, sorted. A map entry that is not always there stands for its fields.
func (d *differences) paths() []string {
	var paths []string
	for path := range d.found {
		if end := strings.LastIndex(path, "]."); end < 0 || !d.found[path[:end+1]] {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	return paths
}

// flatten turns an answer into values by path. Map entries go by their keys and identities by
// number and prefix, everything else by position.
func flatten(answer *Answer) map[string]string {
	values := map[string]string{}
	for i, policy := range answer.Policies {
		flattenFields(values, fmt.Sprintf("policies[%d]", i), policy)
	}
	for _, identity := range answer.Identities {
		name := strings.TrimSpace(fmt.Sprintf("%d %s", identity.ID, identity.Prefix))
		flattenFields(values, "identities["+name+"]", identity)
	}
	for i, endpoint := range answer.Endpoints {
		path := fmt.Sprintf("endpoints[%d]", i)
		for _, entry := range endpoint.Map {
			name := fmt.Sprintf("%s %d %d %d/%d",
				entry.Direction, entry.ID, entry.Proto, entry.Port, entry.PortLen)
			flattenFields(values, path+".map["+name+"]", entry)
		}
		for j, filter := range endpoint.L4 {
			flattenFields(values, fmt.Sprintf("%s.l4[%d]", path, j), filter)
		}
		endpoint.Map, endpoint.L4 = nil, nil
		flattenFields(values, path, endpoint)
	}
	for i, query := range answer.Queries {
		flattenFields(values, fmt.Sprintf("queries[%d]", i), query)
	}
	return values
}

// flattenFields adds a path for the object itself and one for each of its fields.
func flattenFields(values map[string]string, path string, object any) {
	text, err := json.Marshal(object)
	if err != nil {
		values[path] = err.Error()
		return
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil {
		values[path] = err.Error()
		return
	}
	values[path] = "present"
	for name, value := range fields {
		if name == "error" || name == "schema" {
			value = json.RawMessage("present") // texts are not compared, only whether there is one
		}
		values[path+"."+name] = string(value)
	}
}
