package license

// Term is what a name of the scanner becomes in an expression, "" when SPDX has
// no identifier for it.
func Term(name string) string { return join([]string{spdxTerm(name)}) }
