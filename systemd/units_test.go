// Package systemd holds the units; this test lets systemd itself read them.
package systemd

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

func TestSystemdAcceptsTheUnits(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not here; on Debian it is in the package systemd")
	}
	// systemd-analyze wants the programs to exist: the copies name one that does.
	dir := t.TempDir()
	units, err := filepath.Glob("*.service")
	if err != nil || len(units) < 4 {
		t.Fatalf("units: %v %v", units, err)
	}
	for _, unit := range units {
		text, err := os.ReadFile(unit)
		if err != nil {
			t.Fatal(err)
		}
		wants := []string{"Type=notify", "WatchdogSec=", "ProtectSystem=strict", "Restart=always", "RestartPreventExitStatus=2", "User=canvas"}
		if timer := strings.TrimSuffix(unit, ".service") + ".timer"; exists(timer) { // it runs and ends
			wants = []string{"Type=oneshot", "TimeoutStartSec=", "ProtectSystem=strict", "User=canvas"}
			copyUnit(t, timer, filepath.Join(dir, timer))
			if out, err := exec.Command(analyze, "calendar", calendar(t, timer)).CombinedOutput(); err != nil {
				t.Errorf("%s: %v: %s", timer, err, out)
			}
		}
		for _, want := range wants {
			if !strings.Contains(string(text), want) {
				t.Errorf("%s has no %s", unit, want)
			}
		}
		name := strings.Replace(unit, "@.", "@1.", 1)
		copied := strings.NewReplacer("/usr/bin/canvas-edge", "/bin/true", "/usr/bin/canvas-cloud", "/bin/true").Replace(string(text))
		if err := os.WriteFile(filepath.Join(dir, name), []byte(copied), 0o644); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(analyze, "verify", "--man=no", filepath.Join(dir, name)).CombinedOutput()
		for line := range strings.Lines(string(out)) {
			if strings.Contains(line, name) {
				t.Errorf("%s: %s", unit, line)
			}
		}
		if err != nil && !strings.Contains(string(out), name) {
			t.Logf("%s: %v\n%s", unit, err, out)
		}
	}
}

// What systemd itself thinks of how much a unit could harm, from 0 (nothing) to 10.
func TestUnitsAreConfined(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not here; on Debian it is in the package systemd")
	}
	units, err := filepath.Glob("*.service")
	if err != nil || len(units) < 4 {
		t.Fatalf("units: %v %v", units, err)
	}
	for _, unit := range units {
		most := 15
		if unit == "canvas-edge.service" { // cameras and the GPU are devices
			most = 20
		}
		out, err := exec.Command(analyze, "security", "--no-pager", "--offline=true", "--threshold="+strconv.Itoa(most), unit).CombinedOutput()
		switch {
		case strings.Contains(string(out), "unrecognized option"):
			t.Skip("this systemd-analyze can't judge units that are not installed: Debian 12 has one that can")
		case err != nil:
			t.Errorf("%s is more exposed than %d.%d: %v\n%s", unit, most/10, most%10, err, out)
		}
	}
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

func copyUnit(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, text, 0o644); err != nil {
		t.Fatal(err)
	}
}

// calendar is when a timer runs.
func calendar(t *testing.T, timer string) string {
	t.Helper()
	text, err := os.ReadFile(timer)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if when, ok := strings.CutPrefix(strings.TrimSpace(line), "OnCalendar="); ok {
			return when
		}
	}
	t.Fatalf("%s never runs", timer)
	return ""
}
