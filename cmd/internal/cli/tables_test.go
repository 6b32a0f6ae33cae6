package cli

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTablesAreMadeInOnePlace: shared/visible shows what other machines tell so that it can forge
// nothing. lab/linksim prints figures of its own.
func TestTablesAreMadeInOnePlace(t *testing.T) {
	root := filepath.Join("..", "..", "..")
	for _, side := range []string{"cmd", "cloud", "edge", "shared"} {
		err := filepath.WalkDir(filepath.Join(root, side), func(path string, d fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "tables_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			if err == nil && strings.Contains(string(text), `"text/tabwriter"`) && !strings.HasSuffix(path, filepath.Join("edge", "uplink", "pass", "report.go")) {
				t.Errorf("%s makes tables with text/tabwriter: use visible.NewTable", path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
