// Package router delivers stanzas. It knows the served hosts, the services and
// components beside them, and for every host what its modules registered: IQ
// handlers, hooks and features. It is ejabberd_router, ejabberd_local, ejabberd_sm
// and the hook table of MongooseIM 2.0.1.
//
// A stanza is routed as a Packet: its addresses stand beside it and are written
// into it only when it leaves the node. Routing happens in the goroutine of
// whoever sends; receivers only queue (package router/session), so order between
// two parties is kept and nobody waits for anybody's socket.
//
// A module is one package below router/modules. It registers what it offers with
// a Host:
//
//	h.IQ(router.ServerTable, "urn:xmpp:ping", disc, m.ping)
//	h.Feature("urn:xmpp:ping")
//	h.Hooks.SessionOpened.Add(100, "mod_ping", m.opened)
//
// Locks: a Host's reply table and its IQ queues, the table of services and the
// Copies of a message have one each; none is held while anything is called.
//
// It imports router/session, router/auth, router/acl, router/stanza, router/xml and
// router/jid.
package router
