package router

import (
	"cmp"
	"slices"
)

// A Hook is an ordered list of handlers for one event. The lower number comes
// first; equal numbers are ordered by module name, on which the reference's
// chains rely. Handlers are added while a host is set up and not afterwards.
//
// How a chain is run (each handler in turn, until one stops it, as a fold) is
// said at each hook; the zero Hook has no handlers and costs a length check.
type Hook[F any] struct {
	fns     []F
	entries []hookEntry[F]
}

type hookEntry[F any] struct {
	order  int
	module string
	fn     F
}

// Add registers fn under the name of a module, such as "mod_roster". The number is
// the priority that MongooseIM 2.0.1 has for the module and hook.
func (h *Hook[F]) Add(order int, module string, fn F) {
	h.entries = append(h.entries, hookEntry[F]{order, module, fn})
	slices.SortStableFunc(h.entries, func(a, b hookEntry[F]) int {
		return cmp.Or(cmp.Compare(a.order, b.order), cmp.Compare(a.module, b.module))
	})
	h.fns = h.fns[:0:0]
	for _, e := range h.entries {
		h.fns = append(h.fns, e.fn)
	}
}

// All returns the handlers in order.
func (h *Hook[F]) All() []F { return h.fns }
