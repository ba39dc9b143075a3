package main

import (
	"fmt"
	"log"
	"os"

	netverdict "github.com/netverdict/netverdict/bindings/go"
)

func main() {
	engine, err := netverdict.New(nil)
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close()
	document, err := os.ReadFile("shop.yaml")
	if err != nil {
		log.Fatal(err)
	}
	problems, err := engine.Apply("shop.yaml", string(document))
	if err != nil {
		log.Fatal(err)
	}
	for _, p := range problems {
		fmt.Fprintf(os.Stderr, "%s:%d: %s\n", p.File, p.Line, p.Message)
	}
	if _, err := engine.Commit(); err != nil {
		log.Fatal(err)
	}
	for _, from := range []string{"shop/api", "shop/web"} {
		why, err := engine.Explain(netverdict.Flow{From: from, To: "shop/db", Port: "5432/TCP"})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s -> shop/db 5432/TCP: %s\n", from, why.Verdict)
	}
}
