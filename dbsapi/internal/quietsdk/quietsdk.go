// Package quietsdk keeps credentials-go from printing. With DEBUG=credential in the environment it writes headers,
// the metadata token among them, to standard output. It reads the variable while packages are initialized, so the
// variable has to be gone by then: packages whose imports are ready are initialized in the order of their import
// paths (Go specification, "Program initialization"), and this one, which imports os alone, comes before it.
package quietsdk

import "os"

var _ = os.Unsetenv("DEBUG")
