// Package identity is what both sides know of certificates: which names they may bear, how long they are
// good, and how a device gets and renews its own from the cloud's authority (cloud/ca).
package identity

import (
	"fmt"
	"net"
	"regexp"
	"strings"
)

// ServicePrefix begins the names of the cloud's services: no device's certificate may be issued for one,
// as a broker that makes the name the client id would let it throw a service out (decisions/0014).
const ServicePrefix = "canvas-"

// nameForm is that of edge.yaml: a name stands in topics, client ids and files.
var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$`)

// CheckDevice says why a device may not have a name.
func CheckDevice(name string) error {
	if !nameForm.MatchString(name) {
		return fmt.Errorf("%.80q is no name for a device: letters, digits, '-', '_' and '.', up to 63, the first a letter or a digit", name)
	}
	// Lower case, too, so that nobody who reads a list takes one for the other.
	if strings.HasPrefix(strings.ToLower(name), ServicePrefix) {
		return fmt.Errorf("the name %s begins as those of the cloud's services do: choose one that does not begin with %s", name, ServicePrefix)
	}
	return nil
}

// CheckService says why a service may not have a name.
func CheckService(name string) error {
	if !nameForm.MatchString(name) || !strings.HasPrefix(name, ServicePrefix) || name == ServicePrefix {
		return fmt.Errorf("%.80q is no name for a service: they begin with %s, as %sbridge does, and have letters, digits, '-', '_' and '.', up to 63", name, ServicePrefix, ServicePrefix)
	}
	return nil
}

// hostForm is that of a DNS name without a wildcard: one certificate for every host of a domain is a loss
// of all of them.
var hostForm = regexp.MustCompile(`^([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$`)

// CheckHost says why a server's certificate may not be for a host.
func CheckHost(host string) error {
	if net.ParseIP(host) == nil && (len(host) > 253 || !hostForm.MatchString(host)) {
		return fmt.Errorf("%.80q is neither a host's name nor its address: broker.example or 192.0.2.7, without port and scheme", host)
	}
	return nil
}
