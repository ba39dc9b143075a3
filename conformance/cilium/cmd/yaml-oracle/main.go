// Command yaml-oracle tells how Kubernetes reads YAML: JSON lines {"text": …} in, JSON lines
// {"docs": [{"json": …} or {"error": …}]} out.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"netverdict.dev/conformance/cilium/oracle"
)

type question struct {
	Text string `json:"text"`
}

type reply struct {
	Docs []doc `json:"docs"`
}

type doc struct {
	JSON  json.RawMessage `json:"json,omitempty"`
	Error string          `json:"error,omitempty"`
}

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "yaml-oracle:", err)
		os.Exit(2)
	}
}

func run(in io.Reader, out io.Writer) error {
	decoder := json.NewDecoder(bufio.NewReader(in))
	buffered := bufio.NewWriter(out)
	defer buffered.Flush()
	encoder := json.NewEncoder(buffered)
	encoder.SetEscapeHTML(false)
	for {
		var q question
		if err := decoder.Decode(&q); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		r := reply{Docs: []doc{}}
		for _, document := range oracle.SplitDocuments(q.Text) {
			if document.Err != nil {
				r.Docs = append(r.Docs, doc{Error: document.Err.Error()})
			} else {
				r.Docs = append(r.Docs, doc{JSON: document.JSON})
			}
		}
		if err := encoder.Encode(r); err != nil {
			return err
		}
		if err := buffered.Flush(); err != nil {
			return err
		}
	}
}
