package schema

// Codes of diagnostics that are the same for everything with options. Package
// compat explains each at length.
const (
	// CodeFile: a file named by an option cannot be read.
	CodeFile = "FIL001"
	// CodeMissingListener: a listener module of 2.0.1 that this build lacks.
	CodeMissingListener = "BLD001"
	// CodeMissingHandler: an HTTP module of 2.0.1 that this build lacks.
	CodeMissingHandler = "BLD002"
	// CodeMissingModule: a module of 2.0.1 that this build lacks.
	CodeMissingModule = "BLD003"
	// CodeMissingOption: an option of 2.0.1 that this build does not serve.
	CodeMissingOption = "BLD004"
	// CodeMissingValue: a value of an option that this build does not serve.
	CodeMissingValue = "BLD005"
)

// codes are the codes that depend on what the options belong to.
type codes struct {
	unknown  string // an option that nobody knows
	foreign  string // an option of another release or server
	form     string // an atom written as a tuple, a pair written alone
	double   string // an option written twice
	badValue string // wrong value, ignored
	refused  string // wrong value, error
	required string // an option that must be there
	differs  string // the documented default is not 2.0.1's
	noEffect string // an option without effect
	synonym  string // another spelling
	notAList string // the options are no list
}

func codesOf(k Kind) codes {
	switch k {
	case Module:
		return codes{"MOD010", "MOD011", "MOD012", "MOD013", "MOD014", "MOD015", "MOD016", "MOD017", "MOD018", "MOD019", "MOD004"}
	case Top:
		return codes{"TRM002", "TRM003", "TRM005", "TRM004", "TRM006", "TRM007", "TRM008", "TRM009", "TRM010", "TRM011", "TRM012"}
	default:
		return codes{"LSN010", "LSN011", "LSN012", "LSN013", "LSN014", "LSN015", "LSN016", "LSN017", "LSN018", "LSN019", "LSN004"}
	}
}

// Codes lists every code that decoding can report, for the test that each is
// explained.
func Codes() []string {
	cs := []string{CodeFile, CodeMissingListener, CodeMissingHandler, CodeMissingModule, CodeMissingOption, CodeMissingValue}
	for _, k := range []Kind{Listener, Module, Top} {
		c := codesOf(k)
		cs = append(cs, c.unknown, c.foreign, c.form, c.double, c.badValue, c.refused, c.required, c.differs, c.noEffect, c.synonym, c.notAList)
	}
	return cs
}
