package brokertest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cloudcanvas/shared/security"
)

// Shipped is mosquitto with the files that are shipped for the cloud, on ports and with certificates of
// the test's own.
type Shipped struct {
	*Mosquitto
	DeviceURL, ServiceURL string // of the two listeners
	devices, services     *Authority
	t                     testing.TB
}

// TLSFiles are the files in /etc/canvas/tls that the shipped files name.
type TLSFiles struct {
	CA, ServicesCA, DevicesCRL, ServicesCRL string
	Cert, Key                               string // the broker's
}

// StartShipped starts it with the files of that folder, firmware-configs/mosquitto.
func StartShipped(t testing.TB, folder string) *Shipped {
	t.Helper()
	devices, services := NewAuthority(t, "devices"), NewAuthority(t, "services")
	cert, key := devices.Issue(t, "broker")
	s := StartShippedWith(t, folder, TLSFiles{CA: devices.File, ServicesCA: services.File, DevicesCRL: devices.CRL, ServicesCRL: services.CRL, Cert: cert, Key: key})
	s.devices, s.services = devices, services
	return s
}

// StartShippedWith starts it with certificates of the test's own: Device and Service have none.
func StartShippedWith(t testing.TB, folder string, tls TLSFiles) *Shipped {
	t.Helper()
	s := &Shipped{t: t}
	device, service := FreePort(t), FreePort(t)
	dir := t.TempDir()
	replace := strings.NewReplacer(
		"listener 8883", fmt.Sprintf("listener %d 127.0.0.1", device), "listener 8884", fmt.Sprintf("listener %d 127.0.0.1", service),
		"/etc/canvas/tls/ca.pem", tls.CA, "/etc/canvas/tls/services-ca.pem", tls.ServicesCA,
		"/etc/canvas/tls/devices.crl", tls.DevicesCRL, "/etc/canvas/tls/services.crl", tls.ServicesCRL,
		"/etc/canvas/tls/broker.pem", tls.Cert, "/etc/canvas/tls/broker.key", tls.Key,
		"/etc/mosquitto/", dir+"/", "/var/lib/mosquitto/", dir+"/",
	)
	for _, name := range []string{"canvas-cloud.conf", "canvas.acl", "canvas-services.acl"} {
		text, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		conf := replace.Replace(string(text))
		if name == "canvas-cloud.conf" && os.Getuid() == 0 {
			conf = "user root\n" + conf
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(conf), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.Mosquitto = newMosquitto(t, filepath.Join(dir, "canvas-cloud.conf"), filepath.Join(dir, "log"), device)
	s.URL = ""
	s.DeviceURL, s.ServiceURL = "mqtts://"+loopback(device), "mqtts://"+loopback(service)
	return s
}

// Device is the protection of a device of that name.
func (s *Shipped) Device(name string) security.Security {
	return s.devices.Client(s.t, name, s.devices)
}

// Service is the protection of a service.
func (s *Shipped) Service(name string) security.Security {
	return s.services.Client(s.t, name, s.devices)
}
