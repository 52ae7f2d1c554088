package client

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"meerkat/router/modules/offline"
	"meerkat/router/storage/sqlite"
)

// A session that fetched offline messages and dies before its client was given them
// gives them back: nothing is lost, nothing comes twice, the time stamps stay.
func TestOfflineMessagesSurviveTheSession(t *testing.T) {
	db, err := sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir(), Host: "h"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	w := newWorld(t)
	(&offline.Module{Store: offline.NewSQL(db, "h"), Log: w.Log, Now: w.Now}).Register(w.h)
	body := strings.Repeat("x", flushBytes/2)
	var want []string
	for _, id := range numbers(1, 9) {
		w.route(`<message from='alice@h/r' to='bob@h' id='` + id + `'><body>` + body + `</body></message>`)
		want = append(want, fmt.Sprintf("%s 2015-10-21T07:28:%02d.000000Z", id, len(want)))
		w.clock = w.clock.Add(time.Second)
	}
	w.offline.take() // the stand-in of other tests comes behind the module

	stamps := func(list []string) (got []string) {
		for _, s := range list {
			if strings.HasPrefix(s, "<message") {
				if strings.Count(s, "<delay") != 1 {
					t.Errorf("a message with %d delays", strings.Count(s, "<delay"))
				}
				_, rest, _ := strings.Cut(s, "stamp='")
				stamp, _, _ := strings.Cut(rest, "'")
				got = append(got, ids([]string{s})[0]+" "+stamp)
			}
		}
		return got
	}
	var got []string
	for _, life := range []struct {
		name string
		set  func(*transport)
	}{
		{"takes nothing", func(tr *transport) { tr.congested = true }},
		{"fails at once", func(tr *transport) { tr.failing = true }},
		{"takes two writes", func(tr *transport) { tr.capacity = 2 }},
		{"fails at the second write", func(tr *transport) {
			n := 0
			tr.onWrite = func() {
				if n++; n == 2 {
					tr.set(func(tr *transport) { tr.failing = true })
				}
			}
		}},
		{"takes all", func(*transport) {}},
		{"finds nothing", func(*transport) {}},
	} {
		w.clock = w.clock.Add(time.Hour)
		bob := w.login("bob@h/r")
		bob.set(life.set)
		bob.send("<presence/>")
		bob.client.Lost()
		given := stamps(bob.take())
		t.Logf("%s: %d", life.name, len(given))
		got = append(got, given...)
	}
	same(t, "given in all", got, want)
	same(t, "others", w.offline.take(), nil)
}
