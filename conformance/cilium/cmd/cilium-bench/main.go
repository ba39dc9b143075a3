// Command cilium-bench reads workloads, one per line, and prints what each costs Cilium's own
// policy engine.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"netverdict.dev/conformance/cilium/oracle"
)

// workload is a scenario whose first endpoint is compiled, identities that come afterwards, and
// how often everything is measured.
type workload struct {
	Scenario json.RawMessage           `json:"scenario"`
	Added    []oracle.ScenarioIdentity `json:"added"`
	Rounds   int                       `json:"rounds"`
}

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "cilium-bench:", err)
		os.Exit(2)
	}
}

func run(in io.Reader, out io.Writer) error {
	decoder := json.NewDecoder(bufio.NewReader(in))
	encoder := json.NewEncoder(out)
	for {
		var w workload
		if err := decoder.Decode(&w); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		scenario, err := oracle.ParseScenario(w.Scenario)
		if err != nil {
			return err
		}
		result, err := oracle.Measure(scenario, w.Added, max(1, w.Rounds))
		if err != nil {
			return err
		}
		if err := encoder.Encode(result); err != nil {
			return err
		}
	}
}
