// SPDX-License-Identifier: Apache-2.0 OR MIT

//go:build cgo

package netverdict

// #include "shim.h"
import "C"

// Reaching says what [Engine.Reach] and [Engine.Diff] look at.
type Reaching struct {
	// ByPod keeps every pod by itself, instead of pods of one owner that no
	// policy tells apart together.
	ByPod bool
	// WithDenied has [Engine.Reach] list pairs between which nothing is open, too.
	WithDenied bool
}

func (r Reaching) flags() C.uint32_t {
	var flags C.uint32_t
	if r.ByPod {
		flags |= C.NETVERDICT_BY_POD
	}
	if r.WithDenied {
		flags |= C.NETVERDICT_WITH_DENIED
	}
	return flags
}

// Reach says who may talk to whom in the whole cluster as of the last commit:
// what `netverdict reach -o json` prints.
func (e *Engine) Reach(how Reaching) ([]byte, error) {
	return e.buffer(func(b **C.netverdict_buffer, err **C.netverdict_error) C.netverdict_status {
		return C.netverdict_engine_reach(e.c, how.flags(), b, err)
	})
}

// Diff says exactly which connections are open in this engine and not in the
// old one, or the other way round, with the rules that decide: what `netverdict
// diff -o json` prints.
func (e *Engine) Diff(old *Engine, how Reaching) ([]byte, error) {
	return e.buffer(func(b **C.netverdict_buffer, err **C.netverdict_error) C.netverdict_status {
		// One lock is not taken twice: a writer may wait in between.
		if old != e {
			old.mu.RLock()
			defer old.mu.RUnlock()
		}
		return C.netverdict_engine_diff(e.c, old.c, how.flags(), b, err)
	})
}
