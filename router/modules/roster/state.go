package roster

// A state is what two accounts have agreed on and what is still asked, seen
// from one of them (RFC 6121 appendix A).
type state struct {
	Subscription Subscription
	Ask          Ask
}

// Subscription is the agreed part of a state.
type Subscription uint8

// Subscriptions.
const (
	None Subscription = iota
	To                // the user sees the contact's presence
	From              // the contact sees the user's presence
	Both
)

// String returns the value of the attribute subscription.
func (s Subscription) String() string { return [...]string{"none", "to", "from", "both"}[s] }

// Ask is the part of a state that waits for an answer.
type Ask uint8

// Asks.
const (
	AskNone Ask = iota
	AskOut      // the user asked the contact
	AskIn       // the contact asked the user
	AskBoth
)

var (
	none        = state{None, AskNone}
	noneOut     = state{None, AskOut}
	noneIn      = state{None, AskIn}
	noneBoth    = state{None, AskBoth}
	to          = state{To, AskNone}
	toIn        = state{To, AskIn}
	from        = state{From, AskNone}
	fromOut     = state{From, AskOut}
	both        = state{Both, AskNone}
	transitions = map[direction]map[string]map[state]state{
		inbound: {
			"subscribe":    {none: noneIn, noneOut: noneBoth, to: toIn},
			"subscribed":   {noneOut: to, noneBoth: toIn, from: both, fromOut: both},
			"unsubscribe":  {noneIn: none, noneBoth: noneOut, toIn: to, from: none, fromOut: noneOut, both: to},
			"unsubscribed": {noneOut: none, noneBoth: noneIn, to: none, toIn: noneIn, fromOut: from, both: from},
		},
		outbound: {
			"subscribe":    {none: noneOut, noneOut: noneOut, noneIn: noneBoth, from: fromOut},
			"subscribed":   {noneIn: from, noneBoth: fromOut, to: both, toIn: both},
			"unsubscribe":  {noneOut: none, noneBoth: noneIn, to: none, toIn: noneIn, fromOut: from, both: from},
			"unsubscribed": {noneIn: none, noneBoth: noneOut, toIn: to, from: none, fromOut: noneOut, both: to},
		},
	}
	// answers are what the server says for the user when a request changes
	// nothing that is to be decided.
	answers = map[string]map[state]string{
		"subscribe": {from: "subscribed", fromOut: "subscribed", both: "subscribed"},
		"unsubscribe": {
			noneIn: "unsubscribed", noneBoth: "unsubscribed", toIn: "unsubscribed",
			from: "unsubscribed", fromOut: "unsubscribed", both: "unsubscribed",
		},
	}
)

// direction tells who sent a subscription presence.
type direction uint8

const (
	inbound  direction = iota // the contact
	outbound                  // the user
)

// next returns the state after a subscription presence, and whether there is a
// transition at all.
func (d direction) next(s state, presence string) (state, bool) {
	n, ok := transitions[d][presence][s]
	return n, ok
}
