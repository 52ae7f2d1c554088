package client

import (
	"slices"
	"strings"
	"testing"

	"meerkat/router/xml"
)

// Whatever a peer sends: nothing panics, the stream ends at most once, nothing is
// written behind its end, and nothing is left when the connection is lost.
func FuzzStream(f *testing.F) {
	const iq = `<iq type='get' id='1' to='h'><q xmlns='urn:x'/></iq>`
	login := header + plain("alice") + header + `<iq type='set' id='b'><bind xmlns='` + nsBind + `'/></iq>` + sessionIQ
	for _, s := range []string{
		"", " ", header, header + streamEnd, header + "<starttls xmlns='" + nsTLS + "'/>", header + iq,
		login + `<presence/><message to='alice@h'><body>x</body></message>` + iq + streamEnd,
		login + `<presence type='invisible'/><presence to='bob@h'/><presence type='subscribe' to='bob@h/r'/><presence type='unavailable'/>`,
		login + `<message from='bob@h' to='h'/>`, login + `<message to='@'/><iq to='@' type='get'/>`,
		header + `<auth xmlns='` + nsSASL + `' mechanism='SCRAM-SHA-1'>` + b64("n,,n=alice,r=abc") + `</auth><abort xmlns='` + nsSASL + `'/>`,
		strings.Replace(header, "version='1.0'", "", 1) + iq, header + "<a><b></a>",
	} {
		f.Add([]byte(s), uint8(0))
	}
	f.Fuzz(func(t *testing.T, data []byte, how uint8) {
		w := newWorld(t)
		w.opts.MaxStanzaSize = 2000
		w.opts.TLSRequired = how&1 != 0
		w.opts.RequireSession = how&2 != 0
		tr := w.connect()
		tr.cert = how&4 != 0
		if how&8 != 0 {
			tr.capacity = int(how>>4) + 1
		}
		var framer xml.Framer
		framer.Init(xml.Stream, xml.LimitsFor(2000))
		tr.onRestart = framer.Reset
		c := tr.client
		framer.Push(data)
		for ended := false; !ended; {
			tok, err := framer.Next()
			if err != nil {
				c.Failed(err)
				break
			}
			switch tok.Kind {
			case xml.None:
				ended = true
			case xml.Open:
				if h, err := xml.ParseHeader(tok.Raw); err != nil {
					c.Failed(err)
				} else {
					c.Opened(h)
				}
			case xml.Whole:
				c.Element(tok.Raw)
			case xml.Close:
				c.Ended()
			case xml.Space:
				c.KeepAlive()
			}
		}
		c.EndOfInput()
		c.Lost()
		out := tr.take()
		if i := slices.Index(out, streamEnd); i >= 0 && i < len(out)-1 || tr.afterEnd > 0 {
			t.Errorf("written behind the end: %q", out)
		}
		if n := w.Router.Sessions.Count(); n != 0 || c.queue != nil {
			t.Errorf("%d sessions, queue %v", n, c.queue)
		}
	})
}
