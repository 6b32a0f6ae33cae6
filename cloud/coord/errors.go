package coord

import "errors"

// ErrChanged: the document was changed by another since it was read.
var ErrChanged = errors.New("coord: the document has changed since it was read")
