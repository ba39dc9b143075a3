// Command cilium-oracle reads policy scenarios and prints what Cilium's own policy engine makes
// of them.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"

	"netverdict.dev/conformance/cilium/oracle"
)

func main() {
	lines := flag.Bool("lines", false, "one scenario per line, one answer per line")
	l4 := flag.Bool("l4", false, "show the L4 filters of every endpoint")
	proxy := flag.Bool("proxy", false, "show the policy that Envoy is sent for every endpoint")
	repeat := flag.Int("repeat", 1, "answer each scenario this often and list what differs in unstable[]")
	flag.Parse()
	if err := run(os.Stdin, os.Stdout, *lines, oracle.Options{L4: *l4, Proxy: *proxy, Repeat: *repeat}); err != nil {
		fmt.Fprintln(os.Stderr, "cilium-oracle:", err)
		os.Exit(2)
	}
}

func run(in io.Reader, out io.Writer, lines bool, options oracle.Options) error {
	buffered := bufio.NewWriter(out)
	defer buffered.Flush()
	if !lines {
		text, err := io.ReadAll(in)
		if err != nil {
			return err
		}
		return answer(text, buffered, " ", options)
	}
	reader := bufio.NewReader(in)
	for number := 1; ; number++ {
		line, err := reader.ReadBytes('\n')
		if len(bytes.TrimSpace(line)) > 0 {
			if err := answer(line, buffered, "", options); err != nil {
				return fmt.Errorf("line %d: %w", number, err)
			}
			if err := buffered.Flush(); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func answer(text []byte, out io.Writer, indent string, options oracle.Options) error {
	scenario, err := oracle.ParseScenario(text)
	if err != nil {
		return err
	}
	result, err := oracle.Run(scenario, options)
	if err != nil {
		return err
	}
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", indent)
	return encoder.Encode(result)
}
