// Command cilium-l7 reads questions about layer 7, one per line, and prints them with Cilium's
// answers: cilium-l7 [-repeat N] dns|http|sni|fqdn.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"netverdict.dev/conformance/cilium/layer7"
)

type question interface{ Answer() error }

var kinds = map[string]func() question{
	"dns":  func() question { return &layer7.DNSQuestion{} },
	"http": func() question { return &layer7.HTTPQuestion{} },
	"sni":  func() question { return &layer7.SNIQuestion{} },
	"fqdn": func() question { return &layer7.NamesQuestion{} },
}

func main() {
	flag.IntVar(&layer7.Repeat, "repeat", 1, "run each history this often and tell from which step on they differ")
	flag.Parse()
	if flag.NArg() != 1 || kinds[flag.Arg(0)] == nil {
		fmt.Fprintln(os.Stderr, "usage: cilium-l7 [-repeat N] dns|http|sni|fqdn < questions > answers")
		os.Exit(1)
	}
	if err := run(kinds[flag.Arg(0)], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "cilium-l7:", err)
		os.Exit(2)
	}
}

func run(kind func() question, in io.Reader, out io.Writer) error {
	reader := bufio.NewReader(in)
	buffered := bufio.NewWriter(out)
	encoder := json.NewEncoder(buffered)
	encoder.SetEscapeHTML(false)
	for number := 1; ; number++ {
		line, err := reader.ReadString('\n')
		if strings.TrimSpace(line) != "" {
			q := kind()
			decoder := json.NewDecoder(strings.NewReader(line))
			decoder.DisallowUnknownFields()
			if err := decoder.Decode(q); err != nil {
				return fmt.Errorf("line %d: %w", number, err)
			}
			if err := q.Answer(); err != nil {
				return fmt.Errorf("line %d: %w", number, err)
			}
			if err := encoder.Encode(q); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return buffered.Flush()
		}
		if err != nil {
			return err
		}
	}
}
