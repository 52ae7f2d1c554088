// Package auth knows who the users of a virtual host are. It is ejabberd_auth
// of MongooseIM 2.0.1 with scram.erl: a Host combines the methods that
// auth_method lists (a Method is one of ejabberd_auth_internal, _odbc, …; each
// has a subpackage), Keys and Deriver are the SCRAM arithmetic that stores and
// mechanisms share.
//
//	derive := auth.NewDeriver(auth.DeriverOptions{})
//	method := rdbms.New(db, derive, rdbms.Options{Name: "internal", Format: auth.StoreSCRAM})
//	host := auth.NewHost("example.org", []auth.Method{method}, auth.HostOptions{Deriver: derive})
//	who, err := host.Authorise(ctx, "alice", "secret")
//
// User names are prepared (nodeprep) by the caller, the domain by nameprep.
// Passwords come as the user typed them; what goes into SCRAM keys is prepared
// with resourceprep, not SASLprep, as the reference does it.
//
// Deviations from the reference: a method that fails counts as one that says
// no everywhere (there, a crash ended some operations), but if no other says
// yes, Authorise returns the failure, so that a client is not told that its
// password is wrong when the database is away. Setting a plain password removes
// an old SCRAM record, which went on working there.
//
// It imports router/jid and router/storage/cache.
package auth
