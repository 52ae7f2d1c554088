package router

import (
	"context"

	"meerkat/router/jid"
	"meerkat/router/session"
	"meerkat/router/stanza"
	"meerkat/router/xml"
)

// Hooks are the events of one host that modules take part in. The name that
// MongooseIM 2.0.1 gives to a hook stands in its comment.
type Hooks struct {
	// UserSend is run for every message, presence and IQ that a client of this
	// host sends, before it is routed (user_send_packet).
	UserSend Hook[func(t *Turn, s *session.Session, p Packet)]
	// KeepAlive is run when a client sent white space between stanzas
	// (user_sent_keep_alive).
	KeepAlive Hook[func(t *Turn, s *session.Session)]

	// SessionOpened is run when a session was registered
	// (sm_register_connection_hook).
	SessionOpened Hook[func(t *Turn, s *session.Session)]
	// SessionClosed is run when a session has ended (sm_remove_connection_hook).
	SessionClosed Hook[func(t *Turn, s *session.Session)]
	// PresenceUnset is run when an available session became unavailable or
	// ended; status is the text of the presence (unset_presence_hook).
	PresenceUnset Hook[func(t *Turn, s *session.Session, status string)]

	// Offline is run with a message of type chat, normal or an unknown one for
	// an account that exists and has no session for it. The first handler that
	// returns true has taken care of it; if none does the message is bounced
	// (offline_message_hook).
	Offline Hook[func(t *Turn, p Packet) (done bool)]
	// FetchOffline is run when a session becomes able to receive: each handler
	// gives up what it stored for the account, oldest first
	// (resend_offline_messages_hook).
	FetchOffline Hook[func(t *Turn, user jid.JID) []Packet]

	// Contacts is run when a session opens: who is in the roster, with which
	// subscription (roster_get_subscription_lists).
	Contacts Hook[func(ctx context.Context, user jid.JID, add func(Contact))]
	// PendingSubscriptions lists requests that wait for the user's answer, as
	// presence stanzas.
	PendingSubscriptions Hook[func(ctx context.Context, user jid.JID) []Packet]
	// ContactOf looks up one entry of the user's roster; ok is false if no
	// handler has it (roster_get_jid_info).
	ContactOf Hook[func(ctx context.Context, user, contact jid.JID) (c Contact, ok bool)]
	// SubscriptionIn is run with a subscription presence (subscribe,
	// subscribed, unsubscribe, unsubscribed) for a bare JID of this host.
	// forward tells whether the user's sessions are to see it: the last handler
	// that was run decides. stop ends the chain (roster_in_subscription).
	SubscriptionIn Hook[func(t *Turn, p Packet, before bool) (forward, stop bool)]
	// SubscriptionOut is run with a subscription presence that a client of this
	// host sends, before it is routed (roster_out_subscription).
	SubscriptionOut Hook[func(t *Turn, p Packet)]

	// StreamFeatures adds children to the features of client streams, in the
	// order of MongooseIM 2.0.1: mod_caps 10, mod_register 20, mod_amp 30,
	// mod_stream_management 40, mod_csi 50 (c2s_stream_features).
	StreamFeatures Hook[func() *xml.Element]
	// BindFeatures adds children that are offered together with resource binding:
	// <ver/> of mod_roster (roster_get_versioning_feature).
	BindFeatures Hook[func() *xml.Element]
	// UnauthenticatedIQ is run with an IQ that came before authentication. The
	// first handler that returns a reply has taken care of it
	// (c2s_unauthenticated_iq).
	UnauthenticatedIQ Hook[func(t *Turn, iq UnauthenticatedIQ) *stanza.Stanza]

	// UserRegistered is run when an account was made (register_user).
	UserRegistered Hook[func(ctx context.Context, user jid.JID)]
	// UserRemoved is run when an account was removed: what modules stored for
	// it goes (remove_user).
	UserRemoved Hook[func(t *Turn, user jid.JID)]

	// Disco is run with every disco query to the host or to an account of it
	// that mod_disco answers; handlers add to the answer (disco_local_*,
	// disco_sm_*).
	Disco Hook[func(t *Turn, q *DiscoQuery)]
}

// A Contact is an entry of a roster, as far as routing needs it.
type Contact struct {
	JID  jid.JID
	From bool // the contact may see the user's presence
	To   bool // the user may see the contact's presence
}

// UnauthenticatedIQ is an IQ of a stream that has not authenticated.
type UnauthenticatedIQ struct {
	Stanza *stanza.Stanza
	// Source is the peer's address without port: what rate limits count by.
	Source string
}
