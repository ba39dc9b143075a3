// SPDX-License-Identifier: Apache-2.0 OR MIT

//go:build cgo

package netverdict

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The lines of the README are a program, with what they leave out around them.
const around = `package main

import (
	"fmt"
	"os"
	"time"

	netverdict "github.com/netverdict/netverdict/bindings/go"
	"github.com/netverdict/netverdict/bindings/go/table"
)

func main() {
	text, err := os.ReadFile(os.Args[1])
	if err != nil {
		panic(err)
	}
	yaml, addresses := string(text), []string{"192.0.2.7"}
	milliseconds := uint64(time.Now().UnixMilli())
	ENGINE
	subject, err := engine.Subject("shop/db")
	identity, err2 := engine.Identity("shop/web")
	if err != nil || err2 != nil {
		panic("not found")
	}
	s, id := subject.Subject, identity
	TABLE
	fmt.Println(len(problems), update != nil, verdict)
	_ = err
}
`

func TestReadmeRuns(t *testing.T) {
	documents := filepath.Join("..", "readme.yaml")
	if _, err := os.Stat(documents); err != nil {
		t.Skip("outside of the repository")
	}
	page, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	if len(blocks) != 2 {
		t.Fatalf("%d blocks", len(blocks))
	}
	program := strings.NewReplacer("ENGINE", blocks[0][1], "TABLE", blocks[1][1]).Replace(around)
	// Below the module, or it would not be found.
	folder, err := os.MkdirTemp("cmd", "readme-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(folder)
	if err := os.WriteFile(filepath.Join(folder, "main.go"), []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	output, err := exec.Command("go", "run", "./"+folder, documents).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, program, output)
	}
	lines := strings.Split(string(output), "\n")
	if len(lines) < 3 || !strings.HasPrefix(lines[0], "allow shop.yaml:") || lines[1] != "forwarded" || !strings.HasPrefix(lines[2], "0 true") {
		t.Fatalf("it says\n%s", output)
	}
}
