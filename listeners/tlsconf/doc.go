// Package tlsconf makes TLS servers of the options certfile, domain_certfile
// and protocol_options of ejabberd.cfg. It stands where fast_tls (p1_tls)
// stood in MongooseIM 2.0.1.
//
//	files := tlsconf.NewFiles(log)
//	versions, unknown := tlsconf.ParseWords([]string{"no_sslv3", "no_tlsv1"})
//	srv, warnings, err := files.Server(tlsconf.Options{CertFile: "priv/server.pem", Versions: versions})
//	...
//	cfg, err := srv.Config("example.org") // for one handshake
//	err = c.StartTLS(cfg, 30*time.Second)
//
// A certificate file holds a chain and its key, in any order, and may hold
// several: with an RSA and an ECDSA certificate each client gets the one it
// can use, ECDSA first, whose handshake takes a quarter of the time. A file
// that changes is read again by the next handshake, as in 2.0.1, where it was
// looked at for each; here once a second at most. A new file that is broken
// is logged and the old certificate stays.
//
// # Session tickets
//
// They are off, as in 2.0.1, and there is no option for them. XMPP would not
// notice them: the exchange on the stream is the same. With an RSA key a
// resumed handshake costs both ends together a fifth of a full one in TLS 1.2
// and two fifths in TLS 1.3, with ECDSA two fifths and four fifths
// (BenchmarkHandshake), so an ECDSA key gives most of the gain. But the key that encrypts tickets opens recorded sessions of TLS 1.2 to who
// steals it, the binding of SCRAM-PLUS by tls-unique does not survive
// resumption, and what a session was allowed to do must not outlive a change
// of certificates.
//
// # Deviations
//
//   - TLS 1.3 and modern curves, which did not exist then, are on; the word
//     no_tlsv1_3 is understood. SSL 2 and 3 cannot be had at all.
//   - Words in a list of strings are separate words; 2.0.1 glued them together
//     and ignored the result.
//   - Suites without forward secrecy (RSA key exchange), 3DES and RC4 are not
//     offered unless they are asked for.
//   - Compression is never offered, renegotiation never accepted.
//
// It imports no other Meerkat package.
package tlsconf
