// Package sasl is the server's side of SASL (RFC 4422): which mechanisms a host
// offers, and each exchange as a machine of steps that knows no stream and no
// base64. It is cyrsasl.erl and the cyrsasl_* modules of MongooseIM 2.0.1.
//
//	x, f := mechanisms.Start("PLAIN", env)
//	if f == nil {
//		out, done, f = x.Step(ctx, sasl.Decode(text))
//	}
//	switch {
//	case f != nil: // <failure> with f.Condition
//	case done:     // <success> with out if it is not nil; x.User() is who it is
//	default:       // <challenge> with out; the response goes into Step
//	}
//
// PLAIN (RFC 4616), SCRAM-SHA-1 (RFC 5802) and SCRAM-SHA-256 (RFC 7677) are
// here. User names are prepared with nodeprep, passwords are not touched but for
// making SCRAM keys (resourceprep, package auth).
//
// Deviations from the reference: the conditions are RFC 6120's; an
// authorization identity must be the user's own; PLAIN with user@domain checks
// the domain; a backend that fails gives temporary-auth-failure, so that clients
// keep their passwords. As in the reference, the content of SCRAM's c= is not
// compared but for its first letter, and no extensions are allowed.
//
// SCRAM is written out here rather than taken from xdg-go/scram, whose server
// compares c=, tolerates and refuses other things than the reference, prepares
// names with SASLprep, and does not tell which kind of failure it met.
//
// It imports router/auth and router/jid.
package sasl
