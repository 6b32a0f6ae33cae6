package model

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// lay writes files below a new folder.
func lay(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestTheNewestVersionIsFoundFirst(t *testing.T) {
	r, err := Open(lay(t, map[string]string{
		"ship/model.yaml": good, "ship/9/model.onnx": "nine", "ship/10/model.onnx": "ten", "ship/draft/model.onnx": "no version", "ship/07/model.onnx": "no version",
	}))
	if err != nil || len(r.Problems()) != 0 {
		t.Fatal(err, r.Problems())
	}
	if m, err := r.Find("ship"); err != nil || m.Version != "10" || !strings.HasSuffix(m.Path, "ship/10/model.onnx") {
		t.Fatalf("%+v, %v", m, err)
	}
	if m, err := r.Find("ship@9"); err != nil || m.Version != "9" {
		t.Fatalf("%+v, %v", m, err)
	}
	if _, err := r.Find("ship@11"); !errors.Is(err, ErrUnknown) {
		t.Fatalf("got %v", err)
	}
	if len(r.List()) != 3 { // two versions and the built-in detector
		t.Fatalf("%d models", len(r.List()))
	}
}

func TestWeightsWithoutAManifestBelongToTheProjectsOfThatName(t *testing.T) {
	r, err := Open(lay(t, map[string]string{"ukis_csmask_6b_l1c/1/model.onnx": "other weights"}))
	if err != nil {
		t.Fatal(err)
	}
	m, err := r.Find("ukis_csmask_6b_l1c")
	if err != nil || m.Task != Segment || m.Case == nil {
		t.Fatalf("%+v, %v", m, err)
	}
	if err := m.Verify(); !errors.Is(err, ErrChecksum) {
		t.Fatalf("got %v", err)
	}
}

func TestABareFileIsKnownByItsChecksumOrItsOwnManifest(t *testing.T) {
	dir := lay(t, map[string]string{"ship.onnx": "weights", "ship.yaml": good, "odd.onnx": "what is it"})
	r, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if m, err := r.Find("ship"); err != nil || m.Path != filepath.Join(dir, "ship.onnx") {
		t.Fatalf("%+v, %v", m, err)
	}
	if p := r.Problems(); len(p) != 1 || !strings.Contains(p[0].Error(), "odd.yaml") {
		t.Fatalf("problems %v", p)
	}
}

func TestAFaultyModelDoesNotHideTheOthers(t *testing.T) {
	r, err := Open(lay(t, map[string]string{
		"ship/model.yaml": good, "ship/1/model.onnx": "x",
		"typo/model.yaml": strings.Replace(good, "task", "tusk", 1), "typo/1/model.onnx": "x",
		"boat/model.yaml": good, "boat/1/model.onnx": "x", // another name than its folder
		"empty/model.yaml":  good,
		"mute/1/model.onnx": "x",
		"case/model.yaml":   strings.Replace(good, "ship", "case", 1), "case/1/model.onnx": "x", "case/golden.json": "{",
		"notes/readme.txt": "not a model",
	}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Find("ship"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"typo/model.yaml:2", `its folder "boat"`, "no <version>/model.onnx", "no model.yaml", "golden case"} {
		if !slices.ContainsFunc(r.Problems(), func(e error) bool { return strings.Contains(e.Error(), want) }) {
			t.Errorf("no problem says %q: %v", want, r.Problems())
		}
	}
	if _, err := r.Find("typo"); !errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), "did you mean") {
		t.Errorf("looking for a faulty model should say why it is not there: %v", err)
	}
}

func TestAMissingFolderIsAnError(t *testing.T) {
	if _, err := Open(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("got %v", err)
	}
}

func TestTheFolderOfSetUpMayBeAbsent(t *testing.T) {
	home := t.TempDir()
	if got := Folders([]string{"/own"}, home); !slices.Equal(got, []string{"/own"}) {
		t.Errorf("%v without it", got)
	}
	own := filepath.Join(home, "models")
	if err := os.Mkdir(own, 0o700); err != nil {
		t.Fatal(err)
	}
	if got := Folders([]string{"/own"}, home); !slices.Equal(got, []string{"/own", own}) {
		t.Errorf("%v with it", got)
	}
}

func TestEarlierFoldersWin(t *testing.T) {
	a, b := lay(t, map[string]string{"ship/model.yaml": good, "ship/1/model.onnx": "a"}), lay(t, map[string]string{"ship/model.yaml": good, "ship/1/model.onnx": "b"})
	r, err := Open(a, b)
	if err != nil {
		t.Fatal(err)
	}
	if m, _ := r.Find("ship"); !strings.HasPrefix(m.Path, a) {
		t.Fatalf("found %s", m.Path)
	}
}

func TestEveryKnownModelHasALicenceASourceAndAGoldenCase(t *testing.T) {
	known, err := Known()
	if err != nil {
		t.Fatal(err)
	}
	if len(known) < 11 {
		t.Fatalf("%d models", len(known))
	}
	for _, m := range known {
		if m.Licence == "" || m.Source == "" || m.Description == "" {
			t.Errorf("%s: %+v", m.Name, m.Manifest)
		}
		if m.Builtin == "" && (m.SHA256 == "" || m.Case == nil) {
			t.Errorf("%s has no checksum or no golden case", m.Name)
		}
		if m.Case != nil && m.Case.Input.Shape[1] != m.Input.Channels() {
			t.Errorf("%s: golden input %v for %d channels", m.Name, m.Case.Input.Shape, m.Input.Channels())
		}
	}
}
