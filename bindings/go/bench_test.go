// SPDX-License-Identifier: Apache-2.0 OR MIT

//go:build cgo

package netverdict

import (
	"testing"

	"github.com/netverdict/netverdict/bindings/go/table"
)

// The questions of the benchmark: peers known and unknown, several ports.
func benchQuestions(engine *Engine, count int) []Question {
	subject := must(engine.Subject("shop/db"))
	web := must(engine.Identity("shop/web"))
	questions := make([]Question, count)
	for i := range questions {
		questions[i] = Question{
			Subject: subject.Subject, Identity: web + uint32(i%7), Protocol: 6, Port: uint16(5430 + i%5),
		}
	}
	return questions
}

func benchEngine() *Engine {
	engine := must(New(nil))
	must(engine.Apply("pods.yaml", pods))
	must(engine.Apply("policy.yaml", policy))
	must(engine.Commit())
	return engine
}

func BenchmarkVerdictCgo(b *testing.B) {
	engine := benchEngine()
	view, questions := must(engine.View()), benchQuestions(engine, 1024)
	for i := range b.N {
		must(view.Verdict(&questions[i%1024]))
	}
}

func BenchmarkVerdictCgoBatch1024(b *testing.B) {
	engine := benchEngine()
	view, questions := must(engine.View()), benchQuestions(engine, 1024)
	verdicts := make([]Verdict, 1024)
	for range b.N {
		if err := view.Verdicts(questions, verdicts); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1024, "ns/verdict")
}

func BenchmarkVerdictPure(b *testing.B) {
	engine := benchEngine()
	view, questions := must(table.Load(engine.Image())), benchQuestions(engine, 1024)
	for i := range b.N {
		view.Verdict(&questions[i%1024])
	}
}

func BenchmarkVerdictPurePolicyInHand(b *testing.B) {
	engine := benchEngine()
	view, questions := must(table.Load(engine.Image())), benchQuestions(engine, 1024)
	policy, _ := view.Policy(questions[0].Subject, Ingress)
	for i := range b.N {
		policy.Ask(&questions[i%1024])
	}
}
