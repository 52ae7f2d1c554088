// Package listeners binds the sockets that the listen clause of ejabberd.cfg
// declares, accepts connections and hands each to its module. It is
// ejabberd_listener and ejabberd_tcp_listener of MongooseIM 2.0.1.
//
//	set, err := listeners.Start(ctx, []listeners.Spec{{
//		Module: "ejabberd_c2s", Origin: "ejabberd.cfg:12",
//		Addr:   netip.MustParseAddrPort("0.0.0.0:5222"), Backlog: 100,
//		Handle: func(c *conn.Conn) { ... },
//	}}, log)
//
// Start binds all sockets in the order of the file and accepts on none before
// it has them all. A connection costs one goroutine, the one that runs its
// handler.
//
// Deviations from 2.0.1:
//
//   - "::" also takes IPv4, unless the file declares an IPv4 listener with the
//     same port; 2.0.1 did not start then.
//   - Of two entries with the same address the first is used whatever their
//     modules; 2.0.1 crashed if the second was an HTTP listener.
//   - Accept errors (too many open files) are waited out with growing pauses
//     and logged once; 2.0.1 tried again at once, and logged, thousands of
//     times a second.
//   - Keepalive finds a peer that is gone within six minutes instead of the
//     two hours and more of the kernel's default.
//
// It imports listeners/conn.
package listeners
