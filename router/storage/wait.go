package storage

import "context"

// BeforeWait is the key under which a context may hold a func() that is called
// before a statement makes its caller wait for others: for another machine, or for
// a connection that is in use. Work that has to be handed on before that, such as
// stanzas that were routed and not yet written, is handed on there.
type BeforeWait struct{}

func beforeWait(ctx context.Context) {
	if f, ok := ctx.Value(BeforeWait{}).(func()); ok {
		f()
	}
}
