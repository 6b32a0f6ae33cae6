package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

type smallConfig struct {
	Name string `yaml:"name" desc:"what it is called" required:"name"`
	Size int    `yaml:"size" desc:"how large it is" range:"1..9"`
}

func TestAConfigurationIsPrintedAndWrittenOnce(t *testing.T) {
	run := func(args ...string) (string, error) {
		var out bytes.Buffer
		app := App("canvas-test", "tests", "dev", ConfigCommand("small.yaml", &smallConfig{Size: 3}))
		app.Writer = &out
		err := app.Run(append([]string{"canvas-test", "config"}, args...))
		return out.String(), err
	}
	sample, err := run()
	if want := "# REQUIRED: what it is called\nname:\n\n# how large it is (1 to 9)\nsize: 3\n"; err != nil || !strings.HasSuffix(sample, want) {
		t.Errorf("%v: the sample is\n%s\nwithout\n%s", err, sample, want)
	}
	if schema, err := run("--schema"); err != nil || !strings.Contains(schema, `"maximum": 9`) {
		t.Errorf("%v: the schema is %s", err, schema)
	}
	file := filepath.Join(t.TempDir(), "small.yaml")
	if _, err := run("-o", file); err != nil {
		t.Fatal(err)
	}
	if text, _ := os.ReadFile(file); string(text) != sample {
		t.Errorf("the file is not what is printed:\n%s", text)
	}
	if err := os.WriteFile(file, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := run("-o", file); Code(err) != WrongUsage || !strings.Contains(err.Error(), "--overwrite") {
		t.Errorf("over another file: %v", err)
	}
	if text, _ := os.ReadFile(file); string(text) != "mine" {
		t.Errorf("it wrote over another file: %s", text)
	}
	if _, err := run("-o", file, "--overwrite"); err != nil {
		t.Error(err)
	}
	if text, _ := os.ReadFile(file); string(text) != sample {
		t.Errorf("it did not write over the other file: %s", text)
	}
	for _, wrong := range [][]string{{"small.yaml"}, {"-o", filepath.Join(file, "below")}} {
		if _, err := run(wrong...); err == nil {
			t.Errorf("config %v is accepted", wrong)
		}
	}
}
