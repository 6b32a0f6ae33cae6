package coord

import (
	"errors"
	"fmt"
	"strings"
)

// ErrChanged: the document was changed by another since it was read.
var ErrChanged = errors.New("coord: the document has changed since it was read")

// ErrLost: ownership or leadership can no longer be sure.
var ErrLost = errors.New("coord: the lease is lost")

// ErrClosed: the coordinator was closed.
var ErrClosed = errors.New("coord: the coordinator is closed")

// CheckName says what is wrong with the name of something that can be owned, led or joined: it
// becomes one level of a path.
func CheckName(name string) error {
	switch {
	case name == "" || len(name) > 200:
		return fmt.Errorf("the name %.40q has %d characters, 1 to 200 are allowed", name, len(name))
	case name == "." || name == ".." || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' || r == '/' }):
		return fmt.Errorf("the name %.40q is not allowed: use printable ASCII without spaces and '/'", name)
	}
	return nil
}

// CheckPath is CheckName for documents, whose names may have several levels.
func CheckPath(path string) error {
	for level := range strings.SplitSeq(path, "/") {
		if err := CheckName(level); err != nil {
			return err
		}
	}
	return nil
}
