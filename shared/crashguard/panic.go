package crashguard

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
)

// Panic is a panic that was kept from ending the process, as an error.
type Panic struct {
	Value any
	Stack string // its first lines, of where it happened
}

func (p *Panic) Error() string { return fmt.Sprintf("it panicked: %v (%s)", p.Value, p.Stack) }

// Shield runs do and turns a panic into an error that is a *Panic. What a record or a picture makes a
// program do wrong is that one's fate, not the process's; the caller reports it and counts it.
func Shield(do func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &Panic{Value: r, Stack: firstLines()}
		}
	}()
	return do()
}

// stackLines of a stack say where a panic was.
const stackLines = 4

// firstLines are the functions from the panic's own on, with their lines: "scene.go:27 Add < …".
func firstLines() string {
	var lines []string
	var room [64]uintptr
	frames := runtime.CallersFrames(room[:runtime.Callers(3, room[:])]) // without this one and the recovery
	for {
		frame, more := frames.Next()
		if frame.Function != "" && !strings.HasPrefix(frame.Function, "runtime.") {
			lines = append(lines, fmt.Sprintf("%s:%d %s", filepath.Base(frame.File), frame.Line, frame.Function[strings.LastIndexByte(frame.Function, '/')+1:]))
		}
		if !more || len(lines) == stackLines {
			return strings.Join(lines, " < ")
		}
	}
}
