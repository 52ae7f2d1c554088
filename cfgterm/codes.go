package cfgterm

// Codes of the diagnostics of this package. They never change.
const (
	codeChar           = "SYN001"
	codeQuote          = "SYN002"
	codeUnfinishedChar = "SYN003"
	codeNumber         = "SYN004"
	codeAtom           = "SYN005"
	codeEncoding       = "SYN006"
	codeTrailingComma  = "SYN007"
	codeMissingComma   = "SYN008"
	codeMissingDot     = "SYN009"
	codeDotBlank       = "SYN010"
	codeBracket        = "SYN011"
	codeAddress        = "SYN012"
	codeReserved       = "SYN013"
	codeVariable       = "SYN014"
	codeSeparator      = "SYN015"
	codeExpression     = "SYN016"
	codeUnexpected     = "SYN017"
	codeLimit          = "SYN018"
	codeComment        = "SYN019"
)
