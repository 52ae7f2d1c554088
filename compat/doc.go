// Package compat knows what a configuration of MongooseIM 2.0.1 means. It finds
// ejabberd.cfg, reads it and the files it includes, and turns the terms into typed
// options, each with the place it comes from:
//
//	cfg, diags := compat.Load("etc/ejabberd.cfg", compat.Options{Builtins: builtins})
//	if diags.HasErrors() {
//		// the node does not start
//	}
//
// Loading follows ejabberd_config.erl step by step: includes are put in place; hosts
// are looked for before macros are replaced; terms are taken in the order of the
// file, and of two that set the same the last wins; host_config changes single
// hosts. Where 2.0.1 crashed at a term, a diagnostic says what is wrong with it. What
// 2.0.1 silently ignored is ignored, with a warning.
//
// The package holds the names that the documentation of 2.0.1 knows, and those that
// belong to other releases and to ejabberd. Which listeners, HTTP modules and modules
// this program has is told by the caller (Builtins); what is documented and not
// built in is an error by name, or is left out (Options.AllowMissing).
//
// Deviations from 2.0.1, beside those in the tables of options:
//
//   - A host listed twice and a host_config for a host that is not served are
//     errors; 2.0.1 started everything of the first twice and ignored the second.
//   - Shapers without a positive number are errors; 2.0.1 crashed the connection
//     that was to be slowed down.
//   - Includes that lead back to a file that is being read are errors, and so are
//     more than 32 levels; 2.0.1 read on for ever.
//   - An include filter takes terms that are single atoms.
//   - Macros are replaced in the tail of an improper list too.
//   - The host of host_config is normalised like those of hosts.
//   - The absence of sm_backend means sessions in memory.
//   - Two clauses of one listening address never keep the node from starting: the
//     first is used.
//
// It imports cfgterm and its subpackages, router/acl and router/jid. Its tests import
// the packages that declare options.
package compat
