// Package firmware holds configurations of devices; this test lets mosquitto itself read its own.
package firmware

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestMosquittoAcceptsTheDevicesConfiguration(t *testing.T) {
	os.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin")
	program, err := exec.LookPath("mosquitto")
	if err != nil {
		t.Skip("mosquitto is not here; make setup installs it")
	}
	text, err := os.ReadFile("mosquitto/canvas-device.conf")
	if err != nil {
		t.Fatal(err)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().(*net.TCPAddr)
	free.Close()
	conf := strings.Replace(string(text), "listener 1883 127.0.0.1", fmt.Sprintf("listener %d 127.0.0.1", address.Port), 1)
	conf = strings.Replace(conf, "/var/lib/mosquitto/", t.TempDir()+"/", 1)
	if os.Getuid() == 0 {
		conf = "user root\n" + conf
	}
	file := filepath.Join(t.TempDir(), "m.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	cmd := exec.Command(program, "-c", file)
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	defer func() { cmd.Process.Kill(); <-ended }()
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if conn, err := net.Dial("tcp", address.String()); err == nil {
			conn.Close()
			return
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("mosquitto ended: %v\n%s", err, said.String())
		default:
		}
		if time.Now().After(deadline) {
			t.Fatal("mosquitto does not answer")
		}
	}
}
