package imports

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

// words were once used here for what the field has a word for. docs/glossary.md has those that remain.
var words = map[string]string{
	"shelf": "index, store or cache", "desk": "queries", "wishes": "requests", "judge": "classify, screen or evaluate", "teller": "publisher",
	"tenure": "ownership", "workday": "session", "guest": "allow list", "guests": "allow list", "courier": "delivery", "doors": "interfaces",
	"story": "lineage", "residents": "cache", "insist": "retry", "letter": "message or dead letter", "letters": "messages or dead letters",
}

// TestTheFieldsWordsAreUsed looks at each name in the code, and at each file's.
func TestTheFieldsWordsAreUsed(t *testing.T) {
	for _, side := range sides {
		err := filepath.WalkDir(filepath.Join(root, side), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") {
				return err
			}
			refuse := func(where, name string) {
				for _, word := range private(name) {
					t.Errorf("%s: %s in %s: say %s", where, word, name, words[word])
				}
			}
			refuse(path, strings.TrimSuffix(d.Name(), ".go"))
			set := token.NewFileSet()
			f, err := parser.ParseFile(set, path, nil, 0)
			if err != nil {
				return err
			}
			ast.Inspect(f, func(n ast.Node) bool {
				if i, ok := n.(*ast.Ident); ok {
					refuse(set.Position(i.Pos()).String(), i.Name)
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	pages, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil || len(pages) == 0 {
		t.Fatal("no pages", err)
	}
	prose := regexp.MustCompile(`(?i)\b(shelf|shelves|teller|tenure|workday|courier|desk|wish|wishes|guests)\b`)
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for n, line := range strings.Split(string(text), "\n") {
			if word := prose.FindString(line); word != "" {
				t.Errorf("%s:%d says %s", page, n+1, word)
			}
		}
	}
}

// private gives the words of a name that are none of the field's.
func private(name string) (found []string) {
	var last, word string
	ends := func() {
		if words[word] != "" && name != "IsLetter" && !(strings.HasPrefix(word, "letter") && last == "dead") {
			found = append(found, word)
		}
		last, word = word, ""
	}
	for _, r := range name {
		if !unicode.IsLetter(r) || unicode.IsUpper(r) {
			ends()
		}
		if unicode.IsLetter(r) {
			word += string(unicode.ToLower(r))
		}
	}
	ends()
	return found
}

func TestPrivateWordsAreFound(t *testing.T) {
	for name, found := range map[string]bool{"modelShelf": true, "page_letters": true, "deadLetters": false, "DeadLetter": false, "selfish": false, "Story": true} {
		if got := private(name); (len(got) > 0) != found {
			t.Errorf("%s: %q", name, got)
		}
	}
}
