// SPDX-License-Identifier: Apache-2.0 OR MIT

//go:build cgo

// Netverdict-scenario answers scenarios, one a line, like the program of that
// name in Rust: cargo xtask testdata --engine replays every case through it.
package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"

	netverdict "github.com/netverdict/netverdict/bindings/go"
)

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "netverdict-scenario:", err)
		os.Exit(2)
	}
}

func run(in io.Reader, out io.Writer) error {
	reader, writer := bufio.NewReader(in), bufio.NewWriter(out)
	for {
		line, err := reader.ReadBytes('\n')
		if line = bytes.TrimSpace(line); len(line) != 0 {
			answer, err := netverdict.AnswerScenario(line)
			if err != nil {
				return err
			}
			writer.Write(append(answer, '\n'))
		}
		if err == io.EOF {
			return writer.Flush()
		}
		if err != nil {
			return err
		}
	}
}
