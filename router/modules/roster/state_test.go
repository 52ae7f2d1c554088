package roster

import (
	"fmt"
	"strings"
	"testing"
)

// The states in the notation of the tables below.
var states = map[string]state{
	"none": none, "none,out": noneOut, "none,in": noneIn, "none,both": noneBoth,
	"to": to, "to,in": toIn, "from": from, "from,out": fromOut, "both": both,
}

// The state tables of RFC 3921 as MongooseIM 2.0.1 has them: a dash is no change.
// A star marks what the server says for the user.
const (
	inboundTable = `
	           subscribe  subscribed  unsubscribe  unsubscribed
	none       none,in    -           -            -
	none,out   none,both  to          -            none
	none,in    -          -           none*        -
	none,both  -          to,in       none,out*    none,in
	to         to,in      -           -            none
	to,in      -          -           to*          none,in
	from       -*         both        none*        -
	from,out   -*         both        none,out*    from
	both       -*         -           to*          from`

	outboundTable = `
	           subscribe  subscribed  unsubscribe  unsubscribed
	none       none,out   -           -            -
	none,out   none,out   -           none         -
	none,in    none,both  from        -            none
	none,both  -          from,out    none,in      none,out
	to         -          both        none         -
	to,in      -          both        none,in      to
	from       from,out   -           -            none
	from,out   -          -           from         none,out
	both       -          -           from         to`
)

// A transition is a cell of a table.
type transition struct {
	direction direction
	presence  string
	before    string
	after     string // "-" for no change
	answer    bool
}

func tables(t testing.TB) (list []transition) {
	t.Helper()
	for d, table := range map[direction]string{inbound: inboundTable, outbound: outboundTable} {
		lines := strings.Split(strings.TrimSpace(table), "\n")
		types := strings.Fields(lines[0])
		for _, l := range lines[1:] {
			cells := strings.Fields(l)
			for i, typ := range types {
				after, answer := strings.CutSuffix(cells[i+1], "*")
				list = append(list, transition{d, typ, cells[0], after, answer})
			}
		}
	}
	if want := 2 * 4 * len(states); len(list) != want {
		t.Fatalf("%d cells, want %d", len(list), want)
	}
	return list
}

func (c transition) String() string {
	return fmt.Sprintf("%s %s in %s", map[direction]string{inbound: "in", outbound: "out"}[c.direction], c.presence, c.before)
}

func TestTransitions(t *testing.T) {
	for _, c := range tables(t) {
		got, changed := c.direction.next(states[c.before], c.presence)
		if c.after == "-" {
			if changed {
				t.Errorf("%v: %+v, want no change", c, got)
			}
			continue
		}
		want, ok := states[c.after]
		if !ok {
			t.Fatalf("no state %q", c.after)
		}
		if !changed || got != want {
			t.Errorf("%v: %+v %v, want %s", c, got, changed, c.after)
		}
	}
	for _, typ := range []string{"", "probe", "unavailable"} {
		if _, changed := inbound.next(none, typ); changed {
			t.Errorf("presence %q changes something", typ)
		}
	}
}

func TestAnswers(t *testing.T) {
	want := map[string]string{"subscribe": "subscribed", "unsubscribe": "unsubscribed"}
	for _, c := range tables(t) {
		if c.direction == outbound {
			continue
		}
		expect := ""
		if c.answer {
			expect = want[c.presence]
		}
		if got := answers[c.presence][states[c.before]]; got != expect {
			t.Errorf("%v: answer %q, want %q", c, got, expect)
		}
	}
}
