package diag

// A Code explains one code of diagnostics at length, for "meerkat explain" and
// the manual.
type Code struct {
	Code     string   // "SYN008"
	Severity Severity // the usual one
	Title    string   // a few words, no full stop
	Text     string   // one or more paragraphs, separated by blank lines
	Example  string   // a file that gets the diagnostic; may be empty
	Fix      string   // the same file without the fault; may be empty
}
