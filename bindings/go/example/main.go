// SPDX-License-Identifier: Apache-2.0 OR MIT

//go:build cgo

// Example prints who may talk to whom, and why:
//
//	go run ./example shop.yaml policy.yaml -- shop/web shop/db 5432/TCP
package main

import (
	"errors"
	"fmt"
	"os"
	"slices"

	netverdict "github.com/netverdict/netverdict/bindings/go"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	dashes := slices.Index(arguments, "--")
	if dashes < 0 || len(arguments) != dashes+4 {
		return errors.New("usage: example FILE... -- FROM TO PORT/PROTOCOL")
	}
	engine, err := netverdict.New(nil)
	if err != nil {
		return err
	}
	defer engine.Close()
	for _, file := range arguments[:dashes] {
		document, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		problems, err := engine.Apply(file, string(document))
		if err != nil {
			return err
		}
		for _, p := range problems {
			fmt.Fprintf(os.Stderr, "%s:%d:%d: %s: %s\n", p.File, p.Line, p.Column, p.Code, p.Message)
		}
	}
	if _, err := engine.Commit(); err != nil {
		return err
	}
	from, to, port := arguments[dashes+1], arguments[dashes+2], arguments[dashes+3]
	why, err := engine.Explain(netverdict.Flow{From: from, To: to, Port: port})
	if err != nil {
		return err
	}
	fmt.Printf("%s → %s %s: %s\n", why.From, why.To, port, why.Verdict)
	for _, side := range []*netverdict.Side{why.Egress, why.Ingress} {
		if side == nil {
			continue
		}
		for _, rule := range side.Rules {
			fmt.Printf("  %s: %s %s (%s)\n", side.Subject, rule.Rule, rule.Path, rule.At)
		}
	}
	return nil
}
