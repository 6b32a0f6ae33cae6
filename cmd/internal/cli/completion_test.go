package cli

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

// TestMain runs a command in place of the tests where a test asks for it.
func TestMain(m *testing.M) {
	if name := os.Getenv("CANVAS_TEST_COMMAND"); name != "" {
		Main(App(name, "a command", "1", &cli.Command{Name: "models", Usage: "models", Subcommands: []*cli.Command{
			{Name: "ls", Flags: []cli.Flag{&cli.BoolFlag{Name: "json"}}, Action: func(*cli.Context) error { return nil }},
			{Name: "publish", Flags: []cli.Flag{&cli.StringFlag{Name: "of", Required: true}}, Action: func(*cli.Context) error { return nil }},
		}}, &cli.Command{Name: "monitor", Action: func(*cli.Context) error { return nil }}))
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// command puts this test's program into a folder under a name.
func command(t *testing.T, name string) (folder string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	folder = t.TempDir()
	script := fmt.Sprintf("#!/bin/sh\nGORACE=atexit_sleep_ms=0 CANVAS_TEST_COMMAND=%s exec %q \"$@\"\n", name, self)
	if err := os.WriteFile(filepath.Join(folder, name), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return folder
}

func TestBashCompletesEachCommand(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no bash is installed")
	}
	for _, name := range []string{"canvas", "canvas-edge", "canvas-cloud"} {
		folder := command(t, name)
		for _, c := range []struct {
			words []string
			want  []string
		}{
			{[]string{name, "mo"}, []string{"models", "monitor"}}, {[]string{name, "mod"}, []string{"models"}}, {[]string{name, "com"}, []string{"completion"}},
			{[]string{name, "models", ""}, []string{"ls", "publish"}}, {[]string{name, "models", "ls", "--j"}, []string{"--json"}},
			{[]string{name, "models", "publish", "--o"}, []string{"--of"}}, {[]string{name, "completion", "z"}, []string{"zsh"}}, {[]string{name, "x"}, nil},
		} {
			// As bash does it when somebody presses the tab key.
			script := `source <(` + name + ` completion bash); spec=$(complete -p ` + name + `); fn=${spec#*-F }; fn=${fn%% *}
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); $fn; printf '%s\n' "${COMPREPLY[@]}"`
			run := exec.Command(bash, append([]string{"--norc", "-c", script, "bash"}, c.words...)...)
			run.Env = append(os.Environ(), "PATH="+folder+":"+os.Getenv("PATH"))
			out, err := run.CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %v: %s", c.words, err, out)
			}
			got := strings.Fields(string(out))
			slices.Sort(got)
			if !slices.Equal(slices.Compact(got), c.want) && len(got)+len(c.want) > 0 {
				t.Errorf("%q: %q, want %q", c.words, got, c.want)
			}
		}
	}
}

func TestEachShellGetsItsScript(t *testing.T) {
	folder := command(t, "canvas-edge")
	for shell, want := range map[string]string{"bash": "complete -o", "zsh": "#compdef canvas-edge", "fish": "complete -c canvas-edge"} {
		out, err := exec.Command(filepath.Join(folder, "canvas-edge"), "completion", shell).CombinedOutput()
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("%s: %v: %s", shell, err, out)
		}
		if path, err := exec.LookPath(shell); err == nil { // what is installed reads its own script
			check := exec.Command(path, "-n")
			check.Stdin = strings.NewReader(string(out))
			if said, err := check.CombinedOutput(); err != nil {
				t.Errorf("%s can't read its script: %v: %s", shell, err, said)
			}
		}
	}
	for _, args := range [][]string{{"completion"}, {"completion", "csh"}} {
		err := exec.Command(filepath.Join(folder, "canvas-edge"), args...).Run()
		if exit, ok := err.(*exec.ExitError); !ok || exit.ExitCode() != WrongUsage {
			t.Errorf("%q: %v", args, err)
		}
	}
}
