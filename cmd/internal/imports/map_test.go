package imports

import (
	"bytes"
	"flag"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/imports.md anew")

// sides are the folders of the top level with code, in the order in which they are drawn.
var sides = []string{"edge", "cloud", "shared", "lab", "cmd"}

// room is what has a row in docs/architecture.md: a folder of a side with all below it, or the side's own package.
func room(path string) string {
	parts := strings.SplitN(path, "/", 3)
	return strings.Join(parts[:min(2, len(parts))], "/")
}

// rooms are those of the tree, each with the rooms that it imports.
func rooms(t *testing.T) map[string]map[string]bool {
	t.Helper()
	all := map[string]map[string]bool{}
	for _, side := range sides {
		err := filepath.WalkDir(filepath.Join(root, side), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
			if err != nil {
				return err
			}
			folder, err := filepath.Rel(root, filepath.Dir(path))
			if err != nil {
				return err
			}
			from := room(filepath.ToSlash(folder))
			if all[from] == nil {
				all[from] = map[string]bool{}
			}
			for _, i := range f.Imports {
				to, _ := strconv.Unquote(i.Path.Value)
				if inside, ok := strings.CutPrefix(to, module); ok && room(inside) != from {
					all[from][room(inside)] = true
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// TestTheGraphOfImportsIsAsDrawn holds docs/imports.md to the imports; -update draws it.
func TestTheGraphOfImportsIsAsDrawn(t *testing.T) {
	page, drawn := filepath.Join(root, "docs", "imports.md"), draw(rooms(t))
	if *update {
		if err := os.WriteFile(page, drawn, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if there, err := os.ReadFile(page); err != nil || !bytes.Equal(there, drawn) {
		t.Errorf("docs/imports.md is not what the imports are (%v): go test ./cmd/internal/imports -update", err)
	}
}

func draw(all map[string]map[string]bool) []byte {
	var b bytes.Buffer
	b.WriteString("# Who imports whom\nDrawn by `go test ./cmd/internal/imports -update`, which fails where this page is not what the imports are. What each is for: [architecture](architecture.md).\n")
	for _, side := range sides[:2] {
		fmt.Fprintf(&b, "\n## Within `%s`\n```mermaid\ngraph LR\n", side)
		for _, from := range slices.Sorted(maps.Keys(all)) {
			for _, to := range slices.Sorted(maps.Keys(all[from])) {
				if within(from, side) && within(to, side) {
					fmt.Fprintf(&b, "  %s --> %s\n", short(from, side), short(to, side))
				}
			}
		}
		b.WriteString("```\n")
	}
	b.WriteString("\n## All packages\n| package | imports of its own side | shared |\n|---|---|---|\n")
	for _, side := range sides {
		for _, from := range slices.Sorted(maps.Keys(all)) {
			if !within(from, side) {
				continue
			}
			var own, shared []string
			for _, to := range slices.Sorted(maps.Keys(all[from])) {
				if side != "shared" && within(to, "shared") {
					shared = append(shared, short(to, "shared"))
				} else {
					own = append(own, short(to, side))
				}
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", from, strings.Join(own, ", "), strings.Join(shared, ", "))
		}
	}
	return b.Bytes()
}

// short is a room's name within a side.
func short(room, side string) string { return strings.TrimPrefix(room, side+"/") }

// TestEachRoomIsOnTheMap holds docs/architecture.md to the folders, both ways.
func TestEachRoomIsOnTheMap(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "docs", "architecture.md"))
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for _, line := range strings.Split(string(text), "\n") {
		cell, _, isRow := strings.Cut(strings.TrimPrefix(line, "| "), " |")
		if !strings.HasPrefix(line, "| `") || !isRow {
			continue
		}
		side := ""
		for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cell, -1) {
			name := m[1]
			if strings.HasSuffix(name, ".go") {
				continue
			}
			if first, _, inside := strings.Cut(name, "/"); inside {
				side = first
			} else if !slices.Contains(sides, name) {
				name = side + "/" + name // a list: `shared/durable`, `disk`
			}
			if _, err := os.Stat(filepath.Join(root, name)); err != nil {
				t.Errorf("docs/architecture.md names %s, which is not there", name)
			}
			named[room(name)] = true
		}
	}
	for name := range rooms(t) {
		if !named[name] {
			t.Errorf("%s is not in docs/architecture.md", name)
		}
	}
}
