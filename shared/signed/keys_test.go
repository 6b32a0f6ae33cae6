package signed

import (
	"bytes"
	"crypto/ed25519"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestKeysAreMadeOnceAndReadBack(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	made, err := Make(dir)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, KeyFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v %v", info, err)
	}
	private, err := ReadKey(filepath.Join(dir, KeyFile))
	if err != nil || !public(private).Equal(made) {
		t.Fatal(err)
	}
	file := filepath.Join(dir, PublicFile)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	body := strings.Split(string(text), "\n")[1]
	for _, named := range []string{file, Text(made), body} {
		if keys, err := Trusted([]string{named}); err != nil || len(keys) != 1 || !keys[0].Equal(made) {
			t.Errorf("%s: %v %v", named, keys, err)
		}
	}
	if _, err := Make(dir); err == nil || !strings.Contains(err.Error(), "is there already") {
		t.Errorf("a second key in the same folder: %v", err)
	}
	other, err := Make(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if keys, err := Trusted([]string{file, Text(other)}); err != nil || !slices.EqualFunc(keys, []ed25519.PublicKey{made, other}, func(a, b ed25519.PublicKey) bool { return a.Equal(b) }) {
		t.Errorf("two: %v %v", keys, err)
	}
}

func TestWhatIsNoKeyIsRefusedInWords(t *testing.T) {
	dir := t.TempDir()
	if _, err := Make(dir); err != nil {
		t.Fatal(err)
	}
	private, open := filepath.Join(dir, KeyFile), filepath.Join(dir, PublicFile)
	if err := os.WriteFile(filepath.Join(dir, "empty"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for named, want := range map[string]string{private: "belongs to the cloud alone", filepath.Join(dir, "empty"): "no key in PEM", filepath.Join(dir, "none"): "no such file", "AAAA": "neither a public key in base64 nor a file"} {
		if _, err := Trusted([]string{named}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", named, err)
		}
	}
	if _, err := ReadKey(open); err == nil {
		t.Error("a public key was read as a signing key")
	}
	for file, mode := range map[string]os.FileMode{private: 0o604, open: 0o666} {
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := ReadKey(private); err == nil || !strings.Contains(err.Error(), "chmod") {
		t.Errorf("a signing key that everyone reads: %v", err)
	}
	if _, err := Trusted([]string{open}); err == nil || !strings.Contains(err.Error(), "chmod") {
		t.Errorf("a trusted key that everyone may change: %v", err)
	}
}

func TestOpenSSLReadsAndMakesTheSameFiles(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not here")
	}
	dir := t.TempDir()
	made, err := Make(dir)
	if err != nil {
		t.Fatal(err)
	}
	open, err := os.ReadFile(filepath.Join(dir, PublicFile))
	if err != nil {
		t.Fatal(err)
	}
	said, err := exec.Command(openssl, "pkey", "-pubout", "-in", filepath.Join(dir, KeyFile)).Output()
	if err != nil || !bytes.Equal(said, open) {
		t.Errorf("openssl says %s, the file %s: %v (%s)", said, open, err, IDOf(made))
	}
	theirs := filepath.Join(dir, "theirs.key")
	if out, err := exec.Command(openssl, "genpkey", "-algorithm", "ed25519", "-out", theirs).CombinedOutput(); err != nil {
		t.Fatalf("%s %v", out, err)
	}
	if err := os.Chmod(theirs, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadKey(theirs); err != nil {
		t.Error(err)
	}
}
