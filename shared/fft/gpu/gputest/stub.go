// Package gputest makes libraries for tests that have CUDA's names and calls and compute on the CPU.
package gputest

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Libraries compiles them and returns the folder that they lie in. STUB_FAIL and other variables of the environment say
// what goes wrong: see stub.cc.
func Libraries(t testing.TB) string {
	t.Helper()
	root, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	for ; !exists(filepath.Join(root, "go.mod")); root = filepath.Dir(root) {
		if root == filepath.Dir(root) {
			t.Fatal("there is no go.mod above the test")
		}
	}
	dir := t.TempDir()
	first := filepath.Join(dir, "libcuda.so.1")
	if out, err := exec.Command("g++", "-O2", "-shared", "-fPIC", "-o", first, filepath.Join(root, "shared/fft/gpu/testdata/stub.cc")).CombinedOutput(); err != nil {
		t.Fatalf("g++: %v\n%s", err, out)
	}
	for _, name := range []string{"libcufft.so.11", "libnvrtc.so.12"} { // one library with three names
		if err := os.Symlink(first, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
