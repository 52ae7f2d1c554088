package sasl

import (
	"bytes"
	"context"
	"strings"

	"meerkat/router/jid"
)

// plain is PLAIN (RFC 4616): authzid NUL user NUL password in one message.
type plain struct {
	result
	env Env
}

func (x *plain) Step(ctx context.Context, in []byte) ([]byte, bool, *Failure) {
	if x.over {
		return nil, false, malformed("")
	}
	x.over = true
	// Exactly three parts: a password has no NUL.
	if bytes.Count(in, []byte{0}) != 2 {
		return nil, false, malformed("")
	}
	authzid, rest, _ := strings.Cut(string(in), "\x00")
	name, password, _ := strings.Cut(rest, "\x00")
	host := x.env.Accounts.Domain()

	// Clients that take an account for an address send it whole.
	if local, domain, ok := strings.Cut(name, "@"); ok {
		if strings.Contains(domain, "@") {
			return nil, false, malformed("")
		}
		if domain != host {
			if d, err := jid.Nameprep(domain); err != nil || d != host {
				return nil, false, refused("")
			}
		}
		name = local
	}
	user, err := jid.Nodeprep(name)
	if err != nil || user == "" || password == "" {
		return nil, false, refused(user)
	}
	method, err := x.env.Accounts.Authorise(ctx, user, password)
	if err != nil {
		return nil, false, failed(user, err)
	}
	// After the password: a stranger learns nothing about names.
	if !ownAuthzid(authzid, user, host) {
		return nil, false, &Failure{Condition: InvalidAuthzid, User: user}
	}
	x.user, x.method = user, method
	return nil, true, nil
}
