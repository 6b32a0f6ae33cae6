package mqtt

import (
	"bytes"
	"log/slog"
	"os/exec"
	"testing"
)

// lines is a writer that hands on each line.
type lines chan string

func (l lines) Write(b []byte) (int, error) {
	select {
	case l <- string(bytes.TrimSpace(b)):
	default: // nobody waits for more
	}
	return len(b), nil
}

// captured is a logger whose lines the test can wait for.
func captured() (*slog.Logger, <-chan string) {
	l := make(lines, 100)
	return slog.New(slog.NewTextHandler(l, nil)), l
}

// makeUsers writes a password file with mosquitto's own program.
func makeUsers(t *testing.T, file, user, password string) {
	t.Helper()
	program, err := exec.LookPath("mosquitto_passwd")
	if err != nil {
		t.Skip("mosquitto_passwd is not installed: run make setup")
	}
	if out, err := exec.Command(program, "-b", "-c", file, user, password).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}
