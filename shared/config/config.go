// Package config reads a YAML file once, whole and strictly, into a struct of plain values. Every
// mistake is reported at once, with file, line and a hint.
//
// Fields are named by their `yaml` tag. Scalars may hold ${VAR} or ${VAR:-default}. An environment
// variable CANVAS_<PATH> overrides the scalar at that path, dots and case aside:
// CANVAS_UPLINK_WINDOW=64 is uplink.window: 64. Durations are written 1s, 5m, 36h.
package config

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"sort"
	"strings"

	"go.yaml.in/yaml/v3"
)

// MaxFileBytes bounds a configuration file.
const MaxFileBytes = 4 << 20

// Checker is met by a configuration that can judge itself. add takes the dotted path of a field
// inside it (list elements by number: cameras.0.url), what is wrong, and what to do.
type Checker interface {
	Problems(add func(field, message, hint string))
}

// Check lets c judge itself where no file is at hand. Its mistakes are one error, each named below
// group.
func Check(group string, c Checker) error {
	var problems []error
	c.Problems(func(field, message, hint string) {
		problems = append(problems, fmt.Errorf("%s.%s %s: %s", group, field, message, hint))
	})
	return errors.Join(problems...)
}

// Problem is one mistake.
type Problem struct {
	Line    int // 0 where no line can be named
	Field   string
	Message string
	Hint    string
}

// Error is every mistake of one file.
type Error struct {
	File     string
	Problems []Problem
}

func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		at := e.File
		if p.Line > 0 {
			at = fmt.Sprintf("%s:%d", e.File, p.Line)
		}
		lines[i] = fmt.Sprintf("%s: %s", at, p.Message)
		if p.Field != "" {
			lines[i] = fmt.Sprintf("%s: %s: %s", at, p.Field, p.Message)
		}
		if p.Hint != "" {
			lines[i] += "\n    " + p.Hint
		}
	}
	return strings.Join(lines, "\n")
}

// Load reads file into target, a pointer to a struct that already holds the defaults, applies the
// environment (os.Environ's form), and lets target check itself. The error is an *Error unless the
// file can't be read.
func Load(file string, target any, environ []string) error {
	text, err := read(file)
	if err != nil {
		return err
	}
	return Parse(file, text, target, environ)
}

func read(file string) ([]byte, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w (name one with --config FILE)", err)
	}
	if info.Size() > MaxFileBytes {
		return nil, fmt.Errorf("read the configuration: %s has %d bytes, more than %d", file, info.Size(), MaxFileBytes)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	return text, nil
}

// Parse is Load on text that is already there; file is only for messages. Empty text is a
// configuration of defaults.
func Parse(file string, text []byte, target any, environ []string) error {
	d := decoder{lines: map[string]int{}, env: environment(environ)}
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return &Error{File: file, Problems: []Problem{syntaxProblem(err)}}
	}
	value := reflect.ValueOf(target).Elem()
	if len(doc.Content) == 1 && doc.Content[0].Tag != "!!null" {
		d.decode(doc.Content[0], value, "")
	}
	d.override(value, "")
	if c, ok := target.(Checker); ok {
		unreadable := slices.Clone(d.problems)
		c.Problems(func(field, message, hint string) {
			// What could not be read is judged by what it is instead: one mistake is enough.
			if slices.ContainsFunc(unreadable, func(p Problem) bool { return p.Field == field || strings.HasPrefix(field, p.Field+".") }) {
				return
			}
			d.problems = append(d.problems, Problem{Line: d.line(field), Field: field, Message: message, Hint: hint})
		})
	}
	if len(d.problems) == 0 {
		return nil
	}
	sort.SliceStable(d.problems, func(i, j int) bool { return d.problems[i].Line < d.problems[j].Line })
	return &Error{File: file, Problems: d.problems}
}

// syntaxProblem takes the line out of yaml's own message ("yaml: line 3: …").
func syntaxProblem(err error) Problem {
	p := Problem{Message: strings.TrimPrefix(err.Error(), "yaml: "), Hint: "YAML wants spaces for indentation and a space after each colon"}
	var line int
	if n, _ := fmt.Sscanf(p.Message, "line %d:", &line); n == 1 {
		p.Line = line
		_, p.Message, _ = strings.Cut(p.Message, ": ")
	}
	return p
}

func environment(environ []string) map[string]string {
	env := map[string]string{}
	for _, kv := range environ {
		if k, v, ok := strings.Cut(kv, "="); ok {
			env[k] = v
		}
	}
	return env
}

// IsMistake says whether err is a wrong configuration rather than a fault of the machine.
func IsMistake(err error) bool {
	var e *Error
	return errors.As(err, &e)
}
