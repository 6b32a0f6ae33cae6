package cli

import (
	"os"
	"path/filepath"
)

// Home is where set-up put models, samples and native libraries: $CANVAS_HOME, else .deps beside
// the folder of the program, else /usr/lib/canvas.
func Home() string {
	if home := os.Getenv("CANVAS_HOME"); home != "" {
		return home
	}
	if exe, err := os.Executable(); err == nil {
		if exe, err = filepath.EvalSymlinks(exe); err == nil {
			home := filepath.Join(filepath.Dir(exe), "..", ".deps")
			if _, err := os.Stat(home); err == nil {
				return filepath.Clean(home)
			}
		}
	}
	return "/usr/lib/canvas"
}
